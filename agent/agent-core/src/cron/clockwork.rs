//! One job as a state machine: the time and the ends of attempts in, runs out.
//!
//! ```text
//!            due ──▶ Fire ──▶ trying ──ended well, or no attempt left──▶ Close ──▶ idle
//!   idle ───┤                  │   ▲
//!            missed, skip       ▼   │ its time has come: Retry
//!            ──▶ PassOver     waiting
//! ```
//!
//! Invariants: every due time comes out exactly once, in a `Fire` or in a `PassOver`; one run at a time; a run has at most
//! `1 + retries` attempts. What a restart must not change is `seen`, `paused` and the run: whoever carries out the effects keeps
//! them.

use platform_types::Timestamp;
use platform_types::cron::{Cause, Missed, Outcome};

use super::timetable::{Passed, Timetable};

/// A due time that is seen later than this was missed: the agent was not there, or the machine slept.
pub const LATE_MILLIS: i64 = 60_000;
/// A clock that goes back by less than this repeats no due time; one that goes back further was wrong before, and counts anew.
pub const SET_BACK_MILLIS: i64 = 60 * 60 * 1000;
/// Before the first repetition; twice as long before each further one.
pub const FIRST_BACKOFF_MILLIS: i64 = 30_000;
pub const LONGEST_BACKOFF_MILLIS: i64 = 30 * 60 * 1000;

/// What is configured.
#[derive(Debug, Clone)]
pub struct Plan {
    pub timetable: Timetable,
    pub missed: Missed,
    /// Attempts after the first one.
    pub retries: u32,
}

/// One job.
#[derive(Debug, Clone)]
pub struct Clockwork {
    plan: Plan,
    /// Due times up to here are dealt with.
    seen: Timestamp,
    paused: bool,
    run: Option<Run>,
}

/// The run that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Begun so far, at least one.
    pub attempts: u32,
    /// Absent while an attempt runs.
    pub retry_at: Option<Timestamp>,
}

/// What has to be done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A run begins with its first attempt.
    Fire { due: Timestamp, ticks: u32, cause: Cause },
    /// Nothing was fired for these due times: `Skipped` or `Missed`.
    PassOver { last: Timestamp, ticks: u32, why: Outcome },
    /// The next attempt of the run begins.
    Retry,
}

/// What the end of an attempt means for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Another attempt begins then.
    Waits { until: Timestamp },
    /// The run is over.
    Closed,
}

/// Why nothing was fired by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a run of this job is not over yet")]
    Running,
}

impl Clockwork {
    /// A job as it was left: due times up to `seen` are dealt with.
    pub fn new(plan: Plan, seen: Timestamp, paused: bool, run: Option<Run>) -> Self {
        Self { plan, seen, paused, run }
    }

    /// Another configuration. With another timetable, due times count from `now` on.
    pub fn replan(&mut self, plan: Plan, is_new_timetable: bool, now: Timestamp) {
        self.plan = plan;
        if is_new_timetable {
            self.seen = now;
        }
    }

    /// Due times up to here are dealt with.
    pub fn seen(&self) -> Timestamp {
        self.seen
    }

    pub fn is_paused(&self) -> bool {
        self.paused
    }

    pub fn run(&self) -> Option<Run> {
        self.run
    }

    /// The next due time by the timetable.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.paused { None } else { self.plan.timetable.after(self.seen) }
    }

    /// When [`Self::advance`] has something to do at the latest.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let retry = self.run.and_then(|run| run.retry_at);
        [self.next_due(), retry].into_iter().flatten().min()
    }

    /// It is `now`.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.seen.as_millis().saturating_sub(now.as_millis()) > SET_BACK_MILLIS {
            self.seen = now;
        }
        // One that lies further ahead than any pause was set by a clock that was wrong.
        let is_time = |at: Timestamp| at <= now || at.millis_since(now) > LONGEST_BACKOFF_MILLIS;
        if let Some(run) = self.run.as_mut().filter(|run| run.retry_at.is_some_and(is_time)) {
            *run = Run { attempts: run.attempts.saturating_add(1), retry_at: None };
            effects.push(Effect::Retry);
        }
        if self.paused {
            self.seen = self.seen.max(now);
            return effects;
        }
        if let Some(passed) = self.plan.timetable.passed(self.seen, now) {
            self.seen = passed.last;
            self.due(passed, now, &mut effects);
        }
        effects
    }

    fn due(&mut self, Passed { last, count }: Passed, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_late = now.millis_since(last) > LATE_MILLIS;
        if self.run.is_some() {
            return effects.push(Effect::PassOver { last, ticks: count, why: Outcome::Skipped });
        }
        match (is_late, self.plan.missed) {
            (true, Missed::Skip) => effects.push(Effect::PassOver { last, ticks: count, why: Outcome::Missed }),
            (true, Missed::RunOnce) => effects.push(self.fire(last, count, Cause::CatchUp)),
            (false, _) => {
                // The latest one is on time, and stands for those before it too.
                if count > 1 {
                    effects.push(Effect::PassOver { last, ticks: count - 1, why: Outcome::Missed });
                }
                effects.push(self.fire(last, 1, Cause::Schedule));
            }
        }
    }

    fn fire(&mut self, due: Timestamp, ticks: u32, cause: Cause) -> Effect {
        self.run = Some(Run { attempts: 1, retry_at: None });
        Effect::Fire { due, ticks, cause }
    }

    /// Somebody wants a run now; a paused job may run.
    pub fn ask(&mut self, now: Timestamp) -> Result<Effect, Refused> {
        if self.run.is_some() {
            return Err(Refused::Running);
        }
        Ok(self.fire(now, 0, Cause::Asked))
    }

    /// No due time counts until it is resumed.
    pub fn pause(&mut self, paused: bool, now: Timestamp) {
        if self.paused && !paused {
            self.seen = self.seen.max(now);
        }
        self.paused = paused;
    }

    /// The attempt that ran is over. One that a person stopped is not repeated.
    pub fn ended(&mut self, outcome: Outcome, now: Timestamp) -> Over {
        let again = matches!(outcome, Outcome::Failed | Outcome::Interrupted);
        let attempts = self.run.map_or(0, |run| run.attempts);
        if !again || attempts == 0 || attempts > self.plan.retries {
            self.run = None;
            return Over::Closed;
        }
        let until = now.plus_millis(backoff_millis(attempts));
        self.run = Some(Run { attempts, retry_at: Some(until) });
        Over::Waits { until }
    }
}

/// After so many attempts.
fn backoff_millis(attempts: u32) -> i64 {
    let doubled = FIRST_BACKOFF_MILLIS.checked_shl(attempts.saturating_sub(1).min(30)).unwrap_or(i64::MAX);
    doubled.min(LONGEST_BACKOFF_MILLIS)
}

#[cfg(test)]
mod tests;
