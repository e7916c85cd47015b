//! `botctl backup`.

use platform_types::backup::{Checked, Restored, Snapshot};
use platform_types::text::neutral;

use super::settings::counted;
use crate::api::wire::backups::{Snapshots, UpkeepStatus};
use crate::cli::screen::{Cell, Screen, Table, Tone};
use crate::measure::bytes;

/// Digits of a snapshot's id that are shown, as restic shows them.
const SHORT_DIGITS: usize = 8;

pub fn list(screen: &mut Screen, snapshots: &Snapshots) {
    if snapshots.snapshots.is_empty() {
        screen.line(format!("{0} has no snapshot yet: botctl backup now {0}", snapshots.profile));
    } else {
        let mut table = Table::new(["SNAPSHOT", "TAKEN", "", "WHY", "FILES", "SIZE", "STATE"]).right([4, 5]);
        for snapshot in &snapshots.snapshots {
            table.row([
                short(&snapshot.id).into(),
                screen.moment(snapshot.at).into(),
                Cell::toned(Tone::Faint, screen.ago(snapshot.at)),
                snapshot.reason.as_str().into(),
                snapshot.files.to_string().into(),
                bytes(snapshot.bytes).into(),
                if snapshot.complete {
                    Cell::toned(Tone::Good, "complete")
                } else {
                    Cell::toned(Tone::Bad, "incomplete")
                },
            ]);
        }
        screen.table(&table);
    }
    upkeep(screen, &snapshots.upkeep);
    for problem in &snapshots.problems {
        let problem = screen.tone(Tone::Bad, &format!("problem: {problem}"));
        screen.line(problem);
    }
}

/// What is not as it should be, and when the next is taken.
fn upkeep(screen: &mut Screen, upkeep: &UpkeepStatus) {
    for (tone, words) in troubles(screen, upkeep) {
        let line = screen.tone(tone, &words);
        screen.line(line);
    }
    if let Some(next) = upkeep.next_at {
        let line = screen.tone(Tone::Faint, &format!("next: {}", screen.moment(next)));
        screen.line(line);
    }
}

/// A stale newest snapshot, and work by the clock that came to nothing.
pub fn troubles(screen: &Screen, upkeep: &UpkeepStatus) -> Vec<(Tone, String)> {
    let stale = upkeep.stale.then(|| (Tone::Warn, "no whole snapshot is young enough".to_owned()));
    let failed = upkeep.jobs.iter().filter_map(|(kind, job)| {
        let error = job.error.as_deref()?;
        let times = counted(job.failures.into(), "time");
        let at = screen.ago(job.ended_at.unwrap_or(job.began_at));
        Some((Tone::Bad, format!("{kind} failed {times} in a row, {at}: {}", neutral(error))))
    });
    stale.into_iter().chain(failed).collect()
}

pub fn checked(screen: &mut Screen, checked: &Checked) {
    let Checked { profile, all_data, snapshots, problems, damaged } = checked;
    let depth = if *all_data { "every byte was read" } else { "the data was not read (--read-data does)" };
    let verdict = match problems.as_slice() {
        [] => screen.tone(Tone::Good, "sound"),
        _ => screen.tone(Tone::Bad, "damaged"),
    };
    screen.line(format!("{profile}: {verdict}, {}; {depth}", counted(*snapshots, "snapshot")));
    let problems = problems.iter().map(|problem| format!("  {}", neutral(problem)));
    let damaged = damaged.iter().map(|file| format!("  cannot be read back: {}", neutral(file)));
    for line in problems.chain(damaged) {
        let line = screen.tone(Tone::Bad, &line);
        screen.line(line);
    }
}

pub fn taken(screen: &mut Screen, snapshot: &Snapshot) {
    let Snapshot { id, profile, files, bytes: size, added_bytes, complete, .. } = snapshot;
    let added = added_bytes.map(|added| format!(", {} new", bytes(added))).unwrap_or_default();
    let word = if *complete { "complete" } else { "incomplete" };
    screen.line(format!(
        "{profile}: snapshot {} is {word}: {}, {}{added}",
        short(id),
        counted(*files, "file"),
        bytes(*size)
    ));
}

pub fn restored(screen: &mut Screen, restored: &Restored, to: Option<&str>) {
    let Restored { snapshot, profile, files, bytes: size, damaged, .. } = restored;
    let place = to.map_or_else(|| format!("into {profile}"), |to| format!("to {to}"));
    screen.line(format!("{} was restored {place}: {}, {}", short(snapshot), counted(*files, "file"), bytes(*size)));
    for file in damaged {
        let line = screen.tone(Tone::Bad, &format!("  damaged or missing: {}", neutral(file)));
        screen.line(line);
    }
}

fn short(id: &str) -> String {
    neutral(id).chars().take(SHORT_DIGITS).collect()
}
