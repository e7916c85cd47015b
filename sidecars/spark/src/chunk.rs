//! The parts of a chunk, or of a plain answer, that matter here. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Tokens of one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    /// Of the input: read from the server's prompt cache, where it tells.
    pub cached: u64,
    /// Counted by chunks, because the server told nothing.
    pub estimated: bool,
}

/// Usage as servers tell it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    /// The demo model says so itself.
    #[serde(default)]
    estimated: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        Self {
            input: wire.prompt_tokens.unwrap_or(0),
            output: wire.completion_tokens.unwrap_or(0),
            cached: wire.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            estimated: wire.estimated.unwrap_or(false),
        }
    }
}

/// The parts of a chunk, or of a plain answer, that matter here.
#[derive(Debug, Deserialize)]
pub struct Chunk<'a> {
    #[serde(borrow, default)]
    pub model: Option<Cow<'a, str>>,
    #[serde(default)]
    pub choices: Option<Vec<Choice>>,
    #[serde(default)]
    pub usage: Option<WireUsage>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
}

impl Chunk<'_> {
    /// vLLM and `SGLang` write some errors flat: `{"object":"error","message":…}`.
    pub fn is_flat_error(&self) -> bool {
        self.object.as_deref() == Some("error")
    }
}

#[derive(Debug, Deserialize)]
pub struct Choice {
    /// Whatever it is, the answer is over.
    #[serde(default)]
    finish_reason: Option<IgnoredAny>,
}

impl Choice {
    pub fn is_last(&self) -> bool {
        self.finish_reason.is_some()
    }
}
