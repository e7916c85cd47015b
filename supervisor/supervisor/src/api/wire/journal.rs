//! What happened, and what containers wrote.

use platform_types::Timestamp;
use serde::{Deserialize, Serialize};
use supervisor_plan::Target;

use super::Document;

/// Events that are shown at a time.
pub const MAX_EVENTS: u32 = 1_000;

/// One line of `GET /v1/events` (newline-delimited JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with every event, across restarts.
    pub seq: i64,
    pub at: Timestamp,
    /// A stable word such as `container_started`.
    pub kind: String,
    /// `personal/agent`, `spark`, `personal`; `None` for the installation.
    pub subject: Option<String>,
    pub message: String,
}

/// Query of `GET /v1/events`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// The newest events to begin with, at most [`MAX_EVENTS`]; 100 unless told.
    pub limit: Option<u32>,
    #[serde(default)]
    pub follow: bool,
}

/// One line of `GET /v1/logs` (newline-delimited JSON).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub target: Target,
    pub stderr: bool,
    /// Neutralised.
    pub text: String,
}

/// Query of `GET /v1/logs`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// A target (`personal/agent`, `spark`) or a profile; left out: everybody.
    pub who: Option<String>,
    /// Lines to begin with, per container.
    pub tail: Option<u32>,
    #[serde(default)]
    pub follow: bool,
}

impl Document for Event {
    const SCHEMA: &'static str = "bot-platform.event.v1";
}

impl Document for LogLine {
    const SCHEMA: &'static str = "bot-platform.log-line.v1";
}
