//! Making, naming, deleting and listing sessions.

use platform_types::chat::SessionSummary;
use platform_types::{BotName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::{Store, StoreError, approvals};

/// Sessions in one profile: the whole list travels to the page after each change of it.
pub const MAX_SESSIONS: u64 = 500;

const COLUMNS: &str = "id, bot, title, created_at, updated_at, messages";

impl Store {
    /// Newest first.
    pub fn sessions(&self) -> Result<Vec<SessionSummary>, StoreError> {
        let mut statement =
            self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions ORDER BY updated_at DESC, id"))?;
        let rows = statement.query_map([], raw)?;
        rows.map(|row| summary(row?)).collect()
    }

    pub fn session(&self, id: &str) -> Result<SessionSummary, StoreError> {
        find(&self.connection, id)?.ok_or(StoreError::NotFound("chat"))
    }

    /// Again with the same id: nothing happens.
    pub fn create_session(&mut self, id: &str, bot: &BotName, now: Timestamp) -> Result<SessionSummary, StoreError> {
        self.durable(|tx| {
            if let Some(found) = find(tx, id)? {
                return Ok(found);
            }
            insert(tx, id, bot, now)?;
            find(tx, id)?.ok_or(StoreError::NotFound("chat"))
        })
    }

    pub fn rename_session(&mut self, id: &str, title: &str) -> Result<SessionSummary, StoreError> {
        self.durable(|tx| {
            tx.execute("UPDATE sessions SET title = ?2 WHERE id = ?1", [id, title])?;
            find(tx, id)?.ok_or(StoreError::NotFound("chat"))
        })
    }

    /// With its messages and turns. A session that is not there is deleted already.
    pub fn delete_session(&mut self, id: &str, now: Timestamp) -> Result<(), StoreError> {
        self.durable(|tx| {
            approvals::cancel_session(tx, id, "the chat was deleted", now)?;
            tx.execute("DELETE FROM sessions WHERE id = ?1", [id])?;
            Ok(())
        })
    }
}

/// A new session, if there is room for one.
pub(crate) fn insert(tx: &Transaction<'_>, id: &str, bot: &BotName, now: Timestamp) -> Result<(), StoreError> {
    let count: u64 = tx.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))?;
    if count >= MAX_SESSIONS {
        return Err(StoreError::TooManySessions(count));
    }
    tx.execute(
        "INSERT INTO sessions (id, bot, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)",
        params![id, bot.as_str(), now.as_millis()],
    )?;
    Ok(())
}

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<SessionSummary>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?;
    statement.query_row([id], raw).optional()?.map(summary).transpose()
}

type Raw = (String, String, String, i64, i64, u64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
}

fn summary((id, bot, title, created_at, updated_at, messages): Raw) -> Result<SessionSummary, StoreError> {
    Ok(SessionSummary {
        id,
        bot: BotName::new(bot)?,
        title,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        messages,
        running: false,
    })
}
