//! The life of a turn as the hub sees it: begun, followed, kept in part, finished.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_core::prompt::Prompt;
use agent_core::turn::{Answer, Cancel, Emission, MAX_CALLS_PER_ANSWER, Record};
use agent_store::{Begun, FinishedTurn, Origin, QueuedTurn, StoreError};
use platform_types::Timestamp;
use platform_types::chat::{RunningTurn, ToPage, TurnOutcome, TurnPhase};
use tokio::sync::{mpsc, oneshot, watch};

use super::hub::{Failed, Hub};
use super::live::{Durable, Ended, Live, Unsaved};
use super::owner::owner;
use super::replies::{Reply, shown};
use super::task::TurnTask;
use crate::audit::TurnAudit;
use crate::driver::{Errand, Signals, Step};

/// How keeping a part went; what could not be stored comes back.
pub(super) type Saved = Result<(), (StoreError, Vec<(Timestamp, Record)>)>;

/// What a turn's task reports.
#[derive(Debug)]
pub(super) enum Update {
    Record(Record),
    Emission(Emission),
    Finished(Box<Answer>),
    Errand(Errand),
}

impl From<Step> for Update {
    fn from(step: Step) -> Self {
        match step {
            Step::Record(record) => Self::Record(record),
            Step::Emission(emission) => Self::Emission(emission),
            Step::Finished(answer) => Self::Finished(answer),
        }
    }
}

impl Hub {
    /// Starts what may run now.
    pub(super) fn start_turns(&mut self) {
        if self.draining.is_some() {
            return;
        }
        while let Some((session, turn)) = self.schedule.start_next() {
            self.take_out_of_line(QueuedTurn { session, turn });
        }
    }

    fn take_out_of_line(&mut self, QueuedTurn { session, turn }: QueuedTurn) {
        let (history_bytes, now) = (self.history_bytes(&session), self.tooling.clock.now());
        self.submit(move |store| {
            let result = store.begin(&turn, history_bytes, now).map(|begun| begun.map(Box::new));
            Reply::Begun { session, turn, result }
        });
    }

    /// A turn that was counted on will not come.
    pub(super) fn leave_line(&mut self, session: &str, turn: &str) {
        if self.schedule.running(session).is_some_and(|running| running == turn) {
            self.schedule.ended(session);
        }
    }

    pub(super) fn begun(&mut self, session: &str, turn: &str, result: Result<Option<Box<Begun>>, StoreError>) {
        match result {
            Ok(Some(begun)) => {
                self.begin(*begun, Durable::Yes);
                self.announce(session);
                self.audit.grew();
            }
            Ok(None) => {
                self.leave_line(session, turn);
                self.start_turns();
            }
            Err(error) => {
                // The message is safe: its turn is tried again with every tick, or after the next start.
                tracing::error!(error = &error as &dyn std::error::Error, turn, "a turn could not be begun");
                if error.is_passing() {
                    self.stalled.push(QueuedTurn { session: session.to_owned(), turn: turn.to_owned() });
                } else {
                    self.leave_line(session, turn);
                    self.start_turns();
                }
                let failed = Failed::store(&error);
                let failed = ToPage::Failed {
                    code: failed.code.as_str().to_owned(),
                    message: failed.message,
                    session: Some(session.to_owned()),
                    id: None,
                };
                self.connections.tell_session(session, None, &failed);
            }
        }
    }

    /// The turn is marked as running in the store, or will be with its message: carry it out.
    pub(super) fn begin(&mut self, begun: Begun, message: Durable) {
        let config = self.config.borrow().clone();
        let (session, turn) = (begun.session.clone(), begun.turn.clone());
        let (cancel, cancelled) = watch::channel(None);
        let (decisions, decided) = mpsc::channel(2 * MAX_CALLS_PER_ANSWER);
        let live = Live {
            view: RunningTurn {
                id: turn.clone(),
                phase: TurnPhase::Waiting,
                text: String::new(),
                tools: Vec::new(),
                started_at: self.tooling.clock.now(),
                progress: None,
            },
            cancel,
            decisions,
            open: BTreeMap::new(),
            unsaved: Unsaved::default(),
            past_bytes: begun.history.iter().flatten().map(Prompt::bytes).sum(),
            message,
            ended: None,
            _counted: self.counters.running(),
        };
        if !self.sessions.contains_key(&session) {
            live.cancel(Cancel::Interrupted);
        }
        self.live.insert(session.clone(), live);
        self.show_turn(&session);
        if begun.origin == Origin::Channel {
            self.outgoing.send_replace(());
        }
        tracing::debug!(turn, session, bot = begun.bot.as_str(), "turn started");
        let task = TurnTask { hub: self.inbox.clone(), session, turn, tooling: self.tooling.clone() };
        match config.bots.iter().find(|bot| bot.name == begun.bot) {
            Some(bot) => {
                let (audit, actor) = (self.audit.clone(), format!("bot {}", bot.name));
                let audit = TurnAudit { audit, turn: task.turn.clone(), actor };
                let owner = owner(bot, &begun.origin, &config, audit);
                let signals = Signals { cancel: cancelled, decisions: decided };
                platform_kit::task::spawn("turn", task.run(begun, owner, signals));
            }
            None => {
                platform_kit::task::spawn("turn", task.without_bot(begun.bot.to_string()));
            }
        }
    }

