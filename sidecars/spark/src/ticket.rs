//! One request, from its admission to its line in the log.
//!
//! A ticket holds the slot of its request. Whatever ends the request drops the ticket: a ticket that was neither finished
//! nor failed was cancelled, because the client went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform_types::spark::SparkStatus;
use platform_types::{ErrorCode, ModelId, ProfileName};
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

    /// A request that got no slot.
    pub fn turned_away(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(1, Ordering::Relaxed);
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
    turn: Option<String>,
    model: Option<ModelId>,
    started: Instant,
    first_byte_millis: Option<u128>,
    usage: Option<Usage>,
    end: End,
    _slot: OwnedSemaphorePermit,
}

impl Ticket {
    pub fn new(
        counters: Arc<Counters>,
        profile: ProfileName,
        turn: Option<String>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        counters.inflight.fetch_add(1, Ordering::Relaxed);
        Self {
            counters,
            profile,
            turn,
            model: None,
            started: Instant::now(),
            first_byte_millis: None,
            usage: None,
            end: End::Cancelled,
            _slot: slot,
        }
    }

    pub fn asks_for(&mut self, model: &ModelId) {
        self.model = Some(model.clone());
    }

    /// The first byte of the answer is there.
    pub fn begins(&mut self) {
        self.first_byte_millis = Some(self.started.elapsed().as_millis());
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
            turn = self.turn.as_deref(),
            model = self.model.as_ref().map(ModelId::as_str),
            outcome,
            code,
            origin,
            first_byte_millis = self.first_byte_millis.and_then(|millis| u64::try_from(millis).ok()),
            duration_millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            input_tokens = usage.input,
            output_tokens = usage.output,
            estimated = usage.estimated,
            "chat request ended"
        );
    }
}
