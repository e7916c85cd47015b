//! What pages ask for.

use agent_core::{history, title};
use agent_store::{NewMessage, Stored};
use platform_types::chat::{HISTORY_PAGE, MAX_MESSAGE_BYTES, MAX_TITLE_CHARS, SessionSummary, ToAgent, ToPage};
use platform_types::{BotName, ErrorCode};

use super::connections::ConnectionId;
use super::hub::{Failed, Hub, Input};
use super::memory::Wish;
use super::replies::{Reply, shown};
use super::writer::Writer;

impl Hub {
    pub(super) fn page(&mut self, from: ConnectionId, message: ToAgent) {
        if let ToAgent::Ping { n } = message {
            return self.connections.tell(from, &ToPage::Pong { n });
        }
        if self.is_busy() {
            let (session, id) = names(&message);
            let mut failed = Failed::new(ErrorCode::RateLimited, "the agent's disk is too slow right now; try again");
            (failed.session, failed.id) = (session, id);
            return self.failed(from, failed);
        }
        match message {
            ToAgent::Ping { .. } => {}
            ToAgent::CreateSession { id, bot } => self.create_session(from, id, bot),
            ToAgent::RenameSession { session, title } => self.rename_session(from, session, &title),
            ToAgent::DeleteSession { session } => {
                let now = self.tooling.clock.now();
                self.submit(move |store| {
                    let result = store.delete_session(&session, now);
                    Reply::Deleted { from, session, result }
                });
            }
            ToAgent::Open { session } => {
                self.connections.open(from, Some(session.clone()));
                self.read(from, session, None);
            }
            ToAgent::Older { session, before } => self.read(from, session, Some(before)),
            ToAgent::Send { session, id, text } => self.send(Writer::Page(from), session, id, text),
            ToAgent::Stop { session } => self.stop(&session),
            ToAgent::Memory { bot } => self.memory(from, &bot, Wish::See),
            ToAgent::EditFact { bot, id, text } => self.memory(from, &bot, Wish::Edit { id, text }),
            ToAgent::ForgetFact { bot, id } => self.memory(from, &bot, Wish::Forget { id }),
            ToAgent::Decide { approval, digest, allow } => self.decide_of_page(from, approval, digest, allow),
        }
    }

    fn create_session(&mut self, from: ConnectionId, id: String, bot: BotName) {
        if !is_id(&id) {
            return self.failed(from, bad_id().about(&id));
        }
        if !self.config.borrow().bots.iter().any(|known| known.name == bot) {
            let words = format!("there is no bot {bot} in this profile");
            return self.failed(from, Failed::new(ErrorCode::NotFound, words).of(&id));
        }
        let now = self.tooling.clock.now();
        self.submit(move |store| {
            let result = store.create_session(&id, &bot, now);
            Reply::Changed { from, session: id, result }
        });
    }

    fn rename_session(&mut self, from: ConnectionId, session: String, typed: &str) {
        let title = title::from_person(typed, MAX_TITLE_CHARS);
        if title.is_empty() {
            let failed = Failed::new(ErrorCode::BadRequest, "a title has at least one character");
            return self.failed(from, failed.of(&session));
        }
        self.submit(move |store| {
            let result = store.rename_session(&session, &title);
            Reply::Changed { from, session, result }
        });
    }

    fn read(&mut self, from: ConnectionId, session: String, before: Option<u64>) {
        self.submit(move |store| {
            let result = store.messages(&session, before, HISTORY_PAGE);
            Reply::Read { from, session, result }
        });
    }

    /// A message from a channel or a job: its session is known, and made, by whoever hands it in.
    pub(super) fn chat(&mut self, session: SessionSummary, (id, text): (String, String), from: Writer) {
        let name = session.id.clone();
        if self.sessions.insert(name.clone(), session).is_none() {
            self.announce_sessions();
        }
        if self.is_busy() {
            let failed = Failed::new(ErrorCode::AgentUnavailable, "the agent's disk is too slow right now");
            return self.refused(from, failed);
        }
        self.send(from, name, id, text);
    }

