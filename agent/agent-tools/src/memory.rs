//! `memory.remember`, `memory.forget`, `memory.search`: what a bot keeps about its person from chat to chat.

use std::sync::Arc;

use agent_core::prompt::Risk;
use agent_workspace::{Memory, Remembered};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::apart::apart;
use crate::clock;
use crate::tool::{Context, Pending, Tool};

/// Keeps a fact.
#[derive(Debug)]
pub struct MemoryRemember(pub Arc<Memory>);
/// Forgets a fact.
#[derive(Debug)]
pub struct MemoryForget(pub Arc<Memory>);
/// Finds facts.
#[derive(Debug)]
pub struct MemorySearch(pub Arc<Memory>);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RememberArguments {
    /// One short sentence.
    fact: String,
    /// True: all bots get it.
    #[serde(default)]
    shared: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetArguments {
    id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArguments {
    query: String,
}

/// For example `{"id":"1a2b3c4d","fact":"The person learns Italian.","shared":false}`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    id: String,
    fact: String,
    shared: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    forgotten: String,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    facts: Vec<Kept>,
}

impl Tool for MemoryRemember {
    type Arguments = RememberArguments;
    type Output = Kept;

    const NAME: &'static str = "memory.remember";
    const DESCRIPTION: &'static str = "Remembers a fact about the person for later chats.";
    const RISK: Risk = Risk::Own;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: RememberArguments, context: &'a Context) -> Pending<'a, Kept> {
        let (memory, bot, today) = (self.0.clone(), context.bot.clone(), clock::date(context.now, &context.timezone));
        Box::pin(apart(move || memory.remember(&bot, &arguments.fact, arguments.shared, &today).map(fact)))
    }
}

impl Tool for MemoryForget {
    type Arguments = ForgetArguments;
    type Output = Forgotten;

    const NAME: &'static str = "memory.forget";
    const DESCRIPTION: &'static str = "Forgets a remembered fact.";
    const RISK: Risk = Risk::Own;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: ForgetArguments, context: &'a Context) -> Pending<'a, Forgotten> {
        let (memory, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            memory.forget(&bot, &arguments.id).map(|forgotten| Forgotten { forgotten: forgotten.text })
        }))
    }
}

impl Tool for MemorySearch {
    type Arguments = SearchArguments;
    type Output = Facts;

    const NAME: &'static str = "memory.search";
    const DESCRIPTION: &'static str = "Finds remembered facts.";
    const RISK: Risk = Risk::Read;
    const INSIDE: bool = true;

    fn call<'a>(&'a self, arguments: SearchArguments, context: &'a Context) -> Pending<'a, Facts> {
        let (memory, bot) = (self.0.clone(), context.bot.clone());
        Box::pin(apart(move || {
            let found = memory.search(&bot, &arguments.query)?;
            Ok(Facts { facts: found.into_iter().map(fact).collect() })
        }))
    }
}

fn fact(Remembered { id, text, shared, .. }: Remembered) -> Kept {
    Kept { id, fact: text, shared }
}
