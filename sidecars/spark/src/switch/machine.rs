//! One switch from its permission to its end. Pure: what happens comes in as events, what is to be done goes out.
//!
//! ```text
//!            drained          ended
//! draining ──────────▶ command ──────▶ waiting ──▶ done          it is listed, and it answered
//!    │                    │               ├──────▶ failed        the command is over, and it is not there
//!    └─ too many run ─────┴─ not begun    └──────▶ unknown       the same, and how the command ended is not known
//!         nothing done       nothing done
//! ```
//!
//! The exit status decides nothing alone: a switch is done when the wanted model answers, whatever the command said.

use platform_types::Timestamp;
use platform_types::switch::{SwitchOutcome, SwitchPhase};

use super::ssh::Ended;

/// How long things may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Requests that run.
    pub drain: i64,
    /// The box, from the command on.
    pub wait: i64,
    /// After the command is over: the least time that the box gets.
    pub grace: i64,
    /// Another model answers all the time, after a command that went well.
    pub settle: i64,
    /// The same, after a command of which the end is not known: it may still be at work.
    pub settle_lost: i64,
}

impl Default for Times {
    fn default() -> Self {
        Self { drain: 120_000, wait: 900_000, grace: 30_000, settle: 60_000, settle_lost: 180_000 }
    }
}

/// What the box answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Nothing that is a list: refused, loading, an error.
    Down(String),
    /// Another model.
    Other(String),
    /// The wanted one is listed and does not answer yet.
    Silent(String),
    /// The wanted one is listed and answered.
    Answered,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// No request runs any more.
    Drained,
    /// Nothing was done on the box.
    NotBegun(String),
    /// A line of the command.
    Said(String),
    Ended(Ended),
    Saw(Sight),
    /// Time has passed.
    Tick,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Keep on the disk that the command is about to run, then run it.
    Command,
    /// Look at the box, a moment after the last look.
    Look,
    End {
        outcome: SwitchOutcome,
        message: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Draining,
    Command,
    Waiting { ended: Ended, other_since: Option<Timestamp> },
    Over,
}

/// One switch.
#[derive(Debug, Clone)]
pub struct Machine {
    state: State,
    times: Times,
    until: Timestamp,
    progress: String,
}

impl Machine {
    pub fn new(times: Times, now: Timestamp) -> Self {
        let progress = "waiting for the requests that run".to_owned();
        Self { state: State::Draining, times, until: now.plus_millis(times.drain), progress }
    }

    /// Goes on after a restart: the command was about to run at `commanded_at`.
    pub fn resumed(times: Times, commanded_at: Timestamp, now: Timestamp) -> Self {
        let ended = Ended::Lost("spark was restarted while the command ran".to_owned());
        let until = commanded_at.plus_millis(times.wait).max(now.plus_millis(times.grace));
        let progress = "watching the box after a restart".to_owned();
        Self { state: State::Waiting { ended, other_since: None }, times, until, progress }
    }

    pub fn phase(&self) -> SwitchPhase {
        match self.state {
            State::Draining => SwitchPhase::Draining,
            State::Command => SwitchPhase::Command,
            State::Waiting { .. } | State::Over => SwitchPhase::Waiting,
        }
    }

    /// When this phase is given up.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    pub fn progress(&self) -> &str {
        &self.progress
    }

    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        match (&self.state, event) {
            (State::Draining, Event::Drained) => {
                self.state = State::Command;
                self.until = now.plus_millis(self.times.wait);
                "connecting to the box".clone_into(&mut self.progress);
                vec![Effect::Command]
            }
            (State::Draining, Event::Tick) if now >= self.until => {
                let seconds = self.times.drain / 1000;
                let message = format!("requests were still being answered after {seconds} s; none of them was cut off");
                self.end(SwitchOutcome::NothingDone, message)
            }
            (State::Command, Event::NotBegun(why)) => self.end(SwitchOutcome::NothingDone, why),
            (State::Command, Event::Said(line)) => {
                self.progress = line;
                Vec::new()
            }
            (State::Command, Event::Ended(ended)) => self.command_ended(ended, now),
            (State::Waiting { .. }, Event::Saw(sight)) => self.saw(&sight, now),
            _ => Vec::new(),
        }
    }

    fn command_ended(&mut self, ended: Ended, now: Timestamp) -> Vec<Effect> {
        let least = now.plus_millis(self.times.grace);
        self.until = match &ended {
            // It says itself that it did not get there.
            Ended::Exit { status: 1.., .. } => least,
            _ => self.until.max(least),
        };
        self.progress = told(&ended);
        self.state = State::Waiting { ended, other_since: None };
        vec![Effect::Look]
    }

    fn saw(&mut self, sight: &Sight, now: Timestamp) -> Vec<Effect> {
        let State::Waiting { ended, other_since } = &mut self.state else { return Vec::new() };
        let what = match sight {
            Sight::Answered => {
                let message = format!("the wanted model is listed and answered; {}", told(ended));
                return self.end(SwitchOutcome::Done, message);
            }
            Sight::Down(why) => format!("the box does not answer yet: {why}"),
            Sight::Silent(why) => format!("the wanted model is listed and does not answer yet: {why}"),
            Sight::Other(models) => format!("the box has {models}"),
        };
        let settle = match ended {
            Ended::Exit { status: 0, .. } => self.times.settle,
            Ended::Exit { .. } => 0,
            Ended::Lost(_) => self.times.settle_lost,
        };
        *other_since = matches!(sight, Sight::Other(_)).then(|| other_since.unwrap_or(now));
        let settled = other_since.is_some_and(|since| now.millis_since(since) >= settle);
        if settled || now >= self.until {
            let outcome = match ended {
                Ended::Lost(_) => SwitchOutcome::Unknown,
                Ended::Exit { .. } => SwitchOutcome::Failed,
            };
            let message = format!("{what}; {}", told(ended));
            return self.end(outcome, message);
        }
        self.progress = what;
        vec![Effect::Look]
    }

    fn end(&mut self, outcome: SwitchOutcome, message: String) -> Vec<Effect> {
        self.state = State::Over;
        self.progress.clone_from(&message);
        vec![Effect::End { outcome, message }]
    }
}

/// How the command ended, in words.
fn told(ended: &Ended) -> String {
    match ended {
        Ended::Exit { status: 0, .. } => "the command went well".to_owned(),
        Ended::Exit { status, said } if said.is_empty() => format!("the command ended with status {status}"),
        Ended::Exit { status, said } => format!("the command ended with status {status}: {said}"),
        Ended::Lost(why) => format!("how the command ended is not known: {why}"),
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
