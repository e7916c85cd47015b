//! `load box`: a model box. `load turns`: latency, processor time and memory of routers in front of one, in turns.
//! `load cancel`: how long until the box sees that a client has left.

mod model_box;
mod process;
mod report;
mod request;
mod target;
mod turns;
mod vanish;

use std::io::Write as _;
use std::net::SocketAddr;

use clap::{Parser, Subcommand};

use target::Target;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves a model; prints nothing, and runs until it is killed.
    Box(model_box::Options),
    /// Asks all targets, in turns, in every cell of the table; prints the figures as JSON.
    Turns(turns::Options),
    /// Leaves before the answer is over, and waits until the box has seen it; prints the figures as JSON.
    Cancel(vanish::Options),
}

/// What a target is called, and where it listens: `NAME=127.0.0.1:PORT[@PID]` or `NAME=unix:PATH[@PID]`.
#[derive(clap::Args, Debug, Clone)]
struct Targets {
    #[arg(long = "target", required = true)]
    list: Vec<Target>,
    #[arg(long, default_value = "bench/model")]
    model: String,
    /// Bearer key, where a router wants one.
    #[arg(long, default_value = "bench")]
    key: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let figures = match Arguments::parse().command {
        Command::Box(options) => return model_box::serve(options).await,
        Command::Turns(options) => serde_json::to_value(turns::run(&options).await?)?,
        Command::Cancel(options) => serde_json::to_value(vanish::run(&options).await?)?,
    };
    writeln!(std::io::stdout(), "{figures}")?;
    Ok(())
}

/// Nothing of this may reach another machine.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| format!("{text:?} is no IP:PORT"))?;
    if address.ip().is_loopback() { Ok(address) } else { Err(format!("{address} is not on loopback")) }
}
