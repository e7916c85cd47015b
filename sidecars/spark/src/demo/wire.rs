//! The demo model's answers in OpenAI's protocol.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use platform_kit::random;
use serde_json::{Value, json};

use super::script::{Call, Performance, Say};
use crate::request::ChatRequest;
use crate::upstream::Source;

/// Tool arguments come in pieces of so many characters, as those of a model do.
const ARGUMENT_PIECE_CHARS: usize = 6;

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

/// One event a word, paced.
pub fn streamed(request: &ChatRequest, performance: &Performance) -> Source {
    let id = id("chatcmpl");
    let chunk = |choices: Value| json!({"id": id, "object": "chat.completion.chunk", "created": 0, "model": request.model, "choices": choices});
    let delta =
        |delta: Value, finish: Option<&str>| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]));

    let mut events = vec![event(&delta(json!({"role": "assistant", "content": ""}), None))];
    let (finish, tokens) = match &performance.say {
        Say::Words(words) | Say::Broken(words) => {
            events.extend(words.iter().map(|word| event(&delta(json!({"content": word}), None))));
            ("stop", words.len())
        }
        Say::Calls(calls) => {
            for (index, call) in calls.iter().enumerate() {
                events.extend(
                    pieces(index, call).into_iter().map(|piece| event(&delta(json!({"tool_calls": [piece]}), None))),
                );
            }
            ("tool_calls", calls.len())
        }
    };
    if matches!(performance.say, Say::Broken(_)) {
        events.push(event(&broken()));
    } else {
        events.push(event(&delta(json!({}), Some(finish))));
        let mut last = chunk(json!([]));
        last["usage"] = usage(performance.prompt_tokens, tokens);
        events.push(event(&last));
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    }
    paced(events, performance.pace)
}

fn paced(events: Vec<Bytes>, pace: Option<Duration>) -> Source {
    let stream = futures_util::stream::iter(events);
    match pace {
        None => stream.map(Ok).boxed(),
        Some(pace) => stream
            .then(move |event| async move {
                tokio::time::sleep(pace).await;
                Ok(event)
            })
            .boxed(),
    }
}

fn once(body: &Value) -> Source {
    let body = Bytes::from(body.to_string());
    futures_util::stream::once(async { Ok(body) }).boxed()
}

fn event(value: &Value) -> Bytes {
    format!("data: {value}\n\n").into()
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
