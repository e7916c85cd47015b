//! Messages of people, and reading what was said.

use agent_core::title;
use platform_types::Timestamp;
use platform_types::chat::{Author, Note, NoteCode, SessionSummary, ToolCard};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use crate::{Begun, Store, StoreError, StoredSummary, Wrote, chats, sessions, turns};

/// Text in one page of history: a page of very long messages ends early.
const MAX_PAGE_BYTES: usize = 1024 * 1024;

/// A message as it is stored. The tree for the page is made from its text when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub seq: u64,
    pub id: String,
    pub author: Author,
    pub at: Timestamp,
    pub text: String,
    pub tools: Vec<ToolCard>,
    pub note: Option<Note>,
    /// Older messages were left out, because the conversation did not fit.
    pub shortened: bool,
}

/// A person's message on its way in.
#[derive(Debug, Clone)]
pub struct NewMessage {
    pub session: String,
    pub id: String,
    pub text: String,
    pub at: Timestamp,
    /// Names the turn that will answer.
    pub turn: String,
    /// The turn starts now; else it waits in line.
    pub start: bool,
    /// Bytes of history to read for a turn that starts now.
    pub history_bytes: usize,
    /// Who wrote it, where it came through a channel: what is said there goes on there, and nowhere else.
    pub wrote: Option<Wrote>,
}

/// A message that is durable.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub message: Stored,
    pub session: SessionSummary,
    /// The id was known: nothing was stored, no turn belongs to this call.
    pub known: bool,
}

/// Some messages, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub messages: Vec<Stored>,
    /// There are older ones.
    pub more: bool,
    /// Summaries of the session.
    pub summaries: Vec<StoredSummary>,
}

/// Whichever is reached first ends a page, but a page has one message at least.
#[derive(Clone, Copy)]
struct Limits {
    messages: usize,
    bytes: usize,
}

impl Store {
    /// Stores a person's message and its turn in one commit. A known id stores nothing.
    ///
    /// `starts` gets the turn right before the commit, so that the model need not wait for the disk. When the commit fails,
    /// the message was never stored: the turn has to be called off.
    pub fn accept(&mut self, new: &NewMessage, starts: impl FnOnce(Begun)) -> Result<Accepted, StoreError> {
        self.durable(|tx| {
            if let Some((session, message)) = by_id(tx, &new.id)? {
                if session != new.session {
                    return Err(StoreError::Conflict("this message id belongs to another chat"));
                }
                let session = sessions::find(tx, &session)?.ok_or(StoreError::NotFound("chat"))?;
                return Ok(Accepted { message, session, known: true });
            }
            if is_chat(tx, &new.session)? != new.wrote.is_some() {
                return Err(StoreError::Conflict("this chat is held elsewhere; write there"));
            }
            let made = title::from_message(&new.text);
            let mut statement = tx.prepare_cached(
                "UPDATE sessions SET messages = messages + 1, updated_at = ?2,
                 title = CASE title WHEN '' THEN ?3 ELSE title END WHERE id = ?1",
            )?;
            if statement.execute(params![new.session, new.at.as_millis(), made])? == 0 {
                return Err(StoreError::NotFound("chat"));
            }
            let session = sessions::find(tx, &new.session)?.ok_or(StoreError::NotFound("chat"))?;
            let seq = session.messages;
            tx.prepare_cached(
                "INSERT INTO messages (id, session, seq, author, at, text) VALUES (?1, ?2, ?3, 'person', ?4, ?5)",
            )?
            .execute(params![new.id, new.session, seq, new.at.as_millis(), new.text])?;
            if let Some(wrote) = &new.wrote {
                chats::insert_origin(tx, &new.id, wrote)?;
            }
            turns::insert(tx, new, seq)?;
            let message = Stored {
                seq,
                id: new.id.clone(),
                author: Author::Person,
                at: new.at,
                text: new.text.clone(),
                tools: Vec::new(),
                note: None,
                shortened: false,
            };
            if new.start
                && let Some(begun) = turns::begun(tx, &new.turn, new.history_bytes, new.at)?
            {
                starts(begun);
            }
            Ok(Accepted { message, session, known: false })
        })
    }

