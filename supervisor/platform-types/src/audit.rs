//! The record of what was done: append-only lines, each bound to the one before by SHA-256.
//!
//! Three processes keep one each: the agent (tool calls, policy decisions, approvals), the gate (requests out, pairing,
//! confirmations) and the supervisor (configuration, devices, snapshots, rollouts). Heads of the agent's and the supervisor's
//! chains are kept by the gate, heads of the gate's and the agent's by the supervisor: an edit, a removal, a change of order
//! or a cut before the last of these anchors is found. `platform_kit::chain` computes and verifies.
//!
//! Agent and gate drop their oldest entries when there are many, and say after which one the rest begins. How much may be
//! gone follows from where the chain ends: see [`Chain::latest_base`].

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ProfileName, Timestamp};

/// The hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Entries in one answer of an admin socket.
pub const MAX_PAGE: usize = 500;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1 without gaps.
    pub n: u64,
    pub at: Timestamp,
    /// What happened: `area.verb`, such as `tool.denied`, `egress.allowed`, `confirmation.decided`.
    pub kind: String,
    /// Who or what did it: a device, a bot, an operator, a rule.
    pub actor: String,
    /// The rest, a flat JSON object; never a secret, never the text of a chat.
    pub data: Value,
    /// SHA-256 over the hash before and this line, lower-case hex.
    pub hash: String,
}

/// An agent's oldest entries go in blocks of so many.
pub const AGENT_BLOCK: u64 = 5_000;
/// Entries that an agent keeps at least: about 8 MB.
pub const AGENT_KEEPS: u64 = 20_000;
/// Entries that a gate keeps at least: its files hold 31 MiB, an entry below 6 KiB.
pub const GATE_KEEPS: u64 = 5_000;

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    pub n: u64,
    pub hash: String,
}

/// Whose chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chain {
    Agent,
    Gate,
    Supervisor,
}

impl Chain {
    /// The last entry that may have been dropped from a chain that ends at `head`; 0: none.
    pub fn latest_base(self, head: u64) -> u64 {
        match self {
            Self::Agent => head.saturating_sub(AGENT_KEEPS) / AGENT_BLOCK * AGENT_BLOCK,
            Self::Gate => head.saturating_sub(GATE_KEEPS),
            Self::Supervisor => 0,
        }
    }
}

/// Body of `GET /audit?after=N` on an admin socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub entries: Vec<Entry>,
    /// There are later ones.
    pub more: bool,
    pub head: Option<Anchor>,
    /// The head before the oldest entry that is still kept, where older ones were rotated away. Only from `after=0`.
    #[serde(default)]
    pub base: Option<Anchor>,
    /// Heads of other chains that this process keeps, oldest first. Only from `after=0`.
    #[serde(default)]
    pub anchors: Vec<KeptAnchor>,
}

/// Entries in one answer to a page that shows a timeline.
pub const MAX_SHOWN: usize = 50;

/// Body of `GET /gate/audit?before=N` of a gate and of `GET /api/audit?before=N` of an agent: a timeline, read backwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// There are earlier ones.
    pub more: bool,
}

impl Shown {
    /// The newest of `entries`, which are in order.
    pub fn newest(mut entries: Vec<Entry>, more: bool) -> Self {
        let surplus = entries.len().saturating_sub(MAX_SHOWN);
        entries.drain(..surplus);
        entries.reverse();
        Self { entries, more: more || surplus > 0 }
    }
}

/// A head that somebody else keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnchor {
    pub chain: Chain,
    pub profile: Option<ProfileName>,
    pub at: Timestamp,
    pub head: Anchor,
}
