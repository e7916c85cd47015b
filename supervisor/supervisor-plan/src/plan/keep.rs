//! Keeping a container up that is as it should be, and taking down what should not be.

use platform_types::Role;
use platform_types::gate::Door;

use super::case::Case;
use super::configure::{Configured, activate, adopt, configure, configured, has_lease};
use super::door;
use super::health::{self, Health, UNREADY_MILLIS};
use super::start::{revive, start_created};
use super::world::run;
use crate::action::Step;
use crate::desired::Service;
use crate::ledger::Failure;
use crate::observed::{Answer, ObservedContainer, State};
use crate::report::Waiting;
use crate::words;

/// SIGTERM to SIGKILL. An agent may take 20 s to park its turns.
const AGENT_GRACE_SECONDS: u32 = 25;
const GRACE_SECONDS: u32 = 10;

/// Shows this container in the report as the one that serves the target.
pub(super) fn show(case: &mut Case<'_>, container: &ObservedContainer) {
    let (condition, since) = health::condition(container);
    case.line.condition = condition;
    case.line.since = since;
    case.line.container = Some(container.id.clone());
    case.line.generation = container.labels.generation;
    if let Some(answer) = container.answer() {
        case.line.notes.extend(answer.notes.iter().map(|note| words::reported(note)));
    }
}

/// Keeps a container up that is as it should be.
pub(super) fn keep(case: &mut Case<'_>, service: &Service, container: &ObservedContainer) {
    case.about(service, container);
    match &container.state {
        State::Removing => case.wait(Waiting::Predecessor { container: container.name.clone() }),
        State::Dead => retire(case, container, "Docker could not remove it", None),
        State::Created => start_created(case, service, container),
        State::Exited { .. } => revive(case, service, container),
        State::Running | State::Paused => match health::of(case.world, container) {
            Health::Unknown(waiting, wake) => match wake {
                Some(until) => case.wait_until(until, waiting),
                None => case.wait(waiting),
            },
            Health::Wedged { evidence } => take_down(case, container, evidence, true),
            Health::Answering(answer) => keep_running(case, service, container, answer),
        },
    }
}

/// Takes down what is no longer wanted: stops it, and removes it once it is stopped.
pub(super) fn retire(case: &mut Case<'_>, container: &ObservedContainer, because: &str, failure: Option<Failure>) {
    let id = container.id.clone();
    let step = match &container.state {
        State::Removing => return case.wait(Waiting::Predecessor { container: container.name.clone() }),
        State::Running => Step::Stop { container: id, grace_seconds: grace_seconds(case.target.role()) },
        State::Paused => Step::Kill { container: id },
        State::Created | State::Exited { .. } | State::Dead => Step::Remove { container: id },
    };
    case.insist(step, because, failure);
}

/// Stops a running container on purpose, and leaves it there.
pub(super) fn stop(case: &mut Case<'_>, container: &ObservedContainer, because: &str) {
    if !container.state.is_stopped() {
        retire(case, container, because, None);
    }
}

/// The failure of the life that a container is in, or was last.
pub(super) fn failure(case: &Case<'_>, container: &ObservedContainer, evidence: impl Into<String>) -> Failure {
    Failure {
        at: case.now(),
        run: Some(run(container)),
        fingerprint: case.fingerprint.clone(),
        evidence: evidence.into(),
    }
}

fn take_down(case: &mut Case<'_>, container: &ObservedContainer, evidence: String, kill: bool) {
    let failure = failure(case, container, evidence.clone());
    let id = container.id.clone();
    let step = if kill {
        Step::Kill { container: id }
    } else {
        Step::Stop { container: id, grace_seconds: grace_seconds(case.target.role()) }
    };
    case.insist(step, evidence, Some(failure));
}

fn keep_running(case: &mut Case<'_>, service: &Service, container: &ObservedContainer, answer: &Answer) {
    if case.target.role() == Role::Agent && answer.generation != container.labels.generation {
        return match (answer.generation, container.labels.generation) {
            (None, Some(generation)) => activate(case, service, container, generation),
            _ => take_down(case, container, "it reports a generation that is not its own".to_owned(), false),
        };
    }
    if adopt(case, service, container) {
        return;
    }
    let door = match (case.target.role(), case.target.profile()) {
        (Role::Gate, Some(profile)) => Some(door::wanted(case.world, profile)),
        _ => None,
    };
    if let Some(Door::Open { generation }) = door
        && !has_lease(case, generation)
    {
        return case.wait(Waiting::Lease { generation });
    }
    match configured(case, service, container, answer, door) {
        Configured::Yes => {}
        Configured::Awaited => return case.wait(Waiting::Confirmation),
        Configured::No => return configure(case, service, container, door),
    }
    if !answer.ready {
        return unready(case, container, answer);
    }
    rename(case, service, container);
}

/// It is configured and says that it is not ready: that has a limit.
fn unready(case: &mut Case<'_>, container: &ObservedContainer, answer: &Answer) {
    let pushed = case.world.ledger.pushed.get(&case.target).map_or(answer.since, |pushed| pushed.at);
    let until = answer.since.max(pushed).plus_millis(UNREADY_MILLIS);
    let reasons: Vec<String> = answer.reasons.iter().map(|reason| words::reported(reason)).collect();
    if case.now() < until {
        return case.wait_until(until, Waiting::Unready { until, reasons });
    }
    let reasons = if reasons.is_empty() { "it gives no reason".to_owned() } else { reasons.join("; ") };
    if case.is_quarantined() {
        return;
    }
    take_down(case, container, format!("not ready for {}: {reasons}", words::duration(UNREADY_MILLIS)), false);
}

/// The name of a replacement, or one that somebody gave it, becomes the right one as soon as that is free.
fn rename(case: &mut Case<'_>, service: &Service, container: &ObservedContainer) {
    let name = &service.container_name;
    if container.name == *name {
        return;
    }
    let world = case.world;
    if let Some(other) = world.observed.containers.iter().find(|other| other.name == *name) {
        return case.wait(Waiting::Predecessor { container: other.name.clone() });
    }
    if world.observed.foreign_containers.contains(name) {
        let problem = format!("a container named {name} exists that is not of this installation");
        return case.block(problem, "rename or remove it");
    }
    let step = Step::Rename { container: container.id.clone(), name: name.clone() };
    case.act(step, format!("it is named {}", container.name), None);
}

fn grace_seconds(role: Role) -> u32 {
    if role == Role::Agent { AGENT_GRACE_SECONDS } else { GRACE_SECONDS }
}
