//! What nothing bounds on this host, said plainly.

use std::path::Path;

use crate::doctor::Finding;
use crate::doctor::host::mount_of;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    let Some(engine) = &evidence.engine else { return Finding::unknown("Docker has not been asked yet", None) };
    let mut missing = Vec::new();
    let quotas = mount_of(&evidence.mounts, Path::new(&engine.root_directory))
        .is_some_and(|mount| mount.has("prjquota") || mount.has("pquota"));
    missing.push(if quotas {
        "the size of a volume: the file system has project quotas, and the platform sets none".to_owned()
    } else {
        format!("the size of a volume: a taken-over agent can fill the disk of {}", engine.root_directory)
    });
    if !engine.user_namespaces {
        missing.push(
            "user namespaces (userns-remap): a user in a container is a user of the host, though none is root"
                .to_owned(),
        );
    }
    if !engine.live_restore {
        missing.push("live-restore: whoever can restart Docker stops every container".to_owned());
    }
    Finding::advice(
        format!("{} things are not enforced here", missing.len()),
        "docs/runbooks/check-the-confinement.md says what each means, and what can be done",
    )
    .with_details(missing)
}
