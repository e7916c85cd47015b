//! What the supervisor observes, as it tells an agent whose bots have a tool for it (`PUT /platform`).
//!
//! Nothing here was reported by another profile, and nothing of another profile's logs is in it. It is kept in memory only.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Body of `PUT /platform`; replaces what was told before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformView {
    /// When it was observed.
    pub at: Timestamp,
    /// Where a bot has `platform.health`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<PlatformHealth>,
    /// Where a bot has `platform.logs`; the end of each log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<PartLog>,
}

/// How this profile and what it shares with others is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformHealth {
    /// Every part is ready, and nothing is under way or blocked.
    pub well: bool,
    /// The profile's own parts, then the shared ones.
    pub parts: Vec<PartHealth>,
    /// Why chats are not answered although everything runs: the model box.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model_box: Vec<String>,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHealth {
    /// `agent`, `gate`, `spark` or `backup`.
    pub part: String,
    /// Other profiles use it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// `ready`, `starting`, `silent`, `exited`, …
    pub condition: String,
    /// Since when it is so, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Failures of the last minutes that count against it.
    #[serde(default)]
    pub failures: u32,
    /// What is done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// Of the profile's own parts: what is awaited, what only a person can change, what it says itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The end of the log of one of the profile's own parts, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLog {
    /// `agent` or `gate`.
    pub part: String,
    /// The oldest first.
    pub lines: Vec<String>,
}

/// The tool whose bots are told [`PlatformHealth`].
pub const HEALTH_TOOL: &str = "platform.health";
/// The tool whose bots are told logs.
pub const LOGS_TOOL: &str = "platform.logs";
/// Lines of one log that are told, at most.
pub const MAX_LOG_LINES: usize = 200;
/// Longest line, in characters; the rest is cut.
pub const MAX_LOG_LINE_CHARS: usize = 500;
/// Longest body of a view, in bytes.
pub const MAX_VIEW_BYTES: usize = 2 * 1024 * 1024;
