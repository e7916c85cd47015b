//! Every profile has a whole snapshot that is young enough, and the clock's tries succeed.

use crate::doctor::Finding;
use crate::doctor::facts::Facts;
use crate::measure::span;
use crate::state::Upkeep;
use supervisor_plan::upkeep::JobKind;

const REMEDY: &str = "take one: botctl backup now PROFILE";

pub fn check(facts: &Facts) -> Finding {
    let Some(daemon) = &facts.daemon else { return Finding::unseen() };
    let profiles = &daemon.world.upkeep;
    let line = |(profile, upkeep): (_, &Upkeep)| wrong(upkeep, facts).map(|words| format!("{profile}: {words}"));
    let lines: Vec<String> = profiles.iter().filter_map(line).collect();
    let oldest = profiles.values().filter_map(|upkeep| upkeep.newest).min();
    // Who asks for snapshots by the clock relies on them.
    let finding = match daemon.world.config.backup.schedule {
        Some(_) => Finding::warning,
        None => Finding::advice,
    };
    match (lines.as_slice(), oldest) {
        ([], Some(at)) => {
            Finding::ok(format!("the newest of each profile is at most {} old", span(facts.now.millis_since(at))))
        }
        ([], None) => Finding::ok("there is no profile"),
        ([only], _) => finding(only.clone(), REMEDY.to_owned()),
        (several, _) => {
            finding(format!("{} profiles have no recent one", several.len()), REMEDY.to_owned()).with_details(lines)
        }
    }
}

fn wrong(upkeep: &Upkeep, facts: &Facts) -> Option<String> {
    let failed = |kind| upkeep.jobs.get(&kind).and_then(|job| job.error.as_deref());
    let tried = failed(JobKind::Snapshot).map(|error| format!("the latest try failed: {error}"));
    let error = tried.or_else(|| failed(JobKind::Check).map(|error| format!("the latest check: {error}")));
    let stale = upkeep.stale.then(|| match upkeep.newest {
        None => "it has none".to_owned(),
        Some(at) => format!("the newest is {} old", span(facts.now.millis_since(at))),
    });
    match (stale, error) {
        (Some(stale), Some(error)) => Some(format!("{stale}; {error}")),
        (stale, error) => stale.or(error),
    }
}
