//! The steps a plan is made of. Plain data: the executor carries them out, the simulated engine pretends to.
//!
//! For each action the daemon calls [`Ledger::begin`](crate::Ledger::begin), makes that durable, checks
//! [`Action::precondition`] against a fresh inspection, executes, inspects and probes the target again, calls
//! [`Ledger::finish`](crate::Ledger::finish) with the [`Outcome`], and only then takes the target out of
//! [`Observed::in_flight`](crate::Observed::in_flight).

use std::collections::BTreeMap;

use platform_types::gate::Door;
use platform_types::{Generation, Port, Revision};
use serde::{Deserialize, Serialize};

use crate::ledger::Failure;
use crate::observed::{ContainerId, State};
use crate::spec::{ContainerSpec, NetworkSpec, VolumeSpec};
use crate::target::Target;

/// One step for one target. Actions of different targets run concurrently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub target: Target,
    pub step: Step,
    /// Half a sentence for reports and events: `it is missing`, `exit code 137`, `memory is 64 MiB, should be 256 MiB`.
    pub because: String,
    /// What went wrong before and is answered by this action: counted when it begins.
    pub failure: Option<Failure>,
    /// What a failure of this action itself belongs to ([`Service::fingerprint`](crate::desired::Service::fingerprint));
    /// empty for what is no longer desired.
    pub fingerprint: String,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Makes what the container needs, creates it, starts it: one action, so that nothing waits for a planning pass in
    /// between. Dies halfway? The created container is adopted by its label and started by [`Step::Start`].
    Launch(Box<Launch>),
    /// Starts an existing container.
    Start { container: ContainerId },
    /// SIGTERM, and SIGKILL after the grace.
    Stop { container: ContainerId, grace_seconds: u32 },
    /// SIGKILL: it is wedged or paused.
    Kill { container: ContainerId },
    /// Removes a stopped container, its anonymous volumes never.
    Remove { container: ContainerId },
    /// Gives the next generation its predecessor's name.
    Rename { container: ContainerId, name: String },
    /// Gives the state lease to an agent in standby, with its configuration.
    Activate { container: ContainerId, generation: Generation, push: Push },
    /// Ledger only: an agent has the state open and nobody remembers giving it the lease, because the ledger is an older
    /// copy or a new one. From now on it holds it.
    Adopt { container: ContainerId, generation: Generation },
    /// Pushes the whole configuration over the admin socket.
    Configure { container: ContainerId, push: Push },
    /// Removes a bridge of ours that nothing is on.
    RemoveNetwork { name: String },
    /// Ledger only: stops trying until specification or configuration change, or an operator clears it.
    Quarantine { evidence: Vec<String> },
}

/// A container to create and start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    pub name: String,
    pub spec: ContainerSpec,
    /// All labels, ready to be sent.
    pub labels: BTreeMap<String, String>,
    /// Agents only; allocated by this action.
    pub generation: Option<Generation>,
    /// To create first: it was not there.
    pub network: Option<NetworkSpec>,
    /// To make sure of first: it exists, its owner and modes are right, its canary lies in it.
    pub volume: Option<VolumeSpec>,
}

/// A configuration on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Allocated by this action, higher than every one before.
    pub revision: Revision,
    pub config_digest: String,
    /// Gates only.
    pub door: Option<Door>,
    /// The port that the container publishes, where another is wanted: a gate that waits for its replacement goes on answering
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
}

/// What must hold right before the step is carried out; otherwise the outcome is [`Outcome::Stale`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No container has this name.
    NameFree(String),
    /// A container with this id exists, carries our label and is in one of these states.
    Container {
        id: ContainerId,
        states: &'static [StateKind],
    },
    /// No container is attached to this network of ours.
    NetworkUnused(String),
    Nothing,
}

/// [`State`] without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKind {
    Created,
    Running,
    Paused,
    Exited,
    Removing,
    Dead,
}

impl From<&State> for StateKind {
    fn from(state: &State) -> Self {
        match state {
            State::Created => Self::Created,
            State::Running => Self::Running,
            State::Paused => Self::Paused,
            State::Exited { .. } => Self::Exited,
            State::Removing => Self::Removing,
            State::Dead => Self::Dead,
        }
    }
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Done,
    /// The precondition did not hold: observe and plan again. Counts for nothing.
    Stale {
        found: String,
    },
    /// Docker did not answer. Counts for nothing.
    EngineLost {
        error: String,
    },
    /// Counts against the target: back-off, then quarantine.
    Failed {
        error: String,
    },
}

impl Action {
    /// The container acted on; `None` where one is made, or none is touched.
    pub fn container(&self) -> Option<&ContainerId> {
        match &self.step {
            Step::Start { container }
            | Step::Stop { container, .. }
            | Step::Kill { container }
            | Step::Remove { container }
            | Step::Rename { container, .. }
            | Step::Activate { container, .. }
            | Step::Adopt { container, .. }
            | Step::Configure { container, .. } => Some(container),
            Step::Launch(_) | Step::RemoveNetwork { .. } | Step::Quarantine { .. } => None,
        }
    }

    /// What the executor checks against a fresh inspection, right before.
    pub fn precondition(&self) -> Precondition {
        use StateKind::{Created, Dead, Exited, Paused, Running};
        let in_states = |id: &ContainerId, states| Precondition::Container { id: id.clone(), states };
        match &self.step {
            Step::Launch(launch) => Precondition::NameFree(launch.name.clone()),
            Step::Start { container } => in_states(container, &[Created, Exited]),
            Step::Kill { container } => in_states(container, &[Running, Paused]),
            Step::Remove { container } => in_states(container, &[Created, Exited, Dead]),
            Step::Rename { container, .. } => in_states(container, &[Created, Running, Paused, Exited]),
            Step::Stop { container, .. } | Step::Activate { container, .. } | Step::Configure { container, .. } => {
                in_states(container, &[Running])
            }
            Step::RemoveNetwork { name } => Precondition::NetworkUnused(name.clone()),
            Step::Adopt { .. } | Step::Quarantine { .. } => Precondition::Nothing,
        }
    }

    /// It is over when the ledger has it.
    pub fn is_ledger_only(&self) -> bool {
        matches!(self.step, Step::Adopt { .. } | Step::Quarantine { .. })
    }

    /// One word: what events and reports call it.
    pub fn verb(&self) -> &'static str {
        match &self.step {
            Step::Launch(_) => "launch",
            Step::Start { .. } if self.failure.is_some() => "restart",
            Step::Start { .. } => "start",
            Step::Stop { .. } => "stop",
            Step::Kill { .. } => "kill",
            Step::Remove { .. } => "remove",
            Step::Rename { .. } => "rename",
            Step::Activate { .. } => "activate",
            Step::Adopt { .. } => "adopt",
            Step::Configure { push, .. } => match push.door {
                Some(Door::Held) => "configure, door held",
                Some(Door::Open { .. }) => "configure, door open",
                None => "configure",
            },
            Step::RemoveNetwork { .. } => "remove network",
            Step::Quarantine { .. } => "quarantine",
        }
    }
}
