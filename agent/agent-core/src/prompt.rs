//! What is said to a model, and the tools it is offered. Our own nouns: `agent-llm` writes them as OpenAI's.

use platform_types::ModelId;
use serde::{Deserialize, Serialize};

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Prompt {
    System {
        text: String,
    },
    User {
        text: String,
    },
    Assistant {
        text: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolCall>,
    },
    /// The result of the call with this id.
    Tool {
        call: String,
        text: String,
    },
}

impl Prompt {
    /// Bytes that count for the model's context window.
    pub fn bytes(&self) -> usize {
        match self {
            Self::System { text } | Self::User { text } | Self::Tool { text, .. } => text.len(),
            Self::Assistant { text, calls } => {
                text.len() + calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>()
            }
        }
    }
}

/// A call that the model asked for. `arguments` is JSON text, as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// What a tool may do to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Changes nothing: doing it twice is the same as once.
    Read,
    /// Changes only what is the bot's own: notes and memory. Its intent is durable before it runs.
    Own,
    /// Changes something: its intent is durable before it runs.
    Change,
    /// Changes something that cannot be undone.
    Danger,
}

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Dotted, for example `clock.now`.
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments: opaque here, passed on to the model.
    pub parameters: serde_json::Value,
    pub risk: Risk,
}

impl ToolSpec {
    /// Whether `name`, as a model wrote it, means this tool.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || wire_name(&self.name) == name
    }
}

/// A tool's name on the wire: OpenAI permits no dots in it, and some servers cut a name at its last dot.
pub fn wire_name(name: &str) -> String {
    name.replace('.', "_")
}

/// How the model samples; `None` leaves it to the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub max_tokens: Option<u32>,
    pub seed: Option<i64>,
    pub stop: Vec<String>,
}

/// One call of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRequest {
    pub model: ModelId,
    pub messages: Vec<Prompt>,
    pub tools: Vec<ToolSpec>,
    pub sampling: Sampling,
}

/// Tokens as the model counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
}

impl Usage {
    /// Both counts added.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
        }
    }
}
