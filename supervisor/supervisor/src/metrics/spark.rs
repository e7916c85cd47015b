//! From what spark tells to numbers. Pure. Words that are not ours become `other`, and surplus rows are left out.

use std::collections::BTreeMap;

use platform_types::meters::{
    Histogram, MAX_MODELS, MAX_SERIES, Meters, OWN_SECONDS, Operation, SECONDS, TOKENS, Tokens,
};
use platform_types::spark::{Breaker, LaneStatus, Priority, SparkStatus};
use platform_types::switch::{SWITCH_SECONDS, SwitchMeters, SwitchOutcome};
use platform_types::{ErrorCode, ModelId, ProfileName};

use super::catalogue as is;
use super::samples::{Samples, Value, number, truth};

/// The only operation that there is (`gen_ai.operation.name`).
const CHAT: &str = "chat";
/// Profiles whose numbers are told.
const MAX_PROFILES: usize = 64;

pub(super) fn spark(samples: &mut Samples, status: &SparkStatus) {
    samples.add(&is::SPARK_REQUESTS, [], number(status.requests_total));
    samples.add(&is::SPARK_ERRORS, [], number(status.errors_total));
    samples.add(&is::SPARK_CANCELLED, [], number(status.cancelled_total));
    samples.add(&is::SPARK_ESTIMATED, [], number(status.estimated_total));
    samples.add(&is::SPARK_INFLIGHT, [], number(status.inflight));
    samples.add(&is::SPARK_TOKENS, ["input"], number(status.input_tokens_total));
    samples.add(&is::SPARK_TOKENS, ["output"], number(status.output_tokens_total));
    for (profile, lane) in status.lanes.iter().take(MAX_PROFILES) {
        of_lane(samples, profile.as_str(), lane);
    }
    if let Some(breaker) = &status.breaker {
        samples.add(&is::SPARK_BREAKER, [], truth(matches!(breaker, Breaker::Open { .. })));
    }
    if let Some(switch) = &status.switch {
        of_switch(samples, switch);
    }
    measured(samples, &status.meters);
}

fn of_switch(samples: &mut Samples, switch: &SwitchMeters) {
    let SwitchMeters { ended, running, pending, pending_operator } = switch;
    let none = Histogram::default();
    for outcome in SwitchOutcome::ALL.map(SwitchOutcome::as_str) {
        let took = ended.get(outcome).unwrap_or(&none);
        samples.add(&is::SPARK_SWITCHES, [outcome], number(took.total()));
        samples.push(&is::SPARK_SWITCH_SECONDS, [outcome], times(took, SWITCH_SECONDS));
    }
    samples.add(&is::SPARK_SWITCHING, [], truth(*running));
    samples.add(&is::SPARK_SWITCH_PENDING, [""], number(*pending_operator));
    for (profile, count) in pending.iter().take(MAX_PROFILES) {
        samples.add(&is::SPARK_SWITCH_PENDING, [profile.as_str()], number(*count));
    }
}

fn of_lane(samples: &mut Samples, profile: &str, lane: &LaneStatus) {
    samples.add(&is::SPARK_RUNNING, [profile], number(lane.running));
    samples.add(&is::SPARK_QUEUE, [profile, Priority::Chat.as_str()], number(lane.waiting_chat));
    samples.add(&is::SPARK_QUEUE, [profile, Priority::Cron.as_str()], number(lane.waiting_cron));
    samples.add(&is::SPARK_OLDEST, [profile], number(lane.longest_wait_millis) / 1e3);
    samples.add(&is::SPARK_ADMITTED, [profile], number(lane.admitted_total));
    samples.add(&is::SPARK_QUEUE_FULL, [profile], number(lane.queue_full_total));
}

fn measured(samples: &mut Samples, meters: &Meters) {
    let Meters { operations, tokens, queue_wait, overhead, refused, cancelled } = meters;
    for (profile, wait) in queue_wait.iter().take(MAX_PROFILES) {
        samples.push(&is::SPARK_QUEUE_WAIT, [profile.as_str()], times(wait, SECONDS));
    }
    samples.push(&is::SPARK_OVERHEAD, [], times(overhead, OWN_SECONDS));
    for (profile, codes) in refused.iter().take(MAX_PROFILES) {
        of_refused(samples, profile, codes);
    }
    for (phase, count) in
        [("queued", cancelled.queued), ("waiting", cancelled.waiting), ("streaming", cancelled.streaming)]
    {
        samples.add(&is::SPARK_CANCELS, [phase], number(count));
    }
    for operation in operations.iter().take(2 * MAX_SERIES) {
        of_operation(samples, operation);
    }
    for one in tokens.iter().take((MAX_MODELS + 1) * MAX_PROFILES) {
        of_tokens(samples, one);
    }
}

fn of_refused(samples: &mut Samples, profile: &ProfileName, codes: &BTreeMap<String, u64>) {
    let mut ours: BTreeMap<&str, u64> = BTreeMap::new();
    for (code, count) in codes {
        *ours.entry(word(code)).or_default() += count;
    }
    for (code, count) in ours {
        samples.add(&is::SPARK_REFUSED, [profile.as_str(), code], number(count));
    }
}

