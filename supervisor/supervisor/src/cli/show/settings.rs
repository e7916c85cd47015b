//! `botctl config`, `botctl secret`, and findings wherever they are shown.

use platform_types::text::neutral;
use supervisor_config::{Changed, Finding};
use supervisor_plan::Target;

use crate::api::wire::settings::{ConfigCheck, ConfigDiff, Override, SecretEntry, SecretSet, Secrets};
use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn findings(screen: &mut Screen, findings: &[Finding]) {
    for finding in findings {
        let tone = if finding.is_error() { Tone::Bad } else { Tone::Warn };
        for (line, text) in finding.to_string().lines().enumerate() {
            let text = if line == 0 { screen.tone(tone, text) } else { text.to_owned() };
            screen.line(text);
        }
    }
}

pub fn check(screen: &mut Screen, check: &ConfigCheck) {
    findings(screen, &check.findings);
    let errors = check.findings.iter().filter(|finding| finding.is_error()).count();
    let path = neutral(&check.path);
    match (check.valid, check.findings.len()) {
        (true, 0) => screen.line(format!("{path} is valid")),
        (true, count) => screen.line(format!("{path} is valid, with {}", counted(count as u64, "warning"))),
        (false, _) => screen.line(format!("{path} has {}", counted(errors as u64, "error"))),
    }
}

/// `1 file`, `2 files`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

pub fn diff(screen: &mut Screen, diff: &ConfigDiff) {
    match (diff.compared, diff.changed.as_slice()) {
        (false, _) => screen.line("the supervisor does not answer, so what is in force is not known"),
        (true, []) => screen.line("platform.toml is in force as it is"),
        (true, changed) => {
            let title = screen.tone(Tone::Strong, "platform.toml is not what is in force:");
            screen.line(title);
            for changed in changed {
                key(screen, changed);
            }
        }
    }
    for found in &diff.overrides {
        instructions(screen, found);
    }
}

fn key(screen: &mut Screen, changed: &Changed) {
    let effect = changed.change.as_deref().map(|change| format!("  ({change})")).unwrap_or_default();
    let effect = screen.tone(Tone::Faint, &effect);
    screen.line(format!("  {}{effect}", neutral(&changed.key)));
    for (sign, tone, value) in [("-", Tone::Bad, &changed.old), ("+", Tone::Good, &changed.new)] {
        if let Some(value) = value {
            let line = screen.tone(tone, &format!("{sign} {}", neutral(value)));
            screen.line(format!("    {line}"));
        }
    }
}

fn instructions(screen: &mut Screen, found: &Override) {
    screen.blank();
    let title = screen.tone(Tone::Strong, &format!("{} overrides what is shipped:", neutral(&found.file)));
    screen.line(title);
    for (sign, tone, text) in [("-", Tone::Bad, &found.shipped), ("+", Tone::Good, &found.yours)] {
        for line in text.trim().lines() {
            let line = screen.tone(tone, &format!("{sign} {}", neutral(line)));
            screen.line(format!("    {line}"));
        }
    }
}

pub fn secrets(screen: &mut Screen, secrets: &Secrets) {
    if secrets.secrets.is_empty() {
        screen.line("none are stored, none are needed; store one with: botctl secret set NAME");
        return;
    }
    let mut table = Table::new(["NAME", "SET", "USED BY", "STATE"]);
    for entry in &secrets.secrets {
        let SecretEntry { name, set_at, needed: _, used_by, problem } = entry;
        let state = match (problem, set_at) {
            (None, _) => Cell::toned(Tone::Good, "private"),
            (Some(_), None) => Cell::toned(Tone::Bad, "missing"),
            (Some(_), Some(_)) => Cell::toned(Tone::Bad, "refused"),
        };
        let used_by = Cell::or_dash((!used_by.is_empty()).then(|| listed(used_by)));
        table.row([name.as_str().into(), Cell::or_dash(set_at.map(|at| screen.ago(at))), used_by, state]);
        table.details(problem.iter().map(|problem| Cell::toned(Tone::Bad, problem)));
    }
    screen.table(&table);
}

pub fn secret_set(screen: &mut Screen, set: &SecretSet) {
    let SecretSet { name, delivered: _, used_by, waiting } = set;
    let given: Vec<Target> = used_by.iter().filter(|target| !waiting.contains(target)).cloned().collect();
    match (used_by.is_empty(), given.is_empty()) {
        (true, _) => screen.line(format!("{name} is stored, nothing in force uses it yet")),
        (_, true) => screen.line(format!("{name} is stored")),
        (_, false) => screen.line(format!("{name} is stored, and given to {}", listed(&given))),
    }
    if !waiting.is_empty() {
        let line = format!("not confirmed yet: {}; it is told as soon as it answers", listed(waiting));
        let line = screen.tone(Tone::Warn, &line);
        screen.line(line);
    }
}

fn listed(targets: &[Target]) -> String {
    targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
