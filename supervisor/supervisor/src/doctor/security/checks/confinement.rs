//! What a container may do: nothing that it does not need.

use platform_types::Role;
use supervisor_plan::observed::ObservedContainer;
use supervisor_plan::spec::{Confinement, Seccomp};

use super::each_container;
use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    each_container(
        evidence,
        |count| {
            format!("{count} containers: no capability, no new privileges, a filter, a root that cannot be written")
        },
        broken,
    )
}

fn broken(container: &ObservedContainer) -> Vec<String> {
    let Confinement {
        read_only_root,
        cap_drop,
        cap_add,
        no_new_privileges,
        privileged,
        seccomp,
        init: _,
        host_namespaces,
        devices,
        restart_policy: _,
    } = &container.spec.confinement;
    let is_agent = container.labels.target.as_ref().is_some_and(|target| target.role() == Role::Agent);
    let limits = &container.spec.limits;
    let rules = [
        (*privileged, "it is privileged"),
        (!cap_drop.contains("ALL"), "it keeps capabilities"),
        (!cap_add.is_empty(), "it was given capabilities"),
        (!no_new_privileges, "it may gain privileges"),
        (*seccomp == Seccomp::Unconfined, "no filter on system calls"),
        (is_agent && *seccomp == Seccomp::Default, "an agent under Docker's own filter, which opens network sockets"),
        (!read_only_root, "its root can be written"),
        (!host_namespaces.is_empty(), "it shares a namespace with the host"),
        (!devices.is_empty(), "it has a device of the host"),
        (limits.memory_bytes == 0 || limits.pids == 0, "memory or processes are not limited"),
    ];
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, why)| why.to_owned()).collect()
}
