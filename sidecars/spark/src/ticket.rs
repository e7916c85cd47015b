//! One request, from its admission to its line in the log.
//!
//! A ticket holds the memory of its request. Whatever ends the request drops the ticket: a ticket that was neither finished
//! nor failed was cancelled, because the client went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use platform_kit::clock::SharedClock;
use platform_types::meters::{Provider, Used};
use platform_types::spark::{Priority, SparkStatus};
use platform_types::{BotName, ErrorCode, ModelId, ProfileName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::chunk::Usage;
use crate::meters::{self, Ended, Recorder, Sent};
use crate::models::Listed;
use crate::pace::Pace;
use crate::refusal::{Origin, Refusal};
use crate::usage::UsageBook;

/// Since the process started, and what bots have used since they were first counted.
#[derive(Debug)]
pub struct Counters {
    pub usage: Arc<UsageBook>,
    clock: SharedClock,
    recorder: Recorder,
    requests: AtomicU64,
    errors: AtomicU64,
    cancelled: AtomicU64,
    inflight: AtomicU64,
    input_tokens: AtomicU64,
    output_tokens: AtomicU64,
    estimated: AtomicU64,
}

impl Counters {
    pub fn new(usage: UsageBook, clock: SharedClock) -> Self {
        let zero = AtomicU64::default;
        Self {
            usage: Arc::new(usage),
            clock,
            recorder: Recorder::default(),
            requests: zero(),
            errors: zero(),
            cancelled: zero(),
            inflight: zero(),
            input_tokens: zero(),
            output_tokens: zero(),
            estimated: zero(),
        }
    }

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
            meters: self.recorder.read(),
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
    /// Set once the box has listed the model.
    provider: Option<Provider>,
    came: Instant,
    moments: Moments,
    /// What the box said, when it said an error.
    original: Option<String>,
    usage: Option<Usage>,
    /// Of a streamed answer.
    pace: Option<Pace>,
    end: End,
    bytes: Option<OwnedSemaphorePermit>,
}

/// What has happened so far, and when.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    /// The body is there.
    read: Option<Instant>,
    /// From here on it waits for a place.
    queued: Option<Instant>,
    seated: Option<Instant>,
    sent: Option<Instant>,
    first_byte: Option<Instant>,
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
            provider: None,
            came: Instant::now(),
            moments: Moments::default(),
            original: None,
            usage: None,
            pace: None,
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

    /// All of it has arrived.
    pub fn is_read(&mut self) {
        self.moments.read = Some(Instant::now());
    }

    /// The box lists what it asks for.
    pub fn is_listed(&mut self, listed: &Listed) {
        self.provider = Some(Provider::from_owner(&listed.owned_by));
    }

    /// Now it needs a place.
    pub fn queues(&mut self) {
        self.moments.queued = Some(Instant::now());
    }

    /// It has a place at the box.
    pub fn is_seated(&mut self) {
        self.moments.seated = Some(Instant::now());
    }

    /// It goes to the box.
    pub fn is_sent(&mut self) {
        self.moments.sent = Some(Instant::now());
    }

    pub fn asks_for(&mut self, model: &ModelId) {
        self.model = Some(model.clone());
    }

    /// The first byte of the answer is there.
    pub fn begins(&mut self) {
        self.moments.first_byte = Some(Instant::now());
    }

    /// Its answer is a stream.
    pub fn streams(&mut self) {
        self.pace = Some(Pace::default());
    }

    /// So many chunks of the stream are there by now.
    pub fn reaches(&mut self, chunks: u64) {
        if let Some(pace) = &mut self.pace {
            pace.reached(chunks, Instant::now());
        }
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
        self.original = refusal.original.as_deref().map(str::to_owned);
    }

    fn millis(&self, moment: Option<Instant>) -> Option<u64> {
        let since = moment?.duration_since(self.came);
        Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Into the numbers, and the book of what bots use.
    fn count(&self) {
        let Moments { read, queued, seated, sent, first_byte } = self.moments;
        let between = |from: Option<Instant>, to: Option<Instant>| Some(to?.duration_since(from?));
        let own = between(read, queued).and_then(|before| Some(before + between(seated, sent)?));
        let end = match self.end {
            End::Finished => meters::End::Finished,
            End::Cancelled => meters::End::Cancelled,
            End::Failed(code, _) => meters::End::Failed(code),
        };
        let took = |sent: Instant| Sent { took: sent.elapsed(), first_byte: between(Some(sent), first_byte) };
        self.counters.recorder.record(&Ended {
            profile: &self.profile,
            model: self.model.as_ref().zip(self.provider),
            end,
            own,
            queued: between(queued, seated),
            sent: sent.map(took),
            pace: self.pace.as_ref(),
            usage: self.usage,
        });
        if sent.is_some() {
            let usage = self.usage.unwrap_or_default();
            let used = Used {
                requests: 1,
                input_tokens: usage.input,
                output_tokens: usage.output,
                cached_tokens: usage.cached,
                estimated: u64::from(usage.estimated),
                last: self.counters.clock.now(),
            };
            self.counters.usage.add(&self.profile, self.said.bot.as_ref(), used);
        }
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
        self.count();
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
            original = self.original.as_deref(),
            queued_millis = self.millis(self.moments.seated),
            first_byte_millis = self.millis(self.moments.first_byte),
            duration_millis = u64::try_from(self.came.elapsed().as_millis()).unwrap_or(u64::MAX),
            input_tokens = usage.input,
            output_tokens = usage.output,
            cached_tokens = usage.cached,
            estimated = usage.estimated,
            "chat request ended"
        );
    }
}
