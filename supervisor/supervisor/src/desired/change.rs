//! What another desired state would do to each target. Pure; in the words of the planner's drift.

use platform_types::Role;
use supervisor_plan::{Desired, Service, Target};

use crate::state::{Change, Effect};

/// Compares what is in force with what would be.
pub fn changes(old: &Desired, new: &Desired) -> Vec<Change> {
    let mut changes: Vec<Change> = new
        .services
        .iter()
        .filter_map(|(target, service)| match old.services.get(target) {
            None => Some(change(target, Effect::Create, vec!["it is new".to_owned()])),
            Some(before) => changed(target, before, service),
        })
        .collect();
    let gone = old.services.keys().filter(|target| !new.services.contains_key(target));
    changes.extend(gone.map(|target| change(target, Effect::Remove, vec!["it is no longer wanted".to_owned()])));
    changes
}

fn changed(target: &Target, before: &Service, after: &Service) -> Option<Change> {
    let drift = after.spec.drift(&before.spec);
    if !drift.is_empty() {
        let effect = if target.role() == Role::Agent { Effect::Rollout } else { Effect::Replacement };
        return Some(change(target, effect, drift.iter().map(ToString::to_string).collect()));
    }
    let pushed = before.config_digest != after.config_digest;
    pushed.then(|| change(target, Effect::PushedLive, vec!["its configuration changes".to_owned()]))
}

fn change(target: &Target, effect: Effect, because: Vec<String>) -> Change {
    Change { target: target.clone(), effect, because }
}
