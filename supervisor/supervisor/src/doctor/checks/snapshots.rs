//! Every profile has a snapshot that is not old.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;

/// Older ones are worth a word.
const OLD_MILLIS: i64 = 7 * 24 * 3_600_000;

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let mut lines = Vec::new();
    let mut newest = None;
    for profile in daemon.world.config.profiles.keys() {
        match daemon.snapshots.iter().find(|snapshot| snapshot.profile == *profile) {
            None => lines.push(format!("{profile} has none")),
            Some(snapshot) => {
                let age = facts.now.millis_since(snapshot.at);
                newest = Some(newest.map_or(age, |known: i64| known.max(age)));
                if age > OLD_MILLIS {
                    lines.push(format!("the newest of {profile} is {} old", crate::measure::span(age)));
                }
            }
        }
    }
    match (lines.as_slice(), newest) {
        ([], Some(age)) => {
            Finding::ok(format!("the newest of each profile is at most {} old", crate::measure::span(age)))
        }
        ([], None) => Finding::ok("there is no profile"),
        ([only], _) => Finding::advice(only.clone(), "take one: botctl backup now PROFILE"),
        (several, _) => Finding::advice(
            format!("{} profiles have no recent one", several.len()),
            "take one: botctl backup now PROFILE",
        )
        .with_details(lines),
    }
}
