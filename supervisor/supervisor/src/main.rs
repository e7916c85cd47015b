//! `bot-supervisor`: keeps an installation as it should be. See [`supervisor::daemon`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use platform_types::layout::Roots;
use supervisor::daemon::{self, down};
use supervisor::words::chain;

#[derive(Debug, Parser)]
#[command(version, about = "Keeps a Bot Platform installation as its platform.toml says; talk to it with botctl")]
struct Arguments {
    /// Everything under one directory (etc/, lib/, run/) instead of the system's places
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Keep the installation as it should be, until SIGTERM (the default)
    Run,
    /// Stop and remove the containers and networks of the installation; its supervisor must not run
    Down {
        /// Delete its volumes too: every conversation is lost
        #[arg(long)]
        purge: bool,
    },
}

fn main() -> ExitCode {
    let Arguments { root, command } = Arguments::parse();
    let roots = root.map_or_else(Roots::system, |root| Roots::under(&root));
    platform_kit::telemetry::init();
    // Two threads: the loop, and whatever asks it something meanwhile.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the runtime cannot be started: {error}"), 1),
    };
    match command.unwrap_or(Command::Run) {
        Command::Run => match runtime.block_on(daemon::run(roots)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&chain(&error), error.exit_code()),
        },
        Command::Down { purge } => match runtime.block_on(down::down(roots, purge)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&chain(&error), 1),
        },
    }
}

#[expect(clippy::print_stderr, reason = "why it did not start is for the person who started it")]
fn fail(reason: &str, code: u8) -> ExitCode {
    eprintln!("bot-supervisor: {reason}");
    ExitCode::from(code)
}
