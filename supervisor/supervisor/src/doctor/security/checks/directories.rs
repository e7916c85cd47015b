//! A directory of sockets belongs to who binds there, nobody else writes, and it is small and harmless.

use crate::doctor::Finding;
use crate::doctor::host::mount_of;
use crate::doctor::security::directory::Directory;
use crate::doctor::security::evidence::Evidence;

/// Options of every file system under `run/`: nothing in it runs, is a device, or changes users; and it is bounded.
const WANTED: [&str; 3] = ["nosuid", "nodev", "noexec"];
const BOUNDS: [&str; 2] = ["size", "nr_inodes"];

pub fn check(evidence: &Evidence) -> Finding {
    let found: Vec<String> = evidence
        .directories
        .iter()
        .flat_map(|dir| broken(evidence, dir).into_iter().map(|why| format!("{}: {why}", dir.path.display())))
        .collect();
    match found.len() {
        0 => Finding::ok(format!(
            "{} directories, each its owner's alone, small, nosuid, nodev, noexec",
            evidence.directories.len()
        )),
        _ => Finding::problem(
            "a directory of sockets or secrets is open",
            "restart the supervisor; it sets owners and mounts",
        )
        .with_details(found),
    }
}

fn broken(evidence: &Evidence, dir: &Directory) -> Vec<String> {
    let mut why = Vec::new();
    if dir.uid != dir.want_uid {
        why.push(format!("it belongs to user {}, not to {}", dir.uid, dir.want_uid));
    }
    if dir.mode & 0o022 != 0 {
        why.push(format!("it has mode {:04o}: others can write", dir.mode));
    }
    match mount_of(&evidence.mounts, &dir.path) {
        Some(mount) if mount.fs_type == "tmpfs" && mount.point.starts_with(evidence.roots.run()) => {
            why.extend(WANTED.iter().filter(|option| !mount.has(option)).map(|option| format!("it is not {option}")));
            let unbounded = BOUNDS.iter().filter(|bound| mount.value(bound).is_none());
            why.extend(unbounded.map(|bound| format!("it has no {bound}")));
        }
        _ => why.push("it is not on a file system of its own".to_owned()),
    }
    why
}
