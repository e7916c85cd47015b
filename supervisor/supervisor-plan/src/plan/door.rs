//! Whether a gate lets requests through to its agent.
//!
//! **Invariant.** The door is open only for the generation that holds the lease and was seen active.

use platform_types::ProfileName;
use platform_types::gate::Door;

use super::agent::Agents;
use super::health::{self, Health};
use super::world::World;
use crate::observed::{Probe, State};
use crate::target::Target;

/// How the door of a profile should be.
pub(super) fn wanted(world: World<'_>, profile: &ProfileName) -> Door {
    let agents = Agents::of(world, profile);
    let held_by_operator = world.ledger.holds.contains_key(profile);
    let (Some(serving), false, false) = (agents.serving, held_by_operator, agents.is_switching(world, profile)) else {
        return Door::Held;
    };
    let Some(generation) = serving.labels.generation.filter(|_| serving.state == State::Running) else {
        return Door::Held;
    };
    let open = Door::Open { generation };
    // Opened since this process started: a missing probe, or a moment of being unready, does not close it.
    let is_open = world.ledger.pushed.get(&Target::gate(profile)).is_some_and(|pushed| {
        pushed.door == Some(open) && serving.started_at.is_some_and(|started| started <= pushed.at)
    });
    let stays_open = match (&serving.probe, health::of(world, serving)) {
        (Probe::Answering(answer), _) => answer.generation == Some(generation) && (answer.ready || is_open),
        (Probe::Never, _) | (Probe::Silent { .. }, Health::Unknown(..)) => is_open,
        (Probe::Silent { .. }, _) => false,
    };
    if stays_open { open } else { Door::Held }
}

/// Whether requests are known not to reach the agent: the gate confirmed it, or there is no gate that could forward.
pub(super) fn is_held(world: World<'_>, profile: &ProfileName) -> bool {
    let target = Target::gate(profile);
    let Some(service) = world.desired.services.get(&target) else { return true };
    // A gate that refused its configuration until it was given up is not waited for.
    let refuses = world.ledger.failures_of(&target).last().is_some_and(|failure| failure.run.is_none());
    if refuses && world.ledger.quarantine(&target, &service.fingerprint()).is_some() {
        return true;
    }
    world.of(&target).into_iter().filter(|gate| !gate.state.is_stopped()).all(|gate| {
        let Some(answer) = gate.answer() else { return matches!(gate.probe, Probe::Silent { .. }) };
        world.ledger.pushed.get(&target).is_some_and(|pushed| {
            pushed.container == gate.id && pushed.door == Some(Door::Held) && answer.revision == Some(pushed.revision)
        })
    })
}
