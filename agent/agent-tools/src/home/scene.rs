//! `home.scene`: a scene is turned on, and what it sets is read back.

use std::time::Duration;

use agent_core::prompt::Risk;
use futures_util::future::join_all;
use platform_types::ways::{House, May, SCENE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Map;
use tokio::time::{Instant, sleep};

use super::known::{house, is_scene, named, scene};
use super::server::{Refusal, SETTLE_PAUSE, SETTLE_TIME, Server};
use super::state::State;
use crate::confirmed;
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// What of a scene is read back, at most: its first entities that the bot may read.
const MAX_READ_BACK: usize = 16;

/// Turns a scene on.
#[derive(Debug)]
pub struct HomeScene(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SceneArguments {
    /// Id of the scene.
    scene: String,
    /// Why, in one sentence, for the person who may have to confirm it.
    #[serde(default)]
    reason: Option<String>,
}

/// What was seen afterwards.
#[derive(Debug, Serialize)]
pub struct Outcome {
    scene: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Home Assistant says that it was turned on since it was asked to.
    turned_on: bool,
    /// As they were read back.
    entities: Vec<Seen>,
    /// Entities of the scene that this bot may not read.
    #[serde(skip_serializing_if = "is_zero")]
    not_shown: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Seen {
    id: String,
    state: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Tool for HomeScene {
    type Arguments = SceneArguments;
    type Output = Outcome;

    const NAME: &'static str = "home.scene";
    const DESCRIPTION: &'static str = "Turns on a scene of the house and tells the states that were read back.";
    const RISK: Risk = Risk::Change;
    const MAX_RUN: Duration = confirmed::MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        let scenes = reach.house?.things.iter().filter(|thing| is_scene(&thing.id) && thing.may > May::Read);
        named(scenes).map(|ids| format!("{} Scenes: {ids}.", Self::DESCRIPTION))
    }

    fn call<'a>(&'a self, arguments: SceneArguments, context: &'a Context) -> Pending<'a, Outcome> {
        Box::pin(turn_on(&self.0, arguments, context))
    }
}

async fn turn_on(egress: &Egress, arguments: SceneArguments, context: &Context) -> Result<Outcome, ToolError> {
    let SceneArguments { scene: id, reason } = arguments;
    let house = house(context)?;
    let thing = scene(house, &id)?;
    let server = Server { egress, house, context };
    let before = server.state(&thing.id).await?;
    let lost = match server.call((SCENE, "turn_on"), &id, &Map::new(), reason).await {
        Ok(()) => None,
        Err(Refusal::No(error)) => return Err(error),
        Err(Refusal::Perhaps(error)) => Some(error),
    };
    let (known, not_shown) = members(house, &before);
    let seen = read_back(server, &known).await;
    // A scene's state is the time at which it was turned on last.
    let now = server.state(&id).await;
    let turned_on = now.as_ref().is_ok_and(|now| now.state != before.state || now.last_changed != before.last_changed);
    if let (Some(error), false) = (&lost, turned_on) {
        return Err(ToolError(format!("{error}; read what it sets before it is tried again")));
    }
    let mut problems: Vec<String> = lost.map(|_| "the server's answer was lost".to_owned()).into_iter().collect();
    if !turned_on {
        problems.push("Home Assistant took the order, and does not say that the scene was turned on".to_owned());
    }
    let mut entities = Vec::new();
    for (id, seen) in known.iter().zip(seen) {
        match seen {
            Ok(state) => {
                problems.extend(problem(&state));
                entities.push(Seen { id: (*id).to_owned(), state: state.state });
            }
            Err(error) => problems.push(format!("{id} could not be read back: {error}")),
        }
    }
    let name = before.name().map(str::to_owned);
    Ok(Outcome { scene: id, name, turned_on, entities, not_shown, problems })
}

fn problem(state: &State) -> Option<String> {
    let id = &state.entity_id;
    match state.trouble() {
        Some(trouble) => Some(format!("{id} {trouble}")),
        None if state.is_moving() => Some(format!("{id} is still {} after {} s", state.state, SETTLE_TIME.as_secs())),
        None => None,
    }
}

/// Entities of the scene that the bot may read, and how many more there are.
fn members<'a>(house: &'a House, scene: &State) -> (Vec<&'a str>, usize) {
    let of_scene = scene.texts("entity_id");
    let known = house.things.iter().map(|thing| thing.id.as_str()).filter(|id| of_scene.contains(id));
    let known: Vec<&str> = known.take(MAX_READ_BACK).collect();
    let others = of_scene.len().saturating_sub(known.len());
    (known, others)
}

/// Their states, once none of them is on its way, or time is over.
async fn read_back(server: Server<'_>, ids: &[&str]) -> Vec<Result<State, ToolError>> {
    let deadline = Instant::now() + SETTLE_TIME;
    loop {
        let seen = join_all(ids.iter().map(|id| server.state(id))).await;
        let waits = seen.iter().any(|state| state.as_ref().is_ok_and(State::is_moving));
        if !waits || Instant::now() + SETTLE_PAUSE > deadline {
            return seen;
        }
        sleep(SETTLE_PAUSE).await;
    }
}
