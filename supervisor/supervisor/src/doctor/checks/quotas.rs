//! Whether the kernel bounds the volumes. Where it does not, agents bound themselves and the supervisor watches.

use std::path::Path;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::doctor::host::mount_of;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let Some(engine) = &daemon.world.engine else { return Finding::unknown("Docker has not been asked yet", None) };
    let Some(mount) = mount_of(&facts.mounts, Path::new(&engine.root_directory)) else {
        return Finding::unknown("the file system of the volumes was not found", None);
    };
    let (point, kind) = (mount.point.display(), &mount.fs_type);
    match kind.as_str() {
        "xfs" | "ext4" if mount.has("prjquota") || mount.has("pquota") => Finding::advice(
            format!("{point} is {kind} with project quotas; a size for each volume is not set"),
            "a taken-over agent can fill this disk; keep backups elsewhere",
        ),
        "tmpfs" | "ramfs" => {
            Finding::warning(format!("{point} is {kind}: a reboot loses every volume"), "keep Docker's data on a disk")
        }
        "nfs" | "nfs4" | "cifs" | "9p" | "fuse.sshfs" => Finding::problem(
            format!("{point} is {kind}: databases are not safe on it"),
            "keep Docker's data on a local disk",
        ),
        _ => Finding::advice(
            format!("not enforced: {point} is {kind} without project quotas"),
            "agents bound themselves; a taken-over one can fill this disk. To enforce, mount it with prjquota",
        ),
    }
}
