//! What happens at the engine, as it happens.

use std::collections::HashMap;

use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt as _, stream};
use platform_types::role::LABEL_INSTALL;

use crate::engine::Engine;
use crate::error::{EngineError, Operation};

/// Health checks run as `exec`s and are most of an engine's events: only these words are asked for.
const ACTIONS: [&str; 13] = [
    "create",
    "start",
    "die",
    "oom",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
    "connect",
    "disconnect",
    "remove",
];

/// Something changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineEvent {
    /// A container that carries our label.
    Container { id: String, action: String },
    /// A network or volume whose name begins with our prefix.
    Resource { name: String, action: String },
}

impl Engine {
    /// The events of one installation from a moment on (seconds since 1970). The stream ends, with an error or without, when the engine goes away.
    pub fn events(
        &self,
        install: &str,
        name: &str,
        since_seconds: i64,
    ) -> impl Stream<Item = Result<EngineEvent, EngineError>> + Send + use<> {
        let filters = HashMap::from([
            ("type".to_owned(), ["container", "network", "volume"].map(str::to_owned).to_vec()),
            ("event".to_owned(), ACTIONS.map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::default().since(&since_seconds.to_string()).filters(&filters).build();
        let (engine, install, prefix) = (self.clone(), install.to_owned(), format!("{name}-"));
        let messages = match self.api() {
            Ok(api) => api.events(Some(options)).map(Ok).boxed(),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        };
        messages.filter_map(move |message| {
            let event = match message {
                Ok(Ok(message)) => ours(message, &install, &prefix).map(Ok),
                Ok(Err(error)) => Some(Err(engine.error(Operation::Events, "Docker", error))),
                Err(error) => Some(Err(error)),
            };
            std::future::ready(event)
        })
    }
}

fn ours(message: EventMessage, install: &str, prefix: &str) -> Option<EngineEvent> {
    let action = message.action?;
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    match message.typ? {
        EventMessageTypeEnum::CONTAINER => {
            let labelled = attributes.get(LABEL_INSTALL).is_some_and(|value| value == install);
            labelled.then_some(EngineEvent::Container { id: actor.id?, action })
        }
        EventMessageTypeEnum::NETWORK => {
            let name = attributes.get("name").filter(|name| name.starts_with(prefix))?;
            Some(EngineEvent::Resource { name: name.clone(), action })
        }
        EventMessageTypeEnum::VOLUME => {
            let name = actor.id.filter(|name| name.starts_with(prefix))?;
            Some(EngineEvent::Resource { name, action })
        }
        _ => None,
    }
}