fn of_operation(samples: &mut Samples, operation: &Operation) {
    let Operation { profile, provider, model, error, duration, first_byte, per_chunk } = operation;
    let error = error.as_deref().map_or("", word);
    let labels = [CHAT, provider.as_str(), name(model.as_ref()), error, profile.as_str()];
    samples.push(&is::GENAI_DURATION, labels, times(duration, SECONDS));
    if !first_byte.counts.is_empty() {
        samples.push(&is::GENAI_FIRST, labels, times(first_byte, SECONDS));
    }
    if !per_chunk.is_empty() {
        samples.push(&is::GENAI_CHUNK, labels, times(per_chunk, SECONDS));
    }
}

fn of_tokens(samples: &mut Samples, tokens: &Tokens) {
    let Tokens { profile, provider, model, input, output, cached } = tokens;
    let (provider, model, profile) = (provider.as_str(), name(model.as_ref()), profile.as_str());
    for (kind, counted) in [("input", input), ("output", output)] {
        let value = distribution(counted, TOKENS, number(counted.sum));
        samples.push(&is::GENAI_TOKENS, [CHAT, provider, model, kind, profile], value);
    }
    samples.add(&is::GENAI_CACHED, [provider, model, profile], number(*cached));
}

/// A code of ours, or `other`.
fn word(code: &str) -> &str {
    match code {
        "cancelled" => code,
        _ => ErrorCode::from_code(code).map_or("other", ErrorCode::as_str),
    }
}

fn name(model: Option<&ModelId>) -> &str {
    model.map_or("other", ModelId::as_str)
}

fn times(histogram: &Histogram, bounds: &[f64]) -> Value {
    distribution(histogram, bounds, number(histogram.sum) / 1e6)
}

/// Whatever lists of counts were told, the bounds are ours.
fn distribution(histogram: &Histogram, bounds: &[f64], sum: f64) -> Value {
    let bounds = bounds.iter().copied().chain([f64::INFINITY]);
    let counts = histogram.counts.iter().copied().chain(std::iter::repeat(0));
    let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
    let count = buckets.iter().fold(0_u64, |total, (_, count)| total.saturating_add(*count));
    Value::Distribution { sum, count, buckets }
}

#[cfg(test)]
pub(super) fn example() -> SparkStatus {
    use platform_types::Timestamp;
    use platform_types::meters::{Cancelled, Provider};

    let profile = ProfileName::new("personal").unwrap();
    let time = |micros| {
        let mut histogram = Histogram::default();
        histogram.time(SECONDS, micros);
        histogram
    };
    let tokens = |count| {
        let mut histogram = Histogram::default();
        histogram.number(TOKENS, count);
        histogram
    };
    let mut switched = Histogram::default();
    switched.time(SWITCH_SECONDS, 250_000_000);
    let model = Some(ModelId::new("openai/gpt-oss-120b").unwrap());
    let provider = Provider::Vllm;
    let codes = [("queue_full", 5), ("\"}\n# made up", 1)].map(|(code, count)| (code.to_owned(), count));
    SparkStatus {
        input_tokens_total: 11,
        lanes: BTreeMap::from([(profile.clone(), LaneStatus { waiting_cron: 2, ..LaneStatus::default() })]),
        breaker: Some(Breaker::Open { since: Timestamp(0), cause: "connection refused".to_owned() }),
        meters: Meters {
            operations: vec![Operation {
                profile: profile.clone(),
                provider,
                model: model.clone(),
                error: None,
                duration: time(2_500_000),
                first_byte: time(300_000),
                per_chunk: time(20_000),
            }],
            tokens: vec![Tokens {
                profile: profile.clone(),
                provider,
                model,
                input: tokens(900),
                output: tokens(40),
                cached: 800,
            }],
            queue_wait: BTreeMap::from([(profile.clone(), time(1_000))]),
            overhead: time(60),
            refused: BTreeMap::from([(profile.clone(), BTreeMap::from(codes))]),
            cancelled: Cancelled { queued: 0, waiting: 4, streaming: 0 },
        },
        switch: Some(SwitchMeters {
            ended: BTreeMap::from([("done".to_owned(), switched), ("made up".to_owned(), Histogram::default())]),
            running: true,
            pending: BTreeMap::from([(profile, 2)]),
            pending_operator: 1,
        }),
        ..SparkStatus::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_do_not_fit_our_bounds_change_nothing_else() {
        for counts in [Vec::new(), vec![1], vec![1; 1000]] {
            let histogram = Histogram { counts, sum: 1 };
            let Value::Distribution { count, buckets, .. } = times(&histogram, SECONDS) else { panic!("a number") };
            assert_eq!(buckets.len(), SECONDS.len() + 1);
            assert_eq!(count, buckets.iter().map(|(_, count)| count).sum::<u64>());
        }
    }
}
