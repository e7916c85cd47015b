//! What every admin socket answers, and the health check that images run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use http::{Method, StatusCode};
use platform_types::health::{Readiness, Release};
use platform_types::layout::CANARY_FILE;

use crate::client::Client;
use crate::socket::Peer;

/// Time for a health check's round trip: the loop answers in a millisecond unless it is wedged.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest canary.
const MAX_CANARY_BYTES: usize = 128;

/// `/healthz`, `/readyz` and `/release`. `readiness` is asked on every request.
pub fn routes<F>(release: Release, readiness: F) -> Router
where
    F: Fn() -> Readiness + Send + Sync + 'static,
{
    let readiness = Arc::new(readiness);
    Router::new()
        .route("/healthz", get(|| async { Json(serde_json::json!({})) }))
        .route(
            "/readyz",
            get(move || {
                let readiness = readiness.clone();
                async move {
                    let body = readiness();
                    let status = if body.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                    (status, Json(body))
                }
            }),
        )
        .route("/release", get(move || async move { Json(release.clone()) }))
}

/// Reads the canary of a mount; empty when there is none.
pub fn canary(mount: &str) -> String {
    let text = std::fs::read_to_string(Path::new(mount).join(CANARY_FILE)).unwrap_or_default();
    text.trim().chars().take(MAX_CANARY_BYTES).collect()
}

/// Asks the process behind `socket` whether it turns its loop: what an image's HEALTHCHECK runs.
pub async fn healthcheck(socket: &Path) -> Result<(), crate::client::CallError> {
    let client = Client::new(socket, Peer::Trusted, HEALTHCHECK_TIMEOUT);
    client.call::<(), serde_json::Value>(Method::GET, "/healthz", None).await.map(|_| ())
}
