//! `POST /v1/profiles/{p}/links`; `GET …/devices`, `POST …/devices/{approve,refuse,revoke,scope,rename}`; `GET` and `POST …/tokens`,
//! `POST …/tokens/revoke`.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;

use crate::api::extract::{Body, By, profile};
use crate::api::wire::registry as wire;
use crate::registry::operations;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/profiles/{profile}/links", post(create_link))
        .route("/profiles/{profile}/devices", get(list_devices))
        .route("/profiles/{profile}/devices/approve", post(approve))
        .route("/profiles/{profile}/devices/refuse", post(refuse))
        .route("/profiles/{profile}/devices/revoke", post(revoke))
        .route("/profiles/{profile}/devices/scope", post(set_scopes))
        .route("/profiles/{profile}/devices/rename", post(rename))
        .route("/profiles/{profile}/tokens", get(list_tokens).post(create_token))
        .route("/profiles/{profile}/tokens/revoke", post(revoke_token))
}

type Answer<T> = Result<Json<T>, Failure>;

async fn create_link(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::LinkRequest>,
) -> Answer<wire::Link> {
    operations::create_link(&shared, &profile(&name)?, &by, request.scopes).await.map(Json)
}

async fn list_devices(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<wire::Devices> {
    operations::list_devices(&shared, &profile(&name)?).await.map(Json)
}

async fn approve(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::ApproveRequest>,
) -> Answer<wire::DeviceChanged> {
    operations::approve(&shared, &profile(&name)?, &by, request).await.map(Json)
}

async fn refuse(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::DeviceRequest>,
) -> Answer<wire::RequestRefused> {
    operations::refuse(&shared, &profile(&name)?, &by, &request.code).await.map(Json)
}

async fn revoke(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::DeviceRequest>,
) -> Answer<wire::DeviceChanged> {
    operations::revoke(&shared, &profile(&name)?, &by, &request.code).await.map(Json)
}

async fn set_scopes(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::ScopeRequest>,
) -> Answer<wire::DeviceChanged> {
    operations::set_scopes(&shared, &profile(&name)?, &by, request).await.map(Json)
}

async fn rename(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::RenameRequest>,
) -> Answer<wire::DeviceChanged> {
    operations::rename(&shared, &profile(&name)?, &by, request).await.map(Json)
}

async fn list_tokens(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<wire::Tokens> {
    operations::list_tokens(&shared, &profile(&name)?).await.map(Json)
}

async fn create_token(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::TokenRequest>,
) -> Answer<wire::TokenCreated> {
    operations::create_token(&shared, &profile(&name)?, &by, &request.name).await.map(Json)
}

async fn revoke_token(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<wire::TokenRequest>,
) -> Answer<wire::TokenRevoked> {
    operations::revoke_token(&shared, &profile(&name)?, &by, &request.name).await.map(Json)
}
