//! What bots remember, as the agent reports it.

use platform_types::memory::Memory;
use platform_types::{BotName, ProfileName};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/memory`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memories {
    pub profile: ProfileName,
    pub memories: Vec<Memory>,
}

/// Body of `POST /v1/profiles/{p}/memory/forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetFact {
    pub bot: BotName,
    pub id: String,
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    pub profile: ProfileName,
    pub bot: BotName,
    pub text: String,
}

impl Document for Memories {
    const SCHEMA: &'static str = "bot-platform.memory.v1";
}

impl Document for Forgotten {
    const SCHEMA: &'static str = "bot-platform.memory-forgotten.v1";
}
