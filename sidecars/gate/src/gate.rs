//! What all parts of a gate share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use platform_kit::Failure;
use platform_kit::clock::SharedClock;
use platform_types::audit::Chain;
use platform_types::gate::{Device, GateStatus};
use platform_types::layout::inside;
use platform_types::{DeviceId, ErrorCode, Revision, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::door::Door;
use crate::audit::anchors::Anchors;
use crate::audit::trail::Trail;
use crate::auth::bucket::Bucket;
use crate::auth::tickets::Tickets;
use crate::config::Config;
use crate::confirm::store::Store;
use crate::devices::acts::Acts;
use crate::egress::perform::Outside;
use crate::egress::resolve::SharedResolver;
use crate::events::Events;
use crate::limits::Limits;
use crate::page::Page;
use crate::pairing::Pairing;
use crate::senders::requests::Senders;
use crate::socket::places::SocketPlaces;
use crate::tally::Tally;

/// Where the gate's directories are. Tests put them elsewhere.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The gate's own volume.
    pub state: PathBuf,
    /// The agent's sockets.
    pub http: PathBuf,
    pub egress: PathBuf,
    pub admin: PathBuf,
    /// The socket for `tailscale serve`.
    pub tailnet: PathBuf,
    /// Credentials of upstreams, one file each.
    pub secrets: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            state: inside::STATE.into(),
            http: inside::HTTP.into(),
            egress: inside::EGRESS.into(),
            admin: inside::ADMIN.into(),
            tailnet: inside::TAILNET.into(),
            secrets: inside::SECRETS.into(),
        }
    }
}

/// One gate.
#[derive(Debug)]
pub struct Gate {
    pub paths: Paths,
    pub limits: Limits,
    pub clock: SharedClock,
    pub page: Page,
    pub config: Pushed,
    pub door: Door,
    pub tickets: Tickets,
    pub pairing: Pairing,
    /// What devices want done about devices.
    pub acts: Acts,
    /// Failed authentications of all kinds.
    pub failures: SharedBucket,
    pub sockets: SocketPlaces,
    pub events: Events,
    pub tally: Tally,
    /// What the gate did.
    pub audit: Trail,
    /// Heads of the agent's audit, and of the supervisor's.
    pub anchors: Anchors,
    pub supervisor_heads: Anchors,
    pub confirmations: Store,
    /// Senders who have a code.
    pub senders: Senders,
    /// The way to upstreams.
    pub outside: Outside,
    /// Cancelled when the gate stops.
    pub stop: CancellationToken,
    /// Connections and sockets that have to be drained.
    pub tasks: TaskTracker,
}

impl Gate {
    /// Opens what lies in the gate's volume.
    pub fn open(
        paths: Paths,
        limits: Limits,
        (clock, resolver): (SharedClock, SharedResolver),
        stop: CancellationToken,
    ) -> std::io::Result<Arc<Self>> {
        let config = Pushed::default();
        let confirmations = paths.state.join("confirmations.ndjson");
        Ok(Arc::new(Self {
            audit: Trail::open(paths.state.join("audit"), limits.audit.clone())?,
            anchors: Anchors::open(paths.state.join("anchors.ndjson"), Chain::Agent)?,
            supervisor_heads: Anchors::open(paths.state.join("supervisor-heads.ndjson"), Chain::Supervisor)?,
            confirmations: Store::open(confirmations, clock.now(), limits.confirm.kept_millis)?,
            outside: Outside::new(&paths, resolver, limits.egress.clone()),
            senders: Senders::default(),
            page: Page::embedded(),
            door: Door::new(paths.http.clone(), limits.door.clone(), config.clone()),
            tickets: Tickets::default(),
            pairing: Pairing::new(&limits.pairing),
            acts: Acts::new(limits.pairing.acts),
            failures: SharedBucket::new(limits.pairing.failures, 2_000),
            sockets: SocketPlaces::new(&limits.socket),
            events: Events::default(),
            tally: Tally::new(clock.clone()),
            tasks: TaskTracker::new(),
            config,
            paths,
            limits,
            clock,
            stop,
        }))
    }

    /// What people should know while the gate is ready: upstreams that are closed, credentials that cannot be used.
    pub fn notes(&self, config: &Config) -> Vec<String> {
        let credentials = config.ways.open().filter_map(|way| self.outside.problem(way));
        config.ways.notes().into_iter().chain(credentials).collect()
    }

    /// The answer to `GET /status`.
    pub fn status(&self) -> GateStatus {
        GateStatus {
            websockets: self.sockets.open(),
            waiting: self.door.waiting(),
            pairings_pending: self.pairing.requests.undecided(self.clock.now()).len() as u64,
            confirmations_pending: self.confirmations.pending() as u64,
            senders_pending: self.senders.undecided(self.clock.now()).len() as u64,
            ..self.tally.status()
        }
    }
}

/// The configuration in force; everybody can wait for the next.
#[derive(Debug, Clone)]
pub struct Pushed(Arc<watch::Sender<Option<Arc<Config>>>>);

impl Default for Pushed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Pushed {
    /// The configuration in force, or the error for a request that came before the first.
    pub fn get(&self) -> Result<Arc<Config>, Failure> {
        self.0.borrow().clone().ok_or_else(|| {
            Failure::new(ErrorCode::AgentUnavailable, "the gate is starting; try again").with_retry_after(1)
        })
    }

    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Config>>> {
        self.0.subscribe()
    }

    /// Puts a whole configuration in force, unless a later one is.
    pub fn push(&self, config: Config) -> Result<(), Failure> {
        let mut outcome = Ok(());
        self.0.send_modify(|current| match current {
            Some(current) if current.revision > config.revision => {
                let (pushed, force) = (config.revision.0, current.revision.0);
                let message = format!("revision {pushed} is older than revision {force}, which is in force");
                outcome = Err(Failure::new(ErrorCode::Conflict, message));
            }
            _ => *current = Some(Arc::new(config)),
        });
        outcome
    }

    /// Lets a device in that the ledger has accepted after `asked`, the revision in force when it was asked.
    pub fn accept(&self, asked: Revision, device: Device) -> Result<(), Failure> {
        self.amend(asked, |config| config.accept(device))
    }

    /// Takes another key for a device that the ledger has taken after `asked`.
    pub fn rekey(&self, asked: Revision, old: &DeviceId, device: Device) -> Result<(), Failure> {
        self.amend(asked, |config| config.rekey(old, device))
    }

    /// Nothing happens when there was a push since: the supervisor pushes what it decided before it says so, and the device may
    /// have been revoked after that.
    fn amend(&self, asked: Revision, change: impl FnOnce(&mut Config) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut outcome = Ok(());
        self.0.send_if_modified(|current| {
            let Some(same) = current.as_ref().filter(|current| current.revision == asked) else { return false };
            let mut config = Config::clone(same);
            outcome = change(&mut config);
            if outcome.is_ok() {
                *current = Some(Arc::new(config));
            }
            outcome.is_ok()
        });
        outcome
    }
}

/// A [`Bucket`] that many tasks take from.
#[derive(Debug)]
pub struct SharedBucket(Mutex<Bucket>);

impl SharedBucket {
    pub fn new(capacity: u32, every_millis: i64) -> Self {
        Self(Mutex::new(Bucket::new(capacity, every_millis)))
    }

    pub fn take(&self, now: Timestamp) -> Result<(), u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }
}
