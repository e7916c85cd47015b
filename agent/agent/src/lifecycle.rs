//! Standby, active, drained; and whether the agent is ready.
//!
//! ```text
//!   Standby ──activate──▶ Active ──drain──▶ Draining ──▶ Stopped
//!      │  ▲                                                 ▲
//!      │  └── activation failed: why is kept                │
//!      └──────────────────────── drain ─────────────────────┘
//! ```
//!
//! State is opened only by an activation with the container's own generation, which the supervisor sends once it has
//! seen that the container before is dead.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_llm::{LlmClient, Models, Timeouts};
use agent_store::{Store, StoreError, schema};
use agent_tools::platform::Board;
use agent_tools::{Egress, Own, Registry, Spark};
use platform_kit::Failure;
use platform_kit::clock::SharedClock;
use platform_types::ErrorCode;
use platform_types::agent::{Activate, AgentConfig};
use platform_types::health::{Readiness, Release};
use tokio_util::sync::CancellationToken;

use crate::driver::Tooling;
use crate::mind::Mind;
use crate::{Settings, config};

/// Time for the database to take a write before the agent counts as not ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the process is doing.
#[derive(Debug, Clone)]
enum State {
    Standby,
    /// The last activation failed; the next may work.
    Failed(String),
    Active(Arc<Mind>),
    /// Running turns finish; nobody else is served.
    Draining,
    Stopped,
}

/// Owns the state of the process.
#[derive(Debug)]
pub struct Lifecycle {
    pub settings: Settings,
    clock: SharedClock,
    state: Mutex<State>,
    /// One change of state at a time.
    changing: tokio::sync::Mutex<()>,
    /// One checkpoint at a time.
    pub copying: tokio::sync::Mutex<()>,
    /// What the supervisor told last about the platform.
    pub board: Arc<Board>,
    /// Cancelled once the process is to end.
    pub stop: CancellationToken,
}

impl Lifecycle {
    pub fn new(settings: Settings, clock: SharedClock, stop: CancellationToken) -> Self {
        Self {
            settings,
            clock,
            state: Mutex::new(State::Standby),
            changing: tokio::sync::Mutex::new(()),
            copying: tokio::sync::Mutex::new(()),
            board: Arc::default(),
            stop,
        }
    }

    pub fn now(&self) -> platform_types::Timestamp {
        self.clock.now()
    }

    /// The mind, while the agent is active.
    pub fn mind(&self) -> Result<Arc<Mind>, Failure> {
        let words = match self.state() {
            State::Active(mind) => return Ok(mind),
            State::Standby => "the agent is in standby",
            State::Failed(_) => "the agent could not be activated",
            State::Draining | State::Stopped => "the agent is stopping",
        };
        Err(Failure::new(ErrorCode::AgentUnavailable, words).with_retry_after(1))
    }

