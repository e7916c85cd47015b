//! `botctl plan`, `botctl apply`.

use platform_types::text::neutral;
use supervisor_plan::report::{Blocked, Waiting};

use crate::api::wire::planning::{Applied, Open, Plan, Step};
use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn show(screen: &mut Screen, plan: &Plan) {
    if plan.changed {
        let title = screen.tone(Tone::Strong, "botctl apply would take the files over:");
        screen.line(title);
        if plan.impacts.is_empty() {
            screen.line("  nothing that runs is concerned");
        }
        let mut table = Table::new(["WHAT", "EFFECT"]);
        for impact in &plan.impacts {
            table.row([impact.target.to_string().into(), impact.change.to_string().into()]);
        }
        if !table.is_empty() {
            screen.table(&table);
        }
    } else {
        screen.line("the files on the disk are in force");
    }
    steps(screen, "next:", &plan.actions);
    open(screen, &plan.open);
    if plan.actions.is_empty() && plan.open.is_empty() && !plan.changed {
        screen.line("nothing to do");
    }
    super::settings::findings(screen, &plan.findings);
}

pub fn applied(screen: &mut Screen, applied: &Applied) {
    for target in &applied.retried {
        screen.line(format!("{target}: its failures are forgotten"));
    }
    if applied.actions.is_empty() {
        screen.line("applied, nothing to do");
    }
    steps(screen, "applied, doing:", &applied.actions);
    open(screen, &applied.open);
    super::settings::findings(screen, &applied.findings);
}

/// What keeps the files from being true until a person does something; `None` when nothing does.
pub fn stuck(open: &[Open]) -> Option<String> {
    let one = |found: &Open| Some(format!("{} is not as they say: {}", found.target, found.blocked.first()?));
    let stuck: Vec<String> = open.iter().filter_map(one).collect();
    (!stuck.is_empty()).then(|| format!("the files are in force, and {}", neutral(&stuck.join(", "))))
}

/// What is awaited and what is blocked, one line each.
pub fn open_lines(screen: &Screen, waiting: &[Waiting], blocked: &[Blocked]) -> Vec<Cell> {
    let time = |at| screen.moment(at);
    let waiting =
        waiting.iter().map(|waiting| Cell::toned(Tone::Warn, format!("waiting on: {}", waiting.words(&time))));
    let blocked = blocked.iter().map(|blocked| Cell::toned(Tone::Bad, format!("blocked: {blocked}")));
    waiting.chain(blocked).collect()
}

fn steps(screen: &mut Screen, title: &str, steps: &[Step]) {
    if steps.is_empty() {
        return;
    }
    screen.blank();
    let title = screen.tone(Tone::Strong, title);
    screen.line(title);
    let mut table = Table::new(["WHAT", "ACTION", "BECAUSE"]);
    for step in steps {
        table.row([step.target.to_string().into(), step.verb.as_str().into(), step.because.as_str().into()]);
    }
    screen.table(&table);
}

fn open(screen: &mut Screen, open: &[Open]) {
    if open.is_empty() {
        return;
    }
    screen.blank();
    let title = screen.tone(Tone::Strong, "open:");
    screen.line(title);
    let mut table = Table::new(["WHAT"]);
    for found in open {
        table.row([found.target.to_string().into()]);
        table.details(open_lines(screen, &found.waiting, &found.blocked));
    }
    screen.table(&table);
}
