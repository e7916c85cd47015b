//! Gates, spark and backup: one container, replaced with a short interruption.

use std::cmp::Reverse;

use super::case::Case;
use super::keep::{failure, keep, retire, show};
use super::launch::{defer, launch, obstacles};
use super::replace::{self, Replace};
use crate::desired::Service;
use crate::observed::{ObservedContainer, State};

pub(super) fn decide(case: &mut Case<'_>, service: &Service) {
    let containers = case.world.of(&case.target);
    let world = case.world;
    let target = case.target.clone();
    let reason = |container: &ObservedContainer| replace::reason(world, &target, service, container);
    let best = containers.iter().copied().max_by_key(|container| {
        let is_right = reason(container).is_none();
        let runs = container.state == State::Running;
        (is_right, runs, container.name == service.container_name, Reverse(&container.id))
    });
    let Some(container) = best else {
        return launch(case, service, service.container_name.clone(), "it is missing", None);
    };
    show(case, container);
    if case.world.in_flight(&case.target) {
        return;
    }
    if let Some(extra) = containers.iter().find(|other| other.id != container.id) {
        case.line.notes.push(format!("{} is a second container of this and goes away", extra.name));
        return retire(case, extra, "another container serves this already", None);
    }
    match reason(container) {
        Some(why) => replace(case, service, container, why),
        None => keep(case, service, container),
    }
}

/// Stop, remove; then it is missing. While something stands in the way the old one stays up.
fn replace(case: &mut Case<'_>, service: &Service, container: &ObservedContainer, why: Replace) {
    let Replace { because, tampered } = why;
    case.line.notes.push(format!("to be replaced: {because}"));
    case.fingerprint = service.fingerprint();
    // The port it publishes itself is not taken by another.
    if obstacles(case, service, &service.container_name, None) {
        return keep(case, service, container);
    }
    let failure = tampered.then(|| failure(case, container, because.clone()));
    if failure.is_some() && defer(case, failure.as_ref()) {
        // Later, or never: what runs goes on serving.
        if case.action.is_none() && !container.state.is_stopped() {
            keep(case, service, container);
        }
        return;
    }
    retire(case, container, &because, failure);
}
