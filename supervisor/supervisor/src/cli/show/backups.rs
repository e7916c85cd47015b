//! `botctl backup`.

use platform_types::backup::{Restored, Snapshot};
use platform_types::text::neutral;

use super::settings::counted;
use crate::api::wire::backups::Snapshots;
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
    for problem in &snapshots.problems {
        let problem = screen.tone(Tone::Bad, &format!("problem: {problem}"));
        screen.line(problem);
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
