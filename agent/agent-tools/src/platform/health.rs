//! `platform.health`: how the profile's own parts and the shared ones are.

use std::sync::Arc;

use agent_core::prompt::Risk;
use platform_types::platform::{self, HEALTH_TOOL};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::board::Board;
use crate::clock::local;
use crate::tool::{Context, Pending, Tool, ToolError};

/// Tells how the platform is.
#[derive(Debug)]
pub struct PlatformHealth(pub Arc<Board>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthArguments {}

/// How the platform is.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Local time of the observation.
    observed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    #[serde(flatten)]
    health: Platform,
}

#[derive(Debug, Serialize)]
struct Platform {
    well: bool,
    parts: Vec<Component>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    model_box: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Component {
    part: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    condition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    doing: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Tool for PlatformHealth {
    type Arguments = HealthArguments;
    type Output = Told;

    const NAME: &'static str = HEALTH_TOOL;
    const DESCRIPTION: &'static str = "Tells how this bot platform is, as its supervisor observes it: agent and gate of this profile, shared spark and backup.";
    const RISK: Risk = Risk::Read;

    fn call<'a>(&'a self, HealthArguments {}: HealthArguments, context: &'a Context) -> Pending<'a, Told> {
        Box::pin(std::future::ready(health(&self.0, context)))
    }
}

fn health(board: &Board, context: &Context) -> Result<Told, ToolError> {
    let (view, warning) = board.read(context.now)?;
    let health = view.health.ok_or_else(|| ToolError("the supervisor tells this agent no health yet".to_owned()))?;
    let time = |at| local(at, &context.timezone);
    let part = |part: platform::PartHealth| Component {
        part: part.part,
        shared: part.shared,
        condition: part.condition,
        since: part.since.map(time),
        failures: part.failures,
        doing: part.doing,
        notes: part.notes,
    };
    let platform::PlatformHealth { well, parts, model_box } = health;
    let health = Platform { well, parts: parts.into_iter().map(part).collect(), model_box };
    Ok(Told { observed: time(view.at), warning, health })
}
