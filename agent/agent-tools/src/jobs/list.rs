//! `jobs.list`: jobs, what changed last first.

use agent_core::prompt::Risk;
use platform_types::ways::{FAILED_JOBS, JOB_ORDER};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{Job, Table, jobs};
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Jobs in one answer, unless it is said, and at most.
const LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 40;

/// Lists jobs.
#[derive(Debug)]
pub struct JobsList(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    /// "failed" lists failed and dead jobs.
    #[serde(default)]
    status: Status,
    /// 1 to 40, 20 unless given.
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    #[default]
    Failed,
    Queued,
    Running,
    Succeeded,
    Cancelled,
    All,
}

impl Status {
    fn filter(self) -> Option<&'static str> {
        match self {
            Self::Failed => Some(FAILED_JOBS),
            Self::Queued => Some("eq.queued"),
            Self::Running => Some("eq.running"),
            Self::Succeeded => Some("eq.succeeded"),
            Self::Cancelled => Some("eq.cancelled"),
            Self::All => None,
        }
    }
}

/// Jobs that fit.
#[derive(Debug, Serialize)]
pub struct Listed {
    jobs: Vec<Job>,
    /// There are more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

impl Tool for JobsList {
    type Arguments = ListArguments;
    type Output = Listed;

    const NAME: &'static str = "jobs.list";
    const DESCRIPTION: &'static str = "Lists jobs with status, attempts and last error, the latest change first.";
    const RISK: Risk = Risk::Read;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        let kinds = &reach.jobs?.kinds;
        let kinds = if kinds.is_empty() { String::new() } else { format!(" Kinds: {}.", kinds.join(", ")) };
        Some(format!("{}{kinds}", Self::DESCRIPTION))
    }

    fn call<'a>(&'a self, arguments: ListArguments, context: &'a Context) -> Pending<'a, Listed> {
        Box::pin(list(&self.0, arguments, context))
    }
}

async fn list(egress: &Egress, arguments: ListArguments, context: &Context) -> Result<Listed, ToolError> {
    let ListArguments { status, limit } = arguments;
    let limit = limit.unwrap_or(LIMIT).clamp(1, MAX_LIMIT);
    let table = Table { egress, jobs: jobs(context)?, context };
    // One more than is shown, to know whether there are more.
    let mut filters = vec![("order", JOB_ORDER.to_owned()), ("limit", (limit + 1).to_string())];
    filters.extend(status.filter().map(|filter| ("status", filter.to_owned())));
    let mut jobs = table.rows(&filters).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = jobs.len() > shown;
    jobs.truncate(shown);
    Ok(Listed { jobs, more })
}
