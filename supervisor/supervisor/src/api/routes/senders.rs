//! `GET /v1/profiles/{p}/senders`, `POST …/senders/{approve,block,forget}`.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;

use crate::api::extract::{Body, By, profile};
use crate::api::wire::senders as wire;
use crate::registry::operations;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/profiles/{profile}/senders", get(list))
        .route("/profiles/{profile}/senders/approve", post(approve))
        .route("/profiles/{profile}/senders/block", post(block))
        .route("/profiles/{profile}/senders/forget", post(forget))
}

type Answer<T> = Result<Json<T>, Failure>;

async fn list(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<wire::Senders> {
    operations::list_senders(&shared, &profile(&name)?).await.map(Json)
}

async fn approve(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::SenderCode>,
) -> Answer<wire::SenderChanged> {
    operations::approve_sender(&shared, &profile(&name)?, &by, &request.code).await.map(Json)
}

async fn block(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(who): Body<wire::SenderName>,
) -> Answer<wire::SenderChanged> {
    operations::block_sender(&shared, &profile(&name)?, &by, who).await.map(Json)
}

async fn forget(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(who): Body<wire::SenderName>,
) -> Answer<wire::SenderChanged> {
    operations::forget_sender(&shared, &profile(&name)?, &by, who).await.map(Json)
}
