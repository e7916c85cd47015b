//! Docker's live-restore keeps containers running while the engine restarts.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    match &daemon.world.engine {
        None => Finding::unknown("Docker has not been asked yet", None),
        Some(engine) if engine.live_restore => Finding::ok("on: chats survive a restart of Docker"),
        Some(_) => Finding::advice(
            "off: a restart of Docker stops every container, and the supervisor starts them again",
            "set \"live-restore\": true in /etc/docker/daemon.json, then: systemctl reload docker",
        ),
    }
}