    /// The turn as it is now, for those who have its session open.
    fn show_turn(&mut self, session: &str) {
        let Some(live) = self.live.get(session).filter(|live| live.message == Durable::Yes) else { return };
        let turn = ToPage::Turn { session: session.to_owned(), turn: live.view.clone() };
        self.connections.tell_session(session, None, &turn);
    }

    /// The message is on disk: what its turn did meanwhile is shown.
    pub(super) fn message_is_durable(&mut self, session: &str, turn: &str) {
        if let Some(live) = self.live.get_mut(session).filter(|live| live.view.id == turn) {
            live.message = Durable::Yes;
            self.show_turn(session);
        }
    }

    /// The message could not be stored: its turn never was.
    pub(super) fn call_off(&mut self, session: &str, turn: &str) {
        if self.live.get(session).is_some_and(|live| live.view.id == turn)
            && let Some(live) = self.live.remove(session)
        {
            live.cancel(Cancel::Interrupted);
        }
    }

    /// What happened at the same time. Words that come with the end are shown with the stored answer, a commit later.
    pub(super) fn turn_updates(&mut self, session: &str, turn: &str, updates: Vec<Update>) {
        let ends = updates.iter().any(|update| matches!(update, Update::Finished(_)));
        for update in updates {
            self.turn_update(session, turn, update, ends);
        }
    }

    fn turn_update(&mut self, session: &str, turn: &str, update: Update, ends: bool) {
        let now = self.tooling.clock.now();
        let Some(live) = self.live.get_mut(session).filter(|live| live.view.id == turn) else { return };
        match update {
            Update::Record(record) => live.unsaved.records.push((now, record)),
            Update::Emission(Emission::Delta { offset, text }) => {
                live.unsaved.dirty = true;
                live.view.progress = None;
                let first = live.view.text.is_empty();
                live.view.text.push_str(&text);
                if first {
                    self.counters.first_token(now.millis_since(live.view.started_at));
                }
                if live.message == Durable::Yes && !ends {
                    let turn = turn.to_owned();
                    let delta = ToPage::Delta { session: session.to_owned(), turn, offset, text };
                    self.connections.tell_session(session, None, &delta);
                }
            }
            Update::Emission(Emission::Waits(progress)) => self.waits(session, progress),
            Update::Emission(Emission::Changed { phase, tools })
                if phase == live.view.phase && tools == live.view.tools => {}
            Update::Emission(Emission::Changed { phase, tools }) => {
                live.view.phase = phase;
                live.view.progress = None;
                live.unsaved.dirty |= live.view.tools != tools;
                live.view.tools = tools;
                self.show_turn(session);
            }
            Update::Errand(Errand::Sync(ack)) => self.save(session, Some(ack)),
            Update::Errand(Errand::Ask { call, why, asking }) => self.ask(session, call, why, asking),
            Update::Finished(answer) => {
                live.ended = Some(Ended { answer: Arc::new(*answer), storing: false, complained: false });
                self.store_answer(session);
            }
        }
    }

    /// Keeps what running turns said, and tries again to store what could not be stored.
    pub(super) fn tick(&mut self) {
        if self.draining.is_none() {
            for stalled in std::mem::take(&mut self.stalled) {
                self.take_out_of_line(stalled);
            }
        }
        self.expire_questions();
        let sessions: Vec<String> = self.live.keys().cloned().collect();
        for session in sessions {
            let Some(live) = self.live.get(&session) else { continue };
            if live.ended.is_some() {
                self.store_answer(&session);
            } else if live.unsaved.dirty && !live.unsaved.saving {
                self.save(&session, None);
            }
        }
    }

