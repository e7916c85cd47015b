//! Making a container, and what stands in the way.

use std::collections::BTreeMap;

use platform_types::role::{LABEL_GENERATION, LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE, LABEL_SPEC};
use platform_types::{Port, Role};

use super::backoff::LIMIT;
use super::case::Case;
use super::world::World;
use crate::action::{Launch, Step};
use crate::desired::Service;
use crate::ledger::Failure;
use crate::observed::{ObservedContainer, Owner};
use crate::report::Waiting;

/// Creates and starts a container under `name`. `failure` is what it answers: it does not delay itself.
pub(super) fn launch(case: &mut Case<'_>, service: &Service, name: String, because: &str, failure: Option<Failure>) {
    let world = case.world;
    case.fingerprint = service.fingerprint();
    if obstacles(case, service, &name, None) || port_held(case, service, None) {
        return;
    }
    if let Some(other) = world.observed.containers.iter().find(|other| other.name == name) {
        case.wait(Waiting::Predecessor { container: other.name.clone() });
        return;
    }
    if defer(case, failure.as_ref()) {
        return;
    }
    let generation = match (case.target.role(), case.target.profile()) {
        (Role::Agent, Some(profile)) => Some(world.next_generation(profile)),
        _ => None,
    };
    let mut labels = BTreeMap::from([
        (LABEL_INSTALL.to_owned(), world.desired.install.clone()),
        (LABEL_ROLE.to_owned(), case.target.role().to_string()),
        (LABEL_RELEASE.to_owned(), service.release.clone()),
        (LABEL_SPEC.to_owned(), service.spec_digest.clone()),
    ]);
    labels.extend(case.target.profile().map(|profile| (LABEL_PROFILE.to_owned(), profile.to_string())));
    labels.extend(generation.map(|generation| (LABEL_GENERATION.to_owned(), generation.to_string())));
    let network = service.network.clone().filter(|network| !world.observed.networks.contains_key(&network.name));
    let spec = service.spec_for(generation);
    let step = Launch { name, spec, labels, generation, network, volume: service.volume.clone() };
    case.act(Step::Launch(Box::new(step)), because, failure);
}

/// Quarantine or back-off because of failures before the one at hand; `true` when one of them applies.
pub(super) fn defer(case: &mut Case<'_>, failure: Option<&Failure>) -> bool {
    if case.is_quarantined() {
        return true;
    }
    let run = failure.and_then(|failure| failure.run.as_ref());
    let before = case.failures(run);
    if before + u32::from(failure.is_some()) >= LIMIT {
        case.quarantine(failure.cloned());
        return true;
    }
    match case.latest_failure(run) {
        Some(latest) => case.backs_off(latest.at, before, &latest.evidence),
        None => false,
    }
}

/// Says in the report what keeps a container of this service from being created or, if it exists, started; `true` when
/// there is something.
pub(super) fn obstacles(
    case: &mut Case<'_>,
    service: &Service,
    name: &str,
    existing: Option<&ObservedContainer>,
) -> bool {
    let observed = case.world.observed;
    let mut found: Vec<(String, String)> = Vec::new();
    if existing.is_none() && !observed.images.contains(&service.spec.image) {
        let problem = format!("image {} is not on this machine", service.spec.image);
        found.push((problem, "run `./deploy/up`, which builds it".to_owned()));
    }
    let foreign = |kind: &str, name: &str| format!("a {kind} named {name} exists that is not of this installation");
    if observed.foreign_containers.contains(name) {
        found.push((foreign("container", name), "rename or remove it".to_owned()));
    }
    if let Some(network) = service.network.as_ref().filter(|n| observed.networks.get(&n.name) == Some(&Owner::Foreign))
    {
        found.push((foreign("network", &network.name), "remove it".to_owned()));
    }
    if let Some(volume) = service.volume.as_ref().filter(|v| observed.volumes.get(&v.name) == Some(&Owner::Foreign)) {
        let remedy = "move its data away and remove it, or choose another `name`".to_owned();
        found.push((foreign("volume", &volume.name), remedy));
    }
    let port = existing.map_or(&service.spec, |container| &container.spec).host_port();
    if let Some(port) = port.filter(|port| is_taken(case.world, *port)) {
        let key = case.target.profile().map_or_else(String::new, |name| format!(" or change profile.{name}.port"));
        found.push((format!("port {port} is taken by another program"), format!("stop it{key}")));
    }
    let is_blocked = !found.is_empty();
    for (problem, remedy) in found {
        case.block(problem, remedy);
    }
    is_blocked
}

/// By a stranger: a port that a container of ours publishes is not.
fn is_taken(world: World<'_>, port: Port) -> bool {
    let ours = |c: &ObservedContainer| !c.state.is_stopped() && c.spec.host_port() == Some(port);
    world.observed.ports_taken.contains(&port) && !world.observed.containers.iter().any(ours)
}

/// Another of our containers that still runs publishes the port.
pub(super) fn port_held(case: &mut Case<'_>, service: &Service, existing: Option<&ObservedContainer>) -> bool {
    let Some(port) = existing.map_or(&service.spec, |container| &container.spec).host_port() else { return false };
    let holder = case.world.observed.containers.iter().find(|other| {
        !other.state.is_stopped()
            && other.spec.host_port() == Some(port)
            && existing.is_none_or(|existing| existing.id != other.id)
    });
    let Some(held_by) = holder.and_then(|holder| holder.labels.target.clone()) else { return false };
    case.wait(Waiting::Port { port, held_by });
    true
}
