//! Socket directories lie on small file systems in memory, so that nobody fills the disk through one.

use supervisor_plan::spec::MountSource;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::doctor::host::mount_of;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let run = facts.roots.run();
    let services = daemon.world.desired.services.values();
    let mut sources: Vec<&str> = services
        .flat_map(|service| service.spec.mounts.values())
        .filter_map(|mount| match &mount.source {
            MountSource::Bind { path } => Some(path.as_str()),
            _ => None,
        })
        .filter(|path| std::path::Path::new(path).starts_with(&run))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    let unbounded: Vec<String> = sources
        .iter()
        .filter(|path| {
            let mount = mount_of(&facts.mounts, std::path::Path::new(path));
            !mount.is_some_and(|mount| {
                let bounded = mount.value("size").is_some() && mount.value("nr_inodes").is_some();
                mount.fs_type == "tmpfs" && mount.point.starts_with(&run) && bounded
            })
        })
        .map(|path| format!("{path} is not on a bounded tmpfs of ours"))
        .collect();
    if unbounded.is_empty() {
        Finding::ok(format!("{} socket directories, each on a bounded tmpfs", sources.len()))
    } else {
        Finding::problem(
            format!("{} of {} socket directories are not bounded", unbounded.len(), sources.len()),
            "restart the supervisor; it mounts what is missing",
        )
        .with_details(unbounded)
    }
}
