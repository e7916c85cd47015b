//! `GET /v1/profiles/{p}/sessions`, `GET /v1/profiles/{p}/sessions/{id}`: asked of the agent, shown as it reports it.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use platform_kit::Failure;
use platform_kit::client::Client;
use platform_types::agent::SessionList;
use platform_types::chat::Transcript;
use platform_types::{ErrorCode, ProfileName};

use crate::api::extract::profile;
use crate::api::failure;
use crate::api::wire::sessions::Sessions;
use crate::sockets;
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/profiles/{profile}/sessions", get(list))
        .route("/profiles/{profile}/sessions/{session}", get(show))
}

async fn list(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Sessions>, Failure> {
    let profile = profile(&name)?;
    let agent = agent(&shared, &profile)?;
    let SessionList { sessions } =
        agent.get("/sessions").await.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(Sessions { profile, sessions }))
}

async fn show(
    State(shared): State<Shared>,
    Path((name, session)): Path<(String, String)>,
) -> Result<Json<Transcript>, Failure> {
    let profile = profile(&name)?;
    if session.len() != 32 || !session.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = "a session's id has 32 hex digits; botctl session list shows them";
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("session"));
    }
    let agent = agent(&shared, &profile)?;
    let target = format!("/sessions/{session}");
    agent.get(&target).await.map(Json).map_err(|error| failure::call(&who(&profile), &error))
}

pub(super) fn agent(shared: &Shared, profile: &ProfileName) -> Result<Client, Failure> {
    let config = shared.world.borrow().config.clone();
    if !config.profiles.contains_key(profile) {
        return Err(failure::no_profile(&config, profile));
    }
    sockets::agent(shared, profile)
        .ok_or_else(|| failure::unreachable(&who(profile), "no container serves the profile"))
}

pub(super) fn who(profile: &ProfileName) -> String {
    format!("{profile}/agent")
}
