//! Socket directories lie on small file systems in memory, so that nobody fills the disk through one.

use std::path::Path;

use crate::doctor::Finding;
use crate::doctor::facts::{Facts, run_directories};
use crate::doctor::host::mount_of;

/// A new generation needs a socket, a canary and their temporaries.
const LOW_INODES: u64 = 8;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let sources = run_directories(&daemon.world, &facts.roots);
    let unbounded: Vec<String> = sources
        .iter()
        .filter(|path| !is_bounded(facts, path))
        .map(|path| format!("{path} is not on a bounded tmpfs of ours"))
        .collect();
    if !unbounded.is_empty() {
        return Finding::problem(
            format!("{} of {} socket directories are not bounded", unbounded.len(), sources.len()),
            "restart the supervisor; it mounts what is missing",
        )
        .with_details(unbounded);
    }
    let few: Vec<String> = facts
        .run_inodes
        .iter()
        .filter(|(_, inodes)| inodes.free < LOW_INODES)
        .map(|(path, inodes)| format!("{path}: {} of {} inodes free", inodes.free, inodes.total))
        .collect();
    if !few.is_empty() {
        return Finding::warning(
            format!("{} of {} socket directories are almost full", few.len(), sources.len()),
            "look what fills it (ls -lA); a container that fills its directory is broken, or taken over",
        )
        .with_details(few);
    }
    let least = facts.run_inodes.values().map(|inodes| inodes.free).min();
    let free = least.map(|least| format!(", {least} inodes or more free")).unwrap_or_default();
    Finding::ok(format!("{} socket directories, each on a bounded tmpfs{free}", sources.len()))
}

fn is_bounded(facts: &Facts, path: &str) -> bool {
    mount_of(&facts.mounts, Path::new(path)).is_some_and(|mount| {
        let bounded = mount.value("size").is_some() && mount.value("nr_inodes").is_some();
        mount.fs_type == "tmpfs" && mount.point.starts_with(facts.roots.run()) && bounded
    })
}
