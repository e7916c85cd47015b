//! Which chat requests are let through. Pure.
//!
//! Fields are allowlisted, at the top and inside messages and tools: model servers have fields that fetch URLs, load
//! templates or read files, and a new version brings new ones. What is not OpenAI's own passes only to servers that know it. Media travel only as `data:` URLs, because a server that
//! fetches an address would be a network for the agent. What is let through keeps its bytes and its order, so that the
//! server's prompt cache hits; only `stream_options` is written anew.

mod checks;

use platform_types::meters::Provider;
use platform_types::{ErrorCode, ModelId};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::fields::{is_known_by, kind_of};
use crate::json::{self, Fields};
use crate::refusal::{Refusal, quote};

/// Longest request body: a context window of 200,000 tokens and some pictures.
pub const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Most messages of a request.
pub const MAX_MESSAGES: usize = 10_000;
/// Most tools of a request.
pub const MAX_TOOLS: usize = 256;

/// A request that may go to the model box.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    pub model: ModelId,
    pub stream: bool,
    /// The client asked for the usage-only chunk.
    pub wants_usage: bool,
    pub messages: Vec<Value>,
    /// Names of the tools on offer.
    pub tools: Vec<String>,
    pub tool_choice: Option<Value>,
    fields: Vec<(String, Box<RawValue>)>,
}

impl ChatRequest {
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let fields = Fields::parse(body).map_err(|error| bad(format!("the body is not a chat request: {error}")))?;
        let unknown: Vec<&str> =
            fields.0.iter().map(|(name, _)| name.as_str()).filter(|name| kind_of(name).is_none()).collect();
        refuse_unknown("the request", &unknown)?;
        let mut values = Map::new();
        for (name, raw) in &fields.0 {
            let value = json::strict(raw.get()).map_err(|error| at(name, error.to_string()))?;
            checks::check_field(name, &value)?;
            values.insert(name.clone(), value);
        }
        let model = match values.get("model") {
            Some(Value::String(id)) if !id.is_empty() => {
                ModelId::new(id.clone()).map_err(|_| at("model", "is not a model id"))?
            }
            _ => return Err(at("model", "is missing; name one of GET /v1/models")),
        };
        let Some(Value::Array(messages)) = values.remove("messages") else {
            return Err(at("messages", "is missing; it is a list with at least one message"));
        };
        Ok(Self {
            model,
            stream: values.get("stream") == Some(&Value::Bool(true)),
            wants_usage: values.get("stream_options").and_then(|options| options.get("include_usage"))
                == Some(&Value::Bool(true)),
            messages,
            tools: tool_names(values.get("tools")),
            tool_choice: values.remove("tool_choice"),
            fields: fields.0.into_iter().map(|(name, raw)| (name, raw.to_owned())).collect(),
        })
    }

    /// Whether the server that lists the model knows every field.
    pub fn fits(&self, server: Provider) -> Result<(), Refusal> {
        let foreign: Vec<&str> = self
            .fields
            .iter()
            .filter(|(name, raw)| raw.get() != "null" && !is_known_by(name, server))
            .map(|(name, _)| name.as_str())
            .collect();
        let Some(first) = foreign.first() else { return Ok(()) };
        let (names, server) = (foreign.join(", "), server.as_str());
        let message = format!("the model box ({server}) has no such fields: {names}; leave them out");
        Err(bad(message).with_param(*first))
    }

    /// The body for the model box: every value as it came, and usage asked for in streams.
    pub fn body(&self) -> String {
        let mut body = String::with_capacity(256 + self.fields.iter().map(|(_, raw)| raw.get().len()).sum::<usize>());
        let mut write = |name: &str, value: &str| {
            body.push(if body.is_empty() { '{' } else { ',' });
            body.push('"');
            // Known names only, which need no escapes.
            body.push_str(name);
            body.push_str("\":");
            body.push_str(value);
        };
        for (name, raw) in self.fields.iter().filter(|(name, _)| name != "stream_options") {
            write(name, raw.get());
        }
        if self.stream {
            write("stream_options", r#"{"include_usage":true}"#);
        }
        body.push('}');
        body
    }
}

fn tool_names(tools: Option<&Value>) -> Vec<String> {
    let tools = tools.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    tools.iter().filter_map(|tool| tool.pointer("/function/name")?.as_str()).map(str::to_owned).collect()
}

fn refuse_unknown(place: &str, unknown: &[&str]) -> Result<(), Refusal> {
    let Some(first) = unknown.first() else { return Ok(()) };
    let names = quote(&unknown.join(", "));
    let message = format!("{place} has fields that are not let through to the model box: {names}");
    Err(bad(message).with_param(quote(first)))
}

fn at(path: impl Into<String>, rule: impl std::fmt::Display) -> Refusal {
    let path = path.into();
    bad(format!("{path}: {rule}")).with_param(path)
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::router(ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests;
