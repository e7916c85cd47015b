//! Questions to Home Assistant, and its refusals in words.

use std::time::Duration;

use platform_types::egress::Method;
use platform_types::ways::House;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::state::State;
use crate::egress::Egress;
use crate::exchange::{self, Answer, NoAnswer, Wish};
use crate::tool::{Context, ToolError};

/// Longest wait for the state that was asked for; a tenth of it, and less, where a test plays the house.
pub const SETTLE_TIME: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 10_000 });
/// Between two looks.
pub const SETTLE_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 500 });

/// The server of a profile's house.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    pub egress: &'a Egress,
    pub house: &'a House,
    pub context: &'a Context,
}

/// How the server itself is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Running {
    /// `RUNNING` when everything is loaded.
    #[serde(default)]
    pub state: String,
    #[serde(default)]
    pub version: String,
}

impl Running {
    pub fn is_running(&self) -> bool {
        self.state == "RUNNING"
    }
}

impl Server<'_> {
    /// The state of an entity, or why there is none.
    pub async fn state(&self, id: &str) -> Result<State, ToolError> {
        let answer = self.ask(Wish::get(format!("/api/states/{id}"))).await.map_err(|error| told(&error))?;
        match answer {
            Answer { status: 200, body: Some(body) } => {
                let state: State = serde_json::from_value(body).map_err(|_| strange(200))?;
                if state.entity_id == id { Ok(state) } else { Err(strange(200)) }
            }
            Answer { status: 401, .. } => Err(self.unauthorized(&format!("{id} may not be read by its user")).await),
            Answer { status: 404, .. } => Err(self.missing(id).await),
            Answer { status, .. } => Err(strange(status)),
        }
    }

    /// How the server itself is.
    pub async fn running(&self) -> Result<Running, ToolError> {
        let answer = self.ask(Wish::get("/api/config".to_owned())).await.map_err(|error| told(&error))?;
        match answer {
            Answer { status: 200, body: Some(body) } => serde_json::from_value(body).map_err(|_| strange(200)),
            Answer { status: 401, .. } => Err(self.unauthorized("its user may not read how it is").await),
            Answer { status: 404, .. } => Err(starting()),
            Answer { status, .. } => Err(strange(status)),
        }
    }

    /// Calls a service on one entity. `Ok` says that Home Assistant took the order, and nothing about what came of it.
    pub async fn call(
        &self,
        (domain, service): (&str, &str),
        id: &str,
        fields: &Map<String, Value>,
        reason: Option<String>,
    ) -> Result<(), Refusal> {
        let mut body = fields.clone();
        body.insert("entity_id".to_owned(), Value::String(id.to_owned()));
        let path = format!("/api/services/{domain}/{service}");
        let wish = Wish { method: Method::Post, path, body: Some(body), reason, ..Wish::get(String::new()) };
        let Answer { status, .. } = match self.ask(wish).await {
            Ok(answer) => answer,
            Err(error) if error.perhaps() => return Err(Refusal::Perhaps(told(&error))),
            Err(error) => return Err(Refusal::No(told(&error))),
        };
        let words = match status {
            200..=299 => return Ok(()),
            400 => format!("Home Assistant refuses {domain}.{service} for {id}: it does not fit this device (400)"),
            401 => return Err(Refusal::No(self.unauthorized(&format!("its user may not change {id}")).await)),
            404 => return Err(Refusal::No(self.missing(id).await)),
            500 if domain == "alarm_control_panel" => {
                format!(
                    "Home Assistant could not do {service} for {id} (500): it may want a code, which bots do not have"
                )
            }
            status => {
                let words = format!("Home Assistant could not do {domain}.{service} for {id} ({status})");
                return Err(Refusal::Perhaps(ToolError(words)));
            }
        };
        Err(Refusal::No(ToolError(words)))
    }

    async fn ask(&self, wish: Wish) -> Result<Answer, NoAnswer> {
        exchange::run(self.egress, &self.house.upstream, wish, self.context).await
    }

    /// A 401 stands for a token that counts no more, and for one whose user may not do this: `GET /api/` tells them apart.
    async fn unauthorized(&self, otherwise: &str) -> ToolError {
        match self.ask(Wish::get("/api/".to_owned())).await {
            Ok(Answer { status: 401, .. }) => ToolError(
                "Home Assistant does not accept the token of this platform any more: the operator has to make a new one"
                    .to_owned(),
            ),
            Ok(_) => ToolError(format!("Home Assistant does not allow it: {otherwise}")),
            Err(error) => told(&error),
        }
    }

    /// A 404 of an id that is configured: it is not there, or not there yet.
    async fn missing(&self, id: &str) -> ToolError {
        match self.ask(Wish::get("/api/config".to_owned())).await {
            Ok(Answer { status: 200, body: Some(body) }) => {
                let running: Option<Running> = serde_json::from_value(body).ok();
                if running.is_some_and(|running| running.is_running()) {
                    ToolError(format!("Home Assistant has no {id}: it was removed or renamed there"))
                } else {
                    starting()
                }
            }
            Ok(_) => starting(),
            Err(error) => told(&error),
        }
    }
}

/// Why a service call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was done.
    No(ToolError),
    /// It may have been done: look.
    Perhaps(ToolError),
}

/// No answer of the server, in words.
fn told(error: &NoAnswer) -> ToolError {
    if error.is_unreachable() {
        let perhaps = if error.perhaps() { "; whether the order arrived is not known" } else { "" };
        return ToolError(format!(
            "Home Assistant cannot be reached: it is off, or restarting; try again in a minute ({error}){perhaps}"
        ));
    }
    ToolError(error.to_string())
}

fn starting() -> ToolError {
    ToolError("Home Assistant is starting and has not loaded its devices yet: try again in a minute".to_owned())
}

fn strange(status: u16) -> ToolError {
    ToolError(format!("Home Assistant gave an answer that is not understood ({status})"))
}
