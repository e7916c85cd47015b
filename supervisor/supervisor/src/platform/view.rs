//! The world as one profile may know it. Pure.

use platform_types::platform::{PartHealth, PlatformHealth};
use platform_types::text::neutral_cut;
use platform_types::{ProfileName, Timestamp};
use supervisor_plan::Target;
use supervisor_plan::observed::Engine;
use supervisor_plan::plan::FAILURE_WINDOW_MILLIS;
use supervisor_plan::report::{Condition, Doing};

use crate::api::view::{degraded, is_fine};
use crate::state::World;

/// Notes of a part, and how long each may be.
const MAX_NOTES: usize = 6;
const MAX_NOTE_CHARS: usize = 240;

/// How the profile's own parts and the shared ones are.
pub fn health(world: &World, profile: &ProfileName, now: Timestamp) -> PlatformHealth {
    let own = [("agent", Target::agent(profile)), ("gate", Target::gate(profile))];
    let shared = [("spark", Target::spark()), ("backup", Target::backup())];
    let own = own.iter().map(|(part, target)| part_of(world, part, target, (false, now)));
    let shared = shared.iter().map(|(part, target)| part_of(world, part, target, (true, now)));
    let parts: Vec<PartHealth> = own.chain(shared).collect();
    let fine = |target: &Target| world.report.targets.get(target).is_some_and(is_fine);
    let targets = [Target::agent(profile), Target::gate(profile), Target::spark(), Target::backup()];
    let well = matches!(world.observed.engine, Engine::Reachable)
        && targets.iter().all(|target| fine(target) && !world.under_way.contains_key(target));
    PlatformHealth { well, parts, model_box: cut(&degraded(world)) }
}

fn part_of(world: &World, part: &str, target: &Target, (shared, now): (bool, Timestamp)) -> PartHealth {
    let report = world.report.targets.get(target);
    let recent = |at: Timestamp| now.millis_since(at) < FAILURE_WINDOW_MILLIS;
    let failures = world.ledger.failures_of(target).iter().filter(|failure| recent(failure.at)).count();
    let under_way = world.under_way.get(target);
    // Why something is done to a shared part may be another profile's affair.
    let doing = under_way.map(|doing| (doing.verb.clone(), doing.because.clone())).or_else(|| {
        match report?.doing.as_ref()? {
            Doing::Action { verb, because } => Some((verb.clone(), because.clone())),
            Doing::UnderWay => None,
        }
    });
    let doing = doing.map(|(verb, because)| if shared { verb } else { format!("{verb}: {because}") });
    let answer = report.and_then(|report| world.observed.container(report.container.as_ref()?)?.answer());
    let blocked = report.into_iter().flat_map(|report| report.blocked.iter().map(ToString::to_string));
    let said = answer.into_iter().flat_map(|answer| answer.reasons.iter().chain(&answer.notes).cloned());
    PartHealth {
        part: part.to_owned(),
        shared,
        condition: report.map_or(Condition::Missing, |report| report.condition).to_string(),
        since: report.and_then(|report| report.since),
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        doing: doing.map(|doing| neutral_cut(&doing, MAX_NOTE_CHARS)),
        notes: if shared { Vec::new() } else { cut(&blocked.chain(said).collect::<Vec<_>>()) },
    }
}

fn cut(texts: &[String]) -> Vec<String> {
    texts.iter().take(MAX_NOTES).map(|text| neutral_cut(text, MAX_NOTE_CHARS)).collect()
}
