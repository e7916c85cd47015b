//! One answer as a state machine: events in, effects out.
//!
//! ```text
//!            Start                    ModelFinished, calls
//!   New ──────────────▶ Calling ─────────────────────────────▶ Tools
//!                       │  ▲ │ ▲                                 │
//!      too long, once   │  └─┘ └──── every call has its result ──┘
//!                       │
//!                       ├── ModelFinished, no calls ──▶ Over (completed)
//!                       ├── ModelFailed ──────────────▶ Over (failed)
//!                       └── limit, Cancel, Timeout ───▶ Over (what was said is kept)
//! ```
//!
//! Invariants, each held by a property test: no event panics in any state; nothing comes after [`Effect::Finish`], and it
//! comes once; a tool runs at most once per call and only after [`Decision::Allow`]; a person is asked at most once per call;
//! the model is called at most
//! [`MAX_MODEL_CALLS`] times and once more after an overflow; a cancel ends the turn at once.
//!
//! Events of a model call carry its number, so what a cancelled call still says is ignored.

mod calls;
mod machine;
mod overflow;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod tools;

use platform_types::ModelId;
use platform_types::chat::{Asking, Note, NoteCode, ToolCard, TurnOutcome, TurnPhase};
use platform_types::spark::Progress;
use serde::{Deserialize, Serialize};

use crate::history::Group;
use crate::prompt::{ModelRequest, Prompt, Risk, Sampling, ToolCall, ToolSpec, Usage};

pub use machine::Turn;

/// Calls of the model in one turn: a chain of tool calls longer than this is a loop.
pub const MAX_MODEL_CALLS: u32 = 8;
/// Tool calls in one answer of the model; the rest is refused with a word to the model.
pub const MAX_CALLS_PER_ANSWER: usize = 8;
/// How often one turn may make the very same call.
pub const MAX_IDENTICAL_CALLS: u32 = 2;
/// Longest answer, in bytes: four times what the longest models write in one go.
pub const MAX_ANSWER_BYTES: usize = 256 * 1024;
/// Longest arguments of one call, in bytes.
pub const MAX_ARGUMENT_BYTES: usize = 32 * 1024;
/// Longest result of one call as the model gets it, in bytes.
pub const MAX_RESULT_BYTES: usize = 16 * 1024;
/// Arguments and results as people see them, in characters.
pub const MAX_CARD_CHARS: usize = 2000;

/// What a turn starts from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// 32 lower-case hex digits.
    pub id: String,
    pub model: ModelId,
    /// The bot's instructions.
    pub system: String,
    /// What stands before the history: see [`crate::standing`].
    pub standing: Vec<Prompt>,
    /// What was said before, oldest first.
    pub history: Vec<Group>,
    /// What is answered.
    pub message: Prompt,
    pub tools: Vec<ToolSpec>,
    pub sampling: Sampling,
    /// Tokens; `None` where the server does not tell.
    pub context_window: Option<u32>,
}

/// What happens to a turn. `call` numbers the calls of the model from 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Start,
    Text {
        call: u32,
        text: String,
    },
    Fragment {
        call: u32,
        fragment: CallFragment,
    },
    /// The model has not begun to answer; what it waits for.
    Waits {
        call: u32,
        progress: Progress,
    },
    ModelFinished {
        call: u32,
        reason: FinishReason,
        usage: Option<Usage>,
    },
    ModelFailed {
        call: u32,
        failure: ModelFailure,
    },
    Decided {
        id: String,
        decision: Decision,
    },
    /// A person is asked: what the card says about it.
    Asked {
        id: String,
        asking: Asking,
    },
    /// A running tool waits for a person's decision at the gate, or does so no more.
    Confirming {
        id: String,
        waits: bool,
    },
    ToolEnded {
        id: String,
        outcome: Result<String, String>,
    },
    Cancel(Cancel),
    /// The turn took longer than it may.
    Timeout,
}

/// A piece of a tool call, as it streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFragment {
    pub index: usize,
    pub name: Option<String>,
    pub arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    /// Something else, a content filter say.
    Other(String),
}

/// Why a call of the model failed. `message` says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFailure {
    /// The stable code of [`platform_types::ErrorCode`].
    pub code: String,
    pub message: String,
    /// Set when the prompt did not fit.
    pub overflow: Option<Overflow>,
}

/// The two numbers of an overflow, where the server tells them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overflow {
    pub prompt_tokens: Option<u64>,
    pub window_tokens: Option<u64>,
}

/// May this call run? Decided outside, by policy or a person, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// A person decides: see [`Effect::Ask`].
    Ask {
        evidence: String,
    },
    Deny {
        evidence: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancel {
    /// The person pressed stop.
    Stopped,
    /// The agent stops.
    Interrupted,
}

/// What a turn wants done, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    CallModel {
        call: u32,
        request: ModelRequest,
    },
    CancelModel,
    /// Ask policy, answer with [`Event::Decided`].
    Decide(ToolCall),
    /// Ask a person, answer with [`Event::Asked`] and in the end with [`Event::Decided`].
    Ask {
        call: ToolCall,
        evidence: String,
    },
    /// Run it, answer with [`Event::ToolEnded`]. With `durable`, only after the records so far are on disk.
    RunTool {
        call: ToolCall,
        durable: bool,
    },
    Record(Record),
    Emit(Emission),
    Finish(Box<Answer>),
}

/// What people see of a running turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Emission {
    /// `offset` counts UTF-16 code units.
    Delta {
        offset: u64,
        text: String,
    },
    Changed {
        phase: TurnPhase,
        tools: Vec<ToolCard>,
    },
    /// What the model waits for; it ends with words, or with another phase.
    Waits(Progress),
}

/// One step, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    ModelCalled {
        call: u32,
        messages: usize,
        left_out: usize,
    },
    ModelFinished {
        call: u32,
        usage: Option<Usage>,
    },
    ModelFailed {
        call: u32,
        code: String,
    },
    ToolIntended {
        id: String,
        name: String,
        risk: Risk,
    },
    ToolDenied {
        id: String,
        name: String,
        evidence: String,
    },
    ToolEnded {
        id: String,
        name: String,
        ok: bool,
    },
    /// The turn ended while it ran.
    ToolLost {
        id: String,
        name: String,
    },
    Finished {
        outcome: TurnOutcome,
    },
}

/// The end of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub outcome: TurnOutcome,
    pub text: String,
    pub tools: Vec<ToolCard>,
    pub note: Option<Note>,
    /// The stable code, when the model failed.
    pub failure: Option<ModelFailure>,
    /// The conversation did not fit: older messages, or long results, were left out.
    pub shortened: bool,
    /// The model's window in estimated tokens, where the server told it because a prompt did not fit.
    pub window: Option<u32>,
    /// What later turns send to the model as this answer.
    pub exchange: Vec<Prompt>,
    /// `None` where the server does not count.
    pub usage: Option<Usage>,
    pub model_calls: u32,
    pub tool_calls: u32,
    pub denied_calls: u32,
}

impl Answer {
    /// The end of a turn that could not start.
    pub fn failed(failure: ModelFailure) -> Self {
        Self {
            outcome: TurnOutcome::Failed,
            text: String::new(),
            tools: Vec::new(),
            note: Some(Note { code: NoteCode::Failed, detail: Some(failure.message.clone()) }),
            failure: Some(failure),
            shortened: false,
            window: None,
            exchange: Vec::new(),
            usage: None,
            model_calls: 0,
            tool_calls: 0,
            denied_calls: 0,
        }
    }
}
