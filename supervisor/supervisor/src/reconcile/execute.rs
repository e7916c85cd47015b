//! Carries out one action: precondition, step, and a fresh look at the target.
//!
//! **Invariants.** The ledger has the action before this runs. Between the check of the precondition and the step
//! nothing is decided. Whatever happens, the target is looked at again, so that the next plan sees what is.

use std::time::Duration;

use platform_types::agent::Activate;
use platform_types::role::LABEL_INSTALL;
use supervisor_docker::{CreateError, EngineError, Removal, StartError};
use supervisor_plan::action::{Launch, Precondition, Push, StateKind};
use supervisor_plan::observed::{ContainerId, ObservedContainer, State};
use supervisor_plan::{Action, Outcome, Step};

use super::event::Performed;
use super::hands::Hands;
use super::sync;
use crate::host::HostError;
use crate::probe::schedule::LifeId;
use crate::probe::{self, Door, Reading};
use crate::push::{Document, Payload};
use crate::words::chain;

/// Opening a state may mean to migrate it.
const ACTIVATE_TIMEOUT: Duration = Duration::from_secs(30);
const CONFIGURE_TIMEOUT: Duration = Duration::from_secs(5);

/// An action with what it needs.
#[derive(Debug, Clone)]
pub struct Order {
    pub action: Action,
    /// What the target is told at present.
    pub payload: Option<Payload>,
    /// Where the target answers.
    pub door: Option<Door>,
}

/// Why a step came to nothing.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("{0}")]
    Stale(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Create(CreateError),
    #[error(transparent)]
    Start(StartError),
    #[error("the volume {volume} cannot be prepared")]
    Volume { volume: String, source: HostError },
    #[error("the admin socket refused")]
    Call(#[from] platform_kit::client::CallError),
}

impl From<CreateError> for StepError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Engine(error) => Self::Engine(error),
            CreateError::NameTaken { name } => Self::Stale(format!("the name {name} is taken")),
            other => Self::Create(other),
        }
    }
}

impl From<StartError> for StepError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Engine(error) => Self::Engine(error),
            other => Self::Start(other),
        }
    }
}

impl StepError {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Stale(found) => Outcome::Stale { found: found.clone() },
            Self::Engine(error) if error.is_gone() => Outcome::EngineLost { error: chain(error) },
            Self::Engine(EngineError::NotFound { subject }) => Outcome::Stale { found: format!("no {subject}") },
            other => Outcome::Failed { error: chain(other) },
        }
    }
}

/// Carries an action out.
pub async fn perform(hands: Hands, order: Order) -> Performed {
    let outcome = match attempt(&hands, &order).await {
        Ok(()) => Outcome::Done,
        Err(error) => error.outcome(),
    };
    let containers = match sync::target(&hands, &order.action.target).await {
        Ok(containers) => Some(containers),
        Err(error) => {
            tracing::debug!(subject = %order.action.target, error = %chain(&error), "the target was not seen again");
            None
        }
    };
    let readings = match (&order.action.step, &outcome, &containers) {
        (Step::Activate { container, .. } | Step::Configure { container, .. }, Outcome::Done, Some(containers)) => {
            read_again(&order, container, containers).await
        }
        _ => Vec::new(),
    };
    Performed { action: order.action, outcome, containers, readings }
}

async fn attempt(hands: &Hands, order: &Order) -> Result<(), StepError> {
    check(hands, &order.action.precondition()).await?;
    match &order.action.step {
        Step::Launch(launch) => launch_container(hands, launch).await,
        Step::Start { container } => {
            let port = published_port(hands, container).await?;
            Ok(hands.engine.start_container(&container.0, port).await?)
        }
        Step::Stop { container, grace_seconds } => {
            let grace = Duration::from_secs(u64::from(*grace_seconds));
            Ok(hands.engine.stop_container(&container.0, grace).await?)
        }
        Step::Kill { container } => Ok(hands.engine.kill_container(&container.0).await?),
        Step::Remove { container } => Ok(hands.engine.remove_container(&container.0, Removal::Stopped).await?),
        Step::Rename { container, name } => Ok(hands.engine.rename_container(&container.0, name).await?),
        Step::RemoveNetwork { name } => Ok(hands.engine.remove_network(name).await?),
        Step::Activate { generation, push, .. } => {
            let Document::Agent(config) = document(order, push)? else {
                return Err(StepError::Stale("only agents are activated".to_owned()));
            };
            let body = Activate { generation: *generation, config };
            let client = door(order)?.client(ACTIVATE_TIMEOUT);
            Ok(client.post::<_, serde::de::IgnoredAny>("/activate", &body).await.map(|_| ())?)
        }
        Step::Configure { push, .. } => configure(order, push).await,
        Step::Adopt { .. } | Step::Quarantine { .. } => Ok(()),
    }
}

