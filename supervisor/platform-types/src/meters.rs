//! What spark measures, and what it has used: both travel to the supervisor over spark's admin socket.
//!
//! [`Meters`] are numbers since the process started; `GET /status` has them. [`UsageReport`] are counts that survive it;
//! `GET /usage` gives them. Neither has more rows than is said here, whatever agents ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BotName, ModelId, ProfileName, Timestamp};

/// Upper bounds for times, in seconds: those of OpenTelemetry's conventions for generative AI, and three more for a slow box.
pub const SECONDS: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36];
/// Upper bounds for spark's own share of a request, in seconds.
pub const OWN_SECONDS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.5];
/// Upper bounds for tokens: OpenTelemetry's.
pub const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

/// Models that have numbers of their own; what is asked of others counts without a model.
pub const MAX_MODELS: usize = 16;
/// Series of [`Meters::operations`]; what would be one more counts without its model.
pub const MAX_SERIES: usize = 256;
/// Bots of one profile that have a row of their own in a [`UsageReport`]; what others use counts in one row without a bot.
pub const MAX_BOTS: usize = 32;

/// How values are distributed. Its bounds are one of the lists above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// One count a bound, of the values up to it and above the one before, and one for those above all. Empty: no value yet.
    pub counts: Vec<u64>,
    /// Microseconds, or tokens.
    pub sum: u64,
}

impl Histogram {
    /// Counts a time.
    pub fn time(&mut self, bounds: &[f64], micros: u64) {
        #[expect(clippy::cast_precision_loss, reason = "microseconds stay below 2^53 for 285 years")]
        self.count(bounds, micros as f64 / 1e6, micros);
    }

    /// Counts a number.
    pub fn number(&mut self, bounds: &[f64], number: u64) {
        #[expect(clippy::cast_precision_loss, reason = "no answer has 2^53 tokens")]
        self.count(bounds, number as f64, number);
    }

    /// Adds what was counted elsewhere within the same bounds.
    pub fn add(&mut self, counts: &[u64], sum: u64) {
        self.counts.resize(self.counts.len().max(counts.len()), 0);
        for (count, more) in self.counts.iter_mut().zip(counts) {
            *count = count.saturating_add(*more);
        }
        self.sum = self.sum.saturating_add(sum);
    }

    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    fn count(&mut self, bounds: &[f64], value: f64, sum: u64) {
        self.counts.resize(bounds.len() + 1, 0);
        let place = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count = count.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(sum);
    }

    /// How many values.
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |total, count| total.saturating_add(*count))
    }
}

/// What answers, in OpenTelemetry's words (`gen_ai.provider.name`): told by the box in its list of models.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Demo,
    Vllm,
    Sglang,
    Llamacpp,
    Ollama,
    #[serde(rename = "llama-swap")]
    LlamaSwap,
    #[serde(rename = "lm-studio")]
    LmStudio,
    /// The box does not say.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Provider {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Demo => "demo",
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Llamacpp => "llamacpp",
            Self::Ollama => "ollama",
            Self::LlamaSwap => "llama-swap",
            Self::LmStudio => "lm-studio",
            Self::Unknown => "unknown",
        }
    }

    /// From the word that a server writes into `owned_by`.
    pub fn from_owner(owned_by: &str) -> Self {
        match owned_by {
            "bot-platform" => Self::Demo,
            "vllm" => Self::Vllm,
            "sglang" => Self::Sglang,
            "llamacpp" => Self::Llamacpp,
            "library" => Self::Ollama,
            "llama-swap" => Self::LlamaSwap,
            "organization_owner" => Self::LmStudio,
            _ => Self::Unknown,
        }
    }
}

/// Distributions and counts since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meters {
    /// Requests that were sent to the box; at most [`MAX_SERIES`].
    pub operations: Vec<Operation>,
    /// Their tokens, by profile and model.
    pub tokens: Vec<Tokens>,
    /// How long requests waited for a place at the box, by profile.
    pub queue_wait: BTreeMap<ProfileName, Histogram>,
    /// Spark's own share of a request: from its last byte until it goes to the box, without the wait in the queue.
    pub overhead: Histogram,
    /// Requests that were refused before they were sent, by profile and code.
    pub refused: BTreeMap<ProfileName, BTreeMap<String, u64>>,
    /// Requests whose client went away.
    pub cancelled: Cancelled,
}

