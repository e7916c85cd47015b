//! The loop: observe, plan, check, apply.
//!
//! **Invariants.** One task owns everything here. [`Reconciler::select`] only waits; [`Reconciler::apply`] only changes
//! state and starts effects; nothing awaits while state is half changed. An action is in the ledger, on disk, before it is
//! carried out; at most one a target is under way; its target is looked at again before the next is planned. While
//! Docker is away nothing is done and nothing is forgotten.
//!
//! ```text
//!          ┌──────── events: engine, probes, finished actions, commands, time ────────┐
//!          ▼                                                                          │
//!   apply (sync) ──▶ pass: plan ─▶ check ─▶ begin in the ledger ──▶ effects (JoinSet) ─┘
//!                      └──▶ world (watch channel)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`event`] | what the loop waits for |
//! | [`listen`] | the engine's events |
//! | [`sync`] | looking at everything, or at one target |
//! | [`execute`] | one action |
//! | `merge` | what was seen, taken in without losing what is newer |
//! | `pass` | plan, check, begin, start |
//! | [`commands`] | what is asked of the daemon |
//! | `safety` | copies of the ledger; what a restored one means |
//! | `upkeep` | snapshots by the clock |
//! | `publish` | the world, events, log |

pub mod commands;
pub mod event;
pub mod execute;
pub mod hands;
pub mod listen;
mod merge;
mod pass;
mod publish;
mod safety;
pub mod sync;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use platform_kit::task;
use platform_types::{ProfileName, Timestamp};
use supervisor_config::Finding;
use supervisor_docker::EngineInfo;
use supervisor_plan::observed::{ContainerId, Engine};
use supervisor_plan::report::Condition;
use supervisor_plan::{Ledger, Observed, Plan, Target};
use supervisor_store::Store;
use tokio::signal::unix::Signal as UnixSignal;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::desired::{Accepted, Wanted};
use crate::probe::schedule::Schedule;
use crate::state::{Command, Operation, Shared, UnderWay, Upkeep, World};
use commands::{Confirmation, Report};
use event::{EngineSignal, Event};
use hands::Hands;

/// Everything is looked at this often even if nothing happens.
const SYNC_MILLIS: i64 = 60_000;
/// Files are looked at this often, for `unapplied`.
const FILES_MILLIS: i64 = 5000;
/// The ledger's copy is at most so old; when nothing changed it stays.
const COPY_MILLIS: i64 = 5 * 60_000;
/// The loop turns at least this often: systemd's watchdog is fed by it.
const IDLE: Duration = Duration::from_secs(5);
/// Longer than an agent's drain: a stop that is under way is worth waiting for.
const DRAIN: Duration = Duration::from_secs(25);

/// The loop's state.
#[derive(Debug)]
pub struct Reconciler {
    hands: Hands,
    store: Store,
    shared: Shared,
    intent: Intent,
    ledger: Ledger,
    safety: Safety,
    sight: Sight,
    plan: Plan,
    affairs: Affairs,
    telling: Telling,
    effects: JoinSet<Event>,
    inbox: Inbox,
}

/// What is wanted, and the files that it comes from.
#[derive(Debug)]
struct Intent {
    accepted: Accepted,
    wanted: Wanted,
    /// What is to be said about the files on the disk.
    findings: Arc<Vec<Finding>>,
    /// The files on the disk are other ones.
    unapplied: bool,
    files_stamp: String,
    files_due: Timestamp,
    /// What the host could not provide.
    host_problems: Vec<String>,
}

/// What guards against the loss of the ledger.
#[derive(Debug)]
struct Safety {
    /// It was put together again: whoever was let in before is not.
    restored: bool,
    copying: bool,
    copy_due: Timestamp,
}

/// What was seen, and what is being looked at.
#[derive(Debug)]
struct Sight {
    observed: Observed,
    schedule: Schedule,
    /// What the engine said about itself when it last answered.
    engine: Option<Arc<EngineInfo>>,
    /// Counts actions that began or ended: what was seen of a target before its latest one is old.
    activity: u64,
    touched: BTreeMap<Target, u64>,
    syncing: bool,
    sync_due: Timestamp,
    /// Containers that are being inspected; `true`: and once more.
    inspecting: BTreeMap<ContainerId, bool>,
    /// Everything was seen since Docker answered.
    synced: bool,
    /// What a killed predecessor left behind is gone.
    swept: bool,
}

