//! What Docker and the probes say. Values only: the daemon fills it, the planner reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platform_types::{Generation, Port, Revision, Timestamp};
use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSpec, ImageId};
use crate::target::Target;

/// A container by the id that Docker gave it. Actions name nothing else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The world as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub engine: Engine,
    /// Containers with the label of this installation, inspected and probed.
    pub containers: Vec<ObservedContainer>,
    /// Names of all other containers on the engine. Nothing else is known of them.
    pub foreign_containers: BTreeSet<String>,
    /// Networks and volumes of the engine by name; `ours` by label.
    pub networks: BTreeMap<String, Owner>,
    pub volumes: BTreeMap<String, Owner>,
    /// Images that the engine has, by id.
    pub images: BTreeSet<ImageId>,
    /// Ports of the host's 127.0.0.1 that something other than our containers listens on.
    pub ports_taken: BTreeSet<Port>,
    /// Targets with an action under way, or with a task that the daemon runs. A target leaves this set only after its
    /// containers were inspected and probed again.
    pub in_flight: BTreeSet<Target>,
}

/// Whether Docker answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "lowercase")]
pub enum Engine {
    Reachable,
    /// The rest of the observation is what was known before.
    Unreachable {
        since: Timestamp,
        error: String,
    },
}

/// Who made a network or volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// It carries this installation's label.
    Ours,
    Foreign,
}

/// One of our containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedContainer {
    pub id: ContainerId,
    pub name: String,
    pub labels: Labels,
    pub state: State,
    /// When its latest process started, running or not; `None` when it never ran.
    pub started_at: Option<Timestamp>,
    /// As inspected. Variables that come from the image are left out.
    pub spec: ContainerSpec,
    pub probe: Probe,
}

/// What a container says about itself in its labels. It has this installation's id, or it would not be here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// `None` when role and profile do not parse: it is ours, but nobody knows what it is.
    pub target: Option<Target>,
    pub generation: Option<Generation>,
    pub release: Option<String>,
    pub spec_digest: Option<String>,
}

/// Docker's state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    /// Never started.
    Created,
    Running,
    Paused,
    Exited {
        code: i64,
        oom_killed: bool,
        at: Timestamp,
    },
    Removing,
    /// Docker failed to remove it.
    Dead,
}

impl State {
    /// No process of it can run. The lease depends on this.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Created | Self::Exited { .. } | Self::Dead)
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Exited { .. } => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }
}

/// What the admin socket of the process that runs *now* says. Paused containers are probed too: that is how they count as
/// wedged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probe", rename_all = "lowercase")]
pub enum Probe {
    /// Not probed since its process started.
    Never,
    /// It did not answer, `failures` times in a row.
    Silent {
        since: Timestamp,
        failures: u32,
        error: String,
    },
    Answering(Answer),
}

/// The latest answer of `/readyz`. Reported by the container: nothing of weight is decided on its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub at: Timestamp,
    pub ready: bool,
    /// Since when it is ready, or not.
    pub since: Timestamp,
    pub reasons: Vec<String>,
    pub notes: Vec<String>,
    /// The revision of the configuration in force.
    pub revision: Option<Revision>,
    /// Agents: the active generation, `None` in standby.
    pub generation: Option<Generation>,
    /// Mount points whose canary is not what the supervisor wrote there.
    pub lost_mounts: BTreeSet<String>,
}

impl Observed {
    /// Nothing seen yet on an engine that answers.
    pub fn empty() -> Self {
        Self {
            engine: Engine::Reachable,
            containers: Vec::new(),
            foreign_containers: BTreeSet::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            images: BTreeSet::new(),
            ports_taken: BTreeSet::new(),
            in_flight: BTreeSet::new(),
        }
    }

    pub fn container(&self, id: &ContainerId) -> Option<&ObservedContainer> {
        self.containers.iter().find(|container| container.id == *id)
    }
}

impl ObservedContainer {
    /// The answer, while the container runs.
    pub fn answer(&self) -> Option<&Answer> {
        match (&self.state, &self.probe) {
            (State::Running, Probe::Answering(answer)) => Some(answer),
            _ => None,
        }
    }
}
