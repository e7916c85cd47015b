//! A run's facts, as they happen.

use platform_types::Timestamp;
use platform_types::chat::SessionSummary;
use platform_types::cron::{Cause, Outcome, RUNS_KEPT};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::json;

use super::{JobKey, jobs};
use crate::audit::{self, Deed};
use crate::{Store, StoreError, sessions};

/// Messages kept in a job's session, runs and talk about them.
pub const MESSAGES_KEPT: u64 = 200;

/// A run that begins now, with its first attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    pub id: String,
    /// The id of the first attempt's message.
    pub message: String,
    /// Names the job's session, where it has none.
    pub session: String,
    pub due: Timestamp,
    pub ticks: u32,
    pub cause: Cause,
    /// Who asked for it.
    pub by: Option<String>,
    /// Due times up to here are dealt with.
    pub seen: Timestamp,
}

/// What became of firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fired {
    /// It goes on in this session.
    In(SessionSummary),
    /// It was fired, and could not go on: it is finished with this reason.
    Failed(String),
}

/// A run that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    pub id: String,
    pub attempts: u32,
    /// Set between two attempts.
    pub retry_at: Option<Timestamp>,
    /// The message of the latest attempt.
    pub message: String,
}

/// An attempt whose turn is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptOver {
    /// Absent where none was begun.
    pub turn: Option<String>,
    pub outcome: Outcome,
    /// Why it did not complete.
    pub detail: Option<String>,
}

impl Store {
    /// The run is fired: on record before anything else happens.
    pub fn fire(&mut self, key: &JobKey, new: &NewRun, now: Timestamp) -> Result<Fired, StoreError> {
        self.durable(|tx| {
            jobs::seen(tx, key, new.seen)?;
            let session = match session(tx, key, &new.session, now) {
                Err(StoreError::TooManySessions(count)) => Err(StoreError::TooManySessions(count).to_string()),
                found => Ok(found?),
            };
            tx.prepare_cached(
                "INSERT INTO cron_runs (id, bot, job, due, ticks, cause, asked_by, fired_at, attempts, message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9)",
            )?
            .execute(params![
                new.id,
                key.bot.as_str(),
                key.job.as_str(),
                new.due.as_millis(),
                new.ticks,
                new.cause.as_str(),
                new.by,
                now.as_millis(),
                new.message
            ])?;
            let data = json!({
                "job": key.to_string(), "run": new.id, "due": new.due, "ticks": new.ticks, "cause": new.cause.as_str(),
                "session": session.as_ref().map(|session| session.id.as_str()).ok(),
            });
            let actor = new.by.clone().unwrap_or_else(|| "clock".to_owned());
            audit::append(tx, &Deed { at: now, kind: "cron.fired", actor, data })?;
            forget_old(tx, key)?;
            match session {
                Ok(session) => {
                    forget_old_messages(tx, &session)?;
                    Ok(Fired::In(session))
                }
                Err(why) => {
                    finish(tx, (key, &new.id), (Outcome::Failed, Some(&why)), now)?;
                    Ok(Fired::Failed(why))
                }
            }
        })
    }

    /// Nothing was fired for these due times.
    pub fn pass_over(
        &mut self,
        key: &JobKey,
        (id, last, ticks): (&str, Timestamp, u32),
        why: Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.durable(|tx| {
            jobs::seen(tx, key, last)?;
            tx.prepare_cached(
                "INSERT INTO cron_runs (id, bot, job, due, ticks, cause, finished_at, outcome)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'schedule', ?6, ?7)",
            )?
            .execute(params![
                id,
                key.bot.as_str(),
                key.job.as_str(),
                last.as_millis(),
                ticks,
                now.as_millis(),
                why.as_str()
            ])?;
            let data = json!({"job": key.to_string(), "due": last, "ticks": ticks, "outcome": why.as_str()});
            audit::append(tx, &Deed { at: now, kind: "cron.passed_over", actor: "clock".to_owned(), data })?;
            forget_old(tx, key)
        })
    }

    /// The next attempt begins, with this message.
    pub fn retry(&mut self, key: &JobKey, run: &str, new: (&str, &str), now: Timestamp) -> Result<Fired, StoreError> {
        let (message, session_id) = new;
        self.durable(|tx| {
            tx.prepare_cached(
                "UPDATE cron_runs SET attempts = attempts + 1, retry_at = NULL, message = ?2, turn = NULL WHERE id = ?1",
            )?
            .execute([run, message])?;
            match session(tx, key, session_id, now) {
                Err(StoreError::TooManySessions(count)) => {
                    Ok(Fired::Failed(StoreError::TooManySessions(count).to_string()))
                }
                found => Ok(Fired::In(found?)),
            }
        })
    }

    /// The session of an open run, for a message that may not have been handed in before a restart.
    pub fn job_session(&mut self, key: &JobKey, id: &str, now: Timestamp) -> Result<SessionSummary, StoreError> {
        self.durable(|tx| session(tx, key, id, now))
    }