/// What is under way, and who waits for what.
#[derive(Debug, Default)]
struct Affairs {
    under_way: BTreeMap<Target, UnderWay>,
    /// Targets that are left alone for a moment after an action came to nothing: no storm.
    resting: BTreeMap<Target, Timestamp>,
    operations: BTreeMap<ProfileName, Operation>,
    /// What the ledger has about snapshots, and what that means now.
    records: upkeep::Records,
    upkeep: BTreeMap<ProfileName, Upkeep>,
    confirmations: Vec<Confirmation>,
    reports: Vec<Report>,
}

/// What was told to others.
#[derive(Debug)]
struct Telling {
    world: watch::Sender<World>,
    conditions: BTreeMap<Target, Condition>,
    /// What the ledger refused, the checker found, the loop could not do.
    troubles: BTreeSet<String>,
    passes: u64,
    last_pass_micros: u64,
}

/// Where events come from.
#[derive(Debug)]
struct Inbox {
    commands: mpsc::Receiver<Command>,
    engine: mpsc::Receiver<EngineSignal>,
    operations: mpsc::Receiver<(ProfileName, crate::task::Signal)>,
    operations_sender: mpsc::Sender<(ProfileName, crate::task::Signal)>,
    hangup: UnixSignal,
    stop: CancellationToken,
}

/// What the loop starts with.
#[derive(Debug)]
pub struct Start {
    pub hands: Hands,
    pub store: Store,
    pub accepted: Accepted,
    pub wanted: Wanted,
    pub ledger: Ledger,
    /// The ledger was put together again at some time.
    pub restored: bool,
    /// Why the files on the disk are not the accepted ones.
    pub findings: Vec<Finding>,
    pub unapplied: bool,
}

impl Sight {
    fn new(observed: Observed, now: Timestamp) -> Self {
        Self {
            observed,
            schedule: Schedule::default(),
            engine: None,
            activity: 0,
            touched: BTreeMap::new(),
            syncing: false,
            sync_due: now,
            inspecting: BTreeMap::new(),
            synced: false,
            swept: false,
        }
    }
}

impl Telling {
    fn new(world: watch::Sender<World>) -> Self {
        Self { world, conditions: BTreeMap::new(), troubles: BTreeSet::new(), passes: 0, last_pass_micros: 0 }
    }
}

/// Progress of operations that waits to be shown.
const OPERATION_QUEUE: usize = 64;

impl Reconciler {
    /// Makes the loop and the handle that everybody else holds.
    pub fn new(start: Start, stop: CancellationToken) -> std::io::Result<(Self, Shared)> {
        let Start { hands, store, accepted, wanted, ledger, restored, findings, unapplied } = start;
        let now = hands.clock.now();
        let mut observed = Observed::empty();
        observed.engine = Engine::Unreachable { since: now, error: "not asked yet".to_owned() };
        let plan = supervisor_plan::plan(&wanted.desired, &observed, &ledger, now);
        let (commands_sender, commands) = mpsc::channel(crate::state::COMMAND_QUEUE);
        let (operations_sender, operations) = mpsc::channel(OPERATION_QUEUE);
        let (engine_sender, engine) = mpsc::channel(listen::SIGNAL_QUEUE);
        task::spawn("engine listener", listen::listen(hands.clone(), engine_sender, stop.clone()));
        let (publish, world) = watch::channel(publish::first(&accepted, &wanted, &ledger, &observed, &plan));
        let shared = Shared {
            roots: hands.roots.clone(),
            clock: hands.clock.clone(),
            store: store.clone(),
            engine: hands.engine.clone(),
            world,
            commands: commands_sender,
            started_at: now,
        };
        let hangup = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?;
        let intent = Intent {
            files_stamp: crate::desired::files::stamp(&hands.roots),
            files_due: now.plus_millis(FILES_MILLIS),
            accepted,
            wanted,
            findings: Arc::new(findings),
            unapplied,
            host_problems: Vec::new(),
        };
        let inbox = Inbox { commands, engine, operations, operations_sender, hangup, stop };
        let reconciler = Self {
            hands,
            store,
            shared: shared.clone(),
            intent,
            ledger,
            safety: Safety { restored, copying: false, copy_due: now },
            sight: Sight::new(observed, now),
            plan,
            affairs: Affairs::default(),
            telling: Telling::new(publish),
            effects: JoinSet::new(),
            inbox,
        };
        Ok((reconciler, shared))
    }

