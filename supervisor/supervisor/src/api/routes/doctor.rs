//! `GET /v1/doctor`: every check, from what the daemon sees. With `?security=true` the second family too.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use crate::api::extract::Query;
use crate::api::wire::findings::Checkup;
use crate::doctor;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new().route("/doctor", get(checkup))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    security: bool,
}

async fn checkup(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Json<Checkup> {
    let facts = doctor::facts::from_daemon(&shared).await;
    let mut checks = doctor::examine(&facts);
    if wanted.security {
        let evidence = doctor::security::evidence::gather(&shared).await;
        checks.extend(doctor::security::examine(&evidence));
    }
    Json(Checkup { supervisor: true, checks })
}
