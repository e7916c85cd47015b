//! Logs of containers are bounded: Docker's default is not, and fills the disk.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let containers = &daemon.world.observed.containers;
    let unbounded: Vec<String> = containers
        .iter()
        .filter(|container| container.spec.log.max_bytes == 0 || container.spec.log.files == 0)
        .map(|container| format!("{} logs without a limit", container.name))
        .collect();
    if unbounded.is_empty() {
        let bytes: u64 =
            containers.iter().map(|found| found.spec.log.max_bytes * u64::from(found.spec.log.files)).sum();
        return Finding::ok(format!("{} for all logs together at most", crate::measure::bytes(bytes)));
    }
    Finding::problem("a container logs without a limit", "botctl apply replaces it").with_details(unbounded)
}
