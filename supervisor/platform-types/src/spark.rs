//! The sockets of spark.
//!
//! Admin, connected by the supervisor only:
//!
//! | route | does |
//! |---|---|
//! | `PUT /config` [`SparkConfig`] | replaces the whole configuration; binds `<profile>/llm.sock` for each profile; 409 for a lower revision |
//! | `GET /health` | [`SparkHealth`], freshly probed |
//! | `GET /models` | [`ModelList`], freshly asked |
//! | `GET /status` | [`SparkStatus`] |
//! | `GET /usage` | [`crate::meters::UsageReport`] |
//! | `GET /healthz`, `/readyz`, `/release` | as everywhere |
//!
//! Per profile (`llm.sock`), connected by that profile's agent: `GET /v1/models` ([`ModelList`]),
//! `POST /v1/chat/completions` (OpenAI's, plain and streamed), `GET /health` ([`SparkHealth`]). The routes of the switch are in
//! [`crate::switch`].
//!
//! A chat request may say its priority ([`PRIORITY_HEADER`]), its bot ([`BOT_HEADER`]) and its turn ([`TURN_HEADER`]). A
//! streamed one that says [`PROGRESS_HEADER`]` : 1` gets its head as soon as it has to wait, and then [`Progress`] as comments
//! of the stream; what goes wrong after that arrives as an event `data: {"error":…}`.

use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::meters::Meters;
use crate::switch::{SwitchConfig, SwitchMeters};
use crate::{ModelId, ProfileName, Revision, SecretName, Timestamp};

/// The id of the built-in model that answers when no box is configured.
pub const DEMO_MODEL: &str = "demo/echo";

/// Header on every error answer: `router` (spark itself) or `backend` (the model box).
pub const ERROR_ORIGIN_HEADER: &str = "x-spark-error-origin";

/// Header that carries the turn id from the agent through spark's log.
pub const TURN_HEADER: &str = "x-bot-turn";

/// Header of a chat request: `chat` or `cron` ([`Priority`]); absent or unknown is `chat`. Counts within the own profile only.
pub const PRIORITY_HEADER: &str = "x-bot-priority";

/// Header of a chat request: the bot that asks, for usage by bot. A `BotName`; anything else is left out.
pub const BOT_HEADER: &str = "x-bot-name";

/// Header of a streamed chat request: `1` asks for [`Progress`] while it waits. Without it the head is held until the first
/// event of the answer, and every error has its own status.
pub const PROGRESS_HEADER: &str = "x-bot-progress";

/// Everything spark has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkConfig {
    pub revision: Revision,
    pub backend: Backend,
    pub profiles: Vec<ProfileName>,
    /// Further models that bots name, and that the box is expected to list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelId>,
    /// Left out while it is the default, so that a spark of the release before still takes the document.
    #[serde(default, skip_serializing_if = "SparkLimits::is_default")]
    pub limits: SparkLimits,
    /// `None`: nobody switches the model from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchConfig>,
}

/// How many requests, and how long. Each value lies in the range of its name; [`SparkLimits::fault`] says which does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SparkLimits {
    /// Requests at the box at once, of all profiles.
    pub concurrency: u32,
    /// Requests that wait for a place, of all profiles. Each profile has an equal share of it, and one at least.
    pub queue: u32,
    /// Making a connection, with name lookup and TLS.
    pub connect_seconds: u32,
    /// From the request at the box to the first byte of its answer.
    pub first_byte_seconds: u32,
    /// Silence in the middle of an answer.
    pub idle_seconds: u32,
    /// From the request's arrival at spark to the last byte of its answer.
    pub total_seconds: u32,
}

impl Default for SparkLimits {
    fn default() -> Self {
        Self {
            concurrency: 4,
            queue: 32,
            connect_seconds: 2,
            first_byte_seconds: 600,
            idle_seconds: 120,
            total_seconds: 3_600,
        }
    }
}

impl SparkLimits {
    pub const CONCURRENCY: RangeInclusive<u32> = 1..=64;
    pub const QUEUE: RangeInclusive<u32> = 1..=128;
    pub const CONNECT_SECONDS: RangeInclusive<u32> = 1..=30;
    pub const FIRST_BYTE_SECONDS: RangeInclusive<u32> = 1..=3_600;
    pub const IDLE_SECONDS: RangeInclusive<u32> = 1..=3_600;
    pub const TOTAL_SECONDS: RangeInclusive<u32> = 1..=86_400;

