//! Everything together: what the routes share, the configuration in force, and the sockets that it asks for.
//!
//! A configuration counts as a whole or not at all: the box is set up and every socket bound before it is in force. A
//! request keeps the box that it began with.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use platform_kit::clock::SharedClock;
use platform_kit::socket::{self, SocketError};
use platform_kit::{Failure, admin as canaries, task};
use platform_types::health::Readiness;
use platform_types::spark::{SparkConfig, SparkStatus};
use platform_types::{ErrorCode, ProfileName, Revision};
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin;
use crate::backend::Backend;
use crate::breaker::Breaker;
use crate::lane::Lane;
use crate::listen::{self, Patience};
use crate::place::{Limits, Place, Times};
use crate::queue::Queue;
use crate::refusal::Refusal;
use crate::switch::{Switch, SwitchLimits};
use crate::ticket::Counters;
use crate::upstream::Manner;
use crate::usage::{self, UsageBook};
use crate::watch::watch;

/// Every socket may be connected by whoever sees it: the mount is the permission.
const SOCKET_MODE: u32 = 0o666;

/// What all routes share.
#[derive(Debug)]
pub struct Shared {
    pub place: Place,
    pub limits: Limits,
    pub clock: SharedClock,
    pub counters: Arc<Counters>,
    pub queue: Arc<Queue>,
    pub switch: Arc<Switch>,
    in_force: RwLock<Option<InForce>>,
    sockets: Mutex<Sockets>,
}

/// What a configuration came to.
#[derive(Debug, Clone)]
pub struct InForce {
    pub backend: Arc<Backend>,
    pub times: Times,
    revision: Revision,
    profiles: Vec<ProfileName>,
}

/// The sockets of the profiles, the tasks that serve them, and the one that watches the box.
#[derive(Debug, Default)]
struct Sockets {
    bound: BTreeMap<ProfileName, Bound>,
    serving: JoinSet<()>,
    /// Watches the box of the configuration in force.
    watching: JoinSet<()>,
}

#[derive(Debug)]
struct Bound {
    /// Device and inode of the socket file.
    file: Option<(u64, u64)>,
    stop: CancellationToken,
}

impl Shared {
    /// The backend in force.
    pub fn backend(&self) -> Result<Arc<Backend>, Refusal> {
        self.in_force().map(|in_force| in_force.backend)
    }

    /// What is in force.
    pub fn in_force(&self) -> Result<InForce, Refusal> {
        self.known().ok_or_else(|| {
            Refusal::router(ErrorCode::UpstreamUnreachable, "spark waits for its first configuration")
                .with_retry_after(1)
        })
    }

    /// Counters, the queue, whether there is a connection, and the switch.
    pub fn status(&self) -> SparkStatus {
        let known = self.known();
        let breaker = known.as_ref().and_then(|in_force| in_force.backend.breaker()).map(Breaker::status);
        let (lanes, switch) = (self.queue.lanes(), self.switch.meters());
        SparkStatus { lanes, breaker, switch, ..self.counters.status() }
    }

