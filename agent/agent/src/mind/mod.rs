//! The one task that owns sessions, subscribers and the order of turns.
//!
//! ```text
//!   WebSockets ──page requests──▶ ┌─────┐ ──jobs──▶ database thread
//!   turn tasks ──steps──────────▶ │ Hub │ ◀─replies────────┘
//!   timers     ──ticks──────────▶ └──┬──┘ ──frames──▶ pages that have the session open
//!                                    └─ starts turn tasks
//! ```
//!
//! The hub waits in one place and changes state without waiting. Replies of the database come back through the same inbox
//! in the order of their jobs, so what a page sees is in the order in which it became durable: a page of history is never
//! older than a message that was sent before it.

mod compaction;
mod connections;
mod drain;
mod hands;
mod hub;
mod live;
mod memory;
mod owner;
mod page;
mod progress;
mod questions;
mod replies;
mod task;
mod turns;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use agent_core::turn::Cancel;
use agent_store::{Opened, StoreError};
use platform_types::agent::{AgentConfig, Approval, ApprovalDecision};
use platform_types::chat::{SessionSummary, ToAgent};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use connections::{ConnectionId, Frames, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_DEVICE, PageCaller};
pub use drain::{DRAIN_CLOSE, DRAIN_FINISH};
pub use hands::{Hands, NotTaken, Running};
use hub::{Hub, Input};
pub(crate) use replies::shown_all;

use crate::audit::Audit;
use crate::channels::Channels;
use crate::counters::Counters;
use crate::cron::Cron;
use crate::database::{Closed, Database, Thread};
use crate::driver::Tooling;

/// Requests, steps and replies that wait for the hub: it handles one in microseconds, so a full inbox slows its senders.
const INBOX: usize = 1024;
/// Turns of scripts at once.
pub const MAX_SCRIPT_TURNS: usize = 8;

/// Time for the gate to take the last head of the audit.
const LAST_ANCHOR: Duration = Duration::from_millis(500);

/// The active agent, as everybody else sees it.
#[derive(Debug)]
pub struct Mind {
    inbox: mpsc::Sender<Input>,
    config: watch::Sender<Arc<AgentConfig>>,
    pub database: Database,
    pub tooling: Arc<Tooling>,
    pub counters: Arc<Counters>,
    pub audit: Audit,
    /// Slots for turns of scripts.
    pub scripts: Arc<Semaphore>,
    /// Ends turns of scripts when the agent stops.
    interrupt: watch::Sender<Option<Cancel>>,
    thread: tokio::sync::Mutex<Option<Thread>>,
    /// Sends heads of the audit to the gate.
    anchors: Anchors,
    channels: Channels,
    /// Jobs by the clock.
    pub cron: Cron,
}

#[derive(Debug)]
struct Anchors {
    stop: CancellationToken,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// An accepted connection.
#[derive(Debug)]
pub struct Connected {
    pub id: ConnectionId,
    pub frames: Frames,
}

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the agent is stopping")]
    Stopping,
    #[error("too many open connections; close some tabs")]
    TooMany,
}

impl Mind {
    /// Starts the hub and the database thread on an opened store.
    pub fn start(opened: Opened, config: AgentConfig, tooling: Arc<Tooling>) -> std::io::Result<Self> {
        let Opened { store, sessions, queued, interrupted } = opened;
        let (database, thread) = Database::start(store)?;
        let (inbox, requests) = mpsc::channel(INBOX);
        let config = watch::Sender::new(Arc::new(config));
        let counters = Arc::new(Counters::default());
        counters.interrupted(interrupted);
        let audit = Audit::new(database.clone(), tooling.clock.clone());
        let counted = (counters.clone(), audit.clone());
        let mut hub = Hub::new(inbox.clone(), database.clone(), tooling.clone(), counted, config.subscribe());
        hub.restore(sessions, queued);
        let (outgoing, settled) = (hub.outgoing.clone(), Arc::new(Notify::new()));
        let (inner, tools) = (inbox.clone(), tooling.clone());
        let hands = Hands { inbox: inner, database: database.clone(), tooling: tools, outgoing, settled };
        let channels = Channels::start(hands.clone(), config.subscribe());
        let works = (counters.clone(), audit.clone());
        let cron = Cron::start(hands, works, config.subscribe(), hub.outgoing.subscribe());
        platform_kit::task::spawn("mind", hub.run(requests));
        // What a stop cut off is on record since the store was opened.
        audit.grew();
        let stop = CancellationToken::new();
        let keeping = audit.clone().keep_heads(tooling.egress.clone(), stop.clone());
        let task = tokio::sync::Mutex::new(Some(platform_kit::task::spawn("anchors", keeping)));
        Ok(Self {
            inbox,
            config,
            database,
            tooling,
            counters,
            audit,
            scripts: Arc::new(Semaphore::new(MAX_SCRIPT_TURNS)),
            interrupt: watch::Sender::new(None),
            thread: tokio::sync::Mutex::new(Some(thread)),
            anchors: Anchors { stop, task },
            channels,
            cron,
        })
    }

