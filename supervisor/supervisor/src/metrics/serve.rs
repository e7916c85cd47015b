//! The listener: follows the configured address while the supervisor runs.

use std::net::SocketAddrV4;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{encode, samples, scrape};
use crate::api::failure::internal;
use crate::state::Shared;

/// A port that is taken may become free.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// `GET /metrics`.
pub fn router(shared: Shared) -> Router {
    Router::new().route("/metrics", get(metrics)).with_state(shared)
}

async fn metrics(State(shared): State<Shared>) -> Result<Response, Failure> {
    let scrape = scrape::scrape(&shared).await.map_err(|error| internal(&error))?;
    let text = encode::encode(samples::samples(&scrape))
        .map_err(|_| Failure::new(ErrorCode::Internal, "the numbers cannot be written as text"))?;
    Ok(([(http::header::CONTENT_TYPE, encode::CONTENT_TYPE)], text).into_response())
}

/// Serves on the address in force until `stop`; a change of the address moves the listener.
pub async fn serve(shared: Shared, stop: CancellationToken) {
    let mut world = shared.world.clone();
    while !stop.is_cancelled() {
        let address = world.borrow_and_update().config.metrics;
        let moved = async {
            // The sender is gone only when the daemon stops.
            if world.wait_for(|world| world.config.metrics != address).await.is_err() {
                stop.cancelled().await;
            }
        };
        let serving = async {
            match address {
                Some(address) => serve_on(shared.clone(), address).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = moved => {}
            () = stop.cancelled() => {}
            () = serving => {}
        }
    }
}

/// Serves until it is dropped; a port that cannot be had is tried again.
async fn serve_on(shared: Shared, address: SocketAddrV4) {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                tracing::info!(%address, "metrics are served");
                if let Err(error) = axum::serve(listener, router(shared.clone())).await {
                    tracing::warn!(%address, %error, "metrics are not served any more");
                }
            }
            Err(error) => tracing::warn!(%address, %error, "metrics cannot be served; trying again"),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}
