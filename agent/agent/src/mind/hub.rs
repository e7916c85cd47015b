//! The hub's state, its inbox, and the loop: wait in one place, change state without waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::schedule::Schedule;
use agent_store::{Begun, QueuedTurn, Store, StoreError, Stored};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::agent::{AgentConfig, Approval, ApprovalDecision};
use platform_types::chat::{BotCard, SessionSummary, ToAgent, ToPage};
use platform_types::memory::Memory;
use platform_types::spark::DEMO_MODEL;
use tokio::sync::{mpsc, oneshot, watch};

use super::Refused;
use super::compaction::{Compacted, Compactions};
use super::connections::{ConnectionId, Connections, Outbox, PageCaller};
use super::hands::Wish;
use super::live::{Durable, Live};
use super::replies::Reply;
use super::turns::Update;
use super::writer::Writer;
use crate::audit::Audit;
use crate::counters::Counters;
use crate::database::Database;
use crate::driver::{Tooling, has_memory};

/// How often what running turns said is kept, and what could not be stored is tried again.
const TICK: Duration = Duration::from_secs(1);
/// Jobs of pages that wait for the database; more are refused until the disk has caught up.
const MAX_PENDING_JOBS: usize = 512;

/// What can happen to the hub.
#[derive(Debug)]
pub(super) enum Input {
    Connected {
        caller: PageCaller,
        outbox: Outbox,
        reply: oneshot::Sender<Result<ConnectionId, Refused>>,
    },
    Page {
        from: ConnectionId,
        message: ToAgent,
    },
    Disconnected(ConnectionId),
    /// A message of a channel, or of a job by the clock.
    Chat {
        session: SessionSummary,
        /// Its id and its text.
        message: (String, String),
        from: Writer,
    },
    /// A job said something in another session, durably.
    Said {
        session: SessionSummary,
        message: Box<Stored>,
    },
    Wish(Wish),
    /// The operator answers a question.
    Decide {
        answer: ApprovalDecision,
        id: String,
        reply: oneshot::Sender<Result<Approval, StoreError>>,
    },
    Database(Box<Reply>),
    /// A message is on its way to the disk, and its turn need not wait. The reply of that job comes next of all replies.
    Starting(Box<Begun>),
    Turn {
        session: String,
        turn: String,
        updates: Vec<Update>,
    },
    /// A session was looked at: see [`super::compaction`].
    Compacted {
        session: String,
        compacted: Compacted,
    },
    /// What a page wanted to see of a memory.
    Memory {
        to: ConnectionId,
        result: Result<Memory, Failure>,
    },
    Sessions(oneshot::Sender<Vec<SessionSummary>>),
    Drain(oneshot::Sender<()>),
    /// The time for turns to finish by themselves is over.
    DrainClose,
    /// The time for everything is over.
    DrainEnd,
}

#[derive(Debug)]
pub(super) struct Hub {
    pub inbox: mpsc::Sender<Input>,
    pub database: Database,
    pub tooling: Arc<Tooling>,
    pub counters: Arc<Counters>,
    pub audit: Audit,
    pub config: watch::Receiver<Arc<AgentConfig>>,
    pub connections: Connections,
    pub sessions: BTreeMap<String, SessionSummary>,
    pub schedule: Schedule<String>,
    /// By session.
    pub live: BTreeMap<String, Live>,
    /// Turns that could not be begun, because the disk is full say; tried again with every tick.
    pub stalled: Vec<QueuedTurn>,
    /// Jobs whose reply has not come yet.
    pub pending: usize,
    pub compactions: Compactions,
    /// Changes with every turn that ended, every answer that was stored, and when a turn of a chat begins.
    pub outgoing: watch::Sender<()>,
    /// Set once the agent stops: who waits for its end.
    pub draining: Option<oneshot::Sender<()>>,
    pub ended: bool,
}

impl Hub {
    pub fn new(
        inbox: mpsc::Sender<Input>,
        database: Database,
        tooling: Arc<Tooling>,
        (counters, audit): (Arc<Counters>, Audit),
        config: watch::Receiver<Arc<AgentConfig>>,
    ) -> Self {
        Self {
            inbox,
            database,
            tooling,
            counters,
            audit,
            config,
            connections: Connections::default(),
            sessions: BTreeMap::new(),
            schedule: Schedule::default(),
            live: BTreeMap::new(),
            stalled: Vec::new(),
            pending: 0,
            compactions: Compactions::default(),
            outgoing: watch::Sender::new(()),
            draining: None,
            ended: false,
        }
    }

    /// Takes over what the store found, and goes on with what nobody has begun to answer.
    pub fn restore(&mut self, sessions: Vec<SessionSummary>, queued: Vec<QueuedTurn>) {
        self.sessions = sessions.into_iter().map(|session| (session.id.clone(), session)).collect();
        for QueuedTurn { session, turn } in queued {
            self.schedule.push(&session, turn);
        }
        self.start_turns();
    }

    pub async fn run(mut self, mut requests: mpsc::Receiver<Input>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut config = self.config.clone();
        let mut configured = true;
        while !self.ended {
            tokio::select! {
                input = requests.recv() => match input {
                    Some(input) => self.apply(input),
                    None => break,
                },
                _ = ticks.tick(), if !(self.live.is_empty() && self.stalled.is_empty()) => self.tick(),
                changed = config.changed(), if configured => match changed {
                    Ok(()) => self.welcome_all(),
                    Err(_) => configured = false,
                },
            }
        }
        self.connections.clear();
        if let Some(done) = self.draining.take() {
            // Whoever asked for the end may have given up waiting.
            let _ = done.send(());
        }
    }

