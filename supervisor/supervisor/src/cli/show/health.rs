//! `botctl health`.

use super::status::{engine_problem, tone, verdict};
use crate::api::wire::status::{Health, TargetHealth};
use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn show(screen: &mut Screen, health: &Health) {
    let verdict = verdict(screen, health.well, &health.degraded);
    screen.line(verdict);
    engine_problem(screen, &health.engine);
    for problem in &health.problems {
        let line = screen.tone(Tone::Bad, &format!("problem: {problem}"));
        screen.line(line);
    }
    screen.blank();
    let mut table = Table::new(["WHAT", "CONDITION", "ANSWERED", "IN", "REVISION", "VERSION"]).right([3, 4]);
    for target in &health.targets {
        table.row([
            target.target.to_string().into(),
            Cell::toned(tone(target.condition), target.condition.to_string()),
            Cell::or_dash(target.probed_at.map(|at| screen.ago(at))),
            Cell::or_dash(target.latency_micros.map(millis)),
            Cell::or_dash(target.revision.map(|revision| revision.0.to_string())),
            Cell::or_dash(target.version.clone()),
        ]);
        table.details(details(target));
    }
    screen.table(&table);
    if let Some(spark) = &health.spark {
        screen.blank();
        super::spark::health(screen, spark);
    }
}

fn details(target: &TargetHealth) -> Vec<Cell> {
    let reasons = target.reasons.iter().map(|reason| Cell::toned(Tone::Bad, format!("reported: {reason}")));
    let mounts = target
        .lost_mounts
        .iter()
        .map(|mount| Cell::toned(Tone::Bad, format!("{mount} is not the directory that was mounted there")));
    let notes = target.notes.iter().map(|note| Cell::toned(Tone::Faint, format!("reported: {note}")));
    let blocked = target.blocked.iter().map(|blocked| Cell::toned(Tone::Bad, format!("blocked: {blocked}")));
    blocked.chain(reasons).chain(mounts).chain(notes).collect()
}

/// Micros as milliseconds with one digit.
fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
}