    fn known(&self) -> Option<InForce> {
        self.in_force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a configuration in force, unless a later one already is.
    pub async fn configure(self: &Arc<Self>, config: SparkConfig) -> Result<(), Failure> {
        let SparkConfig { revision, backend, profiles, models, limits, switch } = config;
        let mut sockets = self.sockets.lock().await;
        if let Some(newer) = self.known().map(|in_force| in_force.revision).filter(|known| *known > revision) {
            let message = format!("revision {} is older than {}, which is in force", revision.0, newer.0);
            return Err(Failure::new(ErrorCode::Conflict, message));
        }
        if let Some((name, fault)) = limits.fault() {
            return Err(Failure::new(ErrorCode::BadRequest, format!("limits.{name}: {fault}")));
        }
        let times = self.limits.times(&limits);
        let manner =
            Manner { place: &self.place, limits: self.limits, times, models: &models, clock: self.clock.clone() };
        let backend = Backend::new(&backend, &manner)
            .map_err(|error| Failure::new(ErrorCode::BadRequest, with_source(&error)))?;
        let armed = self.switch.prepare(switch.as_ref(), &self.place, backend.redaction());
        let armed = armed.map_err(|error| Failure::new(ErrorCode::BadRequest, with_source(&error)))?;
        sockets.fit(self, &profiles).map_err(|error| Failure::new(ErrorCode::Internal, with_source(&error)))?;
        let kind = backend.kind();
        self.queue.resize(&limits, &profiles);
        let in_force = InForce { backend: Arc::new(backend), times, revision, profiles };
        tracing::info!(revision = revision.0, backend = ?kind, profiles = in_force.profiles.len(), "configuration in force");
        sockets.watching.abort_all();
        sockets.watching.spawn(watch(in_force.backend.clone(), self.limits.watch));
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = Some(in_force);
        Switch::adopt(self, armed);
        Ok(())
    }

    /// What `/readyz` says. A box that is down is a note: spark itself is ready to say so.
    pub fn readiness(&self) -> Readiness {
        let mut readiness = Readiness::default();
        match self.known() {
            None => readiness.reasons.push("waiting for the first configuration".to_owned()),
            Some(in_force) => {
                readiness.revision = Some(in_force.revision);
                readiness.notes = in_force.backend.notes();
                for profile in &in_force.profiles {
                    let path = self.place.llm_socket(profile);
                    if identity(&path).is_none() {
                        readiness.reasons.push(format!("{} is gone; push the configuration again", path.display()));
                    }
                }
            }
        }
        for mount in self.place.mounts().map(|mount| mount.to_string_lossy().into_owned()) {
            let canary = canaries::canary(&mount);
            readiness.canaries.insert(mount, canary);
        }
        readiness.ready = readiness.reasons.is_empty();
        readiness
    }
}

impl Sockets {
    /// Binds and unbinds so that exactly `profiles` have a socket; when one cannot be bound, nothing has changed.
    fn fit(&mut self, shared: &Arc<Shared>, profiles: &[ProfileName]) -> Result<(), SocketError> {
        let place = &shared.place;
        let missing = profiles.iter().filter(|profile| {
            let file = identity(&place.llm_socket(profile));
            self.bound.get(profile).is_none_or(|bound| file.is_none() || bound.file != file)
        });
        let fresh: Vec<(ProfileName, UnixListener)> = missing
            .map(|profile| Ok((profile.clone(), socket::bind(&place.llm_socket(profile), SOCKET_MODE)?)))
            .collect::<Result<_, SocketError>>()?;
        self.bound.retain(|profile, bound| {
            let stays = profiles.contains(profile);
            if !stays {
                bound.stop.cancel();
                // Gone already, or in the way of nobody.
                let _ = std::fs::remove_file(place.llm_socket(profile));
                tracing::info!(%profile, "socket closed");
            }
            stays
        });
        while self.serving.try_join_next().is_some() || self.watching.try_join_next().is_some() {}
        for (profile, listener) in fresh {
            let stop = CancellationToken::new();
            let routes = Lane::new(profile.clone(), shared.clone()).routes();
            self.serving.spawn(listen::serve(listener, routes, shared.patience(), stop.clone()));
            tracing::info!(%profile, "socket bound");
            let file = identity(&place.llm_socket(&profile));
            if let Some(old) = self.bound.insert(profile, Bound { file, stop }) {
                old.stop.cancel();
            }
        }
        Ok(())
    }

    async fn drain(&mut self) {
        self.watching.abort_all();
        for bound in self.bound.values() {
            bound.stop.cancel();
        }
        while self.serving.join_next().await.is_some() {}
    }
}

impl Shared {
    fn patience(&self) -> Patience {
        Patience { stall: self.limits.stall, drain: self.limits.drain }
    }
}

/// A running router with its admin socket bound.
#[derive(Debug)]
pub struct Process {
    shared: Arc<Shared>,
    admin: UnixListener,
}

impl Process {
    pub fn bind(place: Place, limits: Limits, clock: SharedClock) -> Result<Self, SocketError> {
        Self::with_switch(place, limits, SwitchLimits::default(), clock)
    }

    /// With other times for the switch.
    pub fn with_switch(
        place: Place,
        limits: Limits,
        switch: SwitchLimits,
        clock: SharedClock,
    ) -> Result<Self, SocketError> {
        let admin = socket::bind(&place.admin_socket(), SOCKET_MODE)?;
        let switch = Arc::new(Switch::new(switch, clock.clone()));
        let counters = Counters::new(UsageBook::open(&place.state, clock.now()), clock.clone());
        let shared = Shared {
            place,
            limits,
            clock,
            counters: Arc::new(counters),
            queue: Arc::default(),
            switch,
            in_force: RwLock::default(),
            sockets: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), admin })
    }

    /// Serves until `stop`, then drains.
    pub async fn run(self, stop: CancellationToken) {
        let Self { shared, admin } = self;
        let admin =
            task::spawn("admin socket", listen::serve(admin, admin::routes(&shared), shared.patience(), stop.clone()));
        let kept = CancellationToken::new();
        let keeping = shared.counters.usage.clone().keep(usage::WRITE_EVERY, kept.clone());
        let keeping = task::spawn("usage", keeping);
        stop.cancelled().await;
        shared.switch.stop.cancel();
        shared.sockets.lock().await.drain().await;
        // It has drained by itself; a panic in it is in the log.
        let _ = admin.await;
        // Once more, with what the last requests used.
        kept.cancel();
        let _ = keeping.await;
    }
}

/// Which file a path is.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
