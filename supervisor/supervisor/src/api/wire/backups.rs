//! Snapshots and restores.

use std::collections::BTreeMap;

use platform_types::backup::{Checked, Restored, Snapshot};
use platform_types::{ProfileName, Timestamp};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/snapshots`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    pub profile: ProfileName,
    pub snapshots: Vec<Snapshot>,
    /// What could not be read.
    pub problems: Vec<String>,
    #[serde(default)]
    pub upkeep: UpkeepStatus,
}

/// How a profile's snapshots are, as the supervisor sees to them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepStatus {
    /// The newest whole one is too old, or there is none.
    pub stale: bool,
    /// When the next is taken by the clock, or tried again.
    pub next_at: Option<Timestamp>,
    /// By kind: `snapshot`.
    pub jobs: BTreeMap<String, JobStatus>,
}

/// How work by the clock went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    pub began_at: Timestamp,
    /// `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Tries in a row that came to nothing.
    pub failures: u32,
    pub error: Option<String>,
    /// When it succeeded last, and what that came to.
    pub done_at: Option<Timestamp>,
    pub outcome: Option<String>,
}

/// Body of `POST /v1/profiles/{p}/restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// A snapshot's id, an unambiguous beginning of it, or `latest`.
    pub snapshot: String,
    /// An empty or missing folder of the host, absolute; left out: into the profile.
    #[serde(default)]
    pub to: Option<String>,
}

impl Document for Snapshots {
    const SCHEMA: &'static str = "bot-platform.snapshots.v1";
}

impl Document for Snapshot {
    const SCHEMA: &'static str = "bot-platform.snapshot.v1";
}

/// Body of `POST /v1/profiles/{p}/check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Read every byte of it.
    #[serde(default)]
    pub all_data: bool,
}

impl Document for Checked {
    const SCHEMA: &'static str = "bot-platform.repository-check.v1";
}

impl Document for Restored {
    const SCHEMA: &'static str = "bot-platform.restored.v1";
}
