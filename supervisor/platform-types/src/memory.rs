//! What a bot remembers from chat to chat, for people: shown, changed and deleted on the page and with `botctl`.

use serde::{Deserialize, Serialize};

use crate::BotName;

/// Body of `GET /memory` of an agent: every bot that has a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryList {
    pub memories: Vec<Memory>,
}

/// What one bot remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub bot: BotName,
    /// Newest first.
    pub facts: Vec<Fact>,
    /// Bytes of facts that go into a prompt at most.
    pub prompt_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Eight lower-case hex digits; another once the words have changed.
    pub id: String,
    /// One line.
    pub text: String,
    /// When it was remembered, as `2026-11-23`; empty where that is not known.
    pub date: String,
    /// All bots of the profile have it.
    pub shared: bool,
    /// It goes into the prompt of each turn; the others are found by the bot's search only.
    pub in_prompt: bool,
}

/// Body of `POST /memory/forget`: the operator has a bot forget a fact. Answered with the [`Fact`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    pub bot: BotName,
    pub id: String,
    pub user: String,
}