async fn check(hands: &Hands, precondition: &Precondition) -> Result<(), StepError> {
    match precondition {
        Precondition::Nothing => Ok(()),
        Precondition::NameFree(name) => {
            let listing = hands.engine.list_containers(&hands.install).await?;
            let taken = listing.foreign_names.contains(name) || listing.ours.iter().any(|listed| listed.name == *name);
            if taken { Err(StepError::Stale(format!("the name {name} is taken"))) } else { Ok(()) }
        }
        Precondition::Container { id, states } => {
            let Some(found) = hands.engine.observe_container(id, &hands.install).await? else {
                return Err(StepError::Stale("the container is gone".to_owned()));
            };
            if states.contains(&StateKind::from(&found.state)) {
                return Ok(());
            }
            Err(StepError::Stale(format!("the container is {}", found.state.word())))
        }
        Precondition::NetworkUnused(name) => match hands.engine.network_users(name).await? {
            0 => Ok(()),
            users => Err(StepError::Stale(format!("{users} containers are on the network {name}"))),
        },
    }
}

/// Volume, network, container, start.
async fn launch_container(hands: &Hands, launch: &Launch) -> Result<(), StepError> {
    let own = std::collections::BTreeMap::from([(LABEL_INSTALL.to_owned(), hands.install.to_string())]);
    if let Some(volume) = &launch.volume {
        let mountpoint = hands.engine.create_volume(&volume.name, &own).await?;
        hands
            .host
            .provide_volume(&mountpoint, volume)
            .map_err(|source| StepError::Volume { volume: volume.name.clone(), source })?;
    }
    if let Some(network) = &launch.network {
        hands.engine.create_network(network, &own).await?;
    }
    let id = hands.engine.create_container(&launch.name, &launch.spec, &launch.labels).await?;
    Ok(hands.engine.start_container(&id, launch.spec.host_port()).await?)
}

async fn published_port(hands: &Hands, id: &ContainerId) -> Result<Option<platform_types::Port>, EngineError> {
    let found = hands.engine.observe_container(id, &hands.install).await?;
    Ok(found.and_then(|found| found.spec.host_port()))
}

async fn configure(order: &Order, push: &Push) -> Result<(), StepError> {
    let client = door(order)?.client(CONFIGURE_TIMEOUT);
    let answer = match document(order, push)? {
        Document::Agent(config) => client.put::<_, serde::de::IgnoredAny>("/config", &config).await,
        Document::Gate(config) => client.put::<_, serde::de::IgnoredAny>("/config", &config).await,
        Document::Spark(config) => client.put::<_, serde::de::IgnoredAny>("/config", &config).await,
    };
    Ok(answer.map(|_| ())?)
}

/// The document that the planner meant: what is desired may have changed since.
fn document(order: &Order, push: &Push) -> Result<Document, StepError> {
    let payload = order.payload.as_ref().filter(|payload| payload.digest == push.config_digest);
    let payload = payload.ok_or_else(|| StepError::Stale("the configuration changed meanwhile".to_owned()))?;
    Ok(payload.document.clone().for_push(push))
}

fn door(order: &Order) -> Result<&Door, StepError> {
    order.door.as_ref().ok_or_else(|| StepError::Stale("it has no admin socket".to_owned()))
}

/// What was told is in force only when the container says so: ask at once.
async fn read_again(order: &Order, id: &ContainerId, containers: &[ObservedContainer]) -> Vec<(LifeId, Reading)> {
    let running = containers.iter().find(|container| container.id == *id && container.state == State::Running);
    let (Some(container), Some(door)) = (running, &order.door) else { return Vec::new() };
    let life = LifeId { container: id.clone(), started_at: container.started_at };
    vec![(life, probe::ask(door, false).await)]
}
