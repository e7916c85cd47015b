//! Waiting for something, and saying how far it is.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use platform_types::text::neutral;
use tokio::time::Instant;

use crate::api::wire::status::Status;
use crate::cli::failure::{Failure, UNREACHABLE};
use crate::cli::link::Supervisor;

/// How often the supervisor is asked: often enough that nobody notices.
const ASK_EVERY: Duration = Duration::from_millis(150);

/// Waits until everything is well; `false` when the time is over. A supervisor that does not answer yet is waited for.
pub async fn until_well(supervisor: &Supervisor, seconds: u64) -> Result<bool, Failure> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut progress = Progress::new();
    loop {
        match supervisor.get::<Status>("/status").await {
            Ok(status) if status.well => {
                progress.end();
                return Ok(true);
            }
            Ok(status) => progress.say(&unwell(&status)),
            Err(failure) if failure.exit == UNREACHABLE && Instant::now() < deadline => {
                progress.say("the supervisor does not answer yet");
            }
            Err(failure) => {
                progress.end();
                return Err(failure);
            }
        }
        if Instant::now() >= deadline {
            progress.end();
            return Ok(false);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn unwell(status: &Status) -> String {
    let ready = |target: &&crate::api::wire::status::TargetStatus| {
        target.condition == supervisor_plan::report::Condition::Ready && target.doing.is_none()
    };
    let waited: Vec<String> = status
        .targets
        .iter()
        .filter(|target| !ready(target))
        .map(|target| format!("{} is {}", target.target, target.condition))
        .collect();
    if waited.is_empty() { "almost".to_owned() } else { waited.join(", ") }
}

/// One line that changes on a terminal; a line each elsewhere. Goes to standard error, so that results stay alone.
#[derive(Debug)]
pub struct Progress {
    terminal: bool,
    last: String,
}

impl Progress {
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: String::new() }
    }

    pub fn say(&mut self, message: &str) {
        let message = neutral(message);
        if message == self.last {
            return;
        }
        // Progress that cannot be shown does not stop the work.
        let _ = if self.terminal {
            write!(std::io::stderr(), "\r\u{1b}[2K  {message}").and_then(|()| std::io::stderr().flush())
        } else {
            writeln!(std::io::stderr(), "{message}")
        };
        self.last = message;
    }

    /// Clears the line.
    pub fn end(&mut self) {
        if self.terminal && !self.last.is_empty() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[2K").and_then(|()| std::io::stderr().flush());
        }
        self.last.clear();
    }
}
