//! Conversations with the demo model, over the same socket and through the same checks as with a box.

use http_body_util::BodyExt as _;
use platform_types::spark::{Backend, BackendKind, DEMO_MODEL, ModelList, SparkHealth};
use serde_json::{Value, json};
use spark::place::Limits;

use crate::running::{Running, chat, within};

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;
const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"clock.now","parameters":{"type":"object"}}}]"#;

async fn start() -> Running {
    Running::with(Backend::Demo, Limits::default()).await
}

/// The chunks of a stream, after its frame was checked.
fn chunks(text: &str) -> Vec<Value> {
    let events: Vec<&str> =
        text.strip_suffix("\n\n").unwrap().split("\n\n").map(|event| event.strip_prefix("data: ").unwrap()).collect();
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect()
}

#[tokio::test]
async fn it_is_listed_and_healthy() {
    let running = start().await;
    let list: ModelList = running.lane("personal").0.get("/v1/models").await.unwrap();
    assert_eq!(list.data.len(), 1);
    assert_eq!(
        (list.data[0].id.as_str(), list.data[0].context_window, list.data[0].loaded),
        (DEMO_MODEL, Some(16_384), Some(true))
    );
    let health: SparkHealth = running.admin().get("/health").await.unwrap();
    assert_eq!(
        (health.backend, health.url, health.model_listed, health.problem),
        (BackendKind::Demo, None, true, None)
    );
    let ready: platform_types::health::Readiness = running.admin().get("/readyz").await.unwrap();
    assert!(ready.ready && ready.notes[0].contains("demo/echo"), "{ready:?}");
}

#[tokio::test]
async fn it_echoes_plain_and_streamed() {
    let running = start().await;
    let lane = running.lane("personal");
    let answer = lane.ask(chat(DEMO_MODEL, "Guten Morgen", "")).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    let said = plain["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(said.contains("> Guten Morgen") && said.contains("not a language model"), "{said}");
    assert_eq!(
        (plain["choices"][0]["finish_reason"].as_str(), &plain["usage"]["estimated"]),
        (Some("stop"), &json!(true))
    );

    let answer = lane.ask(chat(DEMO_MODEL, "Guten Morgen", STREAM)).await;
    let chunks = chunks(&answer.text);
    let streamed: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(streamed, said);
    assert!(chunks.len() > 20, "a stream is many chunks");
    assert!(chunks.last().unwrap()["usage"]["completion_tokens"].as_u64() > Some(20));
    let status = running.counted("two answers", |status| status.requests_total == 2 && status.inflight == 0).await;
    assert!(status.estimated_total == 2 && status.output_tokens_total > 40, "{status:?}");
}

#[tokio::test]
async fn it_calls_a_tool_and_tells_the_result() {
    let running = start().await;
    let lane = running.lane("personal");
    let answer = lane.ask(chat(DEMO_MODEL, "/call clock.now {\"zone\":\"UTC\"}", &format!("{TOOLS}{STREAM}"))).await;
    let chunks = chunks(&answer.text);
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    assert_eq!(deltas[0]["function"]["name"], "clock.now");
    let arguments: String = deltas.iter().map(|delta| delta["function"]["arguments"].as_str().unwrap()).collect();
    assert_eq!(arguments, "{\"zone\":\"UTC\"}");
    assert!(deltas.len() > 2, "arguments come in pieces");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "tool_calls"));

    let call =
        json!({"id": deltas[0]["id"], "type": "function", "function": {"name": "clock.now", "arguments": arguments}});
    let messages = json!([
        {"role": "user", "content": "/call clock.now {\"zone\":\"UTC\"}"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": deltas[0]["id"], "content": "2026-11-22T13:00:00Z"}
    ]);
    let answer = lane.ask(format!(r#"{{"model":"{DEMO_MODEL}","messages":{messages}{TOOLS}}}"#)).await;
    assert!(
        answer.text.contains("The tool `clock.now` answered:") && answer.text.contains("2026-11-22T13:00:00Z"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn it_fails_on_command() {
    let running = start().await;
    let lane = running.lane("personal");
    for extra in ["", STREAM] {
        assert_eq!(lane.ask(chat(DEMO_MODEL, "/fail", extra)).await.refusal().0, "upstream_error");
        assert_eq!(lane.ask(chat("gpt-4", "hi", extra)).await.refusal().0, "model_not_found");
        assert_eq!(
            lane.ask(chat(DEMO_MODEL, &"word ".repeat(20_000), extra)).await.refusal().0,
            "context_length_exceeded"
        );
    }
    assert_eq!(lane.ask(chat(DEMO_MODEL, "/fail midway", "")).await.refusal().0, "upstream_error");
    let answer = lane.ask(chat(DEMO_MODEL, "/fail midway", STREAM)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("breaks") && answer.text.trim_end().ends_with("\"code\":\"upstream_error\",\"message\":\"the demo model broke off, as it was told to\",\"param\":null,\"type\":\"server_error\"}}"), "{}", answer.text);
}

#[tokio::test]
async fn a_slow_answer_can_be_left() {
    let running = start().await;
    let mut body = running.lane("personal").open(chat(DEMO_MODEL, "/slow 2000", STREAM)).await.into_body();
    within("the first words", body.frame()).await.unwrap().unwrap();
    running.counted("it runs", |status| status.inflight == 1).await;
    drop(body);
    running.counted("it was left", |status| status.inflight == 0 && status.cancelled_total == 1).await;
}

#[tokio::test]
async fn a_long_answer_is_whole() {
    let running = start().await;
    let answer = running.lane("ops").ask(chat(DEMO_MODEL, "/long 5000", STREAM)).await;
    let last = chunks(&answer.text)
        .into_iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .next_back();
    assert_eq!(last.as_deref(), Some(" word5000"));
}
