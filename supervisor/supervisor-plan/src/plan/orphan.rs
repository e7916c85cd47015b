//! What is ours and no longer desired: containers and bridges go, volumes stay.

use super::case::Case;
use super::keep::{retire, show};
use super::world::World;
use crate::action::Step;
use crate::observed::Owner;
use crate::report::Condition;
use crate::spec::Network;
use platform_types::Role;

pub(super) fn decide(case: &mut Case<'_>) {
    let world = case.world;
    let containers = world.of(&case.target);
    case.line.condition = Condition::Orphaned;
    if let Some(container) = containers.first() {
        show(case, container);
        case.line.condition = Condition::Orphaned;
        let because = match case.target.role() {
            Role::Task => "its operation is gone",
            _ => "it is no longer in platform.toml",
        };
        return retire(case, container, because, None);
    }
    let leftover = world.leftover_networks().find(|(name, owner)| *owner == case.target && !is_used(world, name));
    if let Some((name, _)) = leftover {
        case.insist(Step::RemoveNetwork { name: name.to_owned() }, "it is no longer in platform.toml", None);
    }
}

/// What belongs to no target: kept volumes, and containers of ours that nobody knows.
pub(super) fn notes(world: World<'_>) -> Vec<String> {
    let wanted: Vec<&str> =
        world.desired.services.values().filter_map(|service| Some(service.volume.as_ref()?.name.as_str())).collect();
    let volumes = world
        .observed
        .volumes
        .iter()
        .filter(|(name, owner)| **owner == Owner::Ours && !wanted.contains(&name.as_str()));
    let kept = volumes.map(|(name, _)| {
        format!(
            "volume {name} is kept: its profile is no longer in platform.toml; `docker volume rm {name}` deletes it"
        )
    });
    let unknown = world.observed.containers.iter().filter(|container| container.labels.target.is_none());
    let unknown = unknown
        .map(|container| format!("container {} has our label and no role we know; it is left alone", container.name));
    kept.chain(unknown).collect()
}

fn is_used(world: World<'_>, network: &str) -> bool {
    world
        .observed
        .containers
        .iter()
        .any(|container| matches!(&container.spec.network, Network::Bridge { name, .. } if name == network))
}
