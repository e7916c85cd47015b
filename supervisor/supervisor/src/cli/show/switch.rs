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

#[cfg(test)]
mod tests {
    use platform_types::switch::SwitchPhase;
    use platform_types::{ModelId, Timestamp};

    use super::*;
    use crate::example::NOW;

    fn printed(show: impl FnOnce(&mut Screen)) -> String {
        let mut screen = Screen::plain(NOW);
        show(&mut screen);
        screen.into_text()
    }

    fn id(text: &str) -> ModelId {
        ModelId::new(text).unwrap()
    }

    fn ended(outcome: SwitchOutcome, way_back: Option<&str>) -> SwitchReport {
        SwitchReport {
            id: "c".repeat(32),
            from: Some(id("a/one")),
            to: id("b/two"),
            by: "profile ops".to_owned(),
            outcome,
            message: "the box has \u{1b}[2Ja/one".to_owned(),
            way_back: way_back.map(id),
            began_at: Timestamp(NOW.as_millis() - 230_000),
            ended_at: Timestamp(NOW.as_millis() - 9_000),
        }
    }

    #[test]
    fn how_it_ended_and_the_way_back() {
        let report = ended(SwitchOutcome::Failed, Some("a/one"));
        insta::assert_snapshot!(printed(|screen| self::report(screen, &report)), @r"
        the switch to b/two failed, 9 s ago after 221 s
          the box has \u{1b}[2Ja/one
          the way back: botctl spark switch a/one
        ");
        for (outcome, words) in [
            (SwitchOutcome::Done, "the model box has b/two"),
            (SwitchOutcome::NothingDone, "nothing was done"),
            (SwitchOutcome::Unknown, "is not known"),
        ] {
            let text = printed(|screen| self::report(screen, &ended(outcome, None)));
            assert!(text.contains(words) && !text.contains("way back"), "{text}");
        }
    }

    #[test]
    fn how_it_stands() {
        let run = SwitchRun {
            id: "d".repeat(32),
            from: None,
            to: id("b/two"),
            by: "operator anna".to_owned(),
            phase: SwitchPhase::Waiting,
            began_at: Timestamp(NOW.as_millis() - 5_000),
            until: Timestamp(NOW.as_millis() + 600_000),
            progress: "the box does not answer yet".to_owned(),
            estimate_seconds: 300,
        };
        let status = SwitchStatus { models: vec![id("a/one"), id("b/two")], running: Some(run), last: None };
        insta::assert_snapshot!(printed(|screen| self::status(screen, &status)), @r"
        switching to b/two, begun 5 s ago by operator anna, given up in 10 min
          the box does not answer yet
        may be switched to:
          a/one
          b/two
        ");
    }
}