impl Meters {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How long requests of one profile to one model took, that ended in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    pub profile: ProfileName,
    pub provider: Provider,
    /// `None`: one of too many.
    pub model: Option<ModelId>,
    /// A code of [`crate::ErrorCode`], or `cancelled`; `None` for an answer.
    #[serde(default)]
    pub error: Option<String>,
    /// From sending the request to the end of the answer.
    pub duration: Histogram,
    /// From sending it to the first byte of a streamed answer, where there was one.
    pub first_byte: Histogram,
    /// Between two chunks of a streamed answer.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    pub per_chunk: Histogram,
}

/// Tokens of one profile and one model, as the server tells them, or estimated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub profile: ProfileName,
    pub provider: Provider,
    pub model: Option<ModelId>,
    pub input: Histogram,
    pub output: Histogram,
    /// Of the input: read from the server's prompt cache, where it tells.
    pub cached: u64,
}

/// Where requests were when their client went away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cancelled {
    /// Not yet sent: being read, or in the queue.
    pub queued: u64,
    /// Sent, and without a byte of the answer.
    pub waiting: u64,
    /// In the middle of the answer.
    pub streaming: u64,
}

/// Body of `GET /usage`: what each bot has used. Kept in a file of spark's volume; after a kill the last ten seconds are missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// When counting began.
    pub since: Timestamp,
    /// By profile and bot, in their order.
    pub rows: Vec<UsageRow>,
}

/// What one bot of one profile has used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    pub profile: ProfileName,
    /// `None`: requests that name no bot, and bots beyond [`MAX_BOTS`].
    pub bot: Option<BotName>,
    #[serde(flatten)]
    pub used: Used,
}

/// Counts that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Used {
    /// Requests that were sent to the box.
    pub requests: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Of the input tokens: read from the server's prompt cache, where it tells.
    pub cached_tokens: u64,
    /// Answers whose tokens were estimated, because the server did not tell, or because the answer broke off.
    pub estimated: u64,
    pub last: Timestamp,
}

impl Used {
    /// Adds one request.
    pub fn add(&mut self, other: Self) {
        let Self { requests, input_tokens, output_tokens, cached_tokens, estimated, last } = other;
        let sum = |count: &mut u64, more: u64| *count = count.saturating_add(more);
        sum(&mut self.requests, requests);
        sum(&mut self.input_tokens, input_tokens);
        sum(&mut self.output_tokens, output_tokens);
        sum(&mut self.cached_tokens, cached_tokens);
        sum(&mut self.estimated, estimated);
        self.last = self.last.max(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bucket_whose_bound_they_reach() {
        let mut times = Histogram::default();
        for micros in [0, 10_000, 10_001, 655_360_000, 700_000_000] {
            times.time(SECONDS, micros);
        }
        assert_eq!((times.counts[0], times.counts[1], times.counts[16], times.counts[17]), (2, 1, 1, 1));
        assert_eq!((times.total(), times.sum), (5, 1_355_380_001));
        let mut tokens = Histogram::default();
        tokens.number(TOKENS, 5);
        assert_eq!((tokens.counts[2], tokens.sum, tokens.counts.len()), (1, 5, TOKENS.len() + 1));
        let mut both = Histogram::default();
        assert!(both.is_empty());
        both.add(&tokens.counts, tokens.sum);
        both.add(&tokens.counts, tokens.sum);
        assert_eq!((both.counts[2], both.sum, both.total()), (2, 10, 2));
    }

    #[test]
    fn bounds_grow() {
        for bounds in [SECONDS, OWN_SECONDS, TOKENS] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_provider_of_a_later_release_is_unknown() {
        assert_eq!(serde_json::from_str::<Provider>(r#""llama-swap""#).unwrap(), Provider::LlamaSwap);
        assert_eq!(serde_json::from_str::<Provider>(r#""martian""#).unwrap(), Provider::Unknown);
        for owner in ["bot-platform", "vllm", "sglang", "llamacpp", "library", "llama-swap", "organization_owner", "x"]
        {
            let provider = Provider::from_owner(owner);
            assert_eq!(serde_json::to_value(provider).unwrap(), provider.as_str());
        }
    }

    #[test]
    fn a_row_of_usage_is_flat() {
        let row = UsageRow {
            profile: ProfileName::new("ops").unwrap(),
            bot: None,
            used: Used { requests: 2, ..Used::default() },
        };
        let text = serde_json::to_string(&row).unwrap();
        assert!(text.starts_with(r#"{"profile":"ops","bot":null,"requests":2,"input_tokens":0"#), "{text}");
        assert_eq!(serde_json::from_str::<UsageRow>(&text).unwrap(), row);
    }
}