    /// The newest messages of a session, oldest first, whatever their size.
    pub fn transcript(&self, session: &str, limit: usize) -> Result<Page, StoreError> {
        self.read(session, None, Limits { messages: limit, bytes: usize::MAX })
    }

    /// The newest messages of a session with a seq below `before`.
    pub fn messages(&self, session: &str, before: Option<u64>, limit: usize) -> Result<Page, StoreError> {
        self.read(session, before, Limits { messages: limit, bytes: MAX_PAGE_BYTES })
    }

    fn read(&self, session: &str, before: Option<u64>, limits: Limits) -> Result<Page, StoreError> {
        if sessions::find(&self.connection, session)?.is_none() {
            return Err(StoreError::NotFound("chat"));
        }
        let before = before.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE session = ?1 AND seq < ?2 ORDER BY seq DESC"
        ))?;
        let mut rows = statement.query(params![session, before])?;
        let mut page = Page::default();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            let message = stored(raw(row)?)?;
            bytes += message.text.len();
            if page.messages.len() >= limits.messages || (bytes > limits.bytes && !page.messages.is_empty()) {
                page.more = true;
                break;
            }
            page.messages.push(message);
        }
        page.messages.reverse();
        page.summaries = self.summaries(session)?;
        Ok(page)
    }
}

/// Whether a session belongs to a channel.
pub(crate) fn is_chat(tx: &Transaction<'_>, session: &str) -> Result<bool, StoreError> {
    let mut statement = tx.prepare_cached("SELECT EXISTS (SELECT 1 FROM conversations WHERE session = ?1)")?;
    Ok(statement.query_row([session], |row| row.get(0))?)
}

/// A message, and its session.
pub(crate) fn by_id(tx: &Transaction<'_>, id: &str) -> Result<Option<(String, Stored)>, StoreError> {
    let mut statement = tx.prepare_cached(&format!("SELECT {COLUMNS}, session FROM messages WHERE id = ?1"))?;
    let found = statement.query_row([id], |row| Ok((row.get::<_, String>(9)?, raw(row)?))).optional()?;
    found.map(|(session, raw)| Ok((session, stored(raw)?))).transpose()
}

const COLUMNS: &str = "seq, id, author, at, text, tools, note_code, note_detail, shortened";

struct Raw {
    seq: u64,
    id: String,
    author: String,
    at: i64,
    text: String,
    tools: Option<String>,
    note_code: Option<String>,
    note_detail: Option<String>,
    shortened: bool,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok(Raw {
        seq: row.get(0)?,
        id: row.get(1)?,
        author: row.get(2)?,
        at: row.get(3)?,
        text: row.get(4)?,
        tools: row.get(5)?,
        note_code: row.get(6)?,
        note_detail: row.get(7)?,
        shortened: row.get(8)?,
    })
}

fn stored(raw: Raw) -> Result<Stored, StoreError> {
    let Raw { seq, id, author, at, text, tools, note_code, note_detail, shortened } = raw;
    let author = if author == "person" { Author::Person } else { Author::Bot };
    let tools = tools.map_or_else(|| Ok(Vec::new()), |tools| serde_json::from_str(&tools))?;
    let note = read_note(note_code, note_detail)?;
    Ok(Stored { seq, id, author, at: Timestamp(at), text, tools, note, shortened })
}

/// A note's code as it is stored: the same word as on the wire.
pub(crate) fn note_code(code: NoteCode) -> &'static str {
    match code {
        NoteCode::Stopped => "stopped",
        NoteCode::Interrupted => "interrupted",
        NoteCode::Failed => "failed",
        NoteCode::Length => "length",
        NoteCode::ToolLimit => "tool_limit",
    }
}

pub(crate) fn read_note(code: Option<String>, detail: Option<String>) -> Result<Option<Note>, StoreError> {
    code.map(|code| Ok(Note { code: read_code(&code)?, detail })).transpose()
}

fn read_code(text: &str) -> Result<NoteCode, StoreError> {
    [NoteCode::Stopped, NoteCode::Interrupted, NoteCode::Failed, NoteCode::Length, NoteCode::ToolLimit]
        .into_iter()
        .find(|code| note_code(*code) == text)
        .ok_or_else(|| StoreError::Row(format!("unknown note {text:?}").into()))
}