    /// Keeps what one turn said so far; durably when somebody waits for it.
    fn save(&mut self, session: &str, ack: Option<oneshot::Sender<bool>>) {
        let Some(live) = self.live.get_mut(session) else { return };
        let (session, turn, partial) = (session.to_owned(), live.view.id.clone(), live.partial());
        self.submit(move |store| {
            let result = store.save_partial(&turn, &partial, ack.is_some()).map_err(|error| (error, partial.records));
            Reply::Saved { session, turn, ack, result }
        });
    }

    pub(super) fn saved(&mut self, session: &str, turn: &str, ack: Option<oneshot::Sender<bool>>, result: Saved) {
        if let Some(ack) = ack {
            // The turn may have ended meanwhile.
            let _ = ack.send(result.is_ok());
        }
        let Some(live) = self.live.get_mut(session).filter(|live| live.view.id == turn) else { return };
        live.unsaved.saving = false;
        if let Err((error, mut records)) = result {
            tracing::warn!(error = &error as &dyn std::error::Error, turn, "a running answer could not be kept");
            records.append(&mut live.unsaved.records);
            live.unsaved.records = records;
            live.unsaved.dirty = true;
        }
    }

    fn store_answer(&mut self, session: &str) {
        let now = self.tooling.clock.now();
        let Some(live) = self.live.get_mut(session) else { return };
        let Some(ended) = live.ended.as_mut().filter(|ended| !ended.storing) else { return };
        ended.storing = true;
        let answer = ended.answer.clone();
        let (session, turn, records) = (session.to_owned(), live.view.id.clone(), live.unsaved.records.clone());
        self.submit(move |store| {
            let result = store.finish(&turn, &answer, &records, now).map(|finished| finished.map(Box::new));
            Reply::Finished { session, result }
        });
    }

    pub(super) fn finished(&mut self, session: &str, result: Result<Option<Box<FinishedTurn>>, StoreError>) {
        let stored = match result {
            Ok(stored) => stored,
            Err(error) if error.is_passing() => return self.not_stored(session, &error),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, session, "an answer was lost");
                None
            }
        };
        let Some(Live { view, ended: Some(Ended { answer, .. }), past_bytes, .. }) = self.live.remove(session) else {
            return;
        };
        self.counters.ended(&answer);
        self.audit.grew();
        if let Some(FinishedTurn { message, session: summary }) = stored.map(|stored| *stored) {
            self.sessions.insert(session.to_owned(), summary);
            let message = ToPage::Message { session: session.to_owned(), message: shown(message) };
            self.connections.tell_session(session, None, &message);
        }
        self.outgoing.send_replace(());
        self.announce_end(session, view, answer.outcome);
        self.schedule.ended(session);
        self.announce(session);
        self.start_turns();
        self.compact(session, past_bytes + answer.exchange.iter().map(Prompt::bytes).sum::<usize>());
    }

    /// One line of the log a turn: each wakes the engine's logging, beside which turns run. Its start is in the audit.
    fn announce_end(&mut self, session: &str, view: RunningTurn, outcome: TurnOutcome) {
        let RunningTurn { id: turn, started_at, .. } = view;
        let duration_millis = self.tooling.clock.now().millis_since(started_at);
        tracing::info!(turn, session, outcome = ?outcome, duration_millis, "turn ended");
        let ended = ToPage::Ended { session: session.to_owned(), turn, outcome };
        self.connections.tell_session(session, None, &ended);
    }

    /// The disk is full, say: the answer stays in memory, and the next tick tries again.
    fn not_stored(&mut self, session: &str, error: &StoreError) {
        let Some(ended) = self.live.get_mut(session).and_then(|live| live.ended.as_mut()) else { return };
        ended.storing = false;
        if std::mem::replace(&mut ended.complained, true) {
            return;
        }
        tracing::error!(error = error as &dyn std::error::Error, session, "an answer could not be stored yet");
        // Its last words were not shown yet.
        self.show_turn(session);
        let failed = ToPage::Failed {
            code: platform_types::ErrorCode::Internal.as_str().to_owned(),
            message: format!("The answer is not stored yet: {error}."),
            session: Some(session.to_owned()),
            id: None,
        };
        self.connections.tell_session(session, None, &failed);
    }
}
