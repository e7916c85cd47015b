//! What channels need of the mind: messages in, and what runs.

use std::sync::Arc;

use agent_store::{Answered, StoreError, Stored, Wrote};
use platform_types::agent::Approval;
use platform_types::chat::{RunningTurn, SessionSummary};
use platform_types::{BotName, ErrorCode};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::Refused;
use super::hub::{Hub, Input};
use super::live::Durable;
use super::questions::Answerer;
use super::writer::{Taken, Writer};
use crate::database::Database;
use crate::driver::Tooling;

/// The mind, as a channel holds it.
#[derive(Debug, Clone)]
pub struct Hands {
    pub(super) inbox: mpsc::Sender<Input>,
    pub database: Database,
    pub tooling: Arc<Tooling>,
    /// Changes with every answer that was stored, and when a turn of a chat begins: there is something to send or to show.
    pub outgoing: watch::Sender<()>,
    /// Tells jobs by the clock that something was delivered, or given up.
    pub(super) settled: Arc<Notify>,
}

/// Why a message was not taken: the code, and words for people.
pub type NotTaken = (ErrorCode, String);

/// A turn that runs.
#[derive(Debug, Clone)]
pub struct Running {
    pub session: String,
    pub bot: BotName,
    pub turn: RunningTurn,
}

/// What channels ask of the hub.
#[derive(Debug)]
pub(super) enum Wish {
    Running(oneshot::Sender<Vec<Running>>),
    /// Answered with whether something ran.
    Stop {
        session: String,
        stopped: oneshot::Sender<bool>,
    },
    /// A person answers a question.
    Answer {
        answered: Answered,
        reply: oneshot::Sender<Result<Approval, StoreError>>,
    },
}

impl Hands {
    /// Hands in a message of a channel, and waits until it is durable.
    pub async fn chat(&self, session: SessionSummary, message: (String, String), wrote: Wrote) -> Result<(), NotTaken> {
        self.hand_in(session, message, |taken| Writer::Chat(taken, wrote)).await
    }

    /// Hands in what a job by the clock tells its bot, and waits until it is durable.
    pub async fn job(&self, session: SessionSummary, message: (String, String)) -> Result<(), NotTaken> {
        self.hand_in(session, message, Writer::Clock).await
    }

    async fn hand_in(
        &self,
        session: SessionSummary,
        message: (String, String),
        writer: impl FnOnce(Taken) -> Writer,
    ) -> Result<(), NotTaken> {
        let stopping = || (ErrorCode::AgentUnavailable, Refused::Stopping.to_string());
        let (taken, is_taken) = oneshot::channel();
        let from = writer(taken);
        self.inbox.send(Input::Chat { session, message, from }).await.map_err(|_| stopping())?;
        is_taken.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// A job said this in that session, durably: pages see it, and its channel sends it.
    pub async fn said(&self, session: SessionSummary, message: Stored) {
        // A hub that has ended shows nothing any more; what is to be sent is on disk.
        let _ = self.inbox.send(Input::Said { session, message: Box::new(message) }).await;
    }

    /// A message of a channel was delivered, or given up.
    pub fn delivered(&self) {
        self.settled.notify_one();
    }

    /// Waits until one was.
    pub async fn settled(&self) {
        self.settled.notified().await;
    }

    /// The turns that run; none when the agent stops.
    pub async fn running(&self) -> Vec<Running> {
        self.wish(Wish::Running).await.unwrap_or_default()
    }

    /// Ends the turn of a session; whether there was one.
    pub async fn stop(&self, session: String) -> bool {
        self.wish(|stopped| Wish::Stop { session, stopped }).await.unwrap_or_default()
    }

    /// A person answers a question: whether that counts. `None`: the agent stops.
    pub async fn answer(&self, answered: Answered) -> Result<(), Option<StoreError>> {
        let decided = self.wish(|reply| Wish::Answer { answered, reply }).await;
        decided.ok_or(None)?.map(drop).map_err(Some)
    }

    async fn wish<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.inbox.send(Input::Wish(wish(reply))).await.ok()?;
        answer.await.ok()
    }
}

impl Hub {
    pub(super) fn wish(&mut self, wish: Wish) {
        match wish {
            // Whoever asked may have given up waiting.
            Wish::Running(reply) => drop(reply.send(self.running())),
            Wish::Stop { session, stopped } => {
                let runs = self.live.get(&session).is_some_and(|live| live.ended.is_none());
                self.stop(&session);
                let _ = stopped.send(runs);
            }
            Wish::Answer { answered, reply } => self.answer(Answerer::Operator(reply), answered),
        }
    }

    /// Nothing is shown of a turn before the message that it answers is safe, or once its answer waits to be stored.
    fn running(&self) -> Vec<Running> {
        let shown = self.live.iter().filter(|(_, live)| live.message == Durable::Yes && live.ended.is_none());
        let running = shown.filter_map(|(session, live)| {
            let bot = self.sessions.get(session)?.bot.clone();
            Some(Running { session: session.clone(), bot, turn: live.view.clone() })
        });
        running.collect()
    }
}
