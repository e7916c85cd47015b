//! `bot-gate`: the door of one profile. `bot-gate healthcheck` asks a running one whether it is alive.

use std::path::Path;

use gate::run::{self, Options};
use platform_kit::environment::Environment;
use platform_kit::{admin, task, telemetry};
use platform_types::layout::{env, inside};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None => serve().await,
        Some("healthcheck") => Ok(admin::healthcheck(Path::new(inside::GATE_ADMIN_SOCKET)).await?),
        Some(other) => anyhow::bail!("unknown argument {other:?}; use: bot-gate [healthcheck]"),
    }
}

async fn serve() -> anyhow::Result<()> {
    telemetry::init();
    let mut environment = Environment::new();
    let listen = environment.required(env::LISTEN);
    environment.finish()?;
    let Some(listen) = listen else { return Ok(()) };
    let stop = task::stop_signal()?;
    run::bind(Options::new(listen), stop).await?.serve().await;
    Ok(())
}
