//! `GET /v1/profiles/{p}/memory`, `POST /v1/profiles/{p}/memory/forget`: asked of the agent, shown as it reports it.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;
use platform_types::memory::{Fact, Forget, MemoryList};

use super::sessions::{agent, who};
use crate::api::extract::{Body, User, profile};
use crate::api::failure;
use crate::api::wire::memory::{ForgetFact, Forgotten, Memories};
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/profiles/{profile}/memory", get(list))
        .route("/profiles/{profile}/memory/forget", post(forget))
}

async fn list(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Memories>, Failure> {
    let profile = profile(&name)?;
    let agent = agent(&shared, &profile)?;
    let MemoryList { memories } = agent.get("/memory").await.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(Memories { profile, memories }))
}

async fn forget(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    User(user): User,
    Body(body): Body<ForgetFact>,
) -> Result<Json<Forgotten>, Failure> {
    let profile = profile(&name)?;
    let agent = agent(&shared, &profile)?;
    let ForgetFact { bot, id } = body;
    let forget = Forget { bot: bot.clone(), id, user };
    let Fact { text, .. } =
        agent.post("/memory/forget", &forget).await.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(Forgotten { profile, bot, text }))
}
