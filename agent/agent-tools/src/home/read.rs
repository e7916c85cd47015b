//! `home.read`: one entity.

use std::collections::BTreeMap;

use agent_core::prompt::Risk;
use platform_types::ways::May;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::known::{entity, house, is_scene, named};
use super::server::Server;
use super::{action, state};
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Reads one entity.
#[derive(Debug)]
pub struct HomeRead(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadArguments {
    /// Id of the entity.
    entity: String,
}

/// How an entity is.
#[derive(Debug, Serialize)]
pub struct Entity {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, Value>,
    /// What home.set can do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl Tool for HomeRead {
    type Arguments = ReadArguments;
    type Output = Entity;

    const NAME: &'static str = "home.read";
    const DESCRIPTION: &'static str = "Reads one entity of the house: its state now, and what home.set can do with it.";
    const RISK: Risk = Risk::Read;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        let things = reach.house?.things.iter().filter(|thing| !is_scene(&thing.id) && thing.may == May::Read);
        let others = named(things).map_or_else(String::new, |ids| format!(" Only to read: {ids}."));
        Some(format!("{}{others}", Self::DESCRIPTION))
    }

    fn call<'a>(&'a self, arguments: ReadArguments, context: &'a Context) -> Pending<'a, Entity> {
        Box::pin(read(&self.0, arguments, context))
    }
}

async fn read(egress: &Egress, arguments: ReadArguments, context: &Context) -> Result<Entity, ToolError> {
    let house = house(context)?;
    let thing = entity(house, &arguments.entity)?;
    let found = Server { egress, house, context }.state(&thing.id).await?;
    let settable = thing.may > May::Read;
    Ok(Entity {
        id: thing.id.clone(),
        name: found.name().map(str::to_owned),
        details: found.details(),
        actions: if settable { action::of_domain(thing.domain()).map(|action| action.word).collect() } else { vec![] },
        note: (found.state == state::UNAVAILABLE).then_some("its device does not answer Home Assistant"),
        state: found.state,
        since: found.last_changed,
    })
}
