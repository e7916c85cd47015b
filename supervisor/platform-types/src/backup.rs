//! What backup answers: the admin socket of the sidecar, and the reports that its tasks print.
//!
//! The sidecar's admin socket, connected by the supervisor only:
//!
//! | route | does |
//! |---|---|
//! | `GET /snapshots/{profile}` | [`SnapshotList`] |
//! | `GET /healthz`, `/readyz`, `/release` | as everywhere |
//!
//! Snapshot and restore run as short-lived containers of the same image, one profile and operation each. A task prints
//! JSON lines: [`TaskLine::Progress`] while it works, one [`TaskLine::Done`] or [`TaskLine::Failed`] at the end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ProfileName, Timestamp};

/// Name of the manifest file inside a snapshot.
pub const MANIFEST_FILE: &str = "manifest.json";

/// One line on a task's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "lowercase")]
pub enum TaskLine {
    Progress { message: String },
    Done { report: TaskReport },
    Failed { message: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "lowercase")]
pub enum TaskReport {
    Snapshot(Snapshot),
    Restore(Restored),
    Check(Checked),
    Prune(Pruned),
    /// `current` and the restored tree changed places.
    Swap {
        previous: String,
    },
}

/// A snapshot in a profile's repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// restic's snapshot id, 64 hex digits.
    pub id: String,
    pub profile: ProfileName,
    pub at: Timestamp,
    /// Why it was taken: `manual`, `before-restore`, `scheduled`.
    pub reason: String,
    pub files: u64,
    pub bytes: u64,
    /// Bytes added to the repository, packed; `None` when listed from a repository that does not tell.
    pub added_bytes: Option<u64>,
    /// The snapshot holds exactly what its manifest names. An incomplete one never counts.
    pub complete: bool,
}

/// Made by backup from what it read, never by the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this shape.
    pub version: u32,
    pub profile: ProfileName,
    pub at: Timestamp,
    /// `user_version` of the database.
    pub schema: u32,
    /// Rows per table.
    pub rows: BTreeMap<String, u64>,
    /// Relative path to what the file is.
    pub files: BTreeMap<String, ManifestFile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    pub bytes: u64,
    pub sha256: String,
}

/// A restored tree, verified against its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    pub snapshot: String,
    pub profile: ProfileName,
    /// Where it lies, inside the task's container.
    pub path: String,
    pub files: u64,
    pub bytes: u64,
    /// Files that are damaged or missing; empty unless the restore is partial.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// A repository that was looked over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub profile: ProfileName,
    /// Every byte was read, not only what names what.
    pub all_data: bool,
    /// Snapshots that can be read.
    pub snapshots: u64,
    /// What is wrong, one sentence each; empty: the repository is sound.
    pub problems: Vec<String>,
    /// Files of the newest complete snapshot that cannot be read back whole.
    #[serde(default)]
    pub damaged: Vec<String>,
}

/// Old snapshots were forgotten, and what nobody needs any more is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    pub profile: ProfileName,
    pub kept: u64,
    pub forgotten: u64,
    pub freed_bytes: u64,
}

/// Body of `GET /snapshots/{profile}`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotList {
    pub snapshots: Vec<Snapshot>,
    /// What could not be read, one sentence each.
    pub problems: Vec<String>,
}
