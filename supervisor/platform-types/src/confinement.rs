//! What `bot-agent confinement` says: one line of JSON an attempt to get out of its container.

use serde::{Deserialize, Serialize};

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// A stable word such as `netlink-socket`.
    pub name: String,
    /// What it would mean, in a few words.
    pub what: String,
    pub outcome: Outcome,
    /// What the kernel said.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Blocked,
    Succeeded,
}
