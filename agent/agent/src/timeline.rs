//! The agent's record of what was done, for the gate's page that shows it beside its own.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::HeaderMap;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::audit::Shown;
use serde::Deserialize;

use crate::admin::failure;
use crate::lifecycle::Lifecycle;
use crate::ws::device;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    before: u64,
}

/// `GET /api/audit?before=N`. Which devices may see it is the gate's to say.
pub async fn route(
    State(lifecycle): State<Arc<Lifecycle>>,
    query: Result<Query<Before>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Shown>, Failure> {
    device(&headers)?;
    let bad = |rejection: QueryRejection| Failure::new(ErrorCode::BadRequest, rejection.body_text());
    let Query(Before { before }) = query.map_err(bad)?;
    let read = lifecycle.mind()?.database.call(move |store| store.audit_before(before)).await;
    let read = read.map_err(|closed| Failure::new(ErrorCode::AgentUnavailable, closed.to_string()))?;
    read.map(Json).map_err(|error| failure(&error))
}