    /// Whether an attempt's message is there, and how its turn ended.
    pub fn attempt(&self, message: &str) -> Result<(bool, Option<AttemptOver>), StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT turns.id, turns.state, answer.note_detail FROM messages
             JOIN turns ON turns.session = messages.session AND turns.message = messages.seq
             LEFT JOIN messages AS answer ON answer.id = turns.id
             WHERE messages.id = ?1",
        )?;
        let found: Option<(String, String, Option<String>)> =
            statement.query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((turn, state, detail)) = found else { return Ok((false, None)) };
        let outcome = match state.as_str() {
            "completed" => Outcome::Completed,
            "stopped" => Outcome::Stopped,
            "failed" => Outcome::Failed,
            "interrupted" => Outcome::Interrupted,
            _ => return Ok((true, None)),
        };
        let detail = detail.filter(|_| outcome != Outcome::Completed);
        Ok((true, Some(AttemptOver { turn: Some(turn), outcome, detail })))
    }

    /// The attempt is over and another one will follow.
    pub fn wait_for_retry(&mut self, run: &str, until: Timestamp) -> Result<(), StoreError> {
        self.durable(|tx| {
            tx.prepare_cached("UPDATE cron_runs SET retry_at = ?2 WHERE id = ?1")?
                .execute(params![run, until.as_millis()])?;
            Ok(())
        })
    }
}

/// The run is finished. What it said is delivered with [`super::deliver`].
pub(super) fn finish(
    tx: &Transaction<'_>,
    (key, run): (&JobKey, &str),
    (outcome, detail): (Outcome, Option<&str>),
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE cron_runs SET finished_at = ?2, outcome = ?3, detail = ?4, retry_at = NULL WHERE id = ?1",
    )?
    .execute(params![run, now.as_millis(), outcome.as_str(), detail])?;
    let mut statement = tx.prepare_cached("SELECT attempts, turn FROM cron_runs WHERE id = ?1")?;
    let (attempts, turn): (u32, Option<String>) = statement.query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let data = json!({
        "job": key.to_string(), "run": run, "outcome": outcome.as_str(), "attempts": attempts, "turn": turn,
    });
    audit::append(tx, &Deed { at: now, kind: "cron.finished", actor: "clock".to_owned(), data })
}

/// The run of a job that is not over.
pub(super) fn open(connection: &Connection, key: &JobKey) -> Result<Option<OpenRun>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, attempts, retry_at, message FROM cron_runs WHERE bot = ?1 AND job = ?2 AND finished_at IS NULL",
    )?;
    let read = |row: &Row<'_>| {
        let retry_at: Option<i64> = row.get(2)?;
        Ok(OpenRun { id: row.get(0)?, attempts: row.get(1)?, retry_at: retry_at.map(Timestamp), message: row.get(3)? })
    };
    Ok(statement.query_row([key.bot.as_str(), key.job.as_str()], read).optional()?)
}

/// The job's session; where it has none, or it was deleted, one is made with this id and the job's name.
fn session(tx: &Transaction<'_>, key: &JobKey, id: &str, now: Timestamp) -> Result<SessionSummary, StoreError> {
    let JobKey { bot, job } = key;
    let mut statement = tx.prepare_cached("SELECT session FROM cron_jobs WHERE bot = ?1 AND job = ?2")?;
    let known: Option<Option<String>> =
        statement.query_row([bot.as_str(), job.as_str()], |row| row.get(0)).optional()?;
    let known = known.ok_or(StoreError::NotFound("job"))?;
    let found = known.as_deref().map(|known| sessions::find(tx, known)).transpose()?.flatten();
    if let Some(found) = found {
        return Ok(found);
    }
    sessions::insert(tx, id, bot, now)?;
    tx.execute("UPDATE sessions SET title = ?2 WHERE id = ?1", [id, job.as_str()])?;
    tx.execute("UPDATE cron_jobs SET session = ?3 WHERE bot = ?1 AND job = ?2", [bot.as_str(), job.as_str(), id])?;
    sessions::find(tx, id)?.ok_or(StoreError::NotFound("chat"))
}

/// The newest ones stay, and what is not over or not delivered yet.
fn forget_old(tx: &Transaction<'_>, key: &JobKey) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM cron_runs WHERE bot = ?1 AND job = ?2 AND finished_at IS NOT NULL
         AND coalesce(delivery, '') <> 'pending'
         AND n <= (SELECT n FROM cron_runs WHERE bot = ?1 AND job = ?2 ORDER BY n DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute(params![key.bot.as_str(), key.job.as_str(), RUNS_KEPT])?;
    Ok(())
}

fn forget_old_messages(tx: &Transaction<'_>, session: &SessionSummary) -> Result<(), StoreError> {
    let Some(before) = session.messages.checked_sub(MESSAGES_KEPT) else { return Ok(()) };
    for sql in [
        "DELETE FROM turns WHERE session = ?1 AND message <= ?2 AND state NOT IN ('queued', 'running')",
        "DELETE FROM messages WHERE session = ?1 AND seq <= ?2",
    ] {
        tx.prepare_cached(sql)?.execute(params![session.id, before])?;
    }
    Ok(())
}
