//! What was said, as the agent reports it.

use platform_types::ProfileName;
use platform_types::chat::{SessionSummary, Transcript};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub profile: ProfileName,
    pub sessions: Vec<SessionSummary>,
}

impl Document for Sessions {
    const SCHEMA: &'static str = "bot-platform.sessions.v1";
}

impl Document for Transcript {
    const SCHEMA: &'static str = "bot-platform.transcript.v1";
}