    /// A job said something in another session.
    pub(super) fn said(&mut self, session: SessionSummary, message: Stored) {
        let name = session.id.clone();
        self.sessions.insert(name.clone(), session);
        self.announce_sessions();
        let message = ToPage::Message { session: name.clone(), message: shown(message) };
        self.connections.tell_session(&name, None, &message);
        self.outgoing.send_replace(());
    }

    fn send(&mut self, from: Writer, session: String, id: String, text: String) {
        if let Err(failed) = self.may_send(&session, &id, &text) {
            return self.refused(from, failed.of(&session).about(&id));
        }
        let turn = platform_kit::random::id();
        let waits = self.schedule.would_wait(&session);
        // Its place in line is taken now, in the order in which the messages came.
        self.schedule.push(&session, turn.clone());
        let start = !waits && self.schedule.start_next().is_some();
        let history_bytes = self.history_bytes(&session);
        let at = self.tooling.clock.now();
        let wrote = from.wrote();
        let new = NewMessage { session, id, text, at, turn, start, history_bytes, wrote };
        let inbox = self.inbox.clone();
        self.submit(move |store| {
            // A hub that has ended starts no turn.
            let result = store.accept(&new, |begun| drop(inbox.blocking_send(Input::Starting(Box::new(begun)))));
            Reply::Accepted { from, new: Box::new(new), result: Box::new(result) }
        });
    }

    fn may_send(&self, session: &str, id: &str, text: &str) -> Result<(), Failed<'static>> {
        if self.draining.is_some() {
            return Err(Failed::new(
                ErrorCode::AgentUnavailable,
                "the agent is restarting; the message will be sent again",
            ));
        }
        if !is_id(id) {
            return Err(bad_id());
        }
        if text.trim().is_empty() {
            return Err(Failed::new(ErrorCode::BadRequest, "the message is empty"));
        }
        if text.len() > MAX_MESSAGE_BYTES {
            let words = format!("the message has {} bytes, at most {MAX_MESSAGE_BYTES} fit", text.len());
            return Err(Failed::new(ErrorCode::TooLarge, words));
        }
        let Some(known) = self.sessions.get(session) else {
            return Err(Failed::new(ErrorCode::NotFound, "no such chat"));
        };
        if !self.config.borrow().bots.iter().any(|bot| bot.name == known.bot) {
            let words = format!("the bot {} of this chat is no longer configured; start a new chat", known.bot);
            return Err(Failed::new(ErrorCode::NotFound, words));
        }
        if self.schedule.is_full(session) {
            let words = "too many messages wait in this chat already; wait for an answer";
            return Err(Failed::new(ErrorCode::RateLimited, words));
        }
        Ok(())
    }

    /// Bytes of history that a turn of `session` can use.
    pub(super) fn history_bytes(&self, session: &str) -> usize {
        let config = self.config.borrow();
        let bot = self.sessions.get(session).map(|session| &session.bot);
        let model = config.bots.iter().find(|known| Some(&known.name) == bot).map(|bot| &bot.model);
        history::useful_bytes(model.and_then(|model| self.tooling.models.known_window(model)))
    }
}

fn bad_id() -> Failed<'static> {
    Failed::new(ErrorCode::BadRequest, "an id is 32 lower-case hex digits")
}

/// Ids are minted by pages.
fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The session and the message that a request is about.
fn names(message: &ToAgent) -> (Option<&str>, Option<&str>) {
    match message {
        ToAgent::CreateSession { id, .. } => (Some(id), None),
        ToAgent::Send { session, id, .. } => (Some(session), Some(id)),
        ToAgent::RenameSession { session, .. }
        | ToAgent::DeleteSession { session }
        | ToAgent::Open { session }
        | ToAgent::Older { session, .. }
        | ToAgent::Stop { session } => (Some(session), None),
        ToAgent::Decide { approval, .. } => (None, Some(approval)),
        ToAgent::Memory { .. } | ToAgent::EditFact { .. } | ToAgent::ForgetFact { .. } | ToAgent::Ping { .. } => {
            (None, None)
        }
    }
}
