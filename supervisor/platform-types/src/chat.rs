//! What the page and the agent say to each other: JSON text messages on one WebSocket, forwarded by the gate.
//!
//! The gate speaks first ([`GateHello`] and [`GateAuth`]); after `ready` every frame is the agent's ([`ToPage`]) or the
//! page's ([`ToAgent`]). A message that the page sends carries an id that the page minted: sent again after a lost
//! connection, it is stored once. The agent acknowledges with `message` once the message is durable.
//!
//! ```text
//! page                        gate                        agent
//!  │ GET /ws (upgrade)         │                            │
//!  │ ◀─ challenge ──────────── │                            │
//!  │ ── auth (signature) ────▶ │ ── GET /ws (device id) ──▶ │
//!  │ ◀─ ready ──────────────── │                            │
//!  │ ◀────────────────────────────────────── welcome ────── │
//!  │ ── open {session} ───────────────────────────────────▶ │
//!  │ ◀──────────────────────────────── history, running turn │
//!  │ ── send {message} ───────────────────────────────────▶ │
//!  │ ◀───────────────── message, turn, delta…, tool, ended ─ │
//! ```

use serde::{Deserialize, Serialize};

use crate::gate::Scope;
use crate::markdown::Block;
use crate::memory::Memory;
use crate::spark::Progress;
use crate::{BotName, DeviceId, ModelId, ProfileName, Timestamp};

/// Longest text of one message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Longest title of a session, in characters.
pub const MAX_TITLE_CHARS: usize = 120;
/// Messages in one `history`.
pub const HISTORY_PAGE: usize = 50;
/// Header from gate to agent: the authenticated device.
pub const DEVICE_HEADER: &str = "x-bot-device";
/// Header from gate to agent: what that device may do, as words of [`crate::gate::Scope`] with commas between them.
pub const SCOPES_HEADER: &str = "x-bot-scopes";
/// Header from gate to agent: the authenticated script token's name.
pub const TOKEN_HEADER: &str = "x-bot-token";

/// What the gate sends before the agent is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateHello {
    /// Sign [`crate::gate::SignedText`] with purpose `Connect` over exactly these values.
    Challenge { profile: ProfileName, host: String, nonce: String, time: Timestamp },
    /// Authenticated and connected; what follows is the agent's. `ticket` is a bearer for `/api` while this socket lives.
    Ready {
        device: DeviceId,
        name: String,
        ticket: String,
        /// What the page shows; what counts is enforced where it happens.
        scopes: Vec<Scope>,
        /// [`crate::gate::GateConfig::botctl`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        botctl: Option<String>,
    },
    /// Refused; the socket closes with 4401 (`unauthorized`: pair again) or 4503 (`agent_unavailable`: try again).
    Refused { code: String, message: String },
}

/// The page's answer to the challenge. `signature` is base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateAuth {
    Auth { device: DeviceId, signature: String },
}

/// From the page to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToAgent {
    /// Makes a session. `id` is minted by the page: 32 lower-case hex digits. Again with the same id: nothing happens.
    CreateSession {
        id: String,
        bot: BotName,
    },
    RenameSession {
        session: String,
        title: String,
    },
    DeleteSession {
        session: String,
    },
    /// Subscribes to one session (leaving the one before) and asks for its newest messages.
    Open {
        session: String,
    },
    /// Older messages than `before`.
    Older {
        session: String,
        before: u64,
    },
    /// `id` is minted by the page: 32 lower-case hex digits.
    Send {
        session: String,
        id: String,
        text: String,
    },
    /// Stops the running turn of the session; a stopped turn keeps what it said.
    Stop {
        session: String,
    },
    /// Answers what a tool call asks; needs the scope `approve`. The first answer counts.
    Decide {
        approval: String,
        /// What was shown: an answer about anything else is refused.
        digest: String,
        allow: bool,
    },
    /// What a bot remembers: answered with `memory`.
    Memory {
        bot: BotName,
    },
    /// Changes the words of a remembered fact: answered with `memory`.
    EditFact {
        bot: BotName,
        id: String,
        text: String,
    },
    /// Has a bot forget a fact: answered with `memory`.
    ForgetFact {
        bot: BotName,
        id: String,
    },
    /// Answered with `pong` at once: the page finds dead connections with it.
    Ping {
        n: u64,
    },
}

