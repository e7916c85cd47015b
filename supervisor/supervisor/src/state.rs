//! What the daemon's parts share: a snapshot of the world on a watch channel, and a queue of commands.
//!
//! **Invariants.** One task, the reconciler, changes the world; everybody else reads a clone of the latest snapshot.
//! A [`World`] is cheap to clone. A command that changes something is answered after the ledger has it.
//!
//! ```text
//!   API, metrics ──commands──▶ reconciler ──world──▶ API, metrics
//!   registry     ──────┘           └──▶ engine, probes, tasks
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use platform_kit::clock::SharedClock;
use platform_types::backup::{Checked, Restored, Snapshot};
use platform_types::health::Release;
use platform_types::layout::Roots;
use platform_types::{Generation, ProfileName, Timestamp};
use supervisor_config::{Config, Finding};
use supervisor_docker::EngineInfo;
use supervisor_plan::observed::{ContainerId, Engine, ObservedContainer, State};
use supervisor_plan::report::Condition;
use supervisor_plan::upkeep::{Job, JobKind};
use supervisor_plan::{Action, Desired, Impact, Ledger, Observed, Report, Target};
use supervisor_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that wait: people at a terminal and a page or two. More than this means that the loop is stuck, and the
/// sender is told so.
pub const COMMAND_QUEUE: usize = 64;

/// What every part of the daemon holds. Clones are handles to the same things.
#[derive(Debug, Clone)]
pub struct Shared {
    pub roots: Roots,
    pub clock: SharedClock,
    pub store: Store,
    /// The one door to Docker, for logs; only the reconciler changes anything through it.
    pub engine: supervisor_docker::Engine,
    pub world: watch::Receiver<World>,
    pub commands: mpsc::Sender<Command>,
    /// When this daemon started.
    pub started_at: Timestamp,
}

/// The latest snapshot of everything. Cheap to clone.
#[derive(Debug, Clone)]
pub struct World {
    /// The configuration in force: the last good one that was applied.
    pub config: Arc<Config>,
    /// Instructions in force: path relative to the configuration root, to the text.
    pub instructions: Arc<BTreeMap<String, String>>,
    /// What is wrong with the files on the disk, if they were not applied because of it; warnings otherwise.
    pub findings: Arc<Vec<Finding>>,
    /// The files on the disk are not the ones in force: `apply` would read them.
    pub unapplied: bool,
    pub desired: Arc<Desired>,
    pub observed: Arc<Observed>,
    pub ledger: Arc<Ledger>,
    pub report: Arc<Report>,
    /// Actions of the latest plan and of earlier ones that are still under way.
    pub under_way: Arc<BTreeMap<Target, UnderWay>>,
    /// What the engine said about itself when it last answered; `None` before that.
    pub engine: Option<Arc<EngineInfo>>,
    pub probes: Arc<BTreeMap<Target, ProbeDetail>>,
    /// Operations on profiles: at most one each.
    pub operations: Arc<BTreeMap<ProfileName, Operation>>,
    /// How each configured profile's snapshots are.
    pub upkeep: Arc<BTreeMap<ProfileName, Upkeep>>,
    /// Problems of the daemon itself (a disk that is full, a directory that cannot be made), one sentence each.
    pub problems: Arc<Vec<String>>,
    /// Passes of the loop since the daemon started, and how long the last one took.
    pub passes: u64,
    pub last_pass_micros: u64,
    /// Grows with each published snapshot.
    pub sequence: u64,
}

impl World {
    /// Why what listens on a profile's port may be somebody else; `None` while it is the profile's own gate. Whoever else
    /// has the port is given what is sent there: setup codes, tokens.
    pub fn unserved(&self, profile: &ProfileName) -> Option<String> {
        let port = self.config.profiles.get(profile)?.port;
        let target = Target::gate(profile);
        let report = self.report.targets.get(&target);
        let container = report.and_then(|found| self.observed.container(found.container.as_ref()?));
        let runs = |found: &&ObservedContainer| matches!(found.state, State::Running | State::Paused);
        if container.filter(runs).is_some_and(|gate| gate.spec.host_port() == Some(port)) {
            return None;
        }
        let blocked = report.and_then(|found| found.blocked.first());
        Some(match (blocked, &self.observed.engine) {
            (Some(blocked), _) => blocked.to_string(),
            (None, Engine::Unreachable { .. }) => {
                "Docker does not answer, so nobody knows who listens there".to_owned()
            }
            (None, Engine::Reachable) => {
                let condition = report.map_or(Condition::Missing, |found| found.condition);
                format!("{target} is {condition}, and not at port {port} yet; look with botctl status")
            }
        })
    }
}

