//! What people are asked before a tool call runs, and what they answered.
//!
//! ```text
//!   pending ──answer──▶ allowed | denied
//!      ├──── time ────▶ expired
//!      └── turn over ─▶ cancelled
//! ```
//!
//! **Invariants.** An answer is bound to the digest of the exact call. It counts once: whatever is not pending stays as it is.
//! No approval outlives its turn, so none is left over for another call; that is why a restart, which ends turns, cancels
//! what is pending. Each change and its line in the audit are one commit.

use platform_types::agent::{Approval, ApprovalState};
use platform_types::{BotName, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::json;

use crate::audit::{self, Deed};
use crate::{Store, StoreError};

/// Approvals in one list.
const MAX_LISTED: usize = 200;

/// A question on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub id: String,
    pub turn: String,
    pub session: String,
    pub bot: BotName,
    pub call: String,
    pub tool: String,
    pub arguments: String,
    pub why: String,
    pub digest: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Somebody's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub id: String,
    pub digest: String,
    pub allow: bool,
    /// `device <id>`, `sender <channel>/<id>` or `operator <user>`.
    pub by: String,
    pub at: Timestamp,
}

/// The call that a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlace {
    pub session: String,
    pub turn: String,
    pub call: String,
}

impl Store {
    /// Keeps a question, durably.
    pub fn ask(&mut self, asked: &Asked) -> Result<(), StoreError> {
        self.durable(|tx| {
            let Asked { id, turn, session, bot, call, tool, arguments, why, digest, created_at, expires_at } = asked;
            tx.prepare_cached(
                "INSERT INTO approvals (id, turn, session, bot, call, tool, arguments, why, digest, created_at,
                 expires_at, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending')",
            )?
            .execute(params![
                id,
                turn,
                session,
                bot.as_str(),
                call,
                tool,
                arguments,
                why,
                digest,
                created_at.as_millis(),
                expires_at.as_millis()
            ])?;
            let data = json!({"approval": id, "turn": turn, "tool": tool, "digest": digest, "why": why});
            let actor = format!("bot {bot}");
            audit::append(tx, &Deed { at: *created_at, kind: "approval.asked", actor, data })
        })
    }

    /// Takes the first answer, durably. An answer about something else, or too late, changes nothing.
    pub fn answer(&mut self, answered: &Answered) -> Result<(Approval, CallPlace), StoreError> {
        self.durable(|tx| {
            let Answered { id, digest, allow, by, at } = answered;
            let (found, place) = find(tx, id)?.ok_or(StoreError::NotFound("question"))?;
            if found.digest != *digest {
                return Err(StoreError::Conflict("the answer is about another call than the one that is asked about"));
            }
            match found.state {
                ApprovalState::Pending if found.expires_at > *at => {}
                ApprovalState::Pending | ApprovalState::Expired => {
                    return Err(StoreError::Conflict("the time to answer is over"));
                }
                ApprovalState::Allowed => return Err(StoreError::Conflict("this is allowed already")),
                ApprovalState::Denied => return Err(StoreError::Conflict("this is denied already")),
                ApprovalState::Cancelled => return Err(StoreError::Conflict("the answer that asked is over")),
            }
            let state = if *allow { ApprovalState::Allowed } else { ApprovalState::Denied };
            close(tx, &found, state, by, *at)?;
            let decided = (Some(by.clone()), Some(*at));
            Ok((Approval { state, decided_by: decided.0, decided_at: decided.1, ..found }, place))
        })
    }

    /// Ends what nobody answered in time.
    pub fn expire(&mut self, now: Timestamp) -> Result<Vec<CallPlace>, StoreError> {
        self.durable(|tx| {
            let due = select(tx, "state = 'pending' AND expires_at <= ?1", &now.as_millis())?;
            for (approval, _) in &due {
                close(tx, approval, ApprovalState::Expired, "nobody answered in time", now)?;
            }
            Ok(due.into_iter().map(|(_, place)| place).collect())
        })
    }

    /// What is pending, then the newest of the rest.
    pub fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM approvals ORDER BY state = 'pending' DESC, created_at DESC, id LIMIT {MAX_LISTED}"
        ))?;
        let rows = statement.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| Ok(row??.0)).collect()
    }
}

/// A turn is over: nobody is asked any more.
pub(crate) fn cancel(tx: &Transaction<'_>, turn: &str, why: &str, now: Timestamp) -> Result<(), StoreError> {
    for (approval, _) in select(tx, "state = 'pending' AND turn = ?1", &turn)? {
        close(tx, &approval, ApprovalState::Cancelled, why, now)?;
    }
    Ok(())
}

/// A chat goes away, and its questions with it: what is on record of them is that they ended.
pub(crate) fn cancel_session(tx: &Transaction<'_>, session: &str, why: &str, now: Timestamp) -> Result<(), StoreError> {
    for (approval, _) in select(tx, "state = 'pending' AND session = ?1", &session)? {
        close(tx, &approval, ApprovalState::Cancelled, why, now)?;
    }
    Ok(())
}

fn close(
    tx: &Transaction<'_>,
    approval: &Approval,
    state: ApprovalState,
    by: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Approval { id, turn, tool, digest, .. } = approval;
    let mut statement = tx.prepare_cached(
        "UPDATE approvals SET state = ?2, decided_by = ?3, decided_at = ?4 WHERE id = ?1 AND state = 'pending'",
    )?;
    if statement.execute(params![id, state.as_str(), by, at.as_millis()])? == 0 {
        return Err(StoreError::Conflict("this is decided already"));
    }
    let kind = match state {
        ApprovalState::Expired => "approval.expired",
        ApprovalState::Cancelled => "approval.cancelled",
        ApprovalState::Pending | ApprovalState::Allowed | ApprovalState::Denied => "approval.decided",
    };
    let data = json!({"approval": id, "turn": turn, "tool": tool, "digest": digest, "state": state.as_str()});
    audit::append(tx, &Deed { at, kind, actor: by.to_owned(), data })
}

const COLUMNS: &str = "id, session, turn, bot, tool, arguments, why, digest, created_at, expires_at, state, decided_by,
    decided_at, call";

pub(crate) fn find(connection: &Connection, id: &str) -> Result<Option<(Approval, CallPlace)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM approvals WHERE id = ?1"))?;
    statement.query_row([id], |row| Ok(read(row))).optional()?.transpose()
}

fn select(
    tx: &Transaction<'_>,
    condition: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<Vec<(Approval, CallPlace)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS} FROM approvals WHERE {condition}"))?;
    let rows = statement.query_map([value], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<(Approval, CallPlace), StoreError> {
    let state: String = row.get(10)?;
    let approval = Approval {
        id: row.get(0)?,
        session: row.get(1)?,
        turn: row.get(2)?,
        bot: BotName::new(row.get::<_, String>(3)?)?,
        tool: row.get(4)?,
        arguments: row.get(5)?,
        why: row.get(6)?,
        digest: row.get(7)?,
        created_at: Timestamp(row.get(8)?),
        expires_at: Timestamp(row.get(9)?),
        state: read_state(&state)?,
        decided_by: row.get(11)?,
        decided_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
    };
    let place = CallPlace { session: approval.session.clone(), turn: approval.turn.clone(), call: row.get(13)? };
    Ok((approval, place))
}

fn read_state(text: &str) -> Result<ApprovalState, StoreError> {
    use ApprovalState::{Allowed, Cancelled, Denied, Expired, Pending};
    let known = [Pending, Allowed, Denied, Expired, Cancelled].into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| StoreError::Row(format!("unknown state {text:?}").into()))
}
