//! Pushing configurations, and giving the lease.

use platform_types::gate::Door;
use platform_types::{Generation, Role, Timestamp};

use super::case::Case;
use crate::action::{Push, Step};
use crate::desired::Service;
use crate::observed::{Answer, ObservedContainer};
use crate::report::{Condition, Waiting};

/// Gives it the lease, when nobody else can write the state.
pub(super) fn activate(case: &mut Case<'_>, service: &Service, container: &ObservedContainer, generation: Generation) {
    case.line.condition = Condition::Standby;
    let world = case.world;
    let others = world.of(&case.target).into_iter().filter(|other| other.id != container.id);
    let alive = others.into_iter().find(|other| !other.state.is_stopped());
    if let Some(other) = alive.or_else(|| world.other_writer(service, container)) {
        return case.wait(Waiting::Predecessor { container: other.name.clone() });
    }
    let lease = case.target.profile().and_then(|profile| world.ledger.leases.get(profile));
    let sent_at = lease.filter(|lease| lease.container == container.id).map(|lease| lease.at);
    if let (Some(sent_at), Some(answer)) = (sent_at, container.answer())
        && is_awaited(case, sent_at, answer)
    {
        return case.wait(Waiting::Confirmation);
    }
    let push = push(case, service, (container, None));
    let step = Step::Activate { container: container.id.clone(), generation, push };
    case.serve(step, "it is in standby and nobody else holds the state");
}

/// An agent has the state open, and the ledger knows of an older lease or of none: it was lost since, or is an older copy.
/// What serves goes on serving; `true` when that takes a step first.
pub(super) fn adopt(case: &mut Case<'_>, service: &Service, container: &ObservedContainer) -> bool {
    let world = case.world;
    let Some(profile) = case.target.profile().filter(|_| case.target.role() == Role::Agent) else { return false };
    let active = container.answer().and_then(|answer| answer.generation);
    let Some(generation) = active.filter(|active| container.labels.generation == Some(*active)) else { return false };
    let lent = world.ledger.leases.get(profile).map(|lease| lease.generation);
    if Some(generation) <= lent {
        return false;
    }
    let others = world.of(&case.target).into_iter().filter(|other| other.id != container.id);
    let alive = others.into_iter().find(|other| !other.state.is_stopped());
    if let Some(other) = alive.or_else(|| world.other_writer(service, container)) {
        case.wait(Waiting::Predecessor { container: other.name.clone() });
        return true;
    }
    let step = Step::Adopt { container: container.id.clone(), generation };
    case.insist(step, "it serves, and the ledger does not remember it", None);
    true
}

/// Whether the lease of the profile is this generation's.
pub(super) fn has_lease(case: &Case<'_>, generation: Generation) -> bool {
    let lease = case.target.profile().and_then(|profile| case.world.ledger.leases.get(profile));
    lease.is_some_and(|lease| lease.generation == generation)
}

/// Pushes the configuration, and for a gate the door.
pub(super) fn configure(case: &mut Case<'_>, service: &Service, container: &ObservedContainer, door: Option<Door>) {
    if case.line.condition != Condition::Ready {
        case.line.condition = Condition::Starting;
    }
    let known = case.world.ledger.pushed.get(&case.target).filter(|pushed| pushed.container == container.id);
    let push = push(case, service, (container, door));
    let because = match known {
        Some(_) if push.port.is_some() => "its configuration changed, and it still publishes another port",
        Some(pushed) if service.config_digest.as_ref() != Some(&pushed.config_digest) => "its configuration changed",
        Some(pushed) if pushed.door != door => "the door changes",
        Some(_) if container.answer().is_some_and(|answer| answer.revision.is_some()) => {
            "it has another revision than was pushed"
        }
        _ => "it has no configuration yet",
    };
    case.serve(Step::Configure { container: container.id.clone(), push }, because);
}

fn push(case: &Case<'_>, service: &Service, (container, door): (&ObservedContainer, Option<Door>)) -> Push {
    let config_digest = service.config_digest.clone().unwrap_or_default();
    let port = container.spec.host_port().filter(|port| Some(*port) != service.spec.host_port());
    Push { revision: case.revision, config_digest, door, port }
}

/// Whether what was pushed last is in force.
pub(super) enum Configured {
    Yes,
    /// The answer is older than the push.
    Awaited,
    No,
}

pub(super) fn configured(
    case: &Case<'_>,
    service: &Service,
    container: &ObservedContainer,
    answer: &Answer,
    door: Option<Door>,
) -> Configured {
    let Some(digest) = &service.config_digest else { return Configured::Yes };
    let Some(pushed) = case.world.ledger.pushed.get(&case.target) else { return Configured::No };
    if pushed.container != container.id || pushed.config_digest != *digest || pushed.door != door {
        Configured::No
    } else if answer.revision == Some(pushed.revision) {
        Configured::Yes
    } else if is_awaited(case, pushed.at, answer) {
        Configured::Awaited
    } else {
        Configured::No
    }
}

/// Something was sent, did not fail, and the latest answer is older than that.
fn is_awaited(case: &Case<'_>, sent_at: Timestamp, answer: &Answer) -> bool {
    sent_at >= answer.at && case.latest_failure(None).is_none_or(|failure| failure.at < sent_at)
}
