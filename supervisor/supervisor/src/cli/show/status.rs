//! `botctl status`.

use platform_types::spark::BackendKind;
use supervisor_plan::plan::FAILURE_WINDOW_MILLIS;
use supervisor_plan::report::Condition;

use super::planning;
use crate::api::wire::status::{EngineStatus, ModelStatus, ProfileStatus, Status, TargetStatus};
use crate::cli::screen::{Cell, Screen, Table, Tone};
use crate::measure::span;

pub fn show(screen: &mut Screen, status: &Status) {
    head(screen, status);
    screen.blank();
    screen.table(&targets(screen, &status.targets));
    if !status.profiles.is_empty() {
        screen.blank();
        screen.table(&profiles(screen, &status.profiles));
    }
    tail(screen, status);
}

/// Green, yellow or red.
pub fn tone(condition: Condition) -> Tone {
    match condition {
        Condition::Ready => Tone::Good,
        Condition::Starting | Condition::Standby | Condition::Held | Condition::Orphaned => Tone::Warn,
        Condition::Unready
        | Condition::Silent
        | Condition::Paused
        | Condition::Exited
        | Condition::Missing
        | Condition::Quarantined => Tone::Bad,
    }
}

/// The one line that most people read.
pub fn verdict(screen: &Screen, well: bool, degraded: &[String]) -> String {
    match (well, degraded) {
        (true, []) => screen.tone(Tone::Good, "all is well"),
        (true, _) => screen.tone(Tone::Warn, "degraded: everything that runs here is well, the model box is not"),
        (false, _) => screen.tone(Tone::Bad, "not everything is well"),
    }
}

/// A line when Docker does not answer.
pub fn engine_problem(screen: &mut Screen, engine: &EngineStatus) {
    if engine.reachable {
        return;
    }
    let since = engine.unreachable_since.map(|since| format!(" since {}", screen.moment(since))).unwrap_or_default();
    let error = engine.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let line = screen.tone(Tone::Bad, &format!("Docker does not answer{since}{error}"));
    screen.line(line);
    screen.line("  the supervisor goes on by itself when it is back; look with: systemctl status docker");
}

fn head(screen: &mut Screen, status: &Status) {
    let verdict = verdict(screen, status.well, &status.degraded);
    let name = screen.tone(Tone::Strong, &status.name);
    screen.line(format!("{name}: {verdict}"));
    let up = span(status.now.millis_since(status.started_at));
    let engine = status.engine.version.as_deref().map(|version| format!(" · Docker {version}")).unwrap_or_default();
    let about = format!("supervisor {}, up {up}{engine} · {}", status.version, model(&status.model));
    let about = screen.tone(Tone::Faint, &about);
    screen.line(about);
    engine_problem(screen, &status.engine);
    for problem in &status.problems {
        let line = screen.tone(Tone::Bad, &format!("problem: {problem}"));
        screen.line(line);
    }
}

fn model(model: &ModelStatus) -> String {
    match (model.backend, &model.url) {
        (BackendKind::Demo, _) => format!("{} (the built-in demo model: no [spark] is configured)", model.model),
        (BackendKind::Box, Some(url)) => format!("{} at {url}", model.model),
        (BackendKind::Box, None) => model.model.to_string(),
    }
}

fn targets(screen: &Screen, targets: &[TargetStatus]) -> Table {
    let mut table = Table::new(["WHAT", "STATE", "CONDITION", "STARTED", "GENERATION", "CONTAINER"]).right([4]);
    for target in targets {
        let container = target.container.as_ref();
        let cell = |text: Option<String>| Cell::or_dash(text);
        table.row([
            target.target.to_string().into(),
            cell(container.map(|found| found.state.clone())),
            Cell::toned(tone(target.condition), target.condition.to_string()),
            cell(container.and_then(|found| found.started_at).map(|at| screen.ago(at))),
            container.and_then(|found| found.generation).map_or_else(Cell::default, |n| n.to_string().into()),
            cell(container.map(|found| found.name.clone())),
        ]);
        table.details(details(screen, target));
    }
    table
}

fn details(screen: &Screen, target: &TargetStatus) -> Vec<Cell> {
    let doing = target.doing.iter().map(|doing| Cell::toned(Tone::Warn, format!("doing: {doing}")));
    let failures = target.container.as_ref().map_or(0, |found| found.failures);
    let failures = (failures > 0 && target.condition != Condition::Quarantined).then(|| {
        let latest = target.container.as_ref().and_then(|found| found.latest_failure.as_deref());
        let latest = latest.map(|latest| format!(", the last time: {latest}")).unwrap_or_default();
        let times = super::settings::counted(failures.into(), "time");
        Cell::toned(Tone::Warn, format!("went wrong {times} in {}{latest}", span(FAILURE_WINDOW_MILLIS)))
    });
    let open = planning::open_lines(screen, &target.waiting, &target.blocked);
    let notes = target.notes.iter().map(|note| Cell::toned(Tone::Faint, format!("note: {note}")));
    doing.chain(open).chain(failures).chain(notes).collect()
}

fn profiles(screen: &Screen, profiles: &[ProfileStatus]) -> Table {
    let mut table = Table::new(["PROFILE", "ADDRESS", "DEVICES", "TOKENS", "LAST SNAPSHOT"]).right([2, 3]);
    for profile in profiles {
        table.row([
            profile.profile.as_str().into(),
            profile.address.as_str().into(),
            profile.devices.to_string().into(),
            profile.tokens.to_string().into(),
            Cell::or_dash(profile.last_snapshot_at.map(|at| screen.ago(at))),
        ]);
        let name = &profile.profile;
        let requests = (profile.requests > 0).then(|| {
            let (count, verb) = (profile.requests, if profile.requests == 1 { "waits" } else { "wait" });
            let plural = if count == 1 { "request" } else { "requests" };
            Cell::toned(Tone::Warn, format!("{count} {plural} to pair {verb}: botctl device list {name}"))
        });
        let unserved = profile
            .unserved
            .iter()
            .map(|why| Cell::toned(Tone::Bad, format!("do not open it, its gate is not there: {why}")));
        let unpaired = (profile.devices == 0 && profile.requests == 0 && profile.unserved.is_none())
            .then(|| Cell::toned(Tone::Faint, format!("nobody is paired yet: botctl open {name}")));
        let operation = profile.operation.as_ref().map(|operation| {
            let since = screen.ago(operation.since);
            Cell::toned(Tone::Warn, format!("{} since {since}: {}", operation.kind, operation.progress))
        });
        let snapshots = super::backups::troubles(screen, &profile.snapshots);
        let snapshots = snapshots.into_iter().map(|(tone, words)| Cell::toned(tone, words));
        table.details(unserved.chain(requests).chain(unpaired).chain(operation).chain(snapshots));
    }
    table
}

fn tail(screen: &mut Screen, status: &Status) {
    if status.unapplied || !status.findings.is_empty() || !status.notes.is_empty() {
        screen.blank();
    }
    if status.unapplied {
        let line =
            screen.tone(Tone::Warn, "the files on the disk are not in force: look with botctl plan, then botctl apply");
        screen.line(line);
    }
    super::settings::findings(screen, &status.findings);
    for note in &status.notes {
        let note = screen.tone(Tone::Faint, &format!("note: {note}"));
        screen.line(note);
    }
}
