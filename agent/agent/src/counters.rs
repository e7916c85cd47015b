//! What happened since the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use agent_core::turn::Answer;
use platform_types::agent::{AgentStatus, CronStatus};
use platform_types::chat::TurnOutcome;
use platform_types::cron::Outcome;

#[derive(Debug, Default)]
pub struct Counters {
    running: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    interrupted: AtomicU64,
    tool_calls: AtomicU64,
    tool_calls_denied: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    first_token_millis: AtomicU64,
    first_tokens: AtomicU64,
    pub cron: CronCounters,
}

/// What jobs by the clock came to.
#[derive(Debug, Default)]
pub struct CronCounters {
    fired: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    missed: AtomicU64,
    skipped: AtomicU64,
    delivered: AtomicU64,
    undelivered: AtomicU64,
}

impl CronCounters {
    pub fn fired(&self) {
        self.fired.fetch_add(1, Relaxed);
    }

    /// Due times at which nothing was fired, or too late.
    pub fn passed_over(&self, why: Outcome, ticks: u32) {
        let counter = if why == Outcome::Skipped { &self.skipped } else { &self.missed };
        counter.fetch_add(ticks.into(), Relaxed);
    }

    pub fn finished(&self, outcome: Outcome) {
        let counter = if outcome == Outcome::Completed { &self.completed } else { &self.failed };
        counter.fetch_add(1, Relaxed);
    }

    pub fn delivered(&self, delivered: bool) {
        let counter = if delivered { &self.delivered } else { &self.undelivered };
        counter.fetch_add(1, Relaxed);
    }

    fn status(&self) -> CronStatus {
        CronStatus {
            fired_total: self.fired.load(Relaxed),
            completed_total: self.completed.load(Relaxed),
            failed_total: self.failed.load(Relaxed),
            missed_total: self.missed.load(Relaxed),
            skipped_total: self.skipped.load(Relaxed),
            delivered_total: self.delivered.load(Relaxed),
            undelivered_total: self.undelivered.load(Relaxed),
            ..CronStatus::default()
        }
    }
}

/// Counts a turn as running until it is dropped.
#[derive(Debug)]
pub struct Running(Arc<Counters>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

impl Counters {
    pub fn running(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Relaxed);
        Running(self.clone())
    }

    pub fn first_token(&self, millis: i64) {
        self.first_token_millis.fetch_add(u64::try_from(millis).unwrap_or(0), Relaxed);
        self.first_tokens.fetch_add(1, Relaxed);
    }

    pub fn interrupted(&self, turns: u64) {
        self.interrupted.fetch_add(turns, Relaxed);
    }

    /// The client of a turn went away before its end.
    pub fn abandoned(&self) {
        self.cancelled.fetch_add(1, Relaxed);
    }

    pub fn ended(&self, answer: &Answer) {
        let outcome = match answer.outcome {
            TurnOutcome::Completed => &self.completed,
            TurnOutcome::Failed => &self.failed,
            TurnOutcome::Stopped => &self.cancelled,
            TurnOutcome::Interrupted => &self.interrupted,
        };
        outcome.fetch_add(1, Relaxed);
        self.tool_calls.fetch_add(answer.tool_calls.into(), Relaxed);
        self.tool_calls_denied.fetch_add(answer.denied_calls.into(), Relaxed);
        if let Some(usage) = answer.usage {
            self.input_tokens.fetch_add(usage.input_tokens, Relaxed);
            self.output_tokens.fetch_add(usage.output_tokens, Relaxed);
        }
    }

    /// What was counted; what the store knows is left at zero.
    pub fn status(&self) -> AgentStatus {
        AgentStatus {
            turns_running: self.running.load(Relaxed),
            turns_completed_total: self.completed.load(Relaxed),
            turns_failed_total: self.failed.load(Relaxed),
            turns_cancelled_total: self.cancelled.load(Relaxed),
            turns_interrupted_total: self.interrupted.load(Relaxed),
            tool_calls_total: self.tool_calls.load(Relaxed),
            tool_calls_denied_total: self.tool_calls_denied.load(Relaxed),
            input_tokens_total: self.input_tokens.load(Relaxed),
            output_tokens_total: self.output_tokens.load(Relaxed),
            first_token_millis_sum: self.first_token_millis.load(Relaxed),
            first_token_count: self.first_tokens.load(Relaxed),
            cron: self.cron.status(),
            ..AgentStatus::default()
        }
    }
}
