//! An axum router on a Unix listener, drained on shutdown.

use std::time::Duration;

use axum::Router;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

/// Serves `router` until `stop`, then lets running requests finish for at most `grace`.
pub async fn unix(
    listener: UnixListener,
    router: Router,
    stop: CancellationToken,
    grace: Duration,
) -> std::io::Result<()> {
    let stopped = stop.clone();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { stopped.cancelled().await });
    tokio::select! {
        result = server => result,
        () = async { stop.cancelled().await; tokio::time::sleep(grace).await } => Ok(()),
    }
}
