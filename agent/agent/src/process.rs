//! Binding the sockets, serving, draining.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::{any, get};
use platform_kit::clock::SharedClock;
use platform_kit::{Failure, serve, socket};
use platform_types::ErrorCode;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;
use crate::{Settings, admin, cron, export, openai, timeline, ws};

/// The directory's mount is the permission.
const SOCKET_MODE: u32 = 0o666;
/// Time for answers that are on their way when the process ends.
const GRACE: Duration = Duration::from_secs(1);

/// Serves both sockets until `stop` or `POST /drain`; then the state is closed.
pub async fn run(settings: Settings, clock: SharedClock, stop: CancellationToken) -> anyhow::Result<()> {
    let http = socket::bind(&settings.http_socket, SOCKET_MODE).context("cannot bind the HTTP socket")?;
    let control = socket::bind(&settings.admin_socket, SOCKET_MODE).context("cannot bind the admin socket")?;
    tracing::info!(profile = settings.profile.as_str(), generation = settings.generation.0, "standby");
    let lifecycle = Arc::new(Lifecycle::new(settings, clock, stop.clone()));
    // The sockets outlive the state: whoever asks while it is closed gets a clear answer.
    let end = CancellationToken::new();
    let http = serve::unix(http, http_routes(lifecycle.clone()), end.clone(), GRACE);
    let control = serve::unix(control, admin::routes(lifecycle.clone()), end.clone(), GRACE);
    let drain = async {
        stop.cancelled().await;
        let drained = lifecycle.drain().await;
        end.cancel();
        drained
    };
    let (http, control, drained) = tokio::join!(http, control, drain);
    http.context("the HTTP socket broke")?;
    control.context("the admin socket broke")?;
    drained.map_err(|failure| anyhow::anyhow!("the state could not be closed cleanly: {}", failure.message))
}

fn http_routes(lifecycle: Arc<Lifecycle>) -> Router {
    Router::new()
        .route("/ws", any(ws::upgrade))
        .route("/api/sessions/{id}/export", get(export::route))
        .route("/api/audit", get(timeline::route))
        .merge(cron::routes::for_pages())
        .route("/v1/models", openai::models_route())
        .route("/v1/chat/completions", openai::completions_route())
        .fallback(|| async { Failure::new(ErrorCode::NotFound, "no such route") })
        .method_not_allowed_fallback(|| async { Failure::new(ErrorCode::MethodNotAllowed, "no such method here") })
        .with_state(lifecycle)
}
