//! `supervisor.sock` is for root and `bot-admin`; `run/` is for root alone.

use crate::doctor::Finding;
use crate::doctor::facts::{Facts, SocketFile};
use crate::doctor::service::Service;

pub fn check(facts: &Facts) -> Finding {
    if let Some(mode) = facts.run_mode
        && mode & 0o077 != 0
    {
        let run = facts.roots.run().display().to_string();
        return Finding::problem(format!("{run} has mode {mode:04o}: others can enter"), format!("chmod 700 {run}"));
    }
    let Some(SocketFile { mode, uid, gid, admin_gid }) = facts.socket else {
        return Finding::unknown("supervisor.sock is not there", None);
    };
    let path = facts.roots.supervisor_socket().display().to_string();
    if uid != 0 || mode & 0o007 != 0 {
        return Finding::problem(
            format!("{path} has mode {mode:04o} and belongs to user {uid}: others can connect"),
            format!("restart the supervisor: {}", Service::of(&facts.roots.supervisor_socket()).restart),
        );
    }
    match admin_gid {
        Some(admin) if gid == admin => Finding::ok("for root and the group bot-admin"),
        Some(_) => Finding::advice(
            "the group bot-admin exists, and the socket does not belong to it",
            format!("restart the supervisor: {}", Service::of(&facts.roots.supervisor_socket()).restart),
        ),
        None => Finding::ok("for root alone: there is no group bot-admin"),
    }
}