/// From the agent to the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToPage {
    Welcome {
        profile: ProfileName,
        bots: Vec<BotCard>,
        sessions: Vec<SessionSummary>,
    },
    /// The whole list: a session was made, renamed or deleted.
    Sessions {
        sessions: Vec<SessionSummary>,
    },
    /// One session of the list: its turn began or ended.
    Summary {
        summary: SessionSummary,
    },
    /// The newest messages (or those before `before` of `older`), oldest first, and the turn that runs now.
    History {
        session: String,
        messages: Vec<Message>,
        more: bool,
        turn: Option<RunningTurn>,
    },
    /// A message is durable: the page's own (its acknowledgement) or a bot's final one.
    Message {
        session: String,
        message: Message,
    },
    /// A turn started or changed what it is doing.
    Turn {
        session: String,
        turn: RunningTurn,
    },
    /// More text of the running answer; `offset` is the number of UTF-16 code units before it.
    Delta {
        session: String,
        turn: String,
        offset: u64,
        text: String,
    },
    /// What the running turn waits for at the model box. Sent when that changes, not as the time goes by; text or another
    /// phase is its end.
    Progress {
        session: String,
        turn: String,
        progress: Progress,
    },
    /// A turn is over. Its message came before.
    Ended {
        session: String,
        turn: String,
        outcome: TurnOutcome,
    },
    /// What a bot remembers.
    Memory {
        memory: Memory,
    },
    /// A request of the page could not be carried out; `id` names the message when there is one.
    Failed {
        code: String,
        message: String,
        session: Option<String>,
        id: Option<String>,
    },
    Pong {
        n: u64,
    },
}

/// A bot as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotCard {
    pub name: BotName,
    pub title: String,
    pub model: ModelId,
    /// Answers come from the built-in demo model.
    pub demo: bool,
    /// It remembers facts, which can be seen and changed.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub memory: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// 32 lower-case hex digits.
    pub id: String,
    pub bot: BotName,
    /// Empty until the first message names it.
    pub title: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub messages: u64,
    pub running: bool,
}

/// One stored message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Order within the session, from 1 without gaps.
    pub seq: u64,
    /// 32 lower-case hex digits; the page's own for a person's message.
    pub id: String,
    pub author: Author,
    pub at: Timestamp,
    /// What was said, as Markdown source.
    pub text: String,
    /// The same, parsed. A person's message is not parsed: the page shows its text as it is.
    #[serde(default)]
    pub tree: Vec<Block>,
    /// Tool calls that this answer made, in order.
    #[serde(default)]
    pub tools: Vec<ToolCard>,
    /// Set when the answer is not a whole one.
    #[serde(default)]
    pub note: Option<Note>,
    /// For this answer older messages of the session, or long results of tools, were left out: with them the prompt was too
    /// long for the model.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub shortened: bool,
    /// What stands for this message and those before it in later prompts. The messages themselves stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// The earlier part of a long session in few words, made by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub at: Timestamp,
    /// Markdown source.
    pub text: String,
    #[serde(default)]
    pub tree: Vec<Block>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Author {
    Person,
    Bot,
}

/// Why an answer is not a whole one. `code` chooses the words in the page's language; `detail` is shown as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub code: NoteCode,
    #[serde(default)]
    pub detail: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteCode {
    /// The person pressed stop.
    Stopped,
    /// The agent was restarted in the middle.
    Interrupted,
    /// The model, or the way to it, failed; `detail` says what to do.
    Failed,
    /// The model stopped at its length limit.
    Length,
    /// The turn reached its limit of tool calls.
    ToolLimit,
}

/// A tool call as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCard {
    pub id: String,
    pub name: String,
    /// The arguments, as JSON text, cut at 2,000 characters.
    pub arguments: String,
    pub state: ToolState,
    /// The result or the reason, cut at 2,000 characters.
    #[serde(default)]
    pub result: Option<String>,
    /// Set while the state is `asking`.
    #[serde(default)]
    pub asking: Option<Asking>,
}

/// What a person is asked before a tool call runs. The card's arguments are the exact ones, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// Names the approval: 32 lower-case hex digits.
    pub approval: String,
    /// SHA-256 over the exact call, lower-case hex.
    pub digest: String,
    pub expires_at: Timestamp,
    /// Why it is asked.
    pub why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolState {
    /// Waits for a person's answer to [`ToAgent::Decide`].
    Asking,
    Running,
    /// Runs, and waits for a person's decision at the gate.
    Confirming,
    Done,
    Failed,
    Denied,
    /// The agent was restarted while it ran: whether it took effect is not known.
    Unknown,
}

/// The turn that runs now, enough to draw it from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningTurn {
    /// 32 lower-case hex digits.
    pub id: String,
    pub phase: TurnPhase,
    /// Everything said so far.
    pub text: String,
    pub tools: Vec<ToolCard>,
    pub started_at: Timestamp,
    /// What it waits for at the model box, as it is now. Only while the phase is `waiting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnPhase {
    /// Behind other messages of this session, or waiting for the first token.
    Waiting,
    Answering,
    Tools,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnOutcome {
    Completed,
    Stopped,
    Failed,
    Interrupted,
}

/// A whole session, for export and `botctl session show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    pub session: SessionSummary,
    pub messages: Vec<Message>,
}
