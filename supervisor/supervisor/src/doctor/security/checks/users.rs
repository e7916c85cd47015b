//! Each container has a user of its own, and none is root.

use std::collections::BTreeMap;

use platform_types::Role;

use super::each_container;
use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    let containers = evidence.containers.as_deref().unwrap_or_default();
    // A task runs as whoever it works for; two generations of an agent are one user.
    let owner = |found: &supervisor_plan::observed::ObservedContainer| {
        found.labels.target.clone().filter(|target| target.role() != Role::Task)
    };
    let mut owners: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for container in containers {
        owners.entry(container.spec.user.uid).or_default().extend(owner(container));
    }
    each_container(
        evidence,
        |_| format!("{} users, none is root", owners.len()),
        |container| {
            let user = &container.spec.user;
            let mut why = Vec::new();
            if user.uid == 0 || user.gid == 0 || user.groups.contains(&0) {
                why.push("it runs as root, or in root's group".to_owned());
            }
            let others = owners.get(&user.uid).into_iter().flatten();
            let own = owner(container);
            if let Some(other) = others.into_iter().find(|other| own.is_some() && Some(*other) != own.as_ref()) {
                why.push(format!("it is the same user as {other}"));
            }
            why
        },
    )
}
