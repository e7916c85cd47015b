//! The supervisor's routes: see [`platform_types::agent`].

use std::sync::Arc;

use agent_store::{StoreError, checkpoint};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use http::StatusCode;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::agent::{
    Activate, AgentConfig, AgentStatus, Approval, ApprovalDecision, ApprovalList, Checkpoint, CheckpointRequest,
    CronStatus, SessionList,
};
use platform_types::chat::Transcript;
use platform_types::cron::JobStatus;
use platform_types::health::Readiness;
use platform_types::memory::{Fact, Forget, MemoryList};
use platform_types::platform::PlatformView;
use serde::Deserialize;

use crate::cron;
use crate::export::transcript;
use crate::lifecycle::{Lifecycle, reason, release};

/// Longest configuration: 64 bots with 64 KiB of instructions each, and what JSON adds.
const MAX_CONFIG_BYTES: usize = 8 * 1024 * 1024;

type App = State<Arc<Lifecycle>>;

pub fn routes(lifecycle: Arc<Lifecycle>) -> Router {
    Router::new()
        .route("/activate", post(activate))
        .route("/config", put(configure))
        .route("/platform", put(platform))
        .route("/drain", post(drain))
        .route("/checkpoint", post(make_checkpoint))
        .route("/checkpoint/{id}", delete(remove_checkpoint))
        .route("/sessions", get(sessions))
        .route("/sessions/{id}", get(session))
        .route("/status", get(status))
        .route("/approvals", get(approvals))
        .route("/approvals/{id}", post(decide))
        .route("/memory", get(memory))
        .route("/memory/forget", post(forget))
        .route("/audit", get(audit))
        .merge(cron::routes::for_supervisor())
        .route("/healthz", get(|| async { Json(serde_json::json!({})) }))
        .route("/readyz", get(readyz))
        .route("/release", get(|| async { Json(release()) }))
        .fallback(|| async { Failure::new(ErrorCode::NotFound, "no such route") })
        .method_not_allowed_fallback(|| async { Failure::new(ErrorCode::MethodNotAllowed, "no such method here") })
        .layer(DefaultBodyLimit::max(MAX_CONFIG_BYTES))
        .with_state(lifecycle)
}

