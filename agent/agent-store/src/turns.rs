//! The life of a turn: begun, saved in part, finished.

use std::collections::HashMap;

use agent_core::history::{Group, close};
use agent_core::prompt::Prompt;
use agent_core::turn::{Answer, Record};
use platform_types::chat::{Author, Note, SessionSummary, ToolCard, TurnOutcome};
use platform_types::{BotName, JobName, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::json;

use crate::audit::{self, Deed};
use crate::messages::{NewMessage, Stored, note_code};
use crate::{Store, StoreError, approvals, messages, sessions, summaries};

/// Events kept of one turn: eight calls of the model with eight tools each make fewer than 300.
const MAX_EVENTS: usize = 300;

/// What a turn needs to start.
#[derive(Debug, Clone)]
pub struct Begun {
    pub turn: String,
    pub session: String,
    pub bot: BotName,
    pub origin: Origin,
    /// The message to answer.
    pub message: Prompt,
    /// What stands for everything before the history.
    pub summary: Option<String>,
    pub history: Vec<Group>,
}

/// Where a turn's message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A person at the page.
    Page,
    /// A person who writes through a channel.
    Channel,
    /// A job by the clock; nobody is there.
    Job(JobName),
}

/// A message that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedTurn {
    pub session: String,
    pub turn: String,
}

/// What a running turn has said so far, with the steps that are not stored yet.
#[derive(Debug, Clone, Default)]
pub struct Partial {
    pub text: String,
    pub tools: Vec<ToolCard>,
    pub records: Vec<(Timestamp, Record)>,
}

/// A turn that is over and durable. `None` when its session was deleted meanwhile.
#[derive(Debug, Clone)]
pub struct FinishedTurn {
    pub message: Stored,
    pub session: SessionSummary,
}

