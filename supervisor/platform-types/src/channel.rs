//! Channels: chats with people who are not at the page. A channel goes through the gate's upstream of the same name.
//!
//! ```text
//! stranger ──▶ server ──▶ gate ─┬─ admitted ──▶ agent          answer ──▶ gate ── known chat? ──▶ server
//!                               └─ unknown: a code to that chat, once in a while; the agent gets an empty update
//! ```
//!
//! The gate decides who is heard, over the chat and sender that it read itself, and mints the codes; the agent sees neither
//! a stranger's words nor a code. A sender counts as approved once the supervisor's ledger has it and the gate was told.
//! What is said is in [`crate::update`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{BotName, Timestamp, UpstreamName};

/// Channels of one profile. Each holds a request to its server open.
pub const MAX_CHANNELS: usize = 4;
/// Senders of one profile that wait for the operator at once. To further ones nothing is said until there is room.
pub const MAX_PENDING_SENDERS: usize = 8;
/// Senders of one profile that the ledger remembers, approved and blocked together. Each is pushed with every configuration.
pub const MAX_SENDERS: u32 = 256;
/// Ids in `allow` or `groups` of one channel.
pub const MAX_LISTED: usize = 256;
/// How long a code is good. A chat gets the next one only after that.
pub const CODE_MILLIS: i64 = 60 * 60 * 1000;
/// 40 bits: with [`MAX_WRONG_CODES`] nobody guesses one in its hour.
pub const CODE_CHARS: usize = 8;
/// No character that is taken for another.
pub const CODE_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Wrong codes that the operator may type in a profile within [`WRONG_CODES_MILLIS`]; then no code is tried, not even a right one.
pub const MAX_WRONG_CODES: u32 = 5;
pub const WRONG_CODES_MILLIS: i64 = 15 * 60 * 1000;
/// Longest name of a sender, in characters. It is what the sender calls himself.
pub const MAX_SENDER_NAME_CHARS: usize = 48;

/// Stands in what an agent's readiness notes about a channel that it does not hear, whatever the reason.
pub const NOT_HEARD: &str = "is not heard";

/// A chat or a sender, by the number that the server gave it. A person's own chat has the person's number; groups have
/// negative ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChatId(pub i64);

impl ChatId {
    /// One spelling only: `7`, not `007` or `+7`.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self).filter(|id| id.to_string() == text)
    }
}

impl fmt::Display for ChatId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who may write to a bot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Senders {
    /// Who is allowed or was approved; anybody else gets a code to show to the operator.
    #[default]
    Pairing,
    /// Who is allowed. Nobody else hears anything.
    Allowlist,
    /// Nobody.
    Closed,
}

impl Senders {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Closed => "closed",
        }
    }
}

/// What a gate is told about a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// The upstream that it goes through.
    pub name: UpstreamName,
    pub senders: Senders,
    /// Senders by configuration.
    pub allow: Vec<ChatId>,
    /// Groups in which known senders are heard. Nobody ever gets a code there.
    pub groups: Vec<ChatId>,
    /// Senders by the ledger; they count in [`Senders::Pairing`] only.
    pub approved_chats: Vec<ChatId>,
    /// Never heard, whatever else says so.
    pub blocked: Vec<ChatId>,
    /// Senders whose code is good still, by the ledger: they get no other.
    pub pending: Vec<PendingSender>,
}

/// A sender who has a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingSender {
    pub sender: ChatId,
    pub expires_at: Timestamp,
}

/// An unknown sender who was sent a code: what a gate reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderRequest {
    /// 32 lower-case hex digits, minted by the gate.
    pub id: String,
    pub channel: UpstreamName,
    /// The chat that the code was sent to, which is the sender's own.
    pub sender: ChatId,
    /// What the sender calls himself; at most [`MAX_SENDER_NAME_CHARS`], control characters removed.
    pub name: String,
    /// SHA-256 over the code as [`normal_code`] writes it, lower-case hex. The code itself stays with the sender.
    pub code_sha256: String,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// What an agent is told about a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentChannel {
    /// The `Host` under which the gate forwards.
    pub name: UpstreamName,
    pub kind: ChannelKind,
    /// Answers where a chat has chosen no other.
    pub bot: BotName,
    /// Others that a chat may choose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bots: Vec<BotName>,
    /// The gate's own page where confirmations are decided: the one URL that a button may have. `None`: the profile has no
    /// address that a phone could open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// What is spoken on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelKind {
    /// As [`Self::Telegram`], with a server on this host, for trials.
    Loopback,
    /// The Bot API.
    Telegram,
}

impl ChannelKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Telegram => "telegram",
        }
    }
}

/// A code from random bytes, as it is hashed.
pub fn code(random: [u8; CODE_CHARS]) -> String {
    random.iter().map(|byte| char::from(CODE_ALPHABET[usize::from(byte % 32)])).collect()
}

/// As people read it: `K7QX-M2PD`.
pub fn shown_code(code: &str) -> String {
    let (head, tail) = code.split_at(code.len().min(CODE_CHARS / 2));
    format!("{head}-{tail}")
}

/// What somebody typed as it is hashed: upper case, without hyphens and blanks. `None`: it is no code.
pub fn normal_code(typed: &str) -> Option<String> {
    let kept = typed.chars().filter(|c| *c != '-' && !c.is_whitespace()).take(CODE_CHARS + 1);
    let code: String = kept.map(|c| c.to_ascii_uppercase()).collect();
    let fits = code.len() == CODE_CHARS && code.bytes().all(|byte| CODE_ALPHABET.contains(&byte));
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_again_however_it_is_typed() {
        let code = code([0, 31, 32, 255, 7, 8, 9, 10]);
        assert_eq!((code.as_str(), shown_code(&code).as_str()), ("A9A9HJKL", "A9A9-HJKL"));
        for typed in ["A9A9-HJKL", "a9a9hjkl", " a9a9 HJkl "] {
            assert_eq!(normal_code(typed).as_deref(), Some("A9A9HJKL"), "{typed:?}");
        }
        for typed in ["", "A9A9-HJK", "A9A9-HJKLM", "A9A0-HJKL", "A9AI-HJKL", "Ä9A9-HJKL", "A9A9_HJKL"] {
            assert_eq!(normal_code(typed), None, "{typed:?}");
        }
    }

    #[test]
    fn no_two_characters_look_alike() {
        for byte in b"0O1Il" {
            assert!(!CODE_ALPHABET.contains(byte));
        }
        assert_eq!(CODE_ALPHABET.iter().collect::<std::collections::BTreeSet<_>>().len(), 32);
    }

    #[test]
    fn a_chat_has_one_spelling() {
        assert_eq!(ChatId::parse("-1001"), Some(ChatId(-1001)));
        for text in ["", "07", "+7", " 7", "7 ", "-0", "9223372036854775808", "@name", "7.0"] {
            assert_eq!(ChatId::parse(text), None, "{text:?}");
        }
    }
}
