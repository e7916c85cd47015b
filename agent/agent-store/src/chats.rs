//! Chats of a channel: each place has one conversation that goes on, and those before it.
//!
//! Invariants: a message that comes again is known, also after a new conversation has begun; what is not a message is acted upon
//! once, however often its update comes.

use platform_types::channel::ChatId;
use platform_types::chat::SessionSummary;
use platform_types::{BotName, Timestamp, UpstreamName};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::{Store, StoreError, sessions};

/// Where a chat is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPlace {
    pub channel: UpstreamName,
    pub chat: ChatId,
    /// Of a chat that has topics.
    pub topic: Option<i64>,
}

/// What a conversation is made of when it is new: ids that nobody can know before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChat {
    pub session: String,
    /// Goes into the ids of its messages, where the place has none yet.
    pub secret: String,
}

/// A conversation that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChat {
    pub session: SessionSummary,
    pub secret: String,
}

/// Who wrote a message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrote {
    pub person: ChatId,
    /// The chat's own number of the message.
    pub number: i64,
    /// [`agent_core::channel::words::Language::as_str`].
    pub language: String,
}

impl Store {
    /// The conversation of a place; where there is none, it is made of `new`. A bot that may not answer there any more is replaced
    /// by the first of `bots`, of which there is one at least.
    pub fn open_chat(
        &mut self,
        place: &ChatPlace,
        new: &NewChat,
        bots: &[BotName],
        now: Timestamp,
    ) -> Result<OpenChat, StoreError> {
        if let Some(known) = current(&self.connection, place)?
            && bots.contains(&known.session.bot)
        {
            return Ok(known);
        }
        let bot = bots.first().ok_or(StoreError::NotFound("bot"))?;
        self.durable(|tx| match current(tx, place)? {
            Some(known) => with_bot(tx, known, bot),
            None => insert(tx, place, new, bot, now),
        })
    }

    /// Begins a new conversation, with `bot` or whoever answered in the one before. One in which nothing was said yet is taken.
    pub fn new_chat(
        &mut self,
        place: &ChatPlace,
        new: &NewChat,
        (bot, bots): (Option<&BotName>, &[BotName]),
        now: Timestamp,
    ) -> Result<OpenChat, StoreError> {
        self.durable(|tx| {
            let before = current(tx, place)?;
            let known = before.as_ref().map(|before| &before.session.bot).filter(|bot| bots.contains(bot));
            let bot = bot.or(known).or(bots.first()).ok_or(StoreError::NotFound("bot"))?.clone();
            let Some(before) = before else { return insert(tx, place, new, &bot, now) };
            if before.session.messages == 0 {
                return with_bot(tx, before, &bot);
            }
            let end = params![before.session.id, now.as_millis()];
            tx.execute("UPDATE conversations SET ended = ?2 WHERE session = ?1", end)?;
            insert(tx, place, &NewChat { secret: before.secret, ..new.clone() }, &bot, now)
        })
    }

    /// The conversation that goes on in a place, if there is one.
    pub fn current_chat(&self, place: &ChatPlace) -> Result<Option<OpenChat>, StoreError> {
        current(&self.connection, place)
    }

    /// Whether a message is stored already.
    pub fn has_message(&self, id: &str) -> Result<bool, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)")?;
        Ok(statement.query_row([id], |row| row.get(0))?)
    }

    /// Keeps that an update is being acted upon; `false` when it was before.
    pub fn handle(&mut self, channel: &UpstreamName, update: i64) -> Result<bool, StoreError> {
        self.durable(|tx| {
            let sql = "INSERT OR IGNORE INTO handled (channel, number) VALUES (?1, ?2)";
            Ok(tx.execute(sql, params![channel.as_str(), update])? > 0)
        })
    }

    /// Everything so far is confirmed and does not come again.
    pub fn all_confirmed(&mut self, channel: &UpstreamName) -> Result<(), StoreError> {
        let some = "SELECT EXISTS (SELECT 1 FROM handled WHERE channel = ?1)";
        if self.connection.prepare_cached(some)?.query_row([channel.as_str()], |row| row.get(0))? {
            self.quick(|tx| Ok(tx.execute("DELETE FROM handled WHERE channel = ?1", [channel.as_str()])?))?;
        }
        Ok(())
    }
}

/// The session of the conversation of a place, with the bot that it has; where there is none, it is made of `new`.
pub(crate) fn session_of(
    tx: &Transaction<'_>,
    place: &ChatPlace,
    new: &NewChat,
    bot: &BotName,
    now: Timestamp,
) -> Result<SessionSummary, StoreError> {
    let known = current(tx, place)?;
    Ok(known.map_or_else(|| insert(tx, place, new, bot, now), Ok)?.session)
}

/// Keeps who wrote a message.
pub(crate) fn insert_origin(tx: &Transaction<'_>, message: &str, origin: &Wrote) -> Result<(), StoreError> {
    let Wrote { person, number, language } = origin;
    let mut statement =
        tx.prepare_cached("INSERT INTO origins (message, person, number, language) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![message, person.0, number, language])?;
    Ok(())
}

fn current(connection: &Connection, place: &ChatPlace) -> Result<Option<OpenChat>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT session, secret FROM conversations WHERE channel = ?1 AND chat = ?2 AND topic = ?3 AND ended IS NULL",
    )?;
    let ChatPlace { channel, chat, topic } = place;
    let found: Option<(String, String)> = statement
        .query_row(params![channel.as_str(), chat.0, topic.unwrap_or_default()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((session, secret)) = found else { return Ok(None) };
    let session = sessions::find(connection, &session)?.ok_or(StoreError::NotFound("chat"))?;
    Ok(Some(OpenChat { session, secret }))
}

fn insert(
    tx: &Transaction<'_>,
    place: &ChatPlace,
    new: &NewChat,
    bot: &BotName,
    now: Timestamp,
) -> Result<OpenChat, StoreError> {
    sessions::insert(tx, &new.session, bot, now)?;
    let ChatPlace { channel, chat, topic } = place;
    tx.execute(
        "INSERT INTO conversations (session, channel, chat, topic, secret) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![new.session, channel.as_str(), chat.0, topic.unwrap_or_default(), new.secret],
    )?;
    current(tx, place)?.ok_or(StoreError::NotFound("chat"))
}

fn with_bot(tx: &Transaction<'_>, known: OpenChat, bot: &BotName) -> Result<OpenChat, StoreError> {
    let OpenChat { session, secret } = known;
    tx.execute("UPDATE sessions SET bot = ?2 WHERE id = ?1", [session.id.as_str(), bot.as_str()])?;
    Ok(OpenChat { session: SessionSummary { bot: bot.clone(), ..session }, secret })
}
