//! `/cron`… for the supervisor, and `/api/cron`… for pages whose device the gate let through.

use std::sync::Arc;

use agent_store::JobKey;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use platform_kit::Failure;
use platform_types::cron::{By, CronList, JobStatus, RunList};
use platform_types::gate::Scope;
use platform_types::{BotName, ErrorCode, JobName};

use super::What;
use crate::admin::failure;
use crate::lifecycle::Lifecycle;
use crate::ws::{device, has_scope};

type App = State<Arc<Lifecycle>>;
type Answer<T> = Result<Json<T>, Failure>;

/// On the admin socket: the body says who asks.
pub fn for_supervisor() -> Router<Arc<Lifecycle>> {
    let command = |what: What| {
        post(async move |State(lifecycle): App, path: Path<(String, String)>, body: Result<Json<By>, JsonRejection>| {
            let bad = |rejection: JsonRejection| Failure::new(ErrorCode::BadRequest, rejection.body_text());
            let Json(By { user }) = body.map_err(bad)?;
            command(&lifecycle, path, what, format!("operator {user}")).await
        })
    };
    Router::new()
        .route("/cron", get(async |State(lifecycle): App| list(&lifecycle).await))
        .route("/cron/{bot}/{job}/runs", get(async |State(lifecycle): App, path| runs(&lifecycle, path).await))
        .route("/cron/{bot}/{job}/run", command(What::Run))
        .route("/cron/{bot}/{job}/pause", command(What::Pause))
        .route("/cron/{bot}/{job}/resume", command(What::Resume))
}

/// On the HTTP socket: the gate says whose device asks, and what it may.
pub fn for_pages() -> Router<Arc<Lifecycle>> {
    let command = |what: What| {
        post(async move |State(lifecycle): App, path: Path<(String, String)>, headers: HeaderMap| {
            let device = device(&headers)?;
            if !has_scope(&headers, Scope::Approve) {
                return Err(Failure::new(ErrorCode::Forbidden, "this needs a device with the scope approve"));
            }
            command(&lifecycle, path, what, format!("device {device}")).await
        })
    };
    Router::new()
        .route(
            "/api/cron",
            get(async |State(lifecycle): App, headers: HeaderMap| {
                device(&headers)?;
                list(&lifecycle).await
            }),
        )
        .route(
            "/api/cron/{bot}/{job}/runs",
            get(async |State(lifecycle): App, headers: HeaderMap, path| {
                device(&headers)?;
                runs(&lifecycle, path).await
            }),
        )
        .route("/api/cron/{bot}/{job}/run", command(What::Run))
        .route("/api/cron/{bot}/{job}/pause", command(What::Pause))
        .route("/api/cron/{bot}/{job}/resume", command(What::Resume))
}

async fn list(lifecycle: &Lifecycle) -> Answer<CronList> {
    Ok(Json(CronList { jobs: lifecycle.mind()?.cron.jobs().await.to_vec() }))
}

async fn runs(lifecycle: &Lifecycle, path: Path<(String, String)>) -> Answer<RunList> {
    let mind = lifecycle.mind()?;
    let key = key(path)?;
    if !mind.cron.jobs().await.iter().any(|status| status.job.bot == key.bot && status.job.name == key.job) {
        return Err(Failure::new(ErrorCode::NotFound, format!("there is no job {key} in this profile")));
    }
    let read = mind.database.call(move |store| store.runs(&key)).await;
    let runs = read.map_err(|closed| Failure::new(ErrorCode::AgentUnavailable, closed.to_string()))?;
    Ok(Json(RunList { runs: runs.map_err(|error| failure(&error))? }))
}

async fn command(lifecycle: &Lifecycle, path: Path<(String, String)>, what: What, by: String) -> Answer<JobStatus> {
    let mind = lifecycle.mind()?;
    let done = mind.cron.command(key(path)?, what, by).await;
    done.map(Json).map_err(|(code, words)| Failure::new(code, words))
}

fn key(Path((bot, job)): Path<(String, String)>) -> Result<JobKey, Failure> {
    let unknown = || Failure::new(ErrorCode::NotFound, "there is no such job in this profile");
    Ok(JobKey { bot: BotName::new(bot).map_err(|_| unknown())?, job: JobName::new(job).map_err(|_| unknown())? })
}
