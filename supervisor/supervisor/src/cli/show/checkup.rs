//! `botctl doctor`.

use platform_types::text::neutral;

use crate::api::wire::findings::{Check, Checkup, Verdict};
use crate::cli::screen::{Screen, Tone};

/// `verbose`: with the details of checks that are well.
pub fn show(screen: &mut Screen, checkup: &Checkup, verbose: bool) {
    let width = checkup.checks.iter().map(|check| check.check.len()).max().unwrap_or_default();
    for check in &checkup.checks {
        let (mark, tone) = mark(check.verdict);
        let mark = screen.tone(tone, &format!("{mark:<8}"));
        screen.line(format!("{mark} {:<width$}  {}", check.check, neutral(&check.summary)));
        if check.verdict != Verdict::Ok || verbose {
            more(screen, check, width);
        }
    }
    screen.blank();
    let closing = closing(checkup);
    screen.line(closing);
}

fn more(screen: &mut Screen, check: &Check, width: usize) {
    let indent = " ".repeat(width + 11);
    for detail in &check.details {
        for line in detail.lines() {
            screen.line(format!("{indent}{}", neutral(line)));
        }
    }
    if let Some(remedy) = &check.remedy {
        let remedy = screen.tone(Tone::Faint, &format!("→ {}", neutral(remedy)));
        screen.line(format!("{indent}{remedy}"));
    }
}

fn mark(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Ok => ("ok", Tone::Good),
        Verdict::Unknown => ("unknown", Tone::Faint),
        Verdict::Advice => ("advice", Tone::Plain),
        Verdict::Warning => ("warning", Tone::Warn),
        Verdict::Problem => ("problem", Tone::Bad),
    }
}

fn closing(checkup: &Checkup) -> String {
    let count = |verdict| checkup.checks.iter().filter(|check| check.verdict == verdict).count();
    let counts = [
        (count(Verdict::Problem), "problem", "problems"),
        (count(Verdict::Warning), "warning", "warnings"),
        (count(Verdict::Advice), "piece of advice", "pieces of advice"),
        (count(Verdict::Unknown), "not looked at", "not looked at"),
    ];
    let parts: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    let total = checkup.checks.len();
    if parts.is_empty() { format!("{total} checks, all well") } else { format!("{total} checks: {}", parts.join(", ")) }
}
