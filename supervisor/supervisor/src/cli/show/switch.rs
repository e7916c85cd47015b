//! `botctl spark switch`.

use platform_types::egress::Card;
use platform_types::switch::{SwitchOutcome, SwitchReport, SwitchRun, SwitchStatus};
use platform_types::text::neutral;

use crate::cli::screen::{Screen, Tone};

pub fn status(screen: &mut Screen, status: &SwitchStatus) {
    let SwitchStatus { models, running, last } = status;
    match running {
        Some(run) => self::run(screen, run),
        None => screen.line("no switch runs"),
    }
    if let Some(report) = last {
        self::report(screen, report);
    }
    screen.line("may be switched to:");
    for model in models {
        screen.line(format!("  {}", neutral(model.as_str())));
    }
}

fn run(screen: &mut Screen, run: &SwitchRun) {
    let line = format!(
        "switching to {}, begun {} by {}, given up {}",
        neutral(run.to.as_str()),
        screen.ago(run.began_at),
        neutral(&run.by),
        screen.ago(run.until)
    );
    screen.line(line);
    screen.line(format!("  {}", neutral(&run.progress)));
}

/// What is decided about.
pub fn card(screen: &mut Screen, card: &Card) {
    screen.line(neutral(&card.words));
    for (label, value) in &card.facts {
        screen.line(format!("  {}: {}", neutral(label), neutral(value)));
    }
    screen.blank();
    for line in card.request.lines() {
        screen.line(format!("    {}", neutral(line)));
    }
    screen.blank();
}

pub fn report(screen: &mut Screen, report: &SwitchReport) {
    let to = neutral(report.to.as_str());
    let (tone, words) = match report.outcome {
        SwitchOutcome::Done => (Tone::Good, format!("the model box has {to}")),
        SwitchOutcome::NothingDone => (Tone::Bad, format!("the box was not switched to {to}: nothing was done")),
        SwitchOutcome::Failed => (Tone::Bad, format!("the switch to {to} failed")),
        SwitchOutcome::Unknown => (Tone::Bad, format!("whether the box switches to {to} is not known")),
    };
    let seconds = report.ended_at.millis_since(report.began_at) / 1000;
    let line = screen.tone(tone, &words);
    screen.line(format!("{line}, {} after {seconds} s", screen.ago(report.ended_at)));
    screen.line(format!("  {}", neutral(&report.message)));
    if let Some(back) = &report.way_back {
        screen.line(format!("  the way back: botctl spark switch {}", neutral(back.as_str())));
    }
}
