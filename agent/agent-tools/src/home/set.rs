//! `home.set`: one action on one entity. What is told is the state that was read back.

use std::borrow::Cow;
use std::time::Duration;

use agent_core::prompt::Risk;
use platform_types::ways::May;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::action::{self, Action, Given};
use super::known::{entity, house, is_scene, named};
use super::server::{Refusal, SETTLE_TIME, Server};
use super::settle::{Settled, settle};
use super::state::State;
use crate::confirmed;
use crate::egress::Egress;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// Sets one entity.
#[derive(Debug)]
pub struct HomeSet(pub Egress);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetArguments {
    /// Id of the entity.
    entity: String,
    action: String,
    /// Only where the action needs one.
    #[serde(default)]
    value: Option<Wanted>,
    /// Why, in one sentence, for the person who may have to confirm it.
    #[serde(default)]
    reason: Option<String>,
}

/// A number or a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Wanted {
    Number(f64),
    Text(String),
}

impl JsonSchema for Wanted {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Wanted".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string", "null"] })
    }
}

impl From<Wanted> for Given {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Number(number) => Self::Number(number),
            Wanted::Text(text) => Self::Text(text),
        }
    }
}

/// What was seen afterwards.
#[derive(Debug, Serialize)]
pub struct Done {
    entity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    before: String,
    /// As it was read back.
    state: String,
    /// The state is what was asked for.
    reached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Tool for HomeSet {
    type Arguments = SetArguments;
    type Output = Done;

    const NAME: &'static str = "home.set";
    const DESCRIPTION: &'static str = "Changes one entity of the house and tells the state that was read back.";
    const RISK: Risk = Risk::Change;
    const MAX_RUN: Duration = confirmed::MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        let settable = || {
            reach
                .house
                .into_iter()
                .flat_map(|house| &house.things)
                .filter(|thing| thing.may > May::Read && !is_scene(&thing.id))
        };
        let ids = named(settable())?;
        let mut domains: Vec<&str> = settable().map(platform_types::ways::Thing::domain).collect();
        domains.dedup();
        let actions = domains.iter().map(|domain| {
            let words: Vec<&str> = action::of_domain(domain).map(|action| action.word).collect();
            format!("{domain}: {}", words.join(", "))
        });
        let actions: Vec<String> = actions.collect();
        Some(format!("{} Entities: {ids}. Actions of {}.", Self::DESCRIPTION, actions.join("; ")))
    }

    fn call<'a>(&'a self, arguments: SetArguments, context: &'a Context) -> Pending<'a, Done> {
        Box::pin(set(&self.0, arguments, context))
    }
}

async fn set(egress: &Egress, arguments: SetArguments, context: &Context) -> Result<Done, ToolError> {
    let SetArguments { entity: id, action: word, value, reason } = arguments;
    let house = house(context)?;
    let thing = entity(house, &id)?;
    if thing.may == May::Read {
        return Err(ToolError(format!("{id} can only be read by this bot")));
    }
    let action = meant(thing.domain(), &id, &word)?;
    let server = Server { egress, house, context };
    let before = server.state(&id).await?;
    if before.state == super::state::UNAVAILABLE {
        return Err(ToolError(format!(
            "{id} is unavailable: its device does not answer Home Assistant; nothing was sent"
        )));
    }
    let order = action::order(action, value.map(Given::from), &before).map_err(ToolError)?;
    if thing.may == May::Confirm && order.is_comparable() && order.is_reached(&before, &before) {
        let note = Some("it was so already: nothing was sent, and nobody was asked".to_owned());
        return Ok(done(&before, &before, true, note));
    }
    let called = server.call((action.domain, action.service), &id, &order.fields, reason).await;
    let lost = match called {
        Ok(()) => None,
        Err(Refusal::No(error)) => return Err(error),
        Err(Refusal::Perhaps(error)) => Some(error),
    };
    let settled = settle(server, &before, |now| order.is_reached(&before, now)).await;
    told(&before, settled, lost)
}

/// What was seen, in the tool's words.
fn told(before: &State, settled: Result<Settled, ToolError>, lost: Option<ToolError>) -> Result<Done, ToolError> {
    let id = &before.entity_id;
    match (settled, lost) {
        (Ok(Settled::Reached(now)), None) => Ok(done(before, &now, true, None)),
        (Ok(Settled::Reached(now)), Some(_)) => {
            Ok(done(before, &now, true, Some("the server's answer was lost, but the state is as asked for".to_owned())))
        }
        (Ok(Settled::Stuck(now)), _) => {
            Err(ToolError(format!("it was sent, and now {id} {}", now.trouble().unwrap_or_default())))
        }
        (Ok(Settled::NotYet(now)), None) if now.is_moving() => {
            let note = format!("still {} after {} s; read it again later", now.state, SETTLE_TIME.as_secs());
            Ok(done(before, &now, false, Some(note)))
        }
        (Ok(Settled::NotYet(now)), None) => Err(ToolError(format!(
            "Home Assistant took the order, but {} s later {id} is not as asked for: its state is {:?}",
            SETTLE_TIME.as_secs(),
            now.state
        ))),
        (Ok(Settled::NotYet(now)), Some(error)) => {
            Err(ToolError(format!("{error}; the state of {id} is {:?}", now.state)))
        }
        (Err(seen), None) => Err(ToolError(format!("it was sent, and what came of it is not known: {seen}"))),
        (Err(_), Some(error)) => Err(ToolError(format!("{error}; read {id} before it is tried again"))),
    }
}

fn done(before: &State, now: &State, reached: bool, note: Option<String>) -> Done {
    Done {
        entity: now.entity_id.clone(),
        name: now.name().map(str::to_owned),
        before: before.state.clone(),
        state: now.state.clone(),
        reached,
        note,
    }
}

/// The action of this name.
fn meant(domain: &str, id: &str, word: &str) -> Result<&'static Action, ToolError> {
    let wanted = word.trim().to_lowercase();
    action::of_domain(domain).find(|action| action.word == wanted).ok_or_else(|| {
        let words: Vec<&str> = action::of_domain(domain).map(|action| action.word).collect();
        let word = platform_types::text::neutral_cut(word, 40);
        ToolError(format!("{id} has no action {word:?}; it has: {}", words.join(", ")))
    })
}
