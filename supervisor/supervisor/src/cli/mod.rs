//! `botctl`: parses, asks the supervisor, shows.
//!
//! **Invariants.** `--json` prints what the supervisor answered, under a schema name. Failures are one line on standard
//! error and an exit code: 2 usage, 64 configuration, 69 the supervisor cannot be reached, 1 everything else. Nothing
//! that a container wrote reaches a terminal without being neutralised.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | commands and their options |
//! | [`cron`] | those about jobs by the clock, and what they do |
//! | [`dm`] | those about senders of channels, and what they do |
//! | [`run`] | what each command does |
//! | [`link`] | the connection to the supervisor |
//! | [`screen`] | standard output: colours, tables, JSON |
//! | [`show`] | answers as text, one module a topic |
//! | [`failure`] | messages and exit codes |
//! | [`hints`] | commands in messages, as they have to be typed |

pub mod args;
pub mod cron;
pub mod dm;
pub mod failure;
pub mod hints;
pub mod link;
pub mod run;
pub mod screen;
pub mod show;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::Botctl;
use failure::Failure;

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let botctl = Botctl::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(Err(Failure::other(format!("cannot start: {error}")))),
    };
    end(runtime.block_on(run::run(botctl)))
}

fn end(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    if let Some(message) = &failure.message {
        // When even standard error is gone the exit code has to do.
        let _ = writeln!(std::io::stderr(), "botctl: {message}");
    }
    ExitCode::from(failure.exit)
}
