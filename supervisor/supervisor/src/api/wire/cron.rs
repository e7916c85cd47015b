//! Jobs by the clock, as the agent reports them.

use platform_types::cron::{JobStatus, Run};
use platform_types::{BotName, JobName, ProfileName};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/cron`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jobs {
    pub profile: ProfileName,
    /// In the order of the configuration.
    pub jobs: Vec<JobStatus>,
}

/// Body of `GET /v1/profiles/{p}/cron/{bot}/{job}/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    pub profile: ProfileName,
    pub bot: BotName,
    pub job: JobName,
    /// Newest first.
    pub runs: Vec<Run>,
}

/// The answer to `POST /v1/profiles/{p}/cron/{bot}/{job}/{run,pause,resume}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobChanged {
    pub profile: ProfileName,
    /// How it is now.
    pub job: JobStatus,
}

impl Document for Jobs {
    const SCHEMA: &'static str = "bot-platform.cron.v1";
}

impl Document for Runs {
    const SCHEMA: &'static str = "bot-platform.cron-runs.v1";
}

impl Document for JobChanged {
    const SCHEMA: &'static str = "bot-platform.cron-job.v1";
}
