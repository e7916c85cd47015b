//! `GET /v1/status`, `GET /v1/health`.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use platform_kit::Failure;
use platform_types::spark::SparkHealth;

use crate::api::failure::internal;
use crate::api::view;
use crate::api::wire::status::{Health, Status};
use crate::registry::operations::in_ledger;
use crate::sockets;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new().route("/status", get(status)).route("/health", get(health))
}

async fn status(State(shared): State<Shared>) -> Result<Json<Status>, Failure> {
    let world = shared.world.borrow().clone();
    let now = shared.clock.now();
    let names: Vec<_> = world.config.profiles.keys().cloned().collect();
    let tallies = in_ledger(&shared, move |store| view::Tally::read(store, &names, now)).await;
    let tallies = tallies.map_err(|error| internal(&error))?;
    Ok(Json(view::status(&world, &tallies, now, shared.started_at)))
}

async fn health(State(shared): State<Shared>) -> Json<Health> {
    let spark = match sockets::spark(&shared) {
        Some(client) => client.get::<SparkHealth>("/health").await.ok().map(view::neutral_spark),
        None => None,
    };
    let world = shared.world.borrow().clone();
    Json(view::health(&world, spark, shared.clock.now()))
}
