//! Sessions that are chats of a channel, and answers that have to be delivered to them.

use platform_types::channel::ChatId;
use platform_types::chat::{Note, SessionSummary};
use platform_types::{BotName, Timestamp, UpstreamName};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::cron::deliver::message_settled;
use crate::{Store, StoreError, messages, sessions};

/// Answers are given up after so long: by then they answer nothing any more.
pub const DELIVER_WITHIN_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Where a chat is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatPlace {
    pub channel: UpstreamName,
    pub chat: ChatId,
}

/// What a chat is made of when it is new: ids that nobody can know before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChat {
    pub session: String,
    /// Goes into the ids of its messages.
    pub secret: String,
}

/// A chat and its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChat {
    pub session: SessionSummary,
    pub secret: String,
}

/// An answer that is not delivered, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub message: String,
    pub chat: ChatId,
    pub text: String,
    pub note: Option<Note>,
    /// Older messages were left out, because the conversation did not fit.
    pub shortened: bool,
    /// Parts whose sending was begun.
    pub begun: usize,
}

impl Store {
    /// The session of a chat; where there is none, it is made of `new`. From now on with this bot.
    pub fn open_chat(
        &mut self,
        place: &ChatPlace,
        new: &NewChat,
        bot: &BotName,
        now: Timestamp,
    ) -> Result<OpenChat, StoreError> {
        if let Some(known) = chat(&self.connection, place)?
            && known.session.bot == *bot
        {
            return Ok(known);
        }
        self.durable(|tx| {
            if let Some(OpenChat { session, secret }) = chat(tx, place)? {
                tx.execute("UPDATE sessions SET bot = ?2 WHERE id = ?1", [session.id.as_str(), bot.as_str()])?;
                return Ok(OpenChat { session: SessionSummary { bot: bot.clone(), ..session }, secret });
            }
            make(tx, place, new, bot, now)
        })
    }

    /// The oldest answer that has to go to a channel; those that are too old are given up.
    pub fn next_delivery(&mut self, channel: &UpstreamName, now: Timestamp) -> Result<Option<Delivery>, StoreError> {
        let before = now.plus_millis(-DELIVER_WITHIN_MILLIS).as_millis();
        let old = "SELECT count(*) FROM deliveries JOIN messages ON messages.id = deliveries.message WHERE at < ?1";
        let old: u32 = self.connection.prepare_cached(old)?.query_row([before], |row| row.get(0))?;
        if old > 0 {
            self.durable(|tx| {
                let sql = "SELECT message FROM deliveries JOIN messages ON messages.id = message WHERE at < ?1";
                let mut statement = tx.prepare_cached(sql)?;
                let old: Vec<String> = statement.query_map([before], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for message in &old {
                    tx.execute("DELETE FROM deliveries WHERE message = ?1", [message])?;
                    message_settled(tx, message, Some("it could not be delivered within a day"), now)?;
                }
                Ok(())
            })?;
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT messages.id, chats.chat, messages.text, messages.note_code, messages.note_detail, deliveries.begun,
             messages.shortened FROM deliveries JOIN messages ON messages.id = deliveries.message
             JOIN chats ON chats.session = messages.session
             WHERE chats.channel = ?1 ORDER BY messages.at, messages.rowid LIMIT 1",
        )?;
        let mut rows = statement.query([channel.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Delivery {
            message: row.get(0)?,
            chat: ChatId(row.get(1)?),
            text: row.get(2)?,
            note: messages::read_note(row.get(3)?, row.get(4)?)?,
            begun: usize::try_from(row.get::<_, u32>(5)?).unwrap_or(usize::MAX),
            shortened: row.get(6)?,
        }))
    }

    /// So many parts were begun. Before a part is sent, so that it is not sent twice.
    pub fn delivery_begun(&mut self, message: &str, parts: usize) -> Result<(), StoreError> {
        let parts = u32::try_from(parts).unwrap_or(u32::MAX);
        self.durable(|tx| {
            tx.execute("UPDATE deliveries SET begun = ?2 WHERE message = ?1", params![message, parts])?;
            Ok(())
        })
    }

    /// Delivered, or given up for this reason.
    pub fn delivery_ended(&mut self, message: &str, failed: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        self.durable(|tx| {
            tx.execute("DELETE FROM deliveries WHERE message = ?1", [message])?;
            message_settled(tx, message, failed, now)
        })
    }
}

/// The session of a chat, with the bot that it has; where there is none, it is made of `new`.
pub(crate) fn session_of(
    tx: &Transaction<'_>,
    place: &ChatPlace,
    new: &NewChat,
    bot: &BotName,
    now: Timestamp,
) -> Result<SessionSummary, StoreError> {
    let known = chat(tx, place)?;
    Ok(known.map_or_else(|| make(tx, place, new, bot, now), Ok)?.session)
}

fn make(
    tx: &Transaction<'_>,
    place: &ChatPlace,
    new: &NewChat,
    bot: &BotName,
    now: Timestamp,
) -> Result<OpenChat, StoreError> {
    sessions::insert(tx, &new.session, bot, now)?;
    tx.execute(
        "INSERT INTO chats (session, channel, chat, secret) VALUES (?1, ?2, ?3, ?4)",
        params![new.session, place.channel.as_str(), place.chat.0, new.secret],
    )?;
    chat(tx, place)?.ok_or(StoreError::NotFound("chat"))
}

fn chat(connection: &Connection, place: &ChatPlace) -> Result<Option<OpenChat>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT session, secret FROM chats WHERE channel = ?1 AND chat = ?2")?;
    let found: Option<(String, String)> = statement
        .query_row(params![place.channel.as_str(), place.chat.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((session, secret)) = found else { return Ok(None) };
    let session = sessions::find(connection, &session)?.ok_or(StoreError::NotFound("chat"))?;
    Ok(Some(OpenChat { session, secret }))
}
