//! Whether a container has to be replaced, and why.

use platform_types::Role;

use super::world::World;
use crate::desired::Service;
use crate::observed::ObservedContainer;
use crate::target::Target;
use crate::words;

#[derive(Debug)]
pub(super) struct Replace {
    /// In words, never empty.
    pub because: String,
    /// It was made as it should be and is no longer so: that counts as a failure, and comes to an end if it goes on.
    pub tampered: bool,
}

/// `None` when the container is as it should be.
pub(super) fn reason(
    world: World<'_>,
    target: &Target,
    service: &Service,
    container: &ObservedContainer,
) -> Option<Replace> {
    let made_so = container.labels.spec_digest.as_deref() == Some(service.spec_digest.as_str());
    let generation_missing = target.role() == Role::Agent && container.labels.generation.is_none();
    let mut reasons: Vec<String> = Vec::new();
    if generation_missing {
        reasons.push("it carries no generation".to_owned());
    }
    let drift = service.spec_for(container.labels.generation).drift(&container.spec);
    reasons.extend(drift.iter().map(ToString::to_string));
    if !made_so && drift.is_empty() {
        reasons.push("it was made from another specification".to_owned());
    }
    let lost = container.answer().map(|answer| &answer.lost_mounts);
    reasons.extend(lost.into_iter().flatten().map(|path| format!("mount {} is lost", words::reported(path))));
    if let Some(network) = service.network.as_ref().filter(|n| !world.observed.networks.contains_key(&n.name)) {
        reasons.push(format!("its network {} is gone", network.name));
    }
    (!reasons.is_empty()).then(|| Replace { because: reasons.join("; "), tampered: made_so })
}
