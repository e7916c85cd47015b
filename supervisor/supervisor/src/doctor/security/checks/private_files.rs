//! The ledger, secrets and configuration are root's.

use crate::doctor::Finding;
use crate::doctor::security::evidence::{Evidence, PrivateFile};

pub fn check(evidence: &Evidence) -> Finding {
    let found: Vec<String> = evidence.files.iter().filter_map(broken).collect();
    match found.len() {
        0 => Finding::ok(format!(
            "{} files and folders: root's, and the ledger and secrets for root alone",
            evidence.files.len()
        )),
        _ => Finding::problem(
            "somebody else can read or write a file of the supervisor",
            "chown root: and chmod go-w it; chmod 600 what is private",
        )
        .with_details(found),
    }
}

fn broken(file: &PrivateFile) -> Option<String> {
    let forbidden = if file.is_public { 0o022 } else { 0o077 };
    let PrivateFile { path, uid, mode, .. } = file;
    (*uid != 0 || mode & forbidden != 0)
        .then(|| format!("{} belongs to user {uid} and has mode {mode:04o}", path.display()))
}
