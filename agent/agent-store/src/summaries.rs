//! Summaries of the older part of long sessions: the newest stands for it in prompts; the messages stay.
//!
//! **Invariants.** A summary stands for whole exchanges, each with its answer, and for everything that the one before stood
//! for. None goes back behind another.

use std::collections::BTreeMap;

use agent_core::history::{Group, close};
use agent_core::prompt::Prompt;
use platform_types::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::json;

use crate::audit::{self, Deed};
use crate::turns::BY_THE_CLOCK;
use crate::{Store, StoreError, Stored};

/// Summaries of one session that are kept; all but the newest are for people.
const MAX_KEPT: u32 = 20;

/// A summary as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSummary {
    /// The seq of the last message of a person that it stands for.
    pub through: u64,
    /// The seq of the answer to that: it is shown below it.
    pub below: u64,
    pub at: Timestamp,
    pub text: String,
}

/// What of a session is not summarised.
#[derive(Debug, Clone, Default)]
pub struct Unsummarised {
    pub so_far: Option<StoredSummary>,
    /// Oldest first, each with the seq of its message and of its answer.
    pub exchanges: Vec<(u64, u64, Group)>,
}

impl Store {
    /// The exchanges since the last summary, oldest first, until about `max_bytes` were said.
    pub fn unsummarised(&self, session: &str, max_bytes: usize) -> Result<Unsummarised, StoreError> {
        let so_far = newest(&self.connection, session)?;
        let after = so_far.as_ref().map_or(0, |summary| summary.through);
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, author, text, reply_to, exchange FROM messages WHERE session = ?1 AND seq > ?2 ORDER BY seq",
        )?;
        let mut rows = statement.query(params![session, after])?;
        let mut asked: Vec<(u64, String)> = Vec::new();
        let mut answers: BTreeMap<u64, (u64, Group)> = BTreeMap::new();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let (seq, text): (u64, String) = (row.get(0)?, row.get(2)?);
            bytes += text.len();
            if row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)? == "person" {
                asked.push((seq, text));
            } else if let Some(message) = row.get::<_, Option<u64>>(3)? {
                let exchange: Option<String> = row.get(4)?;
                let said = exchange.map_or_else(|| Ok(Vec::new()), |exchange| serde_json::from_str(&exchange))?;
                answers.insert(message, (seq, said));
            } else {
                asked.push((seq, BY_THE_CLOCK.to_owned()));
                answers.insert(seq, (seq, vec![Prompt::Assistant { text, calls: Vec::new() }]));
            }
            if bytes > max_bytes {
                break;
            }
        }
        // Up to the first that nobody has answered: what comes behind it is not over.
        let exchanges = asked.into_iter().map_while(|(seq, text)| {
            let (below, said) = answers.remove(&seq)?;
            let mut group: Group = std::iter::once(Prompt::User { text }).chain(said).collect();
            close(&mut group);
            Some((seq, below, group))
        });
        Ok(Unsummarised { so_far, exchanges: exchanges.collect() })
    }

    /// Keeps a summary, durably and on record, and gives the message under which it is shown. `None` when its session is gone,
    /// or has a newer one.
    pub fn summarise(&mut self, session: &str, summary: &StoredSummary) -> Result<Option<Stored>, StoreError> {
        let StoredSummary { through, below, at, text } = summary;
        self.durable(|tx| {
            let is_there: bool = tx
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE session = ?1 AND seq = ?2)")?
                .query_row(params![session, below], |row| row.get(0))?;
            if !is_there || newest(tx, session)?.is_some_and(|known| known.through >= *through) {
                return Ok(());
            }
            tx.prepare_cached("INSERT INTO summaries (session, through, below, at, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![session, through, below, at.as_millis(), text])?;
            tx.prepare_cached(
                "DELETE FROM summaries WHERE session = ?1 AND through NOT IN
                 (SELECT through FROM summaries WHERE session = ?1 ORDER BY through DESC LIMIT ?2)",
            )?
            .execute(params![session, MAX_KEPT])?;
            let data = json!({"session": session, "through": through});
            audit::append(tx, &Deed { at: *at, kind: "session.summarised", actor: "agent".to_owned(), data })
        })?;
        let kept = self.summaries(session)?.iter().any(|kept| kept == summary);
        if !kept {
            return Ok(None);
        }
        Ok(self.messages(session, Some(below + 1), 1)?.messages.pop())
    }

    /// Oldest first.
    pub fn summaries(&self, session: &str) -> Result<Vec<StoredSummary>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} ORDER BY through"))?;
        let rows = statement.query_map([session], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

const COLUMNS: &str = "SELECT through, below, at, text FROM summaries WHERE session = ?1";

/// The summary that stands for the older part of a session.
pub(crate) fn newest(connection: &Connection, session: &str) -> Result<Option<StoredSummary>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY through DESC LIMIT 1"))?;
    Ok(statement.query_row([session], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredSummary> {
    Ok(StoredSummary { through: row.get(0)?, below: row.get(1)?, at: Timestamp(row.get(2)?), text: row.get(3)? })
}
