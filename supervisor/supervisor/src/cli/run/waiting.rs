//! Waiting for something, and saying how far it is.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use platform_types::text::neutral;
use supervisor_plan::report::Condition;
use tokio::time::Instant;

use crate::api::wire::status::{Status, TargetStatus};
use crate::cli::failure::{Failure, UNREACHABLE};
use crate::cli::link::Supervisor;

/// How often the supervisor is asked: often enough that nobody notices.
const ASK_EVERY: Duration = Duration::from_millis(150);

/// Waits until everything is well; what is not, when the time is over. A supervisor that does not answer yet is waited
/// for.
pub async fn until_well(supervisor: &Supervisor, seconds: u64) -> Result<Option<String>, Failure> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut progress = Progress::new();
    let mut awaited = String::new();
    loop {
        match supervisor.get::<Status>("/status").await {
            Ok(status) if status.well => {
                progress.end();
                return Ok(None);
            }
            Ok(status) => awaited = unwell(&status),
            Err(failure) if failure.exit == UNREACHABLE && Instant::now() < deadline => {
                "the supervisor does not answer yet".clone_into(&mut awaited);
            }
            Err(failure) => {
                progress.end();
                return Err(failure);
            }
        }
        if Instant::now() >= deadline {
            progress.end();
            return Ok(Some(awaited));
        }
        progress.say(&awaited);
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What is not well yet, and what stands in its way.
pub fn unwell(status: &Status) -> String {
    let one = |found: &TargetStatus| {
        let blocked = found.blocked.first().map(|blocked| format!(": {blocked}"));
        (found.condition != Condition::Ready || found.doing.is_some() || blocked.is_some())
            .then(|| format!("{} is {}{}", found.target, found.condition, blocked.unwrap_or_default()))
    };
    let waited: Vec<String> = status.targets.iter().filter_map(one).chain(status.problems.iter().cloned()).collect();
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use platform_types::layout::Roots;
    use supervisor_plan::Target;
    use supervisor_plan::report::Blocked;

    use super::*;
    use crate::api::view;
    use crate::example::{self, NOW, profile};

    #[test]
    fn what_stands_in_the_way_is_said_while_it_is_waited_for() {
        let mut world = example::world(&Roots::system());
        let said = |world: &crate::state::World| unwell(&view::status(world, &BTreeMap::new(), NOW, NOW));
        assert_eq!(said(&world), "almost");
        let mut report = (*world.report).clone();
        let blocked = Blocked { problem: "port 18790 is taken by another program".into(), remedy: "stop it".into() };
        report.targets.get_mut(&Target::gate(&profile("ops"))).unwrap().blocked = vec![blocked];
        world.report = Arc::new(report);
        assert_eq!(said(&world), "ops/gate is ready: port 18790 is taken by another program; stop it");
        world.problems = Arc::new(vec!["/var is full".to_owned()]);
        assert!(said(&world).ends_with(", /var is full"));
    }
}
