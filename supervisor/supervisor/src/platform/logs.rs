//! The end of the logs of a profile's own parts: bounded, and without control characters.

use std::time::Duration;

use futures_util::{StreamExt as _, pin_mut};
use platform_types::ProfileName;
use platform_types::platform::{MAX_LOG_LINE_CHARS, MAX_LOG_LINES, PartLog};
use platform_types::text::neutral_cut;
use supervisor_docker::LogRange;
use supervisor_plan::Target;

use crate::state::{Shared, World};
use crate::words::chain;

/// Time for one log: the engine reads a file.
const READ_TIME: Duration = Duration::from_secs(3);

/// The ends of the logs of the containers that serve the profile now. What cannot be read is told later.
pub async fn of(shared: &Shared, world: &World, profile: &ProfileName) -> Vec<PartLog> {
    let mut logs = Vec::new();
    for (part, target) in [("agent", Target::agent(profile)), ("gate", Target::gate(profile))] {
        let Some(id) = world.report.targets.get(&target).and_then(|report| report.container.as_ref()) else { continue };
        let Ok(lines) = tokio::time::timeout(READ_TIME, end(shared, &id.to_string())).await else {
            tracing::debug!(%target, "a log was not read in time");
            continue;
        };
        logs.push(PartLog { part: part.to_owned(), lines });
    }
    logs
}

async fn end(shared: &Shared, id: &str) -> Vec<String> {
    let tail = u32::try_from(MAX_LOG_LINES).unwrap_or(u32::MAX);
    let lines = shared.engine.logs(id, LogRange { tail: Some(tail), follow: false, since: None });
    pin_mut!(lines);
    let mut read = Vec::new();
    while let Some(next) = lines.next().await {
        match next {
            Ok(line) if read.len() < MAX_LOG_LINES => read.push(neutral_cut(&line.text, MAX_LOG_LINE_CHARS)),
            Ok(_) => break,
            Err(error) => {
                tracing::debug!(error = chain(&error), "a log was not read");
                break;
            }
        }
    }
    read
}
