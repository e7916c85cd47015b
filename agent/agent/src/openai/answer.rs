//! The answer of a script's turn: whole, or as a stream of chunks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agent_core::prompt::Usage;
use agent_core::turn::{Answer, Emission};
use axum::Json;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use platform_kit::Failure;
use platform_kit::clock::SharedClock;
use platform_types::ErrorCode;
use platform_types::Timestamp;
use platform_types::chat::{NoteCode, TurnOutcome};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::counters::{Counters, Running as Counted};
use crate::driver::{Driver, Step};

/// A stream's head is held until there is something to say, so that a failure before it has its own status. After this
/// it is sent all the same: clients give up on silence.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// Comments keep a silent stream alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What every answer and chunk starts with.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub id: String,
    pub model: String,
    pub created: i64,
}

/// A turn, with its slot, until its end. Dropped before its end it is cancelled, and counted as that.
pub(super) struct Running {
    driver: Driver,
    counters: Arc<Counters>,
    clock: SharedClock,
    started: Timestamp,
    said_something: bool,
    ended: bool,
    _counted: Counted,
    _slot: OwnedSemaphorePermit,
}

/// A piece of the answer.
enum Piece {
    Text(String),
    End(Box<Answer>),
}

impl Running {
    pub fn new(driver: Driver, slot: OwnedSemaphorePermit, counters: Arc<Counters>, clock: SharedClock) -> Self {
        let started = clock.now();
        let counted = counters.running();
        Self { driver, counters, clock, started, said_something: false, ended: false, _counted: counted, _slot: slot }
    }

    async fn next(&mut self) -> Option<Piece> {
        loop {
            match self.driver.next().await? {
                Step::Record(_) | Step::Emission(Emission::Changed { .. } | Emission::Waits(_)) => {}
                Step::Emission(Emission::Delta { text, .. }) => {
                    if !std::mem::replace(&mut self.said_something, true) {
                        self.counters.first_token(self.clock.now().millis_since(self.started));
                    }
                    return Some(Piece::Text(text));
                }
                Step::Finished(answer) => {
                    self.ended = true;
                    self.counters.ended(&answer);
                    return Some(Piece::End(answer));
                }
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.counters.abandoned();
        }
    }
}

/// Waits for the whole answer.
pub(super) async fn plain(mut running: Running, head: Head) -> Result<Response, Failure> {
    loop {
        match running.next().await {
            Some(Piece::Text(_)) => {}
            Some(Piece::End(answer)) => return Ok(Json(whole(&head, &whole_or_failure(*answer)?)).into_response()),
            None => return Err(Failure::new(ErrorCode::Internal, "the turn ended without an answer")),
        }
    }
}

fn whole(head: &Head, answer: &Answer) -> Value {
    json!({
        "id": format!("chatcmpl-{}", head.id),
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(answer),
        }],
        "usage": answer.usage.map(usage),
    })
}

/// Streams the answer. A failure before the first words has its own status; a later one is an event.
pub(super) async fn streamed(mut running: Running, head: Head, include_usage: bool) -> Result<Response, Failure> {
    let first = match tokio::time::timeout(HEAD_WAIT, running.next()).await {
        Ok(Some(Piece::End(answer))) => Some(Piece::End(Box::new(whole_or_failure(*answer)?))),
        Ok(piece) => piece,
        Err(_) => None,
    };
    let writer = Writer { head, include_usage };
    let start = writer.chunk(&json!({"role": "assistant", "content": ""}), None);
    let state = (running, writer, first, Some(start));
    let batches = stream::unfold(state, |(mut running, writer, first, start)| async move {
        if running.ended && first.is_none() {
            return None;
        }
        let piece = match first {
            Some(piece) => piece,
            None => match start {
                // The head went out before anything was said.
                Some(start) => return Some((vec![start], (running, writer, None, None))),
                None => running.next().await?,
            },
        };
        let events = start.into_iter().chain(writer.events(piece)).collect();
        Some((events, (running, writer, None, None)))
    });
    let events = futures_util::StreamExt::flat_map(batches, |batch: Vec<Event>| {
        stream::iter(batch.into_iter().map(Ok::<_, Infallible>))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Writes chunks of one answer.
struct Writer {
    head: Head,
    include_usage: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: String,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

impl Writer {
    fn chunk(&self, delta: &Value, reason: Option<&str>) -> Event {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason});
        // OpenAI sends a null usage with every chunk when the last one will have it.
        self.event(vec![choice], self.include_usage.then_some(Value::Null))
    }

    fn event(&self, choices: Vec<Value>, usage: Option<Value>) -> Event {
        let Head { id, model, created } = &self.head;
        let id = format!("chatcmpl-{id}");
        let chunk = Chunk { id, object: "chat.completion.chunk", created: *created, model, choices, usage };
        data(&chunk)
    }

    fn events(&self, piece: Piece) -> Vec<Event> {
        let answer = match piece {
            Piece::Text(text) => return vec![self.chunk(&json!({ "content": text }), None)],
            Piece::End(answer) => answer,
        };
        match whole_or_failure(*answer) {
            Err(failure) => vec![data(&failure.body())],
            Ok(answer) => {
                let mut events = vec![self.chunk(&json!({}), Some(finish_reason(&answer)))];
                if self.include_usage {
                    events.push(self.event(Vec::new(), Some(usage(answer.usage.unwrap_or_default()))));
                }
                events.push(Event::default().data("[DONE]"));
                events
            }
        }
    }
}

fn data(value: &impl Serialize) -> Event {
    Event::default().data(serde_json::to_string(value).expect("an answer has only texts as keys"))
}

fn usage(usage: Usage) -> Value {
    let Usage { input_tokens, output_tokens } = usage;
    json!({
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens.saturating_add(output_tokens),
    })
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.note.as_ref().map(|note| note.code) {
        Some(NoteCode::Length | NoteCode::ToolLimit) => "length",
        _ => "stop",
    }
}

/// An answer that is not whole is an error to a script.
fn whole_or_failure(answer: Answer) -> Result<Answer, Failure> {
    match answer.outcome {
        TurnOutcome::Completed => Ok(answer),
        TurnOutcome::Stopped | TurnOutcome::Interrupted => {
            Err(Failure::new(ErrorCode::AgentUnavailable, "the agent is restarting; try again").with_retry_after(2))
        }
        TurnOutcome::Failed => {
            let detail = answer.note.and_then(|note| note.detail);
            let code = answer.failure.and_then(|failure| ErrorCode::from_code(&failure.code));
            let words = detail.unwrap_or_else(|| "the model failed".to_owned());
            Err(Failure::new(code.unwrap_or(ErrorCode::UpstreamError), words))
        }
    }
}
