//! What a run said, put where it belongs.
//!
//! The job's own session has it already. A chat gets a copy in its own session, with the run's id: from there it goes out like
//! everything else that is said there.

use platform_types::Timestamp;
use platform_types::chat::SessionSummary;
use platform_types::cron::{Delivery, Outcome};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::json;

use super::JobKey;
use super::runs::{self, AttemptOver};
use crate::audit::{self, Deed};
use crate::{ChatPlace, NewChat, Store, StoreError, Stored, chats, messages, sessions};

/// Where a run's last word goes beside the job's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub place: ChatPlace,
    /// What the chat's session is made of where there is none.
    pub new: NewChat,
}

/// Why a run that was stored in a channel's session was not delivered after all.
const DELETED: &str = "the chat was deleted, or its channel taken away, before it was delivered";

impl Store {
    /// The run is finished, and what was said last is on its way; the chat's session and its copy, where there is one.
    pub fn close_run(
        &mut self,
        (key, run): (&JobKey, &str),
        over: &AttemptOver,
        to: Option<&Destination>,
        now: Timestamp,
    ) -> Result<Option<(SessionSummary, Stored)>, StoreError> {
        self.durable(|tx| {
            tx.prepare_cached("UPDATE cron_runs SET turn = ?2 WHERE id = ?1")?.execute(params![run, over.turn])?;
            runs::finish(tx, (key, run), (over.outcome, over.detail.as_deref()), now)?;
            // Nobody has to be told what a person stopped.
            if over.outcome == Outcome::Stopped {
                return Ok(None);
            }
            let said = over.turn.as_deref().map(|turn| messages::by_id(tx, turn)).transpose()?.flatten();
            let Some((_, said)) = said else {
                settle(tx, run, Some("nothing was said"), now)?;
                return Ok(None);
            };
            let Some(Destination { place, new }) = to else {
                settle(tx, run, None, now)?;
                return Ok(None);
            };
            let session = match chats::session_of(tx, place, new, &key.bot, now) {
                Err(StoreError::TooManySessions(count)) => {
                    settle(tx, run, Some(&StoreError::TooManySessions(count).to_string()), now)?;
                    return Ok(None);
                }
                found => found?,
            };
            tx.prepare_cached("UPDATE cron_runs SET delivery = ?2 WHERE id = ?1")?
                .execute([run, Delivery::Pending.as_str()])?;
            copy(tx, run, &said.id, &session.id, now)?;
            let copied = messages::by_id(tx, run)?.ok_or(StoreError::NotFound("message"))?.1;
            Ok(sessions::find(tx, &session.id)?.map(|session| (session, copied)))
        })
    }

    /// Runs whose copy is not delivered yet.
    pub fn pending_deliveries(&self) -> Result<Vec<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT id FROM cron_runs WHERE delivery = 'pending' ORDER BY n")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether what a run said was delivered; `None` while that is not known.
    pub fn is_delivered(&self, run: &str) -> Result<Option<bool>, StoreError> {
        let mut statement = self.connection.prepare_cached("SELECT delivery FROM cron_runs WHERE id = ?1")?;
        let found: Option<Option<String>> = statement.query_row([run], |row| row.get(0)).optional()?;
        let word = found.flatten().and_then(|word| Delivery::from_word(&word));
        Ok(word.filter(|word| *word != Delivery::Pending).map(|word| word == Delivery::Delivered))
    }

    /// Runs whose copy went away without having been delivered are known as such; whether there were any.
    pub fn give_up_lost_deliveries(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let lost = "SELECT id FROM cron_runs WHERE delivery = 'pending'
                    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE message = cron_runs.id)";
        let mut statement = self.connection.prepare_cached(lost)?;
        let lost: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        drop(statement);
        if lost.is_empty() {
            return Ok(false);
        }
        self.durable(|tx| lost.iter().try_for_each(|run| settle(tx, run, Some(DELETED), now)))?;
        Ok(true)
    }
}

/// A message of a channel was delivered, or was not for this reason; if a run said it, that is its third fact.
pub(crate) fn message_settled(
    tx: &Transaction<'_>,
    message: &str,
    failed: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM cron_runs WHERE id = ?1 AND delivery = 'pending')";
    let is_run: bool = tx.prepare_cached(sql)?.query_row([message], |row| row.get(0))?;
    if is_run { settle(tx, message, failed, now) } else { Ok(()) }
}

fn settle(tx: &Transaction<'_>, run: &str, failed: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    let delivery = if failed.is_some() { Delivery::Failed } else { Delivery::Delivered };
    tx.prepare_cached("UPDATE cron_runs SET delivery = ?2, delivered_at = ?3, delivery_detail = ?4 WHERE id = ?1")?
        .execute(params![run, delivery.as_str(), now.as_millis(), failed])?;
    let mut statement = tx.prepare_cached("SELECT bot || '/' || job FROM cron_runs WHERE id = ?1")?;
    let job: Option<String> = statement.query_row([run], |row| row.get(0)).optional()?;
    let sql =
        "SELECT conversations.channel FROM messages JOIN conversations ON conversations.session = messages.session
        WHERE messages.id = ?1";
    let channel: Option<String> = tx.prepare_cached(sql)?.query_row([run], |row| row.get(0)).optional()?;
    let data = json!({"job": job, "run": run, "outcome": delivery.as_str(), "channel": channel});
    audit::append(tx, &Deed { at: now, kind: "cron.delivered", actor: "clock".to_owned(), data })
}

/// An answer again, in another session. The trigger of that table makes it a duty to deliver.
fn copy(tx: &Transaction<'_>, run: &str, answer: &str, session: &str, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE sessions SET messages = messages + 1, updated_at = ?2 WHERE id = ?1")?
        .execute(params![session, now.as_millis()])?;
    tx.prepare_cached(
        "INSERT INTO messages (id, session, seq, author, at, text, note_code, note_detail, shortened)
         SELECT ?1, ?2, (SELECT messages FROM sessions WHERE id = ?2), 'bot', ?4, text, note_code, note_detail, shortened
         FROM messages WHERE id = ?3",
    )?
    .execute(params![run, session, answer, now.as_millis()])?;
    Ok(())
}
