//! Every configured channel is heard, as the agents report it: one that only sends looks well from outside.

use platform_types::Role;
use platform_types::channel::NOT_HEARD;
use platform_types::text::neutral;

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let world = &daemon.world;
    let count: usize = world.config.profiles.values().map(|profile| profile.channels.len()).sum();
    if count == 0 {
        return Finding::ok("no channel is configured");
    }
    let agents = world.observed.containers.iter().filter_map(|found| {
        let target = found.labels.target.as_ref().filter(|target| target.role() == Role::Agent)?;
        Some((target, found.answer()?))
    });
    let deaf: Vec<String> = agents
        .flat_map(|(target, answer)| {
            let notes = answer.notes.iter().filter(|note| note.contains(NOT_HEARD));
            notes.map(move |note| format!("{target}: {}", neutral(note)))
        })
        .collect();
    match deaf.len() {
        0 => Finding::ok(format!("{count} configured, and none is unheard")),
        _ => Finding::problem("somebody writes and is not heard", "the runbook telegram says what each reason means")
            .with_details(deaf),
    }
}
