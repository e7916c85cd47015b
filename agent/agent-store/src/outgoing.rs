//! What has to go out to chats, and how far it is.
//!
//! Every message of a bot in a conversation of a chat is delivered, whoever writes it: a trigger makes the delivery in the commit
//! of the message.

use platform_types::channel::ChatId;
use platform_types::chat::Note;
use platform_types::{Timestamp, UpstreamName};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::cron::deliver::message_settled;
use crate::{ChatPlace, Store, StoreError, Wrote, messages};

/// Answers are given up after so long: by then they answer nothing any more.
pub const DELIVER_WITHIN_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// An answer that is not delivered, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub message: String,
    pub place: ChatPlace,
    pub text: String,
    pub note: Option<Note>,
    /// Older messages were left out, because the conversation did not fit.
    pub shortened: bool,
    /// Parts whose sending was begun.
    pub begun: usize,
    /// What it answers; `None`: it answers nothing.
    pub origin: Option<Wrote>,
    /// The chat's own number of the message in which it was written on while it ran.
    pub draft: Option<i64>,
}

/// Where a running turn answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnPlace {
    pub place: ChatPlace,
    pub origin: Option<Wrote>,
    pub draft: Option<i64>,
}

impl Store {
    /// Of each chat of a channel the oldest answer that has to go out; those that are too old are given up.
    pub fn deliveries(&mut self, channel: &UpstreamName, now: Timestamp) -> Result<Vec<Delivery>, StoreError> {
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
            "SELECT conversations.chat, conversations.topic, origins.person, origins.number, origins.language, drafts.number,
             answer.id, answer.text, answer.note_code, answer.note_detail, answer.shortened, deliveries.begun,
             min(answer.rowid) AS oldest
             FROM deliveries JOIN messages AS answer ON answer.id = deliveries.message
             JOIN conversations ON conversations.session = answer.session
             LEFT JOIN messages AS asked ON asked.session = answer.session AND asked.seq = answer.reply_to
             LEFT JOIN origins ON origins.message = asked.id
             LEFT JOIN drafts ON drafts.turn = answer.id
             WHERE conversations.channel = ?1 GROUP BY conversations.chat ORDER BY oldest",
        )?;
        let mut rows = statement.query([channel.as_str()])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let TurnPlace { place, origin, draft } = turn_place(row, channel)?;
            found.push(Delivery {
                message: row.get(6)?,
                place,
                text: row.get(7)?,
                note: messages::read_note(row.get(8)?, row.get(9)?)?,
                shortened: row.get(10)?,
                begun: usize::try_from(row.get::<_, u32>(11)?).unwrap_or(usize::MAX),
                origin,
                draft,
            });
        }
        Ok(found)
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
            tx.execute("DELETE FROM drafts WHERE turn = ?1", [message])?;
            tx.execute("DELETE FROM deliveries WHERE message = ?1", [message])?;
            message_settled(tx, message, failed, now)
        })
    }

    /// Where a turn answers; `None` for one that is not of this channel.
    pub fn turn_place(&self, channel: &UpstreamName, turn: &str) -> Result<Option<TurnPlace>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT conversations.chat, conversations.topic, origins.person, origins.number, origins.language, drafts.number
             FROM turns JOIN conversations ON conversations.session = turns.session
             JOIN messages ON messages.session = turns.session AND messages.seq = turns.message
             LEFT JOIN origins ON origins.message = messages.id
             LEFT JOIN drafts ON drafts.turn = turns.id
             WHERE turns.id = ?1 AND conversations.channel = ?2",
        )?;
        statement.query_row([turn, channel.as_str()], |row| turn_place(row, channel)).optional().map_err(Into::into)
    }

    /// A running answer is written on in a message of its chat. One whose turn is gone is forgotten.
    pub fn draft_sent(&mut self, turn: &str, number: i64) -> Result<(), StoreError> {
        self.quick(|tx| {
            let sql = "INSERT OR REPLACE INTO drafts (turn, number) SELECT id, ?2 FROM turns WHERE id = ?1";
            tx.execute(sql, params![turn, number])?;
            Ok(())
        })
    }
}

/// Chat, topic, person, number, language, draft: the first six columns.
fn turn_place(row: &Row<'_>, channel: &UpstreamName) -> rusqlite::Result<TurnPlace> {
    let (person, number, language): (Option<i64>, Option<i64>, Option<String>) =
        (row.get(2)?, row.get(3)?, row.get(4)?);
    let origin = person.zip(number).zip(language);
    Ok(TurnPlace {
        place: ChatPlace {
            channel: channel.clone(),
            chat: ChatId(row.get(0)?),
            topic: Some(row.get(1)?).filter(|topic| *topic != 0),
        },
        origin: origin.map(|((person, number), language)| Wrote { person: ChatId(person), number, language }),
        draft: row.get(5)?,
    })
}
