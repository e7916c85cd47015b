//! The images of the desired release are there, and what runs was made from them.

use supervisor_plan::observed::Engine;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let world = &daemon.world;
    if matches!(world.observed.engine, Engine::Unreachable { .. }) {
        return Finding::unknown("Docker does not answer", None);
    }
    let services = || world.desired.services.iter();
    let missing: Vec<String> = services()
        .filter(|(_, service)| !world.observed.images.contains(&service.spec.image))
        .map(|(target, service)| format!("{target}: {}", service.spec.image.0))
        .collect();
    if !missing.is_empty() {
        return Finding::problem(
            format!("{} of {} images of release.json are not there", missing.len(), services().count()),
            "build them again: ./deploy/up",
        )
        .with_details(missing);
    }
    let older: Vec<String> = services()
        .filter(|(target, service)| {
            let of_target = |found: &&_| container_of(found, target);
            let found = world.observed.containers.iter().find(of_target);
            found.is_some_and(|found| found.spec.image != service.spec.image)
        })
        .map(|(target, _)| target.to_string())
        .collect();
    if older.is_empty() {
        Finding::ok("present, and every container was made from them")
    } else {
        Finding::warning(format!("made from another release: {}", older.join(", ")), "botctl status says why it waits")
    }
}

fn container_of(found: &supervisor_plan::observed::ObservedContainer, target: &supervisor_plan::Target) -> bool {
    found.labels.target.as_ref() == Some(target)
}