pub(crate) fn insert(tx: &Transaction<'_>, new: &NewMessage, seq: u64) -> Result<(), StoreError> {
    let state = if new.start { "running" } else { "queued" };
    tx.prepare_cached("INSERT INTO turns (id, session, message, state, created_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![new.turn, new.session, seq, state, new.at.as_millis()])?;
    Ok(())
}

impl Store {
    /// Takes a waiting turn out of line. `None` when it is gone.
    pub fn begin(&mut self, turn: &str, history_bytes: usize, now: Timestamp) -> Result<Option<Begun>, StoreError> {
        self.quick(|tx| {
            let changed = tx
                .prepare_cached("UPDATE turns SET state = 'running' WHERE id = ?1 AND state = 'queued'")?
                .execute([turn])?;
            if changed == 0 { Ok(None) } else { begun(tx, turn, history_bytes, now) }
        })
    }

    /// Keeps what was said so far. With `durable`, a power cut cannot take it back.
    pub fn save_partial(&mut self, turn: &str, partial: &Partial, durable: bool) -> Result<(), StoreError> {
        let work = |tx: &Transaction<'_>| {
            tx.prepare_cached(
                "UPDATE turns SET partial_text = ?2, partial_tools = ?3 WHERE id = ?1 AND state = 'running'",
            )?
            .execute(params![turn, partial.text, serde_json::to_string(&partial.tools)?])?;
            append(tx, turn, &partial.records)
        };
        if durable { self.durable(work) } else { self.quick(work) }
    }

    /// Stores the answer, closes the turn and puts it on record in one commit. The message takes the turn's id.
    pub fn finish(
        &mut self,
        turn: &str,
        answer: &Answer,
        records: &[(Timestamp, Record)],
        now: Timestamp,
    ) -> Result<Option<FinishedTurn>, StoreError> {
        self.durable(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT session, message FROM turns WHERE id = ?1 AND state = 'running'")?;
            let found: Option<(String, u64)> =
                statement.query_row([turn], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let Some((session, reply_to)) = found else {
                audit::append(tx, &ended(turn, "agent".to_owned(), answer, now))?;
                return Ok(None);
            };
            tx.prepare_cached("UPDATE sessions SET messages = messages + 1, updated_at = ?2 WHERE id = ?1")?
                .execute(params![session, now.as_millis()])?;
            let session = sessions::find(tx, &session)?.ok_or(StoreError::NotFound("chat"))?;
            close_turn(tx, turn, answer, now)?;
            approvals::cancel(tx, turn, "the turn was over first", now)?;
            append(tx, turn, records)?;
            let place = Place { turn, session: &session, reply_to };
            let message = insert_answer(tx, &place, answer, now)?;
            audit::append(tx, &ended(turn, actor(&session.bot), answer, now))?;
            Ok(Some(FinishedTurn { message, session }))
        })
    }

    pub(crate) fn queued_turns(&self) -> Result<Vec<QueuedTurn>, StoreError> {
        let mut statement = self
            .connection
            .prepare("SELECT session, id FROM turns WHERE state = 'queued' ORDER BY created_at, message")?;
        let rows = statement.query_map([], |row| Ok(QueuedTurn { session: row.get(0)?, turn: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The steps of one turn, as JSON texts.
    pub fn events(&self, turn: &str) -> Result<Vec<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT event FROM turn_events WHERE turn = ?1 ORDER BY n")?;
        let rows = statement.query_map([turn], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The message of a turn that starts now, and what came before it. Its start goes on record.
pub(crate) fn begun(
    tx: &Transaction<'_>,
    turn: &str,
    history_bytes: usize,
    now: Timestamp,
) -> Result<Option<Begun>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT turns.session, sessions.bot, turns.message, messages.text,
         (SELECT job FROM cron_runs WHERE message = messages.id LIMIT 1) FROM turns
         JOIN sessions ON sessions.id = turns.session
         JOIN messages ON messages.session = turns.session AND messages.seq = turns.message
         WHERE turns.id = ?1",
    )?;
    let found: Option<(String, String, u64, String, Option<String>)> = statement
        .query_row([turn], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .optional()?;
    let Some((session, bot, seq, text, job)) = found else { return Ok(None) };
    let origin = match job {
        Some(job) => Origin::Job(JobName::new(job)?),
        None if messages::is_chat(tx, &session)? => Origin::Channel,
        None => Origin::Page,
    };
    // A run begins anew: what was said by the one before belongs to its day.
    let (summary, history) = match origin {
        Origin::Job(_) => (None, Vec::new()),
        Origin::Page | Origin::Channel => {
            let summary = summaries::newest(tx, &session)?;
            let through = summary.as_ref().map_or(0, |summary| summary.through);
            let history = past(tx, &session, (through, seq), history_bytes)?;
            (summary.map(|summary| summary.text), history)
        }
    };
    let (turn, bot) = (turn.to_owned(), BotName::new(bot)?);
    let data = match &origin {
        Origin::Job(job) => json!({"turn": turn, "job": format!("{bot}/{job}")}),
        Origin::Page | Origin::Channel => json!({"turn": turn}),
    };
    audit::append(tx, &Deed { at: now, kind: "turn.started", actor: actor(&bot), data })?;
    Ok(Some(Begun { turn, session, bot, origin, message: Prompt::User { text }, summary, history }))
}

fn actor(bot: &BotName) -> String {
    format!("bot {bot}")
}

fn ended(turn: &str, actor: String, answer: &Answer, now: Timestamp) -> Deed {
    Deed { at: now, kind: "turn.ended", actor, data: json!({"turn": turn, "outcome": answer.outcome}) }
}

/// An answer comes after its message, though not always right after it. A bot's message that answers nothing was said by a job
/// by the clock.
const PAST: &str = "SELECT seq, author, text, reply_to, exchange FROM messages
    WHERE session = ?1 AND seq > ?2 ORDER BY seq DESC";
/// Stands in the place of what a person would have said.
pub(crate) const BY_THE_CLOCK: &str = "(by the clock)";

/// What was said between two messages, each message of a person with its answer; the newest `max_bytes` of it.
fn past(
    tx: &Transaction<'_>,
    session: &str,
    (after, before): (u64, u64),
    max_bytes: usize,
) -> Result<Vec<Group>, StoreError> {
    let mut statement = tx.prepare_cached(PAST)?;
    let mut rows = statement.query(params![session, after])?;
    let mut answers = HashMap::new();
    let mut groups = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        if let Some(asked) = row.get::<_, Option<u64>>(3)? {
            if asked < before {
                answers.insert(asked, row.get::<_, Option<String>>(4)?);
            }
            continue;
        }
        let said = row.get(0)?;
        if said >= before {
            continue;
        }
        let (author, text): (String, String) = (row.get(1)?, row.get(2)?);
        let mut group = if author == "bot" {
            let said = Prompt::Assistant { text, calls: Vec::new() };
            vec![Prompt::User { text: BY_THE_CLOCK.to_owned() }, said]
        } else {
            vec![Prompt::User { text }]
        };
        if let Some(exchange) = answers.remove(&said).flatten() {
            group.extend(serde_json::from_str::<Vec<Prompt>>(&exchange)?);
        }
        close(&mut group);
        bytes += group.iter().map(Prompt::bytes).sum::<usize>();
        if bytes > max_bytes {
            break;
        }
        groups.push(group);
    }
    groups.reverse();
    Ok(groups)
}

fn append(tx: &Transaction<'_>, turn: &str, records: &[(Timestamp, Record)]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let known: usize =
        tx.prepare_cached("SELECT count(*) FROM turn_events WHERE turn = ?1")?.query_row([turn], |row| row.get(0))?;
    let mut statement = tx.prepare_cached("INSERT INTO turn_events (turn, n, at, event) VALUES (?1, ?2, ?3, ?4)")?;
    for (n, (at, record)) in (known + 1..=MAX_EVENTS).zip(records) {
        statement.execute(params![turn, n, at.as_millis(), serde_json::to_string(record)?])?;
    }
    Ok(())
}

fn close_turn(tx: &Transaction<'_>, turn: &str, answer: &Answer, now: Timestamp) -> Result<(), StoreError> {
    let state = match answer.outcome {
        TurnOutcome::Completed => "completed",
        TurnOutcome::Stopped => "stopped",
        TurnOutcome::Failed => "failed",
        TurnOutcome::Interrupted => "interrupted",
    };
    tx.prepare_cached(
        "UPDATE turns SET state = ?2, ended_at = ?3, partial_text = NULL, partial_tools = NULL,
         input_tokens = ?4, output_tokens = ?5, model_calls = ?6, tool_calls = ?7 WHERE id = ?1",
    )?
    .execute(params![
        turn,
        state,
        now.as_millis(),
        answer.usage.map(|usage| usage.input_tokens),
        answer.usage.map(|usage| usage.output_tokens),
        answer.model_calls,
        answer.tool_calls
    ])?;
    Ok(())
}

struct Place<'a> {
    turn: &'a str,
    session: &'a SessionSummary,
    reply_to: u64,
}

fn insert_answer(
    tx: &Transaction<'_>,
    place: &Place<'_>,
    answer: &Answer,
    now: Timestamp,
) -> Result<Stored, StoreError> {
    let note = answer.note.as_ref();
    tx.prepare_cached(
        "INSERT INTO messages (id, session, seq, author, at, text, reply_to, tools, exchange, note_code, note_detail,
         shortened) VALUES (?1, ?2, ?3, 'bot', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        place.turn,
        place.session.id,
        place.session.messages,
        now.as_millis(),
        answer.text,
        place.reply_to,
        (!answer.tools.is_empty()).then(|| serde_json::to_string(&answer.tools)).transpose()?,
        serde_json::to_string(&answer.exchange)?,
        note.map(|Note { code, .. }| note_code(*code)),
        note.and_then(|note| note.detail.as_deref()),
        answer.shortened
    ])?;
    Ok(Stored {
        seq: place.session.messages,
        id: place.turn.to_owned(),
        author: Author::Bot,
        at: now,
        text: answer.text.clone(),
        tools: answer.tools.clone(),
        note: answer.note.clone(),
        shortened: answer.shortened,
    })
}

#[cfg(test)]
mod tests {
    use super::PAST;

    #[test]
    fn history_is_read_through_indexes() {
        let directory = tempfile::tempdir().unwrap();
        let connection = crate::schema::open(&directory.path().join("agent.db")).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {PAST}")).unwrap();
        let rows = statement.query_map(["s", "0"], |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = rows.map(Result::unwrap).collect();
        assert!(plan.iter().any(|step| step.contains("(session=? AND seq>?)")), "{plan:?}");
        assert!(plan.iter().all(|step| step.starts_with("SEARCH")), "{plan:?}");
    }
}
