//! The open store: the state directory, its lock, and what a crash left behind.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use agent_core::turn::MAX_CARD_CHARS;
use platform_types::Timestamp;
use platform_types::chat::{NoteCode, SessionSummary, ToolCard, ToolState};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::audit::{self, Deed};
use crate::lock::Lock;
use crate::{QueuedTurn, StoreError, approvals, schema};

/// Events of turns are kept this long: the record of what ran when.
const EVENTS_KEPT_MILLIS: i64 = 90 * 24 * 60 * 60 * 1000;
/// Commits between two copies of the log into the database.
const COMMITS_PER_CHECKPOINT: u32 = 64;

/// Where an agent keeps its state: `/state` in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn current(&self) -> PathBuf {
        self.0.join("current")
    }

    pub fn database(&self) -> PathBuf {
        self.current().join("agent.db")
    }

    fn log(&self) -> PathBuf {
        self.current().join("agent.db-wal")
    }

    pub fn workspace(&self) -> PathBuf {
        self.current().join("workspace")
    }

    /// The index of the workspace's notes: made from them, and in no snapshot.
    pub fn index(&self) -> PathBuf {
        self.current().join("index.db")
    }

    pub fn staging(&self) -> PathBuf {
        self.0.join("staging")
    }

    pub fn lock(&self) -> PathBuf {
        self.current().join("agent.lock")
    }

    /// Makes what is missing of `current/`.
    pub(crate) fn make(&self) -> Result<(), StoreError> {
        for path in [self.current(), self.workspace()] {
            let made = DirBuilder::new().mode(0o700).create(&path);
            match made {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => other.map_err(StoreError::io(&path))?,
            }
        }
        Ok(())
    }
}

/// The store of the one agent that holds the lease.
#[derive(Debug)]
pub struct Store {
    pub(crate) connection: Connection,
    commits: u32,
    /// The log's file, until it has its full size.
    small_log: Option<PathBuf>,
    _lock: Lock,
}

/// A store and what was found in it.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    pub sessions: Vec<SessionSummary>,
    /// Messages that nobody has begun to answer, oldest first.
    pub queued: Vec<QueuedTurn>,
    /// Turns that a stop cut off; they are closed now.
    pub interrupted: u64,
}

impl Store {
    /// Takes the lock, migrates, and closes the turns that were running when the agent stopped.
    pub fn open(state: &StateDir, holder: &str, now: Timestamp) -> Result<Opened, StoreError> {
        state.make()?;
        let lock = Lock::take(&state.lock(), holder)?;
        let connection = schema::open(&state.database())?;
        let small_log = Some(state.log());
        let mut store = Self { connection, commits: 0, small_log, _lock: lock };
        let interrupted = store.close_interrupted(now)?;
        store.forget_old_events(now)?;
        let sessions = store.sessions()?;
        let queued = store.queued_turns()?;
        Ok(Opened { store, sessions, queued, interrupted })
    }

