//! Starting a container that exists: one that never ran, and one whose process ended.

use super::backoff::LIMIT;
use super::case::Case;
use super::keep::{failure, retire};
use super::launch::{obstacles, port_held};
use super::world::{exit_evidence, run};
use crate::action::Step;
use crate::desired::Service;
use crate::ledger::Failure;
use crate::observed::{ObservedContainer, State};

/// It was created and never started: by a supervisor that died, or its start failed.
pub(super) fn start_created(case: &mut Case<'_>, service: &Service, container: &ObservedContainer) {
    if case.latest_failure(None).is_some_and(|failure| failure.run.is_none()) {
        return retire(case, container, "it was created and could not be started", None);
    }
    start(case, service, container, "it was created and not started", None);
}

/// Its process ended: back-off, restart, in the end quarantine.
pub(super) fn revive(case: &mut Case<'_>, service: &Service, container: &ObservedContainer) {
    let State::Exited { at, .. } = &container.state else { return };
    if case.world.stopped_on_purpose(container) {
        return start(case, service, container, "it was stopped on purpose and is wanted again", None);
    }
    if case.is_quarantined() {
        return;
    }
    let life = run(container);
    let known = case.world.ledger.failures_of(&case.target).iter().find(|known| known.run.as_ref() == Some(&life));
    let failure = known.cloned().unwrap_or_else(|| failure(case, container, exit_evidence(&container.state)));
    let attempt = case.failures(Some(&life)) + 1;
    if attempt >= LIMIT {
        return case.quarantine(Some(failure));
    }
    if !case.backs_off(*at, attempt, &failure.evidence) {
        let because = failure.evidence.clone();
        start(case, service, container, &because, Some(failure));
    }
}

fn start(
    case: &mut Case<'_>,
    service: &Service,
    container: &ObservedContainer,
    because: &str,
    failure: Option<Failure>,
) {
    if obstacles(case, service, &container.name, Some(container)) || port_held(case, service, Some(container)) {
        return;
    }
    let step = Step::Start { container: container.id.clone() };
    match failure {
        Some(failure) => case.act(step, because, Some(failure)),
        None => case.serve(step, because),
    }
}
