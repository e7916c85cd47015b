//! Runs as they are shown.

use platform_types::Timestamp;
use platform_types::cron::{Cause, Delivery, Outcome, RUNS_KEPT, Run};
use rusqlite::{Connection, Row, params};

use super::JobKey;
use crate::{Store, StoreError};

const COLUMNS: &str =
    "id, due, ticks, cause, asked_by, fired_at, attempts, turn, finished_at, outcome, detail, delivery,
    delivered_at, delivery_detail, retry_at";

/// The newest runs of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// The one that is not over.
    pub running: Option<Run>,
    /// The newest one that is.
    pub last: Option<Run>,
    /// The newest one that says how the job is: a due time that fell into a run says nothing.
    pub judged: Option<Run>,
}

impl Store {
    /// The runs of a job that are on record, newest first.
    pub fn runs(&self, key: &JobKey) -> Result<Vec<Run>, StoreError> {
        read(&self.connection, key, "", RUNS_KEPT)
    }

    /// The newest runs of a job, by what is asked of them.
    pub fn latest_runs(&self, key: &JobKey) -> Result<Latest, StoreError> {
        let newest = |which| Ok::<_, StoreError>(read(&self.connection, key, which, 1)?.into_iter().next());
        Ok(Latest {
            running: newest("AND finished_at IS NULL")?,
            last: newest("AND finished_at IS NOT NULL")?,
            judged: newest("AND finished_at IS NOT NULL AND outcome <> 'skipped'")?,
        })
    }
}

fn read(connection: &Connection, key: &JobKey, which: &str, limit: usize) -> Result<Vec<Run>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM cron_runs WHERE bot = ?1 AND job = ?2 {which} ORDER BY n DESC LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![key.bot.as_str(), key.job.as_str(), limit], |row| Ok(run(row)))?;
    rows.map(|row| row?).collect()
}

fn run(row: &Row<'_>) -> Result<Run, StoreError> {
    let time = |index: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(index)?.map(Timestamp));
    Ok(Run {
        id: row.get(0)?,
        due: Timestamp(row.get(1)?),
        ticks: row.get(2)?,
        cause: word(row.get::<_, Option<String>>(3)?, Cause::from_word)?.unwrap_or(Cause::Schedule),
        by: row.get(4)?,
        fired_at: time(5)?,
        attempts: row.get(6)?,
        turn: row.get(7)?,
        finished_at: time(8)?,
        outcome: word(row.get(9)?, Outcome::from_word)?,
        detail: row.get(10)?,
        delivery: word(row.get(11)?, Delivery::from_word)?,
        delivered_at: time(12)?,
        delivery_detail: row.get(13)?,
        retry_at: time(14)?,
    })
}

fn word<T>(text: Option<String>, read: fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
    text.map(|text| read(&text).ok_or_else(|| StoreError::Row(format!("unknown word {text:?}").into()))).transpose()
}