    /// A transaction that is on disk when it has committed.
    pub(crate) fn durable<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        self.commits += 1;
        Ok(value)
    }

    /// A transaction that survives the end of the process at once, and a power cut with the next durable one.
    pub(crate) fn quick<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("PRAGMA synchronous = NORMAL")?;
        let result = self.durable(work);
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        result
    }

    /// Gives the log its size, and copies it into the database when enough has gathered. To be called when nobody waits.
    pub fn tidy(&mut self) -> Result<(), StoreError> {
        if let Some(log) = self.small_log.take() {
            schema::fill(&log).map_err(StoreError::io(&log))?;
        }
        if self.commits < COMMITS_PER_CHECKPOINT {
            return Ok(());
        }
        self.commits = 0;
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// Fails when the database does not take writes.
    pub fn probe(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.quick(|tx| {
            tx.prepare_cached("UPDATE probe SET at = ?1 WHERE id = 1")?.execute([now.as_millis()])?;
            Ok(())
        })
    }

    /// Messages in all sessions, and bytes of the database.
    pub fn size(&self) -> Result<(u64, u64), StoreError> {
        let messages = self.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
        let bytes = self.connection.query_row(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            [],
            |row| row.get(0),
        )?;
        Ok((messages, bytes))
    }

    /// Closes the database: the log is copied into it and removed.
    pub fn close(self) -> Result<(), StoreError> {
        let Self { connection, commits: _, small_log: _, _lock } = self;
        connection.close().map_err(|(_, error)| error.into())
    }

    fn close_interrupted(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.durable(|tx| {
            let mut statement = tx.prepare(
                "SELECT id, session, message, coalesce(partial_text, ''), coalesce(partial_tools, '[]')
                 FROM turns WHERE state = 'running' ORDER BY created_at",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, String>(4)?))
            })?;
            let found: Vec<(String, String, i64, String, String)> = rows.collect::<Result<_, _>>()?;
            for (turn, session, message, text, tools) in &found {
                close_one(tx, now, turn, &PartialRow { session, message: *message, text, tools })?;
            }
            Ok(found.len() as u64)
        })
    }

    fn forget_old_events(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let before = now.plus_millis(-EVENTS_KEPT_MILLIS).as_millis();
        self.quick(|tx| {
            tx.execute("DELETE FROM turn_events WHERE at < ?1", [before])?;
            Ok(())
        })
    }
}

struct PartialRow<'a> {
    session: &'a str,
    message: i64,
    text: &'a str,
    tools: &'a str,
}

/// Writes what an interrupted turn had said as its answer. The turn's id becomes the message's.
fn close_one(tx: &Transaction<'_>, now: Timestamp, turn: &str, row: &PartialRow<'_>) -> Result<(), StoreError> {
    let mut tools: Vec<ToolCard> = serde_json::from_str(row.tools)?;
    for card in &mut tools {
        let (state, words) = match card.state {
            ToolState::Running | ToolState::Confirming => {
                (ToolState::Unknown, "the agent was restarted while this ran: its outcome is not known")
            }
            ToolState::Asking => (ToolState::Denied, "not run: the agent was restarted before anybody decided"),
            ToolState::Done | ToolState::Failed | ToolState::Denied | ToolState::Unknown => continue,
        };
        (card.state, card.asking) = (state, None);
        card.result = Some(agent_core::text::ellipsis(words, MAX_CARD_CHARS));
    }
    let exchange = if row.text.is_empty() {
        "[]".to_owned()
    } else {
        let text = row.text.to_owned();
        serde_json::to_string(&[agent_core::prompt::Prompt::Assistant { text, calls: Vec::new() }])?
    };
    tx.execute(
        "UPDATE sessions SET messages = messages + 1, updated_at = ?2 WHERE id = ?1",
        params![row.session, now.as_millis()],
    )?;
    tx.execute(
        "INSERT INTO messages (id, session, seq, author, at, text, reply_to, tools, exchange, note_code)
         SELECT ?1, ?2, messages, 'bot', ?3, ?4, ?5, ?6, ?7, ?8 FROM sessions WHERE id = ?2",
        params![
            turn,
            row.session,
            now.as_millis(),
            row.text,
            row.message,
            serde_json::to_string(&tools)?,
            exchange,
            crate::messages::note_code(NoteCode::Interrupted)
        ],
    )?;
    tx.execute(
        "UPDATE turns SET state = 'interrupted', ended_at = ?2, partial_text = NULL, partial_tools = NULL WHERE id = ?1",
        params![turn, now.as_millis()],
    )?;
    // The turn that would use an answer is closed, and its calls are not repeated: there is nothing left to allow.
    approvals::cancel(tx, turn, "the agent was restarted", now)?;
    let data = serde_json::json!({"turn": turn, "outcome": "interrupted"});
    audit::append(tx, &Deed { at: now, kind: "turn.ended", actor: "agent".to_owned(), data })
}