    /// The first value that is out of its range, with its name and the rule.
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let Self { concurrency, queue, connect_seconds, first_byte_seconds, idle_seconds, total_seconds } = *self;
        let ranges = [
            ("concurrency", concurrency, Self::CONCURRENCY),
            ("queue", queue, Self::QUEUE),
            ("connect_seconds", connect_seconds, Self::CONNECT_SECONDS),
            ("first_byte_seconds", first_byte_seconds, Self::FIRST_BYTE_SECONDS),
            ("idle_seconds", idle_seconds, Self::IDLE_SECONDS),
            ("total_seconds", total_seconds, Self::TOTAL_SECONDS),
        ];
        if let Some((name, value, range)) = ranges.into_iter().find(|(_, value, range)| !range.contains(value)) {
            return Some((name, format!("{value} is not between {} and {}", range.start(), range.end())));
        }
        [
            ("connect_seconds", connect_seconds),
            ("first_byte_seconds", first_byte_seconds),
            ("idle_seconds", idle_seconds),
        ]
        .into_iter()
        .find(|(_, seconds)| *seconds > total_seconds)
        .map(|(name, seconds)| (name, format!("{seconds} is longer than the {total_seconds} of total_seconds")))
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who goes first within a profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// A person waits.
    #[default]
    Chat,
    /// Nobody waits: schedules. Goes after the chats of its profile, and is passed by so many of them at most.
    Cron,
}

impl Priority {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Cron => "cron",
        }
    }

    /// The value of [`PRIORITY_HEADER`].
    pub fn from_header(text: &str) -> Self {
        if text.trim() == Self::Cron.as_str() { Self::Cron } else { Self::Chat }
    }
}

/// What a waiting request waits for: the text after `: progress ` in a comment of its stream. A comment comes at once, about
/// once a second, and whenever the phase or the position changes; none comes after the first event of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "lowercase")]
pub enum Progress {
    /// In the queue for a place at the box.
    Queued {
        /// 1 is the next one of this profile. Requests of other profiles are not counted.
        position: u32,
        /// Until it has a place, estimated from the own profile's waits; `None` while nothing is known.
        #[serde(default)]
        ahead_millis: Option<u64>,
        /// Since it arrived.
        waited_millis: u64,
    },
    /// The box is being switched to another model.
    Switching {
        /// Until the switch is over, estimated from earlier ones.
        #[serde(default)]
        ahead_millis: Option<u64>,
        /// Since it arrived.
        waited_millis: u64,
    },
    /// At the box, which has not begun to answer: it reads the prompt.
    Waiting {
        /// Since it was sent to the box.
        waited_millis: u64,
    },
}

impl Progress {
    const PREFIX: &str = ": progress ";

    /// The comment of the stream, with its blank line.
    pub fn comment(&self) -> String {
        let text = serde_json::to_string(self).expect("numbers and words serialise");
        format!("{}{text}\n\n", Self::PREFIX)
    }

    /// Reads one line of a stream. `None`: another comment, or a phase of a later release.
    pub fn from_comment(line: &str) -> Option<Self> {
        serde_json::from_str(line.strip_prefix(Self::PREFIX)?.trim_end()).ok()
    }
}

/// Where completions come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Backend {
    /// The built-in [`DEMO_MODEL`].
    Demo,
    /// An OpenAI-compatible server.
    Box {
        /// Ends in `/v1`, without a trailing slash.
        url: String,
        /// The configured default model: must be an id of `GET /v1/models`.
        model: ModelId,
        /// File name under `/run/secrets` with the bearer key.
        key: Option<SecretName>,
    },
}

/// Body of `GET /v1/models`: OpenAI's list with the context window added where the server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelList {
    /// Always `list`.
    pub object: String,
    pub data: Vec<Model>,
}

/// One model of the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    pub id: ModelId,
    /// Always `model`.
    pub object: String,
    /// Seconds since 1970; 0 where the server tells nothing of use.
    #[serde(default)]
    pub created: i64,
    #[serde(default)]
    pub owned_by: String,
    /// Tokens; `None` where the server does not say.
    #[serde(default)]
    pub context_window: Option<u32>,
    /// `None` where the server does not distinguish listed from loaded.
    #[serde(default)]
    pub loaded: Option<bool>,
}

/// Three facts, each by its own test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparkHealth {
    pub backend: BackendKind,
    /// The URL, or `None` for the demo model.
    pub url: Option<String>,
    /// The configured model.
    pub model: ModelId,
    /// A connection can be made.
    pub reachable: bool,
    /// `GET /v1/models` gives a list.
    pub answering: bool,
    /// The configured model is in that list.
    pub model_listed: bool,
    /// The true cause when one of them is false, and what to do.
    pub problem: Option<String>,
    pub checked_at: Timestamp,
    /// Time of the probe.
    pub latency_millis: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    Demo,
    Box,
}