async fn readyz(State(lifecycle): App) -> Response {
    let body = lifecycle.readiness().await;
    let status = if body.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

async fn activate(
    State(lifecycle): App,
    body: Result<Json<Activate>, JsonRejection>,
) -> Result<Json<Readiness>, Failure> {
    let Json(body) = body.map_err(|rejection| bad_body(&rejection))?;
    lifecycle.activate(body).await?;
    Ok(Json(lifecycle.readiness().await))
}

async fn configure(State(lifecycle): App, body: Result<Json<AgentConfig>, JsonRejection>) -> Result<(), Failure> {
    let Json(body) = body.map_err(|rejection| bad_body(&rejection))?;
    lifecycle.configure(body).await
}

async fn platform(State(lifecycle): App, body: Result<Json<PlatformView>, JsonRejection>) -> Result<(), Failure> {
    let Json(body) = body.map_err(|rejection| bad_body(&rejection))?;
    lifecycle.board.put(body);
    Ok(())
}

async fn drain(State(lifecycle): App) -> Result<(), Failure> {
    let drained = lifecycle.drain().await;
    lifecycle.stop.cancel();
    drained
}

async fn make_checkpoint(
    State(lifecycle): App,
    body: Result<Json<CheckpointRequest>, JsonRejection>,
) -> Result<Json<Checkpoint>, Failure> {
    let Json(CheckpointRequest { id }) = body.map_err(|rejection| bad_body(&rejection))?;
    // Held, so that the state stays open and is not copied twice at once.
    let _mind = lifecycle.mind()?;
    let Ok(_one) = lifecycle.copying.try_lock() else {
        return Err(Failure::new(ErrorCode::Conflict, "another checkpoint is being made"));
    };
    let (state, now) = (lifecycle.settings.paths.state.clone(), lifecycle.now());
    let made = tokio::task::spawn_blocking(move || checkpoint::make(&state, &id, now)).await;
    made.map_err(|_| Failure::new(ErrorCode::Internal, "the copy ended with a panic"))?
        .map(Json)
        .map_err(|error| failure(&error))
}

async fn remove_checkpoint(State(lifecycle): App, Path(id): Path<String>) -> Result<(), Failure> {
    let state = lifecycle.settings.paths.state.clone();
    let removed = tokio::task::spawn_blocking(move || checkpoint::remove(&state, &id)).await;
    removed
        .map_err(|_| Failure::new(ErrorCode::Internal, "removing the copy ended with a panic"))?
        .map_err(|error| failure(&error))
}

async fn sessions(State(lifecycle): App) -> Result<Json<SessionList>, Failure> {
    let sessions = lifecycle.mind()?.sessions().await.map_err(stopping)?;
    Ok(Json(SessionList { sessions }))
}

async fn session(State(lifecycle): App, Path(id): Path<String>) -> Result<Json<Transcript>, Failure> {
    let mind = lifecycle.mind()?;
    Ok(Json(transcript(&mind, id).await?))
}

async fn status(State(lifecycle): App) -> Result<Json<AgentStatus>, Failure> {
    let mind = lifecycle.mind()?;
    let sessions = mind.sessions().await.map_err(stopping)?.len() as u64;
    let size = mind.database.call(|store| store.size()).await.map_err(stopping)?;
    let (messages, database_bytes) = size.map_err(|error| failure(&error))?;
    let counted = mind.counters.status();
    let jobs = mind.cron.jobs().await;
    let count = |is: fn(&JobStatus) -> bool| jobs.iter().filter(|job| is(job)).count() as u64;
    let cron = CronStatus {
        jobs: count(|_| true),
        paused: count(|job| job.paused.is_some()),
        troubled: count(|job| job.trouble.is_some()),
        ..counted.cron
    };
    Ok(Json(AgentStatus { sessions, messages, database_bytes, cron, ..counted }))
}

async fn approvals(State(lifecycle): App) -> Result<Json<ApprovalList>, Failure> {
    let read = lifecycle.mind()?.database.call(|store| store.approvals()).await.map_err(stopping)?;
    Ok(Json(ApprovalList { approvals: read.map_err(|error| failure(&error))? }))
}

async fn decide(
    State(lifecycle): App,
    Path(id): Path<String>,
    body: Result<Json<ApprovalDecision>, JsonRejection>,
) -> Result<Json<Approval>, Failure> {
    let Json(answer) = body.map_err(|rejection| bad_body(&rejection))?;
    let decided = lifecycle.mind()?.decide(id, answer).await.map_err(stopping)?;
    decided.map(Json).map_err(|error| failure(&error))
}

async fn memory(State(lifecycle): App) -> Result<Json<MemoryList>, Failure> {
    lifecycle.mind()?.memories().await.map(Json)
}

async fn forget(State(lifecycle): App, body: Result<Json<Forget>, JsonRejection>) -> Result<Json<Fact>, Failure> {
    let Json(body) = body.map_err(|rejection| bad_body(&rejection))?;
    lifecycle.mind()?.forget(body).await.map(Json)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn audit(
    State(lifecycle): App,
    query: Result<Query<After>, QueryRejection>,
) -> Result<Json<platform_types::audit::Page>, Failure> {
    let Query(After { after }) =
        query.map_err(|rejection| Failure::new(ErrorCode::BadRequest, rejection.body_text()))?;
    let read = lifecycle.mind()?.database.call(move |store| store.audit_page(after)).await.map_err(stopping)?;
    read.map(Json).map_err(|error| failure(&error))
}

fn bad_body(rejection: &JsonRejection) -> Failure {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        _ => ErrorCode::BadRequest,
    };
    Failure::new(code, rejection.body_text())
}

fn stopping(error: impl std::error::Error) -> Failure {
    Failure::new(ErrorCode::AgentUnavailable, error.to_string())
}

/// A store's error as an answer.
pub fn failure(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::NotFound(_) => ErrorCode::NotFound,
        StoreError::Conflict(_) => ErrorCode::Conflict,
        StoreError::TooManySessions(_) | StoreError::TooLarge(_) => ErrorCode::TooLarge,
        _ => ErrorCode::Internal,
    };
    Failure::new(code, reason(error))
}
