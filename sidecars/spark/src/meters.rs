//! What is measured: distributions by profile and model, bounded whatever agents ask for.
//!
//! A model has numbers of its own once the box has listed it, and only the first so many have; an id that a client made up
//! never becomes a row.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use platform_types::meters::{
    Histogram, MAX_MODELS, MAX_SERIES, Meters, OWN_SECONDS, Operation, Provider, SECONDS, TOKENS, Tokens,
};
use platform_types::{ErrorCode, ModelId, ProfileName};

use crate::chunk::Usage;
use crate::pace::Pace;

/// The word for a request whose client went away, where others have the code of their error.
const CANCELLED: &str = "cancelled";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Finished,
    Cancelled,
    Failed(ErrorCode),
}

/// What is known of a request at its end.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    pub profile: &'a ProfileName,
    /// What the box lists, and the word that it has for its owner.
    pub model: Option<(&'a ModelId, Provider)>,
    pub end: End,
    /// Spark's own share, and the wait in the queue.
    pub own: Option<Duration>,
    pub queued: Option<Duration>,
    pub sent: Option<Sent>,
    /// Of a streamed answer.
    pub pace: Option<&'a Pace>,
    pub usage: Option<Usage>,
}

/// A request that went to the box.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Until its end, and until the first byte of its answer.
    pub took: Duration,
    pub first_byte: Option<Duration>,
}

/// Since the process started.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<Meters>);

impl Recorder {
    pub fn read(&self) -> Meters {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn record(&self, ended: &Ended<'_>) {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = ended.own {
            meters.overhead.time(OWN_SECONDS, micros(own));
        }
        if let Some(queued) = ended.queued {
            meters.queue_wait.entry(ended.profile.clone()).or_default().time(SECONDS, micros(queued));
        }
        let cancelled = &mut meters.cancelled;
        match (ended.end, ended.sent) {
            (End::Cancelled, None) => cancelled.queued += 1,
            (End::Cancelled, Some(Sent { first_byte: None, .. })) => cancelled.waiting += 1,
            (End::Cancelled, Some(_)) => cancelled.streaming += 1,
            (End::Failed(code), None) => {
                let refused = meters.refused.entry(ended.profile.clone()).or_default();
                *refused.entry(code.as_str().to_owned()).or_default() += 1;
            }
            (End::Finished | End::Failed(_), _) => {}
        }
        if let Some(sent) = ended.sent {
            operation(&mut meters, ended, sent);
            tokens(&mut meters, ended);
        }
    }
}

fn operation(meters: &mut Meters, ended: &Ended<'_>, sent: Sent) {
    let error = match ended.end {
        End::Finished => None,
        End::Cancelled => Some(CANCELLED),
        End::Failed(code) => Some(code.as_str()),
    };
    let (model, provider) = label(meters, ended);
    let is = |known: &Operation, model: Option<&ModelId>| {
        known.profile == *ended.profile && known.error.as_deref() == error && known.model.as_ref() == model
    };
    let known = meters.operations.iter().position(|known| is(known, model.as_ref()) && known.provider == provider);
    let place = known.unwrap_or_else(|| {
        let is_full = meters.operations.len() >= MAX_SERIES;
        let model = model.filter(|_| !is_full);
        let other = meters.operations.iter().position(|known| is_full && is(known, None));
        other.unwrap_or_else(|| {
            let (profile, error) = (ended.profile.clone(), error.map(str::to_owned));
            let (duration, first_byte, per_chunk) = Default::default();
            meters.operations.push(Operation { profile, provider, model, error, duration, first_byte, per_chunk });
            meters.operations.len() - 1
        })
    });
    let Some(operation) = meters.operations.get_mut(place) else { return };
    operation.duration.time(SECONDS, micros(sent.took));
    let Some(streamed) = ended.pace else { return };
    if let Some(first_byte) = sent.first_byte {
        operation.first_byte.time(SECONDS, micros(first_byte));
    }
    let (counts, micros) = streamed.read();
    operation.per_chunk.add(counts, micros);
}

fn tokens(meters: &mut Meters, ended: &Ended<'_>) {
    let Some(usage) = ended.usage else { return };
    let (model, provider) = label(meters, ended);
    let is = |known: &Tokens| known.profile == *ended.profile && known.model == model && known.provider == provider;
    let place = meters.tokens.iter().position(is).unwrap_or_else(|| {
        let (input, output) = (Histogram::default(), Histogram::default());
        let (profile, model) = (ended.profile.clone(), model.clone());
        meters.tokens.push(Tokens { profile, provider, model, input, output, cached: 0 });
        meters.tokens.len() - 1
    });
    let Some(tokens) = meters.tokens.get_mut(place) else { return };
    tokens.input.number(TOKENS, usage.input);
    tokens.output.number(TOKENS, usage.output);
    tokens.cached = tokens.cached.saturating_add(usage.cached);
}

