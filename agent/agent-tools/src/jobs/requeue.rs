//! `jobs.requeue`: a failed job is queued again, once a person confirmed it, if it is still as it was shown.

use std::time::Duration;

use agent_core::prompt::Risk;
use platform_types::egress::Method;
use platform_types::ways::{FAILED_JOBS, Requeue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::table::{Job, JobId, Table, jobs, read, refused, told, unknown};
use crate::confirmed;
use crate::egress::Egress;
use crate::exchange::{Answer, Wish};
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Statuses of jobs that can be queued again.
const FAILED: [&str; 2] = ["failed", "dead"];

/// Queues a job again.
#[derive(Debug)]
pub struct JobsRequeue(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequeueArguments {
    id: JobId,
    /// Why, in one sentence, for the person who has to confirm it.
    #[serde(default)]
    reason: Option<String>,
}

/// What was seen afterwards.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The job was queued again by this call; a worker may have taken it since.
    requeued: bool,
    before: String,
    /// The row as it was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<Job>,
}

impl Tool for JobsRequeue {
    type Arguments = RequeueArguments;
    type Output = Outcome;

    const NAME: &'static str = "jobs.requeue";
    const DESCRIPTION: &'static str = "Queues a failed or dead job again. A person has to confirm it; then this waits.";
    const RISK: Risk = Risk::Change;
    const MAX_RUN: Duration = confirmed::MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        reach.jobs.map(|_| Self::DESCRIPTION.to_owned())
    }

    fn call<'a>(&'a self, arguments: RequeueArguments, context: &'a Context) -> Pending<'a, Outcome> {
        Box::pin(requeue(&self.0, arguments, context))
    }
}

async fn requeue(egress: &Egress, arguments: RequeueArguments, context: &Context) -> Result<Outcome, ToolError> {
    let RequeueArguments { id, reason } = arguments;
    let id = id.checked()?;
    let jobs = jobs(context)?;
    let table = Table { egress, jobs, context };
    let shown = table.row(&id).await?.ok_or_else(|| unknown(&id, jobs))?;
    if !FAILED.contains(&shown.status.as_str()) {
        return Err(ToolError(format!("job {id} is {}: only failed and dead jobs can be queued again", shown.status)));
    }
    let wish = match jobs.requeue {
        Requeue::Function => by_function(&shown, reason)?,
        Requeue::CompareAndSet => by_comparing(&table, &id, &shown, reason)?,
    };
    let answer = table.ask(wish).await;
    let now = table.row(&id).await;
    match answer {
        Ok(answer) => told_of(answer, &shown, now, table),
        // Whether it was done shows in the row, as long as no worker was faster.
        Err(error) if error.perhaps() => match now {
            Ok(Some(now)) => Err(ToolError(format!("{}; job {id} is {} now", told(&error), now.status))),
            _ => Err(told(&error)),
        },
        Err(error) => Err(told(&error)),
    }
}

fn by_function(shown: &Job, reason: Option<String>) -> Result<Wish, ToolError> {
    let JobId::Number(id) = shown.id else {
        return Err(ToolError(format!("job {} has no number, which the function requeue_job needs", shown.id)));
    };
    let body = json!({ "p_job_id": id, "p_actor": "bot", "p_expect_updated_at": updated_at(shown)? });
    Ok(Wish { method: Method::Post, body: object(body), reason, ..Wish::get("/rest/v1/rpc/requeue_job".to_owned()) })
}

fn by_comparing(table: &Table<'_>, id: &str, shown: &Job, reason: Option<String>) -> Result<Wish, ToolError> {
    let filters = [
        ("id", format!("eq.{id}")),
        ("status", FAILED_JOBS.to_owned()),
        ("updated_at", format!("eq.{}", updated_at(shown)?)),
    ];
    let body = json!({
        "status": "queued", "attempts": 0, "updated_at": "now", "run_at": "now", "locked_at": null, "locked_by": null,
    });
    let query = table.query(&filters);
    Ok(Wish { method: Method::Patch, query, body: object(body), reason, ..Wish::get(table.path()) })
}

/// What was shown is compared by its time of change.
fn updated_at(shown: &Job) -> Result<&str, ToolError> {
    shown
        .updated_at
        .as_deref()
        .ok_or_else(|| ToolError(format!("job {} has no time of change to compare with", shown.id)))
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// What came of it, with the row as it is now.
fn told_of(
    answer: Answer,
    shown: &Job,
    now: Result<Option<Job>, ToolError>,
    table: Table<'_>,
) -> Result<Outcome, ToolError> {
    let now = now.ok().flatten();
    let seen = now.as_ref().map_or_else(String::new, |now| format!("; it is {} now", now.status));
    let id = &shown.id;
    match (answer.status, answer.body) {
        // Comparing and setting changes no row where somebody else was faster.
        (200, Some(body)) if table.jobs.requeue == Requeue::CompareAndSet && read(body.clone())?.is_empty() => {
            Err(ToolError(format!("job {id} was changed by somebody else meanwhile: nothing was done{seen}")))
        }
        (200 | 204, _) => Ok(Outcome { requeued: true, before: shown.status.clone(), job: now }),
        (409, _) => Err(ToolError(format!("job {id} was changed by somebody else meanwhile: nothing was done{seen}"))),
        (404, _) if now.is_some() && table.jobs.requeue == Requeue::Function => Err(ToolError(
            "the database has no function requeue_job for this role: the operator has to install it; nothing was done"
                .to_owned(),
        )),
        (404, _) => Err(ToolError(format!("job {id} is not there any more: nothing was done"))),
        (status, _) => Err(ToolError(format!("{}; nothing was done{seen}", refused(status)))),
    }
}
