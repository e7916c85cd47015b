//! Everything that should run is ready, as it should be.

use supervisor_plan::report::Condition;

use crate::api::view::is_fine;
use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let world = &daemon.world;
    let wanted = world.desired.services.len();
    let unwell: Vec<String> = world
        .desired
        .services
        .keys()
        .filter_map(|target| match world.report.targets.get(target) {
            None => Some(format!("{target} is {}", Condition::Missing)),
            Some(found) if is_fine(found) => None,
            Some(found) => match found.blocked.first() {
                None => Some(format!("{target} is {}", found.condition)),
                Some(blocked) => Some(format!("{target} is {}: {blocked}", found.condition)),
            },
        })
        .collect();
    match unwell.len() {
        0 => Finding::ok(format!("all {wanted} are ready")),
        count => Finding::problem(format!("{count} of {wanted} are not as they should be"), "botctl status says more")
            .with_details(unwell),
    }
}
