//! `GET /v1/profiles/{p}/audit?limit=N&verify=true`.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use platform_kit::Failure;
use platform_types::ErrorCode;
use serde::Deserialize;

use crate::api::extract::{Query, profile};
use crate::api::failure::{internal, no_profile};
use crate::api::wire::audit::{MAX_LINES, Trail};
use crate::audit::timeline::{self, Question};
use crate::state::Shared;

pub fn routes() -> Router<Shared> {
    Router::new().route("/profiles/{profile}/audit", get(read))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    limit: u32,
    #[serde(default)]
    verify: bool,
}

async fn read(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(Wanted { limit, verify }): Query<Wanted>,
) -> Result<Json<Trail>, Failure> {
    let profile = profile(&name)?;
    let config = shared.world.borrow().config.clone();
    if !config.profiles.contains_key(&profile) {
        return Err(no_profile(&config, &profile));
    }
    if limit > MAX_LINES {
        let message = format!("limit is {MAX_LINES} at most");
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("limit"));
    }
    let question = Question { limit: usize::try_from(limit).unwrap_or_default(), verify };
    timeline::read(&shared, &profile, question).await.map(Json).map_err(|error| internal(&error))
}
