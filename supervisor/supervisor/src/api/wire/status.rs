//! What runs, and why it is not better.

use platform_types::spark::{BackendKind, SparkHealth};
use platform_types::{Generation, ModelId, ProfileName, Revision, Timestamp};
use serde::{Deserialize, Serialize};
use supervisor_config::Finding;
use supervisor_plan::Target;
use supervisor_plan::report::{Blocked, Condition, Waiting};

use super::Document;
use super::backups::UpkeepStatus;

/// Body of `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Name of the installation, the prefix of every container.
    pub name: String,
    /// Id of the installation, the value of its label.
    pub install: String,
    /// Version of the supervisor.
    pub version: String,
    pub now: Timestamp,
    /// When the supervisor started.
    pub started_at: Timestamp,
    /// Everything desired is ready, nothing is blocked or under way.
    pub well: bool,
    /// Why chats are not answered all the same: the model box does not answer, or does not list the model.
    #[serde(default)]
    pub degraded: Vec<String>,
    /// The files on the disk are not the ones in force.
    pub unapplied: bool,
    pub engine: EngineStatus,
    pub model: ModelStatus,
    pub profiles: Vec<ProfileStatus>,
    pub targets: Vec<TargetStatus>,
    /// What is wrong with the files on the disk.
    pub findings: Vec<Finding>,
    /// Problems of the supervisor itself.
    pub problems: Vec<String>,
    /// What lies outside of any target.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineStatus {
    pub reachable: bool,
    pub version: Option<String>,
    pub api_version: Option<String>,
    /// Since when it does not answer, and why.
    pub unreachable_since: Option<Timestamp>,
    pub error: Option<String>,
}

/// Where completions come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelStatus {
    pub backend: BackendKind,
    pub url: Option<String>,
    pub model: ModelId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileStatus {
    pub profile: ProfileName,
    /// Where browsers find it.
    pub address: String,
    /// Why what answers there may be another program: the profile's gate is not there.
    #[serde(default)]
    pub unserved: Option<String>,
    /// Paired and not revoked.
    pub devices: u32,
    /// Requests to pair that wait for the operator.
    pub requests: u32,
    pub tokens: u32,
    pub last_snapshot_at: Option<Timestamp>,
    #[serde(default)]
    pub snapshots: UpkeepStatus,
    /// A snapshot or a restore that runs.
    pub operation: Option<OperationStatus>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationStatus {
    /// `snapshot`, `restore`, `check` or `prune`.
    pub kind: String,
    pub since: Timestamp,
    pub progress: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStatus {
    pub target: Target,
    pub condition: Condition,
    /// When the condition began, as far as it is known.
    pub since: Option<Timestamp>,
    pub container: Option<ContainerStatus>,
    /// What is being done: `restart: exit code 137`.
    pub doing: Option<String>,
    pub waiting: Vec<Waiting>,
    pub blocked: Vec<Blocked>,
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    pub id: String,
    pub name: String,
    /// Docker's word: `running`, `exited`.
    pub state: String,
    pub started_at: Option<Timestamp>,
    pub generation: Option<Generation>,
    /// Content digest of its image.
    pub release: Option<String>,
    /// Failures of the last minutes that count against it: crashes, failed actions, changes that somebody made by hand.
    pub failures: u32,
    /// The newest of them: `exit code 137`.
    #[serde(default)]
    pub latest_failure: Option<String>,
}

/// Body of `GET /v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub now: Timestamp,
    /// Everything desired is ready, nothing is blocked or under way.
    pub well: bool,
    /// Why chats are not answered all the same: the model box does not answer, or does not list the model.
    #[serde(default)]
    pub degraded: Vec<String>,
    pub engine: EngineStatus,
    pub targets: Vec<TargetHealth>,
    /// Freshly asked; `None` when spark does not answer.
    pub spark: Option<SparkHealth>,
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    pub target: Target,
    pub condition: Condition,
    pub well: bool,
    /// When it last answered.
    pub probed_at: Option<Timestamp>,
    pub latency_micros: Option<u64>,
    /// As the container reports it.
    pub version: Option<String>,
    /// The configuration in force.
    pub revision: Option<Revision>,
    /// Why it is not ready, in its own words.
    pub reasons: Vec<String>,
    pub notes: Vec<String>,
    /// Mounts whose canary is not what was written there.
    pub lost_mounts: Vec<String>,
    /// What keeps it from being as it is desired, until a person does something.
    #[serde(default)]
    pub blocked: Vec<Blocked>,
}

impl Document for Status {
    const SCHEMA: &'static str = "bot-platform.status.v1";
}

impl Document for Health {
    const SCHEMA: &'static str = "bot-platform.health.v1";
}

impl Document for SparkHealth {
    const SCHEMA: &'static str = "bot-platform.spark-health.v1";
}

impl Document for platform_types::spark::ModelList {
    const SCHEMA: &'static str = "bot-platform.spark-models.v1";
}

impl Document for platform_types::meters::UsageReport {
    const SCHEMA: &'static str = "bot-platform.spark-usage.v1";
}
