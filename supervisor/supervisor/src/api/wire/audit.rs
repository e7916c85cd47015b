//! What was done, by whom.

use std::collections::BTreeMap;

use platform_types::audit::{Anchor, Chain};
use platform_types::{DeviceId, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Document;

/// The most lines that are given at once.
pub const MAX_LINES: u32 = 1000;

/// Body of `GET /v1/profiles/{p}/audit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trail {
    pub profile: ProfileName,
    pub now: Timestamp,
    /// Whether every chain holds; `None` when it was not asked.
    pub verified: Option<bool>,
    pub chains: Vec<ChainState>,
    /// The newest, in the order of time.
    pub lines: Vec<Line>,
    /// What the profile's devices are called, those without access too.
    #[serde(default)]
    pub devices: BTreeMap<DeviceId, String>,
}

/// One process's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    pub chain: Chain,
    /// Where it ends; `None` when it is empty or was not read.
    pub head: Option<Anchor>,
    /// So many entries at its beginning are not kept any more.
    pub rotated: u64,
    /// Verified: entries up to this one are proven by a head that somebody else keeps.
    pub anchored: Option<u64>,
    /// Verified: so many entries after it are consistent in themselves, and no more.
    pub unproven: Option<u64>,
    /// Where it is broken, or why it could not be read.
    pub problem: Option<String>,
}

/// One entry. What an agent says is as the agent reports it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub at: Timestamp,
    pub chain: Chain,
    pub n: u64,
    pub kind: String,
    pub actor: String,
    /// For people.
    pub words: String,
    pub data: Value,
    pub hash: String,
}

impl Document for Trail {
    const SCHEMA: &'static str = "bot-platform.audit.v1";
}