    pub fn config(&self) -> Arc<AgentConfig> {
        self.config.borrow().clone()
    }

    /// Puts a configuration in force unless a newer one is.
    pub fn configure(&self, config: AgentConfig) -> bool {
        self.config.send_if_modified(|current| {
            let newer = config.revision >= current.revision;
            if newer {
                *current = Arc::new(config);
            }
            newer
        })
    }

    pub fn interrupted(&self) -> watch::Receiver<Option<Cancel>> {
        self.interrupt.subscribe()
    }

    /// A page connects: it is welcomed at once.
    pub async fn connect(&self, caller: PageCaller) -> Result<Connected, Refused> {
        let (outbox, frames) = connections::outbox();
        let (reply, id) = oneshot::channel();
        let input = Input::Connected { caller, outbox, reply };
        self.inbox.send(input).await.map_err(|_| Refused::Stopping)?;
        let id = id.await.map_err(|_| Refused::Stopping)??;
        Ok(Connected { id, frames })
    }

    pub async fn page(&self, from: ConnectionId, message: ToAgent) -> Result<(), Refused> {
        self.inbox.send(Input::Page { from, message }).await.map_err(|_| Refused::Stopping)
    }

    pub async fn disconnect(&self, id: ConnectionId) {
        // A hub that has ended knows no connections.
        let _ = self.inbox.send(Input::Disconnected(id)).await;
    }

    pub async fn sessions(&self) -> Result<Vec<SessionSummary>, Refused> {
        let (reply, sessions) = oneshot::channel();
        self.inbox.send(Input::Sessions(reply)).await.map_err(|_| Refused::Stopping)?;
        sessions.await.map_err(|_| Refused::Stopping)
    }

    /// The operator answers a question.
    pub async fn decide(&self, id: String, answer: ApprovalDecision) -> Result<Result<Approval, StoreError>, Refused> {
        let (reply, decided) = oneshot::channel();
        self.inbox.send(Input::Decide { id, answer, reply }).await.map_err(|_| Refused::Stopping)?;
        decided.await.map_err(|_| Refused::Stopping)
    }

    /// What people should know of the channels.
    pub fn channel_notes(&self) -> Vec<String> {
        self.channels.notes(self.tooling.clock.now())
    }

    /// Fails when the database does not take writes.
    pub async fn probe(&self) -> Result<Result<(), StoreError>, Closed> {
        let now = self.tooling.clock.now();
        self.database.call(move |store| store.probe(now)).await
    }

    /// Lets turns finish for a while, closes the rest with a note, and closes the database. Again: waits for the first.
    pub async fn drain(&self) -> Result<(), StoreError> {
        let mut slot = self.thread.lock().await;
        let Some(thread) = slot.take() else { return Ok(()) };
        self.cron.stop().await;
        self.channels.hear_no_more();
        let chats = async {
            let (done, drained) = oneshot::channel();
            if self.inbox.send(Input::Drain(done)).await.is_ok() {
                // Either way the hub has ended.
                let _ = drained.await;
            }
        };
        let scripts = async {
            // All slots are free once the last turn of a script has ended.
            let all = u32::try_from(MAX_SCRIPT_TURNS).unwrap_or(u32::MAX);
            let _ = tokio::time::timeout(DRAIN_FINISH, self.scripts.acquire_many(all)).await;
            self.interrupt.send_replace(Some(Cancel::Interrupted));
        };
        tokio::join!(chats, scripts);
        self.channels.stop().await;
        self.anchors.stop.cancel();
        if let Some(task) = self.anchors.task.lock().await.take() {
            // A gate that does not answer keeps nobody waiting.
            let _ = tokio::time::timeout(LAST_ANCHOR, task).await;
        }
        thread.close(&self.database).await
    }
}
