//! `/v1/spark/switch`: what the model box may be switched to, and the operator's own switch, decided in a second step.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;
use platform_kit::client::Client;
use platform_types::ErrorCode;
use platform_types::egress::{Card, Verdict};
use platform_types::switch::{OperatorSwitch, SwitchCheck, SwitchDecision, SwitchReport, SwitchStatus};
use platform_types::text::neutral;
use serde::de::IgnoredAny;

use super::approvals::harmless_card;
use crate::api::extract::{Body, User};
use crate::api::failure;
use crate::api::wire::Empty;
use crate::api::wire::switch::{SwitchWish, SwitchWord};
use crate::registry::operations;
use crate::registry::switch::is_id;
use crate::sockets;
use crate::state::Shared;

/// Spark asks the box before it makes a card; a check logs in there.
const TIMEOUT: Duration = Duration::from_secs(30);

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/spark/switch", get(status).post(ask))
        .route("/spark/switch/check", post(check))
        .route("/spark/switches/{id}", post(decide))
}

fn spark(shared: &Shared) -> Result<Client, Failure> {
    let client = sockets::spark(shared).ok_or_else(|| failure::unreachable("spark", "it was never started"))?;
    Ok(client.with_timeout(TIMEOUT))
}

async fn status(State(shared): State<Shared>) -> Result<Json<SwitchStatus>, Failure> {
    let status = spark(&shared)?.get("/switch").await.map_err(|error| failure::call("spark", &error))?;
    Ok(Json(harmless(status)))
}

async fn check(State(shared): State<Shared>) -> Result<Json<SwitchCheck>, Failure> {
    let found: SwitchCheck =
        spark(&shared)?.post("/switch/check", &()).await.map_err(|error| failure::call("spark", &error))?;
    Ok(Json(SwitchCheck { message: neutral(&found.message), ..found }))
}

/// What the operator is going to decide about. Nothing happens before he does.
async fn ask(
    State(shared): State<Shared>,
    User(user): User,
    Body(SwitchWish { model }): Body<SwitchWish>,
) -> Result<Json<Card>, Failure> {
    let wish = OperatorSwitch { model, user };
    let card = spark(&shared)?.post("/switch", &wish).await.map_err(|error| failure::call("spark", &error))?;
    Ok(Json(harmless_card(card)))
}

async fn decide(
    State(shared): State<Shared>,
    User(user): User,
    Path(id): Path<String>,
    Body(SwitchWord { allow, digest }): Body<SwitchWord>,
) -> Result<Json<Empty>, Failure> {
    if !is_id(&id) {
        return Err(Failure::new(ErrorCode::BadRequest, "the id of a switch has 32 hex digits").with_param("id"));
    }
    let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
    let word = SwitchDecision::Operator { user: user.clone(), verdict, digest };
    let answer = spark(&shared)?.post::<_, IgnoredAny>(&format!("/confirmations/{id}"), &word).await;
    answer.map_err(|error| failure::call("spark", &error))?;
    operations::did(&shared, &format!("operator {user}"), "switch.decided", format!("the switch {id}: {verdict}"))
        .await;
    Ok(Json(Empty {}))
}

fn harmless(status: SwitchStatus) -> SwitchStatus {
    let SwitchStatus { models, running, last } = status;
    let running = running.map(|mut run| {
        run.progress = neutral(&run.progress);
        run.by = neutral(&run.by);
        run
    });
    let last = last.map(|report| SwitchReport { message: neutral(&report.message), by: neutral(&report.by), ..report });
    SwitchStatus { models, running, last }
}
