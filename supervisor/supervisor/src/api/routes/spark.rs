//! `GET /v1/spark/health`, `/v1/spark/models`, `/v1/spark/usage`: freshly asked.

use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use platform_kit::Failure;
use platform_types::meters::UsageReport;
use platform_types::spark::{ModelList, SparkHealth};
use serde::de::DeserializeOwned;

use crate::api::{failure, view};
use crate::sockets;
use crate::state::Shared;

/// Spark asks the box, which may be far away or asleep.
const TIMEOUT: Duration = Duration::from_secs(20);

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/spark/health", get(health))
        .route("/spark/models", get(models))
        .route("/spark/usage", get(usage))
}

async fn health(State(shared): State<Shared>) -> Result<Json<SparkHealth>, Failure> {
    Ok(Json(view::neutral_spark(ask(&shared, "/health").await?)))
}

async fn models(State(shared): State<Shared>) -> Result<Json<ModelList>, Failure> {
    ask(&shared, "/models").await.map(Json)
}

async fn usage(State(shared): State<Shared>) -> Result<Json<UsageReport>, Failure> {
    ask(&shared, "/usage").await.map(Json)
}

async fn ask<T: DeserializeOwned>(shared: &Shared, target: &str) -> Result<T, Failure> {
    let client = sockets::spark(shared).ok_or_else(|| failure::unreachable("spark", "it was never started"))?;
    client.with_timeout(TIMEOUT).get(target).await.map_err(|error| failure::call("spark", &error))
}
