//! `platform.logs`: the end of the logs of the profile's own agent and gate.

use std::sync::Arc;

use agent_core::prompt::Risk;
use platform_types::platform::LOGS_TOOL;
use platform_types::text::neutral;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::board::Board;
use crate::tool::{Context, Pending, Tool, ToolError};

/// Lines in one answer, unless it is said, and at most.
const LINES: usize = 30;
const MAX_LINES: usize = 100;
/// Text of one answer; a tool's result has 16 KiB.
const MAX_TEXT_BYTES: usize = 12 * 1024;

/// Reads logs.
#[derive(Debug)]
pub struct PlatformLogs(pub Arc<Board>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsArguments {
    part: Part,
    /// Only lines with this text.
    #[serde(default)]
    contains: Option<String>,
    /// 1 to 100 of the newest, 30 unless given.
    #[serde(default)]
    lines: Option<usize>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Part {
    Agent,
    Gate,
}

/// The newest lines that fit, the oldest of them first.
#[derive(Debug, Serialize)]
pub struct Logs {
    lines: Vec<String>,
    /// Older lines that fit and are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    older: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Tool for PlatformLogs {
    type Arguments = LogsArguments;
    type Output = Logs;

    const NAME: &'static str = LOGS_TOOL;
    const DESCRIPTION: &'static str = "Reads the newest lines that this profile's agent or gate wrote to its log.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, arguments: LogsArguments, context: &'a Context) -> Pending<'a, Logs> {
        Box::pin(std::future::ready(logs(&self.0, arguments, context)))
    }
}

fn logs(board: &Board, arguments: LogsArguments, context: &Context) -> Result<Logs, ToolError> {
    let LogsArguments { part, contains, lines } = arguments;
    let part = match part {
        Part::Agent => "agent",
        Part::Gate => "gate",
    };
    let (view, warning) = board.read(context.now)?;
    let log = view.logs.into_iter().find(|log| log.part == part);
    let log = log.ok_or_else(|| ToolError(format!("the supervisor has told no log of the {part} yet")))?;
    let wanted = contains.unwrap_or_default().to_lowercase();
    let fitting: Vec<String> = log.lines.into_iter().filter(|line| line.to_lowercase().contains(&wanted)).collect();
    let mut room = MAX_TEXT_BYTES;
    let newest = fitting.iter().rev().take(lines.unwrap_or(LINES).clamp(1, MAX_LINES)).map(|line| neutral(line));
    let mut lines: Vec<String> = newest
        .take_while(|line| {
            let fits = line.len() <= room;
            room = room.saturating_sub(line.len());
            fits
        })
        .collect();
    lines.reverse();
    Ok(Logs { older: fitting.len() - lines.len(), lines, warning })
}
