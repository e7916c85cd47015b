//! The demo model's answers in OpenAI's protocol.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use platform_kit::random;
use serde::Serialize;
use serde_json::{Value, json};

use super::script::{Call, Performance, Say};
use crate::request::ChatRequest;
use crate::upstream::Source;

/// Tool arguments come in pieces of so many characters, as those of a model do.
const ARGUMENT_PIECE_CHARS: usize = 6;
/// An answer without a pace goes out in pieces of about so many bytes.
const PIECE_BYTES: usize = 8 * 1024;

/// One body.
pub fn plain(request: &ChatRequest, performance: &Performance) -> Source {
    let (message, finish, tokens) = match &performance.say {
        Say::Words(words) => (json!({"role": "assistant", "content": words.concat()}), "stop", words.len()),
        Say::Calls(calls) => {
            let calls: Vec<Value> = calls.iter().map(|call| full(call, &id("call"))).collect();
            (json!({"role": "assistant", "content": null, "tool_calls": calls}), "tool_calls", calls.len())
        }
        Say::Broken(_) => return once(&broken()),
    };
    once(&json!({
        "id": id("chatcmpl"),
        "object": "chat.completion",
        "created": 0,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage(performance.prompt_tokens, tokens),
    }))
}

/// One event a word. A paced answer comes event by event; one without a pace as a fast box sends it, many at a time.
pub fn streamed(request: &ChatRequest, performance: &Performance) -> Source {
    let mut events = Events::new(&id("chatcmpl"), request, performance.pace.is_none());
    events.delta(&json!({"role": "assistant", "content": ""}), None);
    let (finish, tokens) = match &performance.say {
        Say::Words(words) | Say::Broken(words) => {
            for word in words {
                events.delta(&Content { content: word }, None);
            }
            ("stop", words.len())
        }
        Say::Calls(calls) => {
            for piece in calls.iter().enumerate().flat_map(|(index, call)| pieces(index, call)) {
                events.delta(&json!({"tool_calls": [piece]}), None);
            }
            ("tool_calls", calls.len())
        }
    };
    if matches!(performance.say, Say::Broken(_)) {
        events.add(&broken().to_string());
    } else {
        events.delta(&json!({}), Some(finish));
        events.usage(&usage(performance.prompt_tokens, tokens));
        events.add("[DONE]");
    }
    paced(events.pieces, performance.pace)
}

/// What most deltas are.
#[derive(Serialize)]
struct Content<'a> {
    content: &'a str,
}

/// The events of one answer. What all of them have in common is written once.
struct Events {
    /// A chunk up to its choices.
    head: String,
    together: bool,
    pieces: Vec<String>,
}

impl Events {
    fn new(id: &str, request: &ChatRequest, together: bool) -> Self {
        let model = json!(request.model);
        let head = format!(r#"{{"id":"{id}","object":"chat.completion.chunk","created":0,"model":{model},"choices":"#);
        Self { head, together, pieces: Vec::new() }
    }

    fn delta(&mut self, delta: &impl Serialize, finish: Option<&str>) {
        let (delta, finish) = (text(delta), text(&finish));
        self.add(&format!(r#"{}[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#, self.head));
    }

    fn usage(&mut self, usage: &Value) {
        self.add(&format!(r#"{}[],"usage":{usage}}}"#, self.head));
    }

    fn add(&mut self, data: &str) {
        match self.pieces.last_mut().filter(|piece| self.together && piece.len() < PIECE_BYTES) {
            Some(piece) => piece.extend(["data: ", data, "\n\n"]),
            None => self.pieces.push(format!("data: {data}\n\n")),
        }
    }
}

/// A value of plain fields always has a text; without one the event is no JSON, and the reader says so.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn paced(pieces: Vec<String>, pace: Option<Duration>) -> Source {
    let stream = futures_util::stream::iter(pieces.into_iter().map(Bytes::from));
    match pace {
        None => stream.map(Ok).boxed(),
        Some(pace) => stream
            .then(move |piece| async move {
                tokio::time::sleep(pace).await;
                Ok(piece)
            })
            .boxed(),
    }
}

fn once(body: &Value) -> Source {
    let body = Bytes::from(body.to_string());
    futures_util::stream::once(async { Ok(body) }).boxed()
}

fn full(call: &Call, id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

/// The deltas of one tool call: its name first, its arguments in pieces.
fn pieces(index: usize, call: &Call) -> Vec<Value> {
    let mut head = full(&Call { name: call.name.clone(), arguments: String::new() }, &id("call"));
    head["index"] = index.into();
    let chars: Vec<char> = call.arguments.chars().collect();
    let rest = chars
        .chunks(ARGUMENT_PIECE_CHARS)
        .map(|piece| json!({"index": index, "function": {"arguments": piece.iter().collect::<String>()}}));
    std::iter::once(head).chain(rest).collect()
}

fn usage(prompt: u64, completion: usize) -> Value {
    let completion = u64::try_from(completion).unwrap_or(u64::MAX);
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion, "estimated": true})
}

fn broken() -> Value {
    json!({"error": {"message": "the demo model broke off, as it was told to", "type": "server_error", "param": null, "code": "upstream_error"}})
}

fn id(kind: &str) -> String {
    format!("{kind}-{}", random::id())
}