    fn apply(&mut self, input: Input) {
        match input {
            Input::Connected { caller, outbox, reply } => self.connected(caller, outbox, reply),
            Input::Decide { id, answer, reply } => self.decide_of_operator(id, answer, reply),
            Input::Page { from, message } => self.page(from, message),
            Input::Disconnected(id) => self.connections.remove(id),
            Input::Chat { session, message, from } => self.chat(session, message, from),
            Input::Wish(wish) => self.wish(wish),
            Input::Said { session, message } => self.said(session, *message),
            Input::Database(reply) => {
                self.pending -= 1;
                self.reply(*reply);
            }
            Input::Starting(begun) => self.begin(*begun, Durable::Soon),
            Input::Turn { session, turn, updates } => self.turn_updates(&session, &turn, updates),
            Input::Compacted { session, compacted } => self.compacted(&session, compacted),
            Input::Memory { to, result } => self.memory_read(to, result),
            Input::Sessions(reply) => {
                // Whoever asked may have given up waiting.
                let _ = reply.send(self.summaries());
            }
            Input::Drain(done) => self.drain(done),
            Input::DrainClose => self.interrupt_all(),
            Input::DrainEnd => self.ended = true,
        }
        self.end_when_drained();
    }

    fn connected(&mut self, caller: PageCaller, outbox: Outbox, reply: oneshot::Sender<Result<ConnectionId, Refused>>) {
        if self.draining.is_some() {
            let _ = reply.send(Err(Refused::Stopping));
            return;
        }
        let added = self.connections.add(caller, outbox);
        if let Some(id) = added {
            let welcome = self.welcome();
            self.connections.tell(id, &welcome);
        }
        if let (Err(_), Some(id)) = (reply.send(added.ok_or(Refused::TooMany)), added) {
            self.connections.remove(id);
        }
    }

    /// Hands a job to the database; its reply comes back into the inbox.
    pub fn submit(&mut self, job: impl FnOnce(&mut Store) -> Reply + Send + 'static) {
        self.pending += 1;
        let inbox = self.inbox.clone();
        self.database.submit(move |store| {
            let reply = job(store);
            // A hub that has ended needs no reply.
            let _ = inbox.blocking_send(Input::Database(Box::new(reply)));
        });
    }

    pub fn is_busy(&self) -> bool {
        self.pending >= MAX_PENDING_JOBS
    }

    fn welcome(&self) -> ToPage {
        let config = self.config.borrow();
        let card = |bot: &platform_types::agent::Bot| BotCard {
            name: bot.name.clone(),
            title: bot.title.clone(),
            model: bot.model.clone(),
            demo: bot.model.as_str() == DEMO_MODEL,
            memory: has_memory(bot),
        };
        ToPage::Welcome {
            profile: config.profile.clone(),
            bots: config.bots.iter().map(card).collect(),
            sessions: self.summaries(),
        }
    }

    /// The bots have changed.
    fn welcome_all(&mut self) {
        let welcome = self.welcome();
        self.connections.tell_all(&welcome);
    }

    fn summary(&self, session: &SessionSummary) -> SessionSummary {
        SessionSummary { running: self.schedule.running(&session.id).is_some(), ..session.clone() }
    }

    /// Newest first, with what runs.
    pub fn summaries(&self) -> Vec<SessionSummary> {
        let mut list: Vec<SessionSummary> = self.sessions.values().map(|session| self.summary(session)).collect();
        list.sort_by(|a, b| b.updated_at.cmp(&a.updated_at).then_with(|| a.id.cmp(&b.id)));
        list
    }

    pub fn announce_sessions(&mut self) {
        let sessions = self.summaries();
        self.connections.tell_all(&ToPage::Sessions { sessions });
    }

    /// What the list says of `session` has changed.
    pub fn announce(&mut self, session: &str) {
        if let Some(summary) = self.sessions.get(session).map(|session| self.summary(session)) {
            self.connections.tell_all(&ToPage::Summary { summary });
        }
    }

    /// Tells one page that its request could not be carried out.
    pub fn failed(&mut self, to: ConnectionId, failure: Failed<'_>) {
        let Failed { code, message, session, id } = failure;
        let failed = ToPage::Failed {
            code: code.as_str().to_owned(),
            message,
            session: session.map(str::to_owned),
            id: id.map(str::to_owned),
        };
        self.connections.tell(to, &failed);
    }
}

/// A request that could not be carried out.
#[derive(Debug)]
pub(super) struct Failed<'a> {
    pub code: ErrorCode,
    pub message: String,
    pub session: Option<&'a str>,
    pub id: Option<&'a str>,
}

impl<'a> Failed<'a> {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), session: None, id: None }
    }

    pub fn store(error: &StoreError) -> Self {
        let code = match error {
            StoreError::NotFound(_) => ErrorCode::NotFound,
            StoreError::Conflict(_) => ErrorCode::Conflict,
            StoreError::TooManySessions(_) => ErrorCode::TooLarge,
            other => {
                tracing::error!(error = other as &dyn std::error::Error, "the store failed");
                ErrorCode::Internal
            }
        };
        Self::new(code, error.to_string())
    }

    pub fn of(self, session: &'a str) -> Self {
        Self { session: Some(session), ..self }
    }

    pub fn about(self, id: &'a str) -> Self {
        Self { id: Some(id), ..self }
    }
}
