//! `bot-agent`: serves; or checks its own health; or copies the state of an agent that does not run; or tries to get out.

use agent::{Settings, process};
use anyhow::{Context as _, bail};
use std::process::ExitCode;

const USAGE: &str = "usage: bot-agent [healthcheck | checkpoint --offline --id ID | confinement]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] => serve().await,
        ["healthcheck"] => healthcheck().await,
        ["checkpoint", "--offline", "--id", id] => checkpoint(id),
        ["confinement"] => confinement(),
        _ => Err(anyhow::anyhow!(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

async fn serve() -> anyhow::Result<()> {
    platform_kit::telemetry::init();
    let settings = Settings::from_environment()?;
    let stop = platform_kit::task::stop_signal().context("cannot listen for signals")?;
    process::run(settings, std::sync::Arc::new(platform_kit::SystemClock), stop).await
}

async fn healthcheck() -> anyhow::Result<()> {
    let settings = Settings::from_environment()?;
    platform_kit::admin::healthcheck(&settings.admin_socket).await.context("the agent does not answer")
}

/// Prints the copy as JSON, for the task that takes a snapshot while the agent is down.
fn checkpoint(id: &str) -> anyhow::Result<()> {
    use platform_kit::Clock as _;
    let settings = Settings::from_environment()?;
    let now = platform_kit::SystemClock.now();
    let made = agent_store::checkpoint::make_offline(&settings.paths.state, id, now)?;
    say(&serde_json::to_string(&made)?)
}

/// Tries to get out of the container that this runs in, and prints what came of it: one line of JSON an attempt.
fn confinement() -> anyhow::Result<()> {
    for attempt in agent_confinement::attempts() {
        say(&serde_json::to_string(&attempt.carry_out())?)?;
    }
    Ok(())
}

fn say(line: &str) -> anyhow::Result<()> {
    if std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).is_err() {
        bail!("cannot write to standard output");
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "this is the command line")]
fn complain(error: &anyhow::Error) -> ExitCode {
    eprintln!("bot-agent: {error:#}");
    ExitCode::FAILURE
}
