//! Everything that should run is ready.

use supervisor_plan::report::Condition;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let world = &daemon.world;
    let wanted = world.desired.services.len();
    let condition = |target| world.report.targets.get(target).map_or(Condition::Missing, |found| found.condition);
    let unwell: Vec<String> = world
        .desired
        .services
        .keys()
        .map(|target| (target, condition(target)))
        .filter(|(_, condition)| *condition != Condition::Ready)
        .map(|(target, condition)| format!("{target} is {condition}"))
        .collect();
    match unwell.len() {
        0 => Finding::ok(format!("all {wanted} are ready")),
        count => Finding::problem(format!("{count} of {wanted} are not ready"), "botctl status says why")
            .with_details(unwell),
    }
}
