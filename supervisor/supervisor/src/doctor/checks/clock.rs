//! The clock is kept right: signatures, links and schedules depend on it.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let zone = facts.daemon.as_ref().map(|daemon| daemon.world.config.timezone.clone());
    let zone = zone.map(|zone| format!("; schedules follow {zone}")).unwrap_or_default();
    match &facts.clock_sign {
        Some(_) => Finding::ok(format!("synchronised{zone}")),
        None => Finding::advice(
            format!("nothing that keeps the clock right was found{zone}"),
            "install one: apt install systemd-timesyncd, or chrony; in a virtual machine the host may do it",
        ),
    }
}
