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
//! | `GET /healthz`, `/readyz`, `/release` | as everywhere |
//!
//! Per profile (`llm.sock`), connected by that profile's agent: `GET /v1/models` ([`ModelList`]),
//! `POST /v1/chat/completions` (OpenAI's, plain and streamed), `GET /health` ([`SparkHealth`]).

use serde::{Deserialize, Serialize};

use crate::{ModelId, ProfileName, Revision, SecretName, Timestamp};

/// The id of the built-in model that answers when no box is configured.
pub const DEMO_MODEL: &str = "demo/echo";

/// Header on every error answer: `router` (spark itself) or `backend` (the model box).
pub const ERROR_ORIGIN_HEADER: &str = "x-spark-error-origin";

/// Header that carries the turn id from the agent through spark's log.
pub const TURN_HEADER: &str = "x-bot-turn";

/// Everything spark has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SparkConfig {
    pub revision: Revision,
    pub backend: Backend,
    pub profiles: Vec<ProfileName>,
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
}
