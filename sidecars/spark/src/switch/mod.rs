//! Switching the model of the box: asked by a profile or the operator, allowed by a person, carried out over SSH, and judged
//! by what the box answers.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | what was pushed, parsed |
//! | [`confirm`] | what a person allows |
//! | [`machine`] | one switch, step by step (pure) |
//! | [`drive`] | carries it out |
//! | [`ssh`] | the command |
//! | [`look`] | what the box has |
//! | [`routes`] | of the agents' sockets and of the admin socket |
//! | [`tally`] | what became of switches, in numbers |
//!
//! Invariants: nothing goes over SSH that a person has not allowed, except `status`. One switch at a time. Requests that run
//! are never cut off. Whatever the command says, the box decides whether it is done.

pub mod confirm;
pub mod drive;
pub mod look;
pub mod machine;
pub mod routes;
pub mod settings;
pub mod ssh;
pub mod tally;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use platform_kit::clock::SharedClock;
use platform_types::switch::{SwitchConfig, SwitchMeters, SwitchRun, SwitchStatus};
use platform_types::{ErrorCode, ModelId, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::place::Place;
use crate::process::Shared;
use crate::redaction::Redaction;
use crate::refusal::Refusal;
use confirm::decide::holds;
use confirm::store::Store;
use machine::Times;
use settings::{Settings, SettingsError};
use tally::Tally;

/// How long a switch takes as long as none was done: big models take minutes.
const ESTIMATE_SECONDS: u32 = 300;
/// The least that a request is told to wait.
const LEAST_RETRY_SECONDS: u32 = 5;
/// The file in spark's volume.
const JOURNAL: &str = "switch.ndjson";

/// How long things may take, beside what the configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwitchLimits {
    pub times: Times,
    /// Until an undecided confirmation is over.
    pub expiry_millis: i64,
    /// Everything up to the command: name, connection, keys, login.
    pub connect: Duration,
    /// Between two questions to a silent connection whether it is there; three without an answer end it.
    pub keep_alive: Duration,
    /// `status`, whole.
    pub check: Duration,
    /// Between two looks at the box.
    pub look_every: Duration,
    /// One token: the first prompt of a server compiles its kernels.
    pub answer: Duration,
    /// A request that waits for news.
    pub poll: Duration,
    /// How long a second of the configured times is; tests have short ones.
    pub second: Duration,
}

impl Default for SwitchLimits {
    fn default() -> Self {
        Self {
            times: Times::default(),
            expiry_millis: 300_000,
            connect: Duration::from_secs(10),
            keep_alive: Duration::from_secs(5),
            check: Duration::from_secs(20),
            look_every: Duration::from_secs(2),
            answer: Duration::from_mins(2),
            poll: Duration::from_secs(25),
            second: Duration::from_secs(1),
        }
    }
}

/// What spark knows about switching.
#[derive(Debug)]
pub struct Switch {
    pub limits: SwitchLimits,
    clock: SharedClock,
    /// Cancelled when spark stops.
    pub stop: CancellationToken,
    armed: RwLock<Option<Arc<Armed>>>,
    /// Opened once: there is one writer of the journal.
    store: OnceLock<Arc<Store>>,
    run: RwLock<Option<SwitchRun>>,
    tally: Tally,
}

/// A switch that is configured.
#[derive(Debug)]
pub struct Armed {
    pub settings: Settings,
    pub store: Arc<Store>,
}

/// Why it cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the journal of switches {path} cannot be used")]
    Journal { path: PathBuf, source: std::io::Error },
}

impl Switch {
    pub fn new(limits: SwitchLimits, clock: SharedClock) -> Self {
        Self {
            limits,
            clock,
            stop: CancellationToken::new(),
            armed: RwLock::default(),
            store: OnceLock::new(),
            run: RwLock::default(),
            tally: Tally::default(),
        }
    }

    /// The switch in force.
    pub fn armed(&self) -> Option<Arc<Armed>> {
        self.armed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Parses a configuration, and opens what lies in the volume.
    pub fn prepare(
        &self,
        config: Option<&SwitchConfig>,
        place: &Place,
        redaction: Redaction,
    ) -> Result<Option<Arc<Armed>>, SwitchError> {
        let Some(config) = config else { return Ok(None) };
        let settings = Settings::new(config, &self.limits, place, redaction)?;
        let store = if let Some(store) = self.store.get() {
            store.clone()
        } else {
            let path = place.state.join(JOURNAL);
            let opened = Store::open(path.clone(), self.clock.now());
            let opened = Arc::new(opened.map_err(|source| SwitchError::Journal { path, source })?);
            self.store.get_or_init(|| opened).clone()
        };
        Ok(Some(Arc::new(Armed { settings, store })))
    }

    /// Puts it in force; what was under way is gone on with.
    pub fn adopt(shared: &Arc<Shared>, armed: Option<Arc<Armed>>) {
        let this = &shared.switch;
        (*this.armed.write().unwrap_or_else(PoisonError::into_inner)).clone_from(&armed);
        let Some(armed) = armed else { return };
        armed.store.sweep(shared.clock.now());
        armed.store.supersede(|record| holds(&armed, record));
        if this.running().is_none()
            && let Some(record) = armed.store.active()
        {
            drive::resume(shared, &armed, record);
        }
    }

    /// The switch that runs.
    pub fn running(&self) -> Option<SwitchRun> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn show(&self, run: Option<SwitchRun>) {
        *self.run.write().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// What `GET /switch` says.
    pub fn status(&self, armed: &Armed) -> SwitchStatus {
        let models = armed.settings.models.clone();
        SwitchStatus { models, running: self.running(), last: armed.store.last() }
    }

    /// In numbers; `None`: it is not configured.
    pub fn meters(&self) -> Option<SwitchMeters> {
        let store = &self.armed()?.store;
        store.sweep(self.clock.now());
        Some(self.tally.meters(&store.records(), self.running().is_some()))
    }

    /// How a chat with this model stands to the switch that runs: it may begin, it waits for the switch, or it is told to come
    /// again, because its model is on its way out.
    pub fn stance(&self, model: &ModelId) -> Result<Stance, Refusal> {
        match self.running() {
            None => Ok(Stance::Free),
            Some(run) if run.to == *model => Ok(Stance::Waits),
            Some(run) => Err(refusal(&run, self.clock.now())),
        }
    }
}

/// Whether a chat looks for its model before it gets in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    Free,
    /// The box is being switched to the model: it is not there yet.
    Waits,
}

/// The refusal while a switch runs, with an estimate of its end.
pub fn refusal(run: &SwitchRun, now: Timestamp) -> Refusal {
    let ends_at = run.began_at.plus_millis(i64::from(run.estimate_seconds) * 1000);
    let seconds = u32::try_from(ends_at.millis_since(now) / 1000).unwrap_or(0).max(LEAST_RETRY_SECONDS);
    let message = format!("the model box is being switched to {}: {}", run.to, run.progress);
    Refusal::router(ErrorCode::SwitchInProgress, message).with_retry_after(seconds)
}
