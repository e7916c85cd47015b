//! Counts, and one log line for what was refused; many at once share a line.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use platform_kit::Failure;
use platform_kit::clock::SharedClock;
use platform_types::ErrorCode;
use platform_types::gate::GateStatus;

use crate::auth::bucket::Bucket;

/// Lines at once, then one every [`LINE_EVERY_MILLIS`]: a flood must not become a flood of lines.
const LINES: u32 = 20;
const LINE_EVERY_MILLIS: i64 = 2_000;

/// What became of a request of the agent.
#[derive(Debug, Clone, Copy)]
pub enum Egress {
    /// It went out and was answered.
    Allowed,
    Denied,
    /// It was allowed, and not answered.
    Failed,
}

/// Counters since the process started.
#[derive(Debug)]
pub struct Tally {
    clock: SharedClock,
    connections: AtomicI64,
    requests: AtomicU64,
    refused: AtomicU64,
    denied: AtomicU64,
    egress: [AtomicU64; 3],
    lines: Mutex<Lines>,
}

#[derive(Debug)]
struct Lines {
    bucket: Bucket,
    suppressed: u64,
}

impl Tally {
    pub fn new(clock: SharedClock) -> Self {
        let lines = Lines { bucket: Bucket::new(LINES, LINE_EVERY_MILLIS), suppressed: 0 };
        Self {
            clock,
            connections: AtomicI64::new(0),
            requests: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            denied: AtomicU64::new(0),
            egress: [const { AtomicU64::new(0) }; 3],
            lines: Mutex::new(lines),
        }
    }

    pub fn connected(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
    }

    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub fn egress(&self, outcome: Egress) {
        self.egress[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failure where it is the caller's, and logs it.
    pub fn failure(&self, failure: &Failure) {
        let counter = match failure.code {
            ErrorCode::Unauthorized | ErrorCode::Forbidden => &self.denied,
            ErrorCode::ForeignOrigin
            | ErrorCode::BadRequest
            | ErrorCode::TooLarge
            | ErrorCode::LengthRequired
            | ErrorCode::RequestTimeout
            | ErrorCode::RateLimited => &self.refused,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(suppressed) = self.line() {
            let (code, reason) = (failure.code.as_str(), failure.message.as_str());
            tracing::warn!(code, reason, suppressed, "refused a request");
        }
    }

    /// Logs that the oldest of `what` was closed because all places were taken.
    pub fn displaced(&self, what: &'static str) {
        if let Some(suppressed) = self.line() {
            tracing::warn!(what, suppressed, "all places are taken; the oldest one was closed");
        }
    }

    /// Whether a line may be written now; if so, how many were not.
    fn line(&self) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.bucket.take(self.clock.now()).is_ok() {
            return Some(std::mem::take(&mut lines.suppressed));
        }
        lines.suppressed += 1;
        None
    }

    pub fn status(&self) -> GateStatus {
        GateStatus {
            connections: u64::try_from(self.connections.load(Ordering::Relaxed)).unwrap_or(0),
            requests_total: self.requests.load(Ordering::Relaxed),
            refused_total: self.refused.load(Ordering::Relaxed),
            denied_total: self.denied.load(Ordering::Relaxed),
            egress_allowed_total: self.egress[Egress::Allowed as usize].load(Ordering::Relaxed),
            egress_denied_total: self.egress[Egress::Denied as usize].load(Ordering::Relaxed),
            egress_failed_total: self.egress[Egress::Failed as usize].load(Ordering::Relaxed),
            ..GateStatus::default()
        }
    }
}
