//! Each attempt in a process of its own: one that is killed or hangs is a result, and the next begins anew.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent_confinement::{Outcome, Report};
use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::attempts::{self, Surroundings};

/// The longest attempts fill a small file system or start a few hundred processes.
const LIMIT: Duration = Duration::from_secs(30);

/// Prints one line of JSON an attempt.
pub fn run_all(json: &str, surroundings: &Surroundings) -> anyhow::Result<()> {
    for attempt in attempts::all(surroundings) {
        let report = observed(&attempt.name, &attempt.what, json)?;
        print(&report)?;
    }
    Ok(())
}

/// The process of one attempt.
pub fn run_one(name: &str, surroundings: &Surroundings) -> anyhow::Result<()> {
    let all = attempts::all(surroundings);
    let attempt = all.iter().find(|attempt| attempt.name == name).context("there is no such attempt")?;
    print(&(attempt.run)().report(&attempt.name, &attempt.what))
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(report)?)?;
    Ok(out.flush()?)
}

fn observed(name: &str, what: &str, json: &str) -> anyhow::Result<Report> {
    let mut child = itself(&["one", name, json]).stdout(Stdio::piped()).spawn().context("cannot start an attempt")?;
    let said = output(&mut child);
    let status = child.wait()?;
    if let Some(report) = said.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
        return Ok(report);
    }
    // An attempt that ends without a word by itself, or hangs, is a fault of the probe and not a block.
    let signal = said.and_then(|_| status.signal()).with_context(|| format!("{name} came to nothing: {status}"))?;
    let (what, detail) = (what.to_owned(), format!("killed by signal {signal}"));
    Ok(Report { name: name.to_owned(), what, outcome: Outcome::Blocked, detail })
}

/// This program again.
pub fn itself(arguments: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Everything that a child writes until it closes its output; `None`, and the child is killed, when that takes too long.
pub fn output(child: &mut Child) -> Option<String> {
    let mut pipe = child.stdout.take()?;
    let deadline = Instant::now() + LIMIT;
    let mut text = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout);
        if !matches!(ready, Ok(1..)) {
            let _ = child.kill();
            return None;
        }
        let mut buffer = [0; 4096];
        match pipe.read(&mut buffer) {
            Ok(0) | Err(_) => return Some(String::from_utf8_lossy(&text).into_owned()),
            Ok(count) => text.extend_from_slice(&buffer[..count]),
        }
    }
}
