//! Snapshots and restores.

use platform_types::ProfileName;
use platform_types::backup::{Restored, Snapshot};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/snapshots`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshots {
    pub profile: ProfileName,
    pub snapshots: Vec<Snapshot>,
    /// What could not be read.
    pub problems: Vec<String>,
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

impl Document for Restored {
    const SCHEMA: &'static str = "bot-platform.restored.v1";
}
