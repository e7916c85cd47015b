//! `home.status`: whether Home Assistant runs, and how everything is that the bot may read.

use agent_core::prompt::Risk;
use futures_util::StreamExt as _;
use futures_util::stream;
use platform_types::ways::{May, Thing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::known::{house, is_scene};
use super::server::Server;
use super::state::UNAVAILABLE;
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Entities in one answer. Each is a request of its own, and the gate lets 100 through at once.
const MAX_ENTITIES: usize = 60;
/// Scenes in one answer.
const MAX_SCENES: usize = 40;
/// Requests at once.
const AT_ONCE: usize = 8;

/// Tells how the house is.
#[derive(Debug)]
pub struct HomeStatus(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusArguments {
    /// Only entities whose id begins so, for example "light."
    #[serde(default)]
    prefix: Option<String>,
}

/// How the house is.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Everything is loaded.
    running: bool,
    version: String,
    entities: Vec<Entity>,
    /// Ids for home.scene.
    scenes: Vec<String>,
    /// Entities that are left out.
    #[serde(skip_serializing_if = "is_zero")]
    more: usize,
    /// Devices that do not answer Home Assistant.
    #[serde(skip_serializing_if = "is_zero")]
    unavailable: usize,
}

#[derive(Debug, Serialize)]
struct Entity {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// `read`, `set`, or `confirm`: set after a person's confirmation.
    may: May,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Tool for HomeStatus {
    type Arguments = StatusArguments;
    type Output = Status;

    const NAME: &'static str = "home.status";
    const DESCRIPTION: &'static str = "Tells whether Home Assistant runs, and the ids, names and states of everything in the house that you may read.";
    const RISK: Risk = Risk::Read;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        reach.house.map(|_| Self::DESCRIPTION.to_owned())
    }

    fn call<'a>(&'a self, arguments: StatusArguments, context: &'a Context) -> Pending<'a, Status> {
        Box::pin(status(&self.0, arguments, context))
    }
}

async fn status(egress: &Egress, arguments: StatusArguments, context: &Context) -> Result<Status, ToolError> {
    let house = house(context)?;
    let server = Server { egress, house, context };
    let running = server.running().await?;
    let prefix = arguments.prefix.unwrap_or_default();
    let fits = |thing: &&Thing| thing.id.starts_with(&prefix);
    let (scenes, things): (Vec<&Thing>, Vec<&Thing>) =
        house.things.iter().filter(fits).partition(|thing| is_scene(&thing.id));
    let more = things.len().saturating_sub(MAX_ENTITIES) + scenes.len().saturating_sub(MAX_SCENES);
    let asked: Vec<_> = things.into_iter().take(MAX_ENTITIES).map(|thing| look(server, thing)).collect();
    let entities: Vec<Entity> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let unavailable = entities.iter().filter(|entity| entity.state.as_deref() == Some(UNAVAILABLE)).count();
    let scenes = scenes.into_iter().take(MAX_SCENES).map(|thing| thing.id.clone()).collect();
    Ok(Status { running: running.is_running(), version: running.version, entities, scenes, more, unavailable })
}

async fn look(server: Server<'_>, thing: &Thing) -> Entity {
    let empty = Entity { id: thing.id.clone(), name: None, state: None, unit: None, may: thing.may, problem: None };
    match server.state(&thing.id).await {
        Ok(state) => Entity {
            name: state.name().map(str::to_owned),
            unit: state.attributes.get("unit_of_measurement").and_then(|unit| unit.as_str()).map(str::to_owned),
            state: Some(state.state),
            ..empty
        },
        Err(ToolError(problem)) => Entity { problem: Some(problem), ..empty },
    }
}
