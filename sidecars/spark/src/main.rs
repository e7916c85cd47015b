//! `bot-spark`: runs the router; `bot-spark healthcheck` asks a running one whether it turns its loop.

use std::path::Path;

use platform_kit::{SystemClock, admin, task, telemetry};
use platform_types::layout::inside;
use spark::place::{Limits, Place};
use spark::process::Process;

/// Two threads pass on more than any model makes.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("healthcheck") => return Ok(admin::healthcheck(Path::new(inside::SPARK_ADMIN_SOCKET)).await?),
        Some(other) => anyhow::bail!("unknown command {other:?}; use none, or healthcheck"),
    }
    telemetry::init();
    let stop = task::stop_signal()?;
    let process = Process::bind(Place::container(), Limits::default(), std::sync::Arc::new(SystemClock))?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "spark is up");
    process.run(stop).await;
    tracing::info!("spark has stopped");
    Ok(())
}
