//! `GET /v1/doctor`: every check, from what the daemon sees.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use crate::api::wire::findings::Checkup;
use crate::doctor;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new().route("/doctor", get(checkup))
}

async fn checkup(State(shared): State<Shared>) -> Json<Checkup> {
    let facts = doctor::facts::from_daemon(&shared).await;
    Json(Checkup { supervisor: true, checks: doctor::examine(&facts) })
}
