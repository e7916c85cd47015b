//! What is kept of a job: how far its due times are dealt with, whether it is paused, the run that is not over.

use platform_types::cron::Paused;
use platform_types::{BotName, JobName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::json;

use super::JobKey;
use super::runs::{self, OpenRun};
use crate::audit::{self, Deed};
use crate::{Store, StoreError};

/// A job as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptJob {
    /// Due times up to here are dealt with.
    pub seen: Timestamp,
    pub session: Option<String>,
    pub paused: Option<Paused>,
    pub open: Option<OpenRun>,
}

impl Store {
    /// The configured jobs, each with its timetable as text, in the same order as they come out. One that is new, or has another
    /// timetable, begins now; those that are not configured any more are forgotten with their runs.
    pub fn keep_jobs(&mut self, jobs: &[(JobKey, String)], now: Timestamp) -> Result<Vec<KeptJob>, StoreError> {
        let known = known(&self.connection)?;
        let is_same = known.len() == jobs.len() && jobs.iter().all(|job| known.contains(job));
        if !is_same {
            self.durable(|tx| {
                for (key, _) in known.iter().filter(|(key, _)| !jobs.iter().any(|(configured, _)| configured == key)) {
                    let sql = "DELETE FROM cron_jobs WHERE bot = ?1 AND job = ?2";
                    tx.prepare_cached(sql)?.execute([key.bot.as_str(), key.job.as_str()])?;
                }
                for (JobKey { bot, job }, timetable) in jobs {
                    tx.prepare_cached(
                        "INSERT INTO cron_jobs (bot, job, seen, timetable) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (bot, job) DO UPDATE SET seen = excluded.seen, timetable = excluded.timetable
                         WHERE timetable <> excluded.timetable",
                    )?
                    .execute(params![bot.as_str(), job.as_str(), now.as_millis(), timetable])?;
                }
                Ok(())
            })?;
        }
        jobs.iter().map(|(key, _)| kept(&self.connection, key)).collect()
    }

    /// Paused, it fires by hand only; resumed, for due times after `now`. What it is already it stays, and nothing is on record.
    pub fn pause_job(&mut self, key: &JobKey, pause: bool, by: &str, now: Timestamp) -> Result<(), StoreError> {
        self.durable(|tx| {
            let JobKey { bot, job } = key;
            let changed = if pause {
                let sql = "UPDATE cron_jobs SET paused_at = ?3, paused_by = ?4
                           WHERE bot = ?1 AND job = ?2 AND paused_at IS NULL";
                tx.execute(sql, params![bot.as_str(), job.as_str(), now.as_millis(), by])?
            } else {
                let sql = "UPDATE cron_jobs SET paused_at = NULL, paused_by = NULL, seen = max(seen, ?3)
                           WHERE bot = ?1 AND job = ?2 AND paused_at IS NOT NULL";
                tx.execute(sql, params![bot.as_str(), job.as_str(), now.as_millis()])?
            };
            if changed == 0 {
                return Ok(());
            }
            let kind = if pause { "cron.paused" } else { "cron.resumed" };
            let data = json!({"job": key.to_string()});
            audit::append(tx, &Deed { at: now, kind, actor: by.to_owned(), data })
        })
    }
}

pub(super) fn seen(tx: &Transaction<'_>, key: &JobKey, seen: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE cron_jobs SET seen = ?3 WHERE bot = ?1 AND job = ?2")?.execute(params![
        key.bot.as_str(),
        key.job.as_str(),
        seen.as_millis()
    ])?;
    Ok(())
}

/// Each job with its timetable.
fn known(connection: &Connection) -> Result<Vec<(JobKey, String)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT bot, job, timetable FROM cron_jobs")?;
    let mut rows = statement.query([])?;
    let mut known = Vec::new();
    while let Some(row) = rows.next()? {
        let (bot, job) = (BotName::new(row.get::<_, String>(0)?)?, JobName::new(row.get::<_, String>(1)?)?);
        known.push((JobKey { bot, job }, row.get(2)?));
    }
    Ok(known)
}

fn kept(connection: &Connection, key: &JobKey) -> Result<KeptJob, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT seen, session, paused_at, paused_by FROM cron_jobs WHERE bot = ?1 AND job = ?2")?;
    let found = statement.query_row([key.bot.as_str(), key.job.as_str()], |row| {
        let paused_at: Option<i64> = row.get(2)?;
        let by: Option<String> = row.get(3)?;
        let paused = paused_at.map(|at| Paused { at: Timestamp(at), by: by.unwrap_or_default() });
        Ok((Timestamp(row.get(0)?), row.get(1)?, paused))
    });
    let (seen, session, paused) = found.optional()?.ok_or(StoreError::NotFound("job"))?;
    Ok(KeptJob { seen, session, paused, open: runs::open(connection, key)? })
}
