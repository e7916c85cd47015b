//! Making a container, and what stands in the way.

use std::collections::BTreeMap;

use platform_types::Role;
use platform_types::role::{LABEL_GENERATION, LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE, LABEL_SPEC};

use super::backoff::LIMIT;
use super::case::Case;
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

/// What keeps a container of this service from being created or started; said in the report.
pub(super) fn obstacles(
    case: &mut Case<'_>,
    service: &Service,
    name: &str,
    existing: Option<&ObservedContainer>,
) -> bool {
    let observed = case.world.observed;
    let before = case.line.blocked.len();
    if existing.is_none() && !observed.images.contains(&service.spec.image) {
        let problem = format!("image {} is not on this machine", service.spec.image);
        case.block(problem, "run `./deploy/up`, which builds it");
    }
    if observed.foreign_containers.contains(name) {
        let problem = format!("a container named {name} exists that is not of this installation");
        case.block(problem, "rename or remove it");
    }
    let foreign_network = service.network.as_ref().filter(|n| observed.networks.get(&n.name) == Some(&Owner::Foreign));
    if let Some(network) = foreign_network {
        let problem = format!("a network named {} exists that is not of this installation", network.name);
        case.block(problem, "remove it");
    }
    let foreign_volume = service.volume.as_ref().filter(|v| observed.volumes.get(&v.name) == Some(&Owner::Foreign));
    if let Some(volume) = foreign_volume {
        let problem = format!("a volume named {} exists that is not of this installation", volume.name);
        case.block(problem, "move its data away and remove it, or choose another `name`");
    }
    let port = existing.map_or(&service.spec, |container| &container.spec).host_port();
    if let Some(port) = port.filter(|port| observed.ports_taken.contains(port)) {
        let key =
            case.target.profile().map_or_else(String::new, |profile| format!(" or change profile.{profile}.port"));
        case.block(format!("port {port} is taken by another program"), format!("stop it{key}"));
    }
    case.line.blocked.len() > before
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
