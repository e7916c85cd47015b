//! Routes of the admin socket; `platform_types::spark` is their contract.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use bytes::Bytes;
use http::StatusCode;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::health::Release;
use platform_types::spark::SparkConfig;

use crate::health;
use crate::models::normalised;
use crate::process::Shared;

/// Longest configuration: a thousand profiles.
const MAX_CONFIG_BYTES: usize = 64 * 1024;
/// A box that is well says what it has in far less.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// The supervisor asks for the state of things now.
const NOW: Duration = Duration::ZERO;

pub fn routes(shared: &Arc<Shared>) -> Router {
    let readiness = shared.clone();
    Router::new()
        .route("/config", put(configure))
        .route("/health", get(health))
        .route("/models", get(models))
        .route("/status", get(status))
        .route("/usage", get(usage))
        .layer(DefaultBodyLimit::max(MAX_CONFIG_BYTES))
        .with_state(shared.clone())
        .merge(crate::switch::routes::of_admin(shared.clone()))
        .merge(platform_kit::admin::routes(Release::without_schema(env!("CARGO_PKG_VERSION")), move || {
            readiness.readiness()
        }))
        .fallback(|| async { Failure::new(ErrorCode::NotFound, "no such route; see docs/reference/spark.md") })
}

async fn configure(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<StatusCode, Failure> {
    let config: SparkConfig = serde_json::from_slice(&body).map_err(|error| {
        Failure::new(ErrorCode::BadRequest, format!("this is not a configuration of spark: {error}"))
    })?;
    shared.configure(config).await.inspect_err(|failure| {
        tracing::warn!(code = failure.code.as_str(), message = failure.message, "configuration refused");
    })?;
    // So that what is asked next is about this box.
    if let Ok(backend) = shared.backend() {
        let _ = tokio::time::timeout(FIRST_LOOK, backend.asked()).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.backend() {
        Ok(backend) => Json(health::probe(&backend, NOW, &*shared.clock).await).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn models(State(shared): State<Arc<Shared>>) -> Response {
    let list = async { shared.backend()?.list_soon(NOW).await };
    match list.await {
        Ok(listed) => Json(normalised(&listed)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn usage(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.counters.usage.report()).into_response()
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.status()).into_response()
}
