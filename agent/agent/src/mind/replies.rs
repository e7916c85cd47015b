//! What the database answered.

use agent_core::turn::Cancel;
use agent_store::{
    Accepted, Asked, Begun, CallPlace, FinishedTurn, NewMessage, Page, StoreError, Stored, StoredSummary,
};
use platform_types::agent::Approval;
use platform_types::chat::{Asking, Author, Message, SessionSummary, Summary, ToPage};
use tokio::sync::oneshot;

use super::connections::ConnectionId;
use super::hub::{Failed, Hub};
use super::questions::Answerer;
use super::turns::Saved;
use super::writer::Writer;
use crate::markdown::{self, Patience};

/// The outcome of one job.
#[derive(Debug)]
pub(super) enum Reply {
    /// A session was made or renamed.
    Changed {
        from: ConnectionId,
        session: String,
        result: Result<SessionSummary, StoreError>,
    },
    Deleted {
        from: ConnectionId,
        session: String,
        result: Result<(), StoreError>,
    },
    Read {
        from: ConnectionId,
        session: String,
        result: Result<Page, StoreError>,
    },
    Accepted {
        from: Writer,
        new: Box<NewMessage>,
        result: Box<Result<Accepted, StoreError>>,
    },
    Begun {
        session: String,
        turn: String,
        result: Result<Option<Box<Begun>>, StoreError>,
    },
    Saved {
        session: String,
        turn: String,
        ack: Option<oneshot::Sender<bool>>,
        result: Saved,
    },
    Finished {
        session: String,
        result: Result<Option<Box<FinishedTurn>>, StoreError>,
    },
    Asked {
        asked: Box<Asked>,
        asking: oneshot::Sender<Option<Asking>>,
        result: Result<(), StoreError>,
    },
    Answered {
        who: Answerer,
        id: String,
        result: Result<Box<(Approval, CallPlace)>, StoreError>,
    },
    Expired(Result<Vec<CallPlace>, StoreError>),
}

impl Hub {
    pub(super) fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Changed { from, session, result } => match result {
                Ok(summary) => {
                    self.sessions.insert(session, summary);
                    self.announce_sessions();
                }
                Err(error) => self.failed(from, Failed::store(&error).of(&session)),
            },
            Reply::Deleted { from, session, result } => match result {
                Ok(()) => {
                    self.session_deleted(&session);
                    self.audit.grew();
                }
                Err(error) => self.failed(from, Failed::store(&error).of(&session)),
            },
            Reply::Read { from, session, result } => self.history_read(from, session, result),
            Reply::Accepted { from, new, result } => self.accepted(from, &new, *result),
            Reply::Begun { session, turn, result } => self.begun(&session, &turn, result),
            Reply::Saved { session, turn, ack, result } => self.saved(&session, &turn, ack, result),
            Reply::Finished { session, result } => self.finished(&session, result),
            Reply::Asked { asked, asking, result } => self.asked(&asked, asking, result),
            Reply::Answered { who, id, result } => self.answered(who, &id, result),
            Reply::Expired(result) => self.expired(result),
        }
    }

    fn session_deleted(&mut self, session: &str) {
        self.sessions.remove(session);
        self.connections.close_session(session);
        self.schedule.forget(session);
        if let Some(live) = self.live.get(session) {
            live.cancel(Cancel::Stopped);
        }
        self.announce_sessions();
    }

    fn history_read(&mut self, from: ConnectionId, session: String, result: Result<Page, StoreError>) {
        match result {
            Ok(page) => {
                let (turn, more) = (self.live.get(&session).map(|live| live.view.clone()), page.more);
                let messages = shown_all(page);
                self.connections.tell(from, &ToPage::History { session, messages, more, turn });
            }
            Err(error) => {
                self.failed(from, Failed::store(&error).of(&session));
            }
        }
    }

    fn accepted(&mut self, from: Writer, new: &NewMessage, result: Result<Accepted, StoreError>) {
        let known = result.as_ref().is_ok_and(|accepted| accepted.known);
        if result.is_err() || known {
            self.call_off(&new.session, &new.turn);
            self.leave_line(&new.session, &new.turn);
        }
        match result {
            Err(error) => self.refused(from, Failed::store(&error).of(&new.session).about(&new.id)),
            // Sent again after a lost connection: whoever sent it learns that it is safe.
            Ok(Accepted { message, .. }) if known => {
                let (session, message) = (new.session.clone(), shown(message));
                if let Some(page) = from.safe() {
                    self.connections.tell(page, &ToPage::Message { session, message });
                }
            }
            Ok(Accepted { message, session, known: _ }) => {
                self.sessions.insert(new.session.clone(), session);
                let stored = ToPage::Message { session: new.session.clone(), message: shown(message) };
                self.connections.tell_session(&new.session, from.safe(), &stored);
                self.message_is_durable(&new.session, &new.turn);
                if new.wrote.is_some() {
                    self.outgoing.send_replace(());
                }
                self.announce(&new.session);
            }
        }
        self.audit.grew();
        self.start_turns();
    }
}

/// Stored messages as the page gets them, each with the summary that is shown below it.
pub(crate) fn shown_all(page: Page) -> Vec<Message> {
    with_summaries(page.messages, &page.summaries)
}

pub(super) fn with_summaries(stored: Vec<Stored>, summaries: &[StoredSummary]) -> Vec<Message> {
    let patience = Patience::default();
    let below = |seq: u64| summaries.iter().find(|summary| summary.below == seq);
    let summary = |StoredSummary { at, text, .. }: &StoredSummary| Summary {
        at: *at,
        text: text.clone(),
        tree: markdown::parse(text, patience),
    };
    let message = |stored: Stored| {
        let summary = below(stored.seq).map(summary);
        Message { summary, ..show(stored, patience) }
    };
    stored.into_iter().map(message).collect()
}

/// A stored message as the page gets it.
pub(super) fn shown(stored: Stored) -> Message {
    show(stored, Patience::default())
}

fn show(stored: Stored, patience: Patience) -> Message {
    let Stored { seq, id, author, at, text, tools, note, shortened } = stored;
    let tree = match author {
        Author::Person => Vec::new(),
        Author::Bot => markdown::parse(&text, patience),
    };
    Message { seq, id, author, at, text, tree, tools, note, shortened, summary: None }
}
