//! Nobody else listens where a gate should.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let world = &daemon.world;
    let taken: Vec<String> = world
        .config
        .profiles
        .iter()
        .filter(|(_, profile)| world.observed.ports_taken.contains(&profile.port))
        .map(|(name, profile)| format!("port {} of {name} belongs to another program", profile.port))
        .collect();
    match taken.first() {
        None => Finding::ok("no other program on our ports"),
        Some(first) => Finding::problem(
            first.clone(),
            "see which: ss -ltnp; stop it, or change profile.NAME.port and run botctl apply",
        )
        .with_details(taken.iter().skip(1).cloned().collect()),
    }
}
