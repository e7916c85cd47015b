//! `jobs.show`: one job.

use agent_core::prompt::Risk;
use schemars::JsonSchema;
use serde::Deserialize;

use super::table::{Job, JobId, Table, jobs, unknown};
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Shows one job.
#[derive(Debug)]
pub struct JobsShow(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowArguments {
    id: JobId,
}

impl Tool for JobsShow {
    type Arguments = ShowArguments;
    type Output = Job;

    const NAME: &'static str = "jobs.show";
    const DESCRIPTION: &'static str = "Shows one job by its id.";
    const RISK: Risk = Risk::Read;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        reach.jobs.map(|_| Self::DESCRIPTION.to_owned())
    }

    fn call<'a>(&'a self, arguments: ShowArguments, context: &'a Context) -> Pending<'a, Job> {
        Box::pin(show(&self.0, arguments, context))
    }
}

async fn show(egress: &Egress, arguments: ShowArguments, context: &Context) -> Result<Job, ToolError> {
    let id = arguments.id.checked()?;
    let jobs = jobs(context)?;
    Table { egress, jobs, context }.row(&id).await?.ok_or_else(|| unknown(&id, jobs))
}
