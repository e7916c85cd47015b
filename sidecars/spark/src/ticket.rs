//! One request, from its admission to its line in the log.
//!
//! A ticket holds the memory of its request. Whatever ends the request drops the ticket: a ticket that was neither finished
//! nor failed was cancelled, because the client went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform_types::spark::{Priority, SparkStatus};
use platform_types::{BotName, ErrorCode, ModelId, ProfileName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::refusal::{Origin, Refusal};
use crate::transcript::Usage;

/// Since the process started.
#[derive(Debug, Default)]
pub struct Counters {
    requests: AtomicU64,
    errors: AtomicU64,
    cancelled: AtomicU64,
    inflight: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    estimated: AtomicU64,
}

impl Counters {
    pub fn status(&self) -> SparkStatus {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SparkStatus {
            requests_total: read(&self.requests),
            errors_total: read(&self.errors),
            cancelled_total: read(&self.cancelled),
            inflight: read(&self.inflight),
            input_tokens_total: read(&self.input_tokens),
            output_tokens_total: read(&self.output_tokens),
            estimated_total: read(&self.estimated),
            ..SparkStatus::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cancelled,
    Finished,
    Failed(ErrorCode, Origin),
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Ticket {
    counters: Arc<Counters>,
    profile: ProfileName,
    said: Said,
    model: Option<ModelId>,
    came: Instant,
    queued_millis: Option<u128>,
    first_byte_millis: Option<u128>,
    usage: Option<Usage>,
    end: End,
    bytes: Option<OwnedSemaphorePermit>,
}

/// What a request says of itself, in headers; for the log and the queue of its own profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub turn: Option<String>,
    pub bot: Option<BotName>,
    pub priority: Priority,
}

impl Ticket {
    pub fn new(counters: Arc<Counters>, profile: ProfileName, said: Said) -> Self {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.inflight.fetch_add(1, Ordering::Relaxed);
        Self {
            counters,
            profile,
            said,
            model: None,
            came: Instant::now(),
            queued_millis: None,
            first_byte_millis: None,
            usage: None,
            end: End::Cancelled,
            bytes: None,
        }
    }

    /// When the request came.
    pub fn came(&self) -> Instant {
        self.came
    }

    /// Keeps the share of memory that the request's body takes until the request has ended.
    pub fn holds(&mut self, bytes: Option<OwnedSemaphorePermit>) {
        self.bytes = bytes;
    }

    /// It has a place at the box.
    pub fn is_seated(&mut self) {
        self.queued_millis = Some(self.came.elapsed().as_millis());
    }

    pub fn asks_for(&mut self, model: &ModelId) {
        self.model = Some(model.clone());
    }

    /// The first byte of the answer is there.
    pub fn begins(&mut self) {
        self.first_byte_millis = Some(self.came.elapsed().as_millis());
    }

    /// The tokens so far.
    pub fn uses(&mut self, usage: Usage) {
        self.usage = Some(usage);
    }

    /// The answer is whole, whatever the client does from now on.
    pub fn finish(&mut self) {
        self.end = End::Finished;
    }

    pub fn fail(&mut self, refusal: &Refusal) {
        self.end = End::Failed(refusal.code(), refusal.origin);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
        self.counters.inflight.fetch_sub(1, Ordering::Relaxed);
        if let Some(usage) = self.usage {
            add(&self.counters.input_tokens, usage.input);
            add(&self.counters.output_tokens, usage.output);
            add(&self.counters.estimated, u64::from(usage.estimated));
        }
        let (outcome, code, origin) = match self.end {
            End::Finished => ("finished", None, None),
            End::Cancelled => {
                add(&self.counters.cancelled, 1);
                ("cancelled", None, None)
            }
            End::Failed(code, origin) => {
                add(&self.counters.errors, 1);
                ("failed", Some(code.as_str()), Some(origin.as_str()))
            }
        };
        let usage = self.usage.unwrap_or_default();
        tracing::info!(
            profile = %self.profile,
            turn = self.said.turn.as_deref(),
            bot = self.said.bot.as_ref().map(BotName::as_str),
            priority = self.said.priority.as_str(),
            model = self.model.as_ref().map(ModelId::as_str),
            outcome,
            code,
            origin,
            queued_millis = self.queued_millis.and_then(|millis| u64::try_from(millis).ok()),
            first_byte_millis = self.first_byte_millis.and_then(|millis| u64::try_from(millis).ok()),
            duration_millis = u64::try_from(self.came.elapsed().as_millis()).unwrap_or(u64::MAX),
            input_tokens = usage.input,
            output_tokens = usage.output,
            estimated = usage.estimated,
            "chat request ended"
        );
    }
}
