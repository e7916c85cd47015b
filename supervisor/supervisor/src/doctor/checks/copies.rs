//! The repositories lie on this host: what takes the host takes them too, unless somebody copies them away.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    if daemon.world.config.backup.copied_off_host {
        return Finding::ok("seen to by other means, says platform.toml");
    }
    Finding::advice(
        "no copy of the repositories is known off this host",
        "copy them to another machine (docs/runbooks/back-up-and-restore.md), then write copied_off_host = true under [backup]",
    )
}