/// The model as a label: the first so many that the box has listed.
fn label(meters: &Meters, ended: &Ended<'_>) -> (Option<ModelId>, Provider) {
    let Some((model, provider)) = ended.model else { return (None, Provider::Unknown) };
    let mut seen: Vec<&ModelId> = meters.operations.iter().filter_map(|known| known.model.as_ref()).collect();
    seen.sort_unstable();
    seen.dedup();
    if seen.contains(&model) || seen.len() < MAX_MODELS {
        (Some(model.clone()), provider)
    } else {
        (None, Provider::Unknown)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use platform_types::meters::Cancelled;
    use tokio::time::Instant;

    use super::*;

    /// Three chunks, a second between the first and the others.
    static STREAMED: LazyLock<Pace> = LazyLock::new(|| {
        let (mut pace, began) = (Pace::default(), Instant::now());
        pace.reached(1, began);
        pace.reached(3, began + Duration::from_secs(1));
        pace
    });

    fn profile(name: &str) -> ProfileName {
        ProfileName::new(name).unwrap()
    }

    fn sent(millis: u64) -> Sent {
        Sent { took: Duration::from_millis(millis), first_byte: Some(Duration::from_millis(millis / 2)) }
    }

    fn ended<'a>(profile: &'a ProfileName, model: &'a ModelId, end: End) -> Ended<'a> {
        Ended {
            profile,
            model: Some((model, Provider::Vllm)),
            end,
            own: Some(Duration::from_micros(60)),
            queued: Some(Duration::from_millis(30)),
            sent: Some(sent(100)),
            pace: Some(&STREAMED),
            usage: Some(Usage { input: 100, output: 7, cached: 60, estimated: false }),
        }
    }

    #[test]
    fn a_request_is_counted_where_it_belongs() {
        let (recorder, ops, model) = (Recorder::default(), profile("ops"), ModelId::new("a/B-1").unwrap());
        recorder.record(&ended(&ops, &model, End::Finished));
        recorder.record(&ended(&ops, &model, End::Finished));
        recorder.record(&ended(&ops, &model, End::Failed(ErrorCode::UpstreamIncomplete)));
        recorder.record(&ended(&ops, &model, End::Cancelled));
        recorder.record(&Ended { sent: None, usage: None, ..ended(&ops, &model, End::Cancelled) });
        let first_byte = Some(Sent { took: Duration::from_secs(1), first_byte: None });
        recorder.record(&Ended { sent: first_byte, usage: None, ..ended(&ops, &model, End::Cancelled) });
        recorder.record(&Ended { sent: None, model: None, ..ended(&ops, &model, End::Failed(ErrorCode::QueueFull)) });
        // A plain answer has no first chunk.
        recorder.record(&Ended { pace: None, ..ended(&ops, &model, End::Finished) });
        let meters = recorder.read();
        let operations: Vec<(Option<&str>, u64, u64)> = meters
            .operations
            .iter()
            .map(|one| (one.error.as_deref(), one.duration.total(), one.first_byte.total()))
            .collect();
        assert_eq!(operations, [(None, 3, 2), (Some("upstream_incomplete"), 1, 1), (Some("cancelled"), 2, 1)]);
        let per_chunk = &meters.operations[0].per_chunk;
        assert_eq!((per_chunk.total(), per_chunk.sum), (4, 2_000_000));
        assert_eq!(meters.cancelled, Cancelled { queued: 1, waiting: 1, streaming: 1 });
        assert_eq!(meters.refused[&ops]["queue_full"], 1);
        let [tokens] = meters.tokens.as_slice() else { panic!("{:?}", meters.tokens) };
        assert_eq!((tokens.input.sum, tokens.output.sum, tokens.cached), (500, 35, 300));
        assert_eq!((meters.overhead.total(), meters.queue_wait[&ops].total()), (8, 8));
    }

    #[test]
    fn rows_are_bounded_whatever_is_asked_for() {
        let recorder = Recorder::default();
        let codes = [End::Finished, End::Cancelled, End::Failed(ErrorCode::UpstreamError)];
        for (number, end) in (0..200).flat_map(|number| codes.map(|end| (number, end))) {
            let (profile, model) = (profile(&format!("p{}", number % 9)), ModelId::new(format!("m{number}")).unwrap());
            recorder.record(&ended(&profile, &model, end));
        }
        let meters = recorder.read();
        let mut models: Vec<_> = meters.operations.iter().filter_map(|one| one.model.clone()).collect();
        models.sort();
        models.dedup();
        assert_eq!(models.len(), MAX_MODELS);
        assert!(meters.operations.len() <= MAX_SERIES + 9 * codes.len());
        let counted: u64 = meters.operations.iter().map(|one| one.duration.total()).sum();
        assert_eq!(counted, 600, "each is counted once");
        assert!(meters.tokens.len() <= 9 * (MAX_MODELS + 1));
    }
}
