//! What an attacker tries inside an agent's container.
//!
//! | module | what |
//! |---|---|
//! | [`attempts`] | every attempt by name, for these surroundings |
//! | [`runner`] | each attempt in a process of its own, bounded in time |
//! | [`kernel`], [`raw`] | system calls by number |
//! | [`reach`] | addresses, paths and processes that the test names |
//! | [`exhaust`] | until the bound is met |
//! | [`hostile`] | files and sockets that others are to fall for |
//! | [`relay`] | a test speaks and listens through this process |

mod attempts;
mod exhaust;
mod hostile;
mod kernel;
mod raw;
mod reach;
mod relay;
mod runner;

use std::io::{Read as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use attempts::Surroundings;

const USAGE: &str = "usage: probe run JSON | plant KIND PATH [TARGET] | serve KIND PATH | pass LOCK SOCKET | relay LISTEN=CONNECT... | flood MIB";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    match arguments {
        ["run", surroundings] => runner::run_all(surroundings, &Surroundings::read(surroundings)?),
        ["one", name, surroundings] => runner::run_one(name, &Surroundings::read(surroundings)?),
        ["plant", kind, path] => hostile::plant(kind, path, ""),
        ["plant", kind, path, target] => hostile::plant(kind, path, target),
        ["serve", kind, path] => hostile::serve(kind, path),
        ["pass", lock, socket] => hostile::pass_lock(lock, socket),
        ["relay", pairs @ ..] => relay::relay(pairs),
        ["flood", mebibytes] => exhaust::flood(mebibytes.parse().context("a number of mebibytes")?),
        // What attempts start.
        ["wait"] => Ok(std::io::stdin().read(&mut [0]).map(drop)?),
        ["eat", mebibytes] => exhaust::eat(mebibytes.parse().context("a number of mebibytes")?),
        ["user"] => Ok(write!(std::io::stdout(), "{}", nix::unistd::geteuid())?),
        ["int80"] => Ok(write!(std::io::stdout(), "{}", raw::int80_getpid())?),
        ["x32"] => Ok(write!(std::io::stdout(), "{}", raw::x32_getpid())?),
        _ => anyhow::bail!(USAGE),
    }
}