/// Body of `GET /status`: counters since the process started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SparkStatus {
    pub requests_total: u64,
    pub errors_total: u64,
    pub cancelled_total: u64,
    pub inflight: u64,
    pub input_tokens_total: u64,
    pub output_tokens_total: u64,
    /// Answers whose tokens were estimated, because the server did not tell usage.
    #[serde(default)]
    pub estimated_total: u64,
    /// The queue, by profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lanes: BTreeMap<ProfileName, LaneStatus>,
    /// `None`: there is no box (the demo model), or no configuration yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Distributions, by profile and model.
    #[serde(default, skip_serializing_if = "Meters::is_empty")]
    pub meters: Meters,
    /// `None`: no switch is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<SwitchMeters>,
}

/// One profile's part of the queue. Totals count since the process started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaneStatus {
    /// Requests with a place at the box, now.
    pub running: u64,
    /// Chats that wait for one, now.
    pub waiting_chat: u64,
    /// Cron's that wait for one, now.
    pub waiting_cron: u64,
    /// How long the oldest of them waits.
    pub longest_wait_millis: u64,
    /// Requests that got a place, at once or after waiting.
    pub admitted_total: u64,
    /// How long these waited, together.
    pub waited_millis_total: u64,
    /// Requests that found the queue full, or waited in vain.
    pub queue_full_total: u64,
}

/// Whether requests are sent to the box. It opens when connections fail, never because of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Breaker {
    /// They are.
    Closed,
    /// They are refused at once with `upstream_unreachable`, until `GET /v1/models` finds a connection.
    Open {
        since: Timestamp,
        /// The true cause: `connection refused`, `no connection in time`.
        cause: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_the_default_are_left_out() {
        let config = |limits| SparkConfig {
            revision: Revision(1),
            backend: Backend::Demo,
            profiles: vec![],
            models: vec![],
            limits,
            switch: None,
        };
        let plain = serde_json::to_string(&config(SparkLimits::default())).unwrap();
        assert_eq!(plain, r#"{"revision":1,"backend":{"kind":"demo"},"profiles":[]}"#);
        let two = config(SparkLimits { concurrency: 2, ..SparkLimits::default() });
        let text = serde_json::to_string(&two).unwrap();
        assert_eq!(serde_json::from_str::<SparkConfig>(&text).unwrap(), two);
        let part = plain.replace("[]}", r#"[],"limits":{"concurrency":2}}"#);
        assert_eq!(serde_json::from_str::<SparkConfig>(&part).unwrap(), two);
        assert!(serde_json::from_str::<SparkConfig>(&part.replace("concurrency", "speed")).is_err());
    }

    #[test]
    fn limits_have_ranges() {
        let fault = |change: fn(&mut SparkLimits)| {
            let mut limits = SparkLimits::default();
            change(&mut limits);
            limits.fault()
        };
        assert_eq!(fault(|_| ()), None);
        for (change, name) in [
            ((|limits| limits.concurrency = 0) as fn(&mut SparkLimits), "concurrency"),
            (|limits| limits.concurrency = 65, "concurrency"),
            (|limits| limits.queue = 0, "queue"),
            (|limits| limits.connect_seconds = 31, "connect_seconds"),
            (|limits| limits.first_byte_seconds = 0, "first_byte_seconds"),
            (|limits| limits.idle_seconds = 3_601, "idle_seconds"),
            (|limits| limits.total_seconds = 86_401, "total_seconds"),
            (|limits| limits.total_seconds = 599, "first_byte_seconds"),
        ] {
            assert_eq!(fault(change).unwrap().0, name);
        }
    }

    #[test]
    fn progress_is_a_comment_of_the_stream() {
        let queued = Progress::Queued { position: 2, ahead_millis: None, waited_millis: 1_200 };
        let text = ": progress {\"phase\":\"queued\",\"position\":2,\"ahead_millis\":null,\"waited_millis\":1200}\n\n";
        assert_eq!(queued.comment(), text);
        for progress in [
            queued,
            Progress::Switching { ahead_millis: Some(9), waited_millis: 1 },
            Progress::Waiting { waited_millis: 0 },
        ] {
            assert_eq!(Progress::from_comment(&progress.comment()), Some(progress));
        }
        for other in [": ping", ":", "data: {}", ": progress", ": progress {\"phase\":\"dreaming\"}"] {
            assert_eq!(Progress::from_comment(other), None, "{other}");
        }
    }

    #[test]
    fn a_status_of_the_release_before_is_read() {
        let old = r#"{"requests_total":1,"errors_total":0,"cancelled_total":0,"inflight":0,"input_tokens_total":0,"output_tokens_total":0}"#;
        let status: SparkStatus = serde_json::from_str(old).unwrap();
        assert!(status.lanes.is_empty() && status.breaker.is_none());
        let open = Breaker::Open { since: Timestamp::default(), cause: "connection refused".to_owned() };
        let text = serde_json::to_string(&open).unwrap();
        assert!(text.starts_with(r#"{"state":"open","since":"#), "{text}");
    }
}
