//! Every container is, field by field, what the planner says: image by id, user, mounts, limits, environment.

use super::each_container;
use crate::doctor::Finding;
use crate::doctor::security::evidence::Evidence;

pub fn check(evidence: &Evidence) -> Finding {
    each_container(
        evidence,
        |count| format!("{count} containers are what the planner says, images by id"),
        |container| {
            let service = container.labels.target.as_ref().and_then(|target| evidence.desired.services.get(target));
            let Some(service) = service else { return Vec::new() };
            let planned = service.spec_for(container.labels.generation);
            planned.drift(&container.spec).iter().map(ToString::to_string).collect()
        },
    )
}