    /// Opens the state. Again with the same generation: only the configuration is put in force.
    pub async fn activate(&self, activate: Activate) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let Activate { generation, config } = activate;
        let own = self.settings.generation;
        if generation != own {
            let words = format!("this container is generation {own}, not {generation}");
            return Err(Failure::new(ErrorCode::Conflict, words));
        }
        match self.state() {
            State::Active(mind) => return self.put_in_force(&mind, config),
            State::Draining | State::Stopped => {
                return Err(Failure::new(ErrorCode::AgentUnavailable, "the agent is stopping"));
            }
            State::Standby | State::Failed(_) => {}
        }
        self.check(&config)?;
        let next = match self.open(config).await {
            Ok(mind) => State::Active(Arc::new(mind)),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "activation failed");
                State::Failed(reason(&error))
            }
        };
        self.set(next.clone());
        if let State::Failed(words) = next {
            return Err(Failure::new(ErrorCode::Internal, words));
        }
        tracing::info!(generation = generation.0, "active");
        Ok(())
    }

    /// Replaces the configuration, live.
    pub async fn configure(&self, config: AgentConfig) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let mind = self.mind()?;
        self.put_in_force(&mind, config)
    }

    /// Finishes or closes running turns and closes the database. The caller ends the process afterwards.
    pub async fn drain(&self) -> Result<(), Failure> {
        let _changing = self.changing.lock().await;
        let before = self.state();
        let State::Active(mind) = before else {
            self.set(State::Stopped);
            return Ok(());
        };
        self.set(State::Draining);
        let drained = mind.drain().await;
        self.set(State::Stopped);
        tracing::info!("drained");
        drained.map_err(|error| Failure::new(ErrorCode::Internal, reason(&error)))
    }

    pub async fn readiness(&self) -> Readiness {
        let mounts = &self.settings.paths.mounts;
        let canary = |path: &std::path::PathBuf| {
            let mount = path.to_string_lossy().into_owned();
            let text = platform_kit::admin::canary(&mount);
            (mount, text)
        };
        let mut readiness =
            Readiness { ready: true, canaries: mounts.iter().map(canary).collect(), ..Default::default() };
        let mut unready = |words: String| readiness.reasons.push(words);
        match self.state() {
            State::Standby => readiness.notes.push("standby: waiting for POST /activate".to_owned()),
            State::Failed(words) => unready(format!("activation failed: {words}")),
            State::Draining | State::Stopped => unready("the agent is stopping".to_owned()),
            State::Active(mind) => {
                match tokio::time::timeout(PROBE_TIMEOUT, mind.probe()).await {
                    Ok(Ok(Ok(()))) => {}
                    Ok(Ok(Err(error))) => unready(format!("the database takes no writes: {}", reason(&error))),
                    Ok(Err(closed)) => unready(closed.to_string()),
                    Err(_) => {
                        unready(format!("the database did not take a write within {} s", PROBE_TIMEOUT.as_secs()));
                    }
                }
                let config = mind.config();
                readiness.notes = config::notes(&config, &mind.tooling.registry);
                readiness.notes.extend(mind.cron.troubles());
                readiness.notes.extend(mind.channel_notes());
                readiness.revision = Some(config.revision);
                readiness.generation = Some(self.settings.generation);
            }
        }
        readiness.ready = readiness.reasons.is_empty();
        readiness
    }

    fn put_in_force(&self, mind: &Mind, config: AgentConfig) -> Result<(), Failure> {
        self.check(&config)?;
        let revision = config.revision;
        if !mind.configure(config) {
            let words = format!("revision {} is in force, {} is lower", mind.config().revision.0, revision.0);
            return Err(Failure::new(ErrorCode::Conflict, words));
        }
        tracing::info!(revision = revision.0, "configured");
        Ok(())
    }

    fn check(&self, config: &AgentConfig) -> Result<(), Failure> {
        let problems = config::problems(config, &self.settings.profile);
        if problems.is_empty() { Ok(()) } else { Err(Failure::new(ErrorCode::BadRequest, problems.join("; "))) }
    }

    async fn open(&self, config: AgentConfig) -> Result<Mind, StoreError> {
        let state = self.settings.paths.state.clone();
        let holder = format!("generation {}, process {}", self.settings.generation, std::process::id());
        let now = self.clock.now();
        let opened = tokio::task::spawn_blocking(move || Store::open(&state, &holder, now))
            .await
            .map_err(|_| StoreError::Conflict("opening the state ended with a panic"))??;
        let egress = Egress::new(&self.settings.paths.egress_socket);
        let own =
            Own { board: self.board.clone(), ..Own::new(&self.settings.paths.state, &self.settings.paths.documents) };
        let llm = LlmClient::new(&self.settings.paths.llm_socket, Timeouts::default());
        let tooling = Arc::new(Tooling {
            models: Models::new(llm.clone()),
            llm,
            registry: Registry::of_release(&egress, &Spark::new(&self.settings.paths.llm_socket), &own),
            own,
            egress,
            clock: self.clock.clone(),
        });
        Mind::start(opened, config, tooling)
            .map_err(|source| StoreError::Io { path: self.settings.paths.state.path().to_path_buf(), source })
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

/// An error with its causes, on one line.
pub fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// What this release is.
pub fn release() -> Release {
    Release {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema_writes: schema::WRITES,
        schema_reads_from: schema::READS_FROM,
        schema_readable_by: schema::READABLE_BY,
    }
}