/// An action that is being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub verb: String,
    pub because: String,
    pub since: Timestamp,
}

/// More than the planner needs to know about the latest probe of a target's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeDetail {
    pub container: ContainerId,
    pub generation: Option<Generation>,
    pub at: Timestamp,
    /// Round trip of the latest answer.
    pub latency_micros: u64,
    /// Version and schemas, as the container reports them.
    pub release: Option<Release>,
}

/// How a profile's snapshots are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// When the newest whole one was taken.
    pub newest: Option<Timestamp>,
    /// It is too old, or there is none.
    pub stale: bool,
    /// When the next is taken by the clock, or tried again.
    pub next: Option<Timestamp>,
    pub jobs: BTreeMap<JobKind, Job>,
}

/// An operation that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub since: Timestamp,
    /// The latest line of progress, neutralised.
    pub progress: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationKind {
    Snapshot,
    Restore,
    Check,
    Prune,
}

/// What is asked of the daemon. A dropped reply means that the daemon is stopping.
#[derive(Debug)]
pub enum Command {
    /// Read `platform.toml`, `bots/` and `release.json` again and make them the desired state, if they are good.
    /// Also what SIGHUP means.
    Apply { reply: oneshot::Sender<Result<Applied, ApplyError>> },
    /// What `Apply` would do: nothing is changed.
    Preview { reply: oneshot::Sender<Result<Preview, ApplyError>> },
    /// Devices, links or tokens of a profile changed in the store: its gate has to be told. Answered when the gate has
    /// confirmed the revision, or after a second.
    RegistryChanged { profile: ProfileName, reply: oneshot::Sender<bool> },
    /// A secret file was written: its consumers have to be given the new one.
    SecretChanged { reply: oneshot::Sender<()> },
    /// Answered with `true` when the container has confirmed what it should be told, with `false` after a second.
    Confirm { target: Target, reply: oneshot::Sender<bool> },
    /// Forget failures and quarantine of a target, and try again now. `false`: there was nothing to forget.
    ClearQuarantine { target: Target, reply: oneshot::Sender<bool> },
    /// Takes a snapshot. Lines of progress until the reply; both are neutralised.
    Snapshot {
        profile: ProfileName,
        /// Who asks, as records name them.
        by: String,
        reason: String,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Snapshot, OperationError>>,
    },
    /// Looks a repository over. What was found is in the reply, and in the ledger.
    Check {
        profile: ProfileName,
        /// Who asks, as records name them.
        by: String,
        all_data: bool,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Checked, OperationError>>,
    },
    /// Puts a snapshot back into the profile or into a folder of the host.
    Restore {
        profile: ProfileName,
        /// Who asks, as records name them.
        by: String,
        snapshot: String,
        into: RestoreInto,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Restored, OperationError>>,
    },
}

/// Where a restore goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreInto {
    /// Replaces the profile's state; a snapshot of it is taken before.
    Profile,
    /// An empty or missing folder of the host, given to this user afterwards.
    Folder { path: std::path::PathBuf, uid: u32, gid: u32 },
}

/// What an `Apply` came to.
#[derive(Debug, Clone)]
pub struct Applied {
    /// Warnings only.
    pub findings: Vec<Finding>,
    /// The first plan after it.
    pub actions: Vec<Action>,
    pub report: Report,
}

/// What would be done.
#[derive(Debug, Clone)]
pub struct Preview {
    pub findings: Vec<Finding>,
    /// The files on the disk differ from what is in force.
    pub changed: bool,
    /// What the change of the files would do to each target, the unchanged ones too.
    pub impacts: Vec<Impact>,
    pub actions: Vec<Action>,
    pub report: Report,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Every error at once.
    #[error("platform.toml has {}; what was in force stays in force", errors(.0))]
    Config(Vec<Finding>),
    #[error("{path} cannot be read: {reason}")]
    File { path: std::path::PathBuf, reason: String },
    #[error("{0}")]
    Refused(String),
}

fn errors(findings: &[Finding]) -> String {
    match findings.iter().filter(|finding| finding.is_error()).count() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum OperationError {
    #[error("there is no profile {0}")]
    UnknownProfile(ProfileName),
    #[error("{profile} is busy with another operation; wait until it is done")]
    Busy { profile: ProfileName },
    #[error("the agent of {profile} does not answer ({why}); see: botctl health")]
    AgentUnavailable { profile: ProfileName, why: String },
    /// The agent, the engine or the task said no; the sentence says what to do.
    #[error("{0}")]
    Failed(String),
}
