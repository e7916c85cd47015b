//! What bots remember, as people see and change it: on the page, and for the operator.

use agent_core::standing;
use agent_tools::Own;
use agent_workspace::{Remembered, WorkspaceError};
use platform_kit::Failure;
use platform_types::agent::{AgentConfig, Bot};
use platform_types::chat::ToPage;
use platform_types::memory::{Fact, Forget, Memory, MemoryList};
use platform_types::{BotName, ErrorCode};
use serde_json::json;

use super::connections::ConnectionId;
use super::hub::{Failed, Hub, Input};
use super::{Mind, Refused};
use crate::audit::Audit;
use crate::driver::{Tooling, has_memory};

/// What a person wants with a bot's memory.
#[derive(Debug, Clone)]
pub(super) enum Wish {
    See,
    Edit { id: String, text: String },
    Forget { id: String },
}

impl Hub {
    /// Reads or changes what `bot` remembers, on a thread that may block; the page gets the memory as it is then.
    pub(super) fn memory(&mut self, from: ConnectionId, bot: &BotName, wish: Wish) {
        let config = self.config.borrow().clone();
        let Some(bot) = with_memory(&config, bot).cloned() else {
            return self.failed(from, Failed::new(ErrorCode::NotFound, format!("the bot {bot} has no memory")));
        };
        let Some(actor) = self.connections.caller(from).map(|caller| format!("device {}", caller.device)) else {
            return;
        };
        let (inbox, tooling, audit) = (self.inbox.clone(), self.tooling.clone(), self.audit.clone());
        platform_kit::task::spawn("memory", async move {
            let done = carry_out(&tooling, &audit, &bot, wish, actor).await;
            let result = match done {
                Ok(()) => seen(&tooling, &bot).await,
                Err(error) => Err(error),
            };
            // A hub that has ended tells nobody.
            let _ = inbox.send(Input::Memory { to: from, result }).await;
        });
    }

    pub(super) fn memory_read(&mut self, to: ConnectionId, result: Result<Memory, Failure>) {
        match result {
            Ok(memory) => self.connections.tell(to, &ToPage::Memory { memory }),
            Err(failure) => self.failed(to, Failed::new(failure.code, failure.message)),
        }
    }
}

impl Mind {
    /// What every bot with a memory remembers.
    pub async fn memories(&self) -> Result<MemoryList, Failure> {
        let config = self.config();
        let mut memories = Vec::new();
        for bot in config.bots.iter().filter(|bot| has_memory(bot)) {
            memories.push(seen(&self.tooling, bot).await?);
        }
        Ok(MemoryList { memories })
    }

    /// The operator has a bot forget a fact.
    pub async fn forget(&self, forget: Forget) -> Result<Fact, Failure> {
        let Forget { bot, id, user } = forget;
        let config = self.config();
        let Some(bot) = with_memory(&config, &bot) else {
            return Err(Failure::new(ErrorCode::NotFound, format!("the bot {bot} has no memory")));
        };
        let memory = seen(&self.tooling, bot).await?;
        let found = memory.facts.into_iter().find(|fact| fact.id == id);
        let found =
            found.ok_or_else(|| Failure::new(ErrorCode::NotFound, format!("{} remembers no fact {id}", bot.name)))?;
        carry_out(&self.tooling, &self.audit, bot, Wish::Forget { id }, format!("operator {user}")).await?;
        Ok(found)
    }
}

fn with_memory<'a>(config: &'a AgentConfig, name: &BotName) -> Option<&'a Bot> {
    config.bots.iter().find(|bot| bot.name == *name && has_memory(bot))
}

/// Changes a memory, and puts that on record without its words.
async fn carry_out(tooling: &Tooling, audit: &Audit, bot: &Bot, wish: Wish, actor: String) -> Result<(), Failure> {
    let (kind, id) = match &wish {
        Wish::See => return Ok(()),
        Wish::Edit { id, .. } => ("memory.edited", id.clone()),
        Wish::Forget { id } => ("memory.forgotten", id.clone()),
    };
    let name = bot.name.clone();
    apart(tooling, move |own| match wish {
        Wish::See => Ok(()),
        Wish::Edit { id, text } => own.memory.edit(&name, &id, &text).map(|_| ()),
        Wish::Forget { id } => own.memory.forget(&name, &id).map(|_| ()),
    })
    .await?;
    audit.note(kind, actor, json!({"bot": bot.name, "fact": id}));
    Ok(())
}

async fn seen(tooling: &Tooling, bot: &Bot) -> Result<Memory, Failure> {
    let prompt_bytes = standing::memory_bytes(tooling.models.known_window(&bot.model));
    let name = bot.name.clone();
    let facts = apart(tooling, move |own| own.memory.list(&name, prompt_bytes)).await?;
    Ok(Memory { bot: bot.name.clone(), facts: facts.into_iter().map(fact).collect(), prompt_bytes })
}

fn fact(Remembered { id, text, date, shared, in_prompt }: Remembered) -> Fact {
    Fact { id, text, date, shared, in_prompt }
}

async fn apart<T: Send + 'static>(
    tooling: &Tooling,
    work: impl FnOnce(&Own) -> Result<T, WorkspaceError> + Send + 'static,
) -> Result<T, Failure> {
    let own = tooling.own.clone();
    let done = tokio::task::spawn_blocking(move || work(&own)).await;
    let done = done.map_err(|_| Failure::new(ErrorCode::Internal, Refused::Stopping.to_string()))?;
    done.map_err(|error| {
        let code = match error {
            WorkspaceError::NotFound { .. } => ErrorCode::NotFound,
            WorkspaceError::Refused(_) | WorkspaceError::TooLarge { .. } => ErrorCode::BadRequest,
            _ => ErrorCode::Internal,
        };
        Failure::new(code, crate::lifecycle::reason(&error))
    })
}