    /// Turns until it is told to stop. Containers are left as they are; actions under way are waited for, so that the
    /// ledger knows how they ended.
    pub async fn run(mut self, mut turned: impl FnMut() + Send) {
        self.provide();
        self.pass();
        loop {
            let event = self.select().await;
            if matches!(event, Event::Stop) {
                break;
            }
            self.apply(event);
            // Whatever else has happened meanwhile goes into the same pass.
            while let Some(finished) = self.effects.try_join_next() {
                self.apply(finished.unwrap_or(Event::Panicked));
            }
            self.pass();
            turned();
        }
        self.drain().await;
    }

    async fn select(&mut self) -> Event {
        let wait = self.until_next();
        let Self { inbox, effects, .. } = self;
        tokio::select! {
            biased;
            () = inbox.stop.cancelled() => Event::Stop,
            Some(finished) = effects.join_next() => finished.unwrap_or(Event::Panicked),
            Some(signal) = inbox.engine.recv() => Event::Engine(signal),
            Some((profile, signal)) = inbox.operations.recv() => Event::Operation { profile, signal },
            Some(command) = inbox.commands.recv() => Event::Command(command),
            Some(()) = inbox.hangup.recv() => Event::Reload,
            () = tokio::time::sleep(wait) => Event::Timer,
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Command(command) => self.command(command),
            Event::Reload => self.prepare(commands::Purpose::Apply { reply: None }),
            Event::Engine(signal) => self.engine_signal(signal),
            Event::Performed(performed) => self.performed(*performed),
            Event::Probed { life, reading } => self.learn(&life, reading),
            Event::Synced { began, result } => self.synced(began, *result),
            Event::Inspected { began, id, result } => self.inspected(began, id, *result),
            Event::Prepared { purpose, result } => self.prepared(purpose, *result),
            Event::Copied { result } => self.copied(*result),
            Event::Swept { problems } => self.finish_sweep(&problems),
            Event::Operation { profile, signal } => self.operation_signal(&profile, signal),
            Event::Panicked => self.panicked(),
            Event::Timer | Event::Stop => {}
        }
    }

    /// When to turn if nothing happens.
    fn until_next(&self) -> Duration {
        let now = self.hands.clock.now();
        let due = [
            self.plan.wake_at,
            self.sight.schedule.next_due(),
            (!self.sight.syncing).then_some(self.sight.sync_due),
            Some(self.intent.files_due),
            (!self.safety.copying).then_some(self.safety.copy_due),
            self.affairs.resting.values().min().copied(),
            self.upkeep_wakes_at(),
            self.affairs.confirmations.iter().map(|confirmation| confirmation.until).min(),
            self.affairs.reports.iter().map(|report| report.until).min(),
        ];
        let soonest = due.into_iter().flatten().map(|at| at.millis_since(now)).min().unwrap_or(i64::MAX);
        Duration::from_millis(u64::try_from(soonest.max(1)).unwrap_or(1)).min(IDLE)
    }

    fn now(&self) -> Timestamp {
        self.hands.clock.now()
    }

    async fn drain(mut self) {
        let work = async {
            while let Some(finished) = self.effects.join_next().await {
                if let Ok(Event::Performed(performed)) = finished {
                    self.performed(*performed);
                }
            }
        };
        if tokio::time::timeout(DRAIN, work).await.is_err() {
            tracing::warn!("actions under way were left to the next supervisor");
        }
    }
}
