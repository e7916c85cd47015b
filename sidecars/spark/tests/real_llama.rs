//! The router in front of a real llama.cpp server with a toy model (`compose/peers/llm`).

#[cfg(test)]
#[path = "router/client.rs"]
mod client;
#[cfg(test)]
#[path = "router/llama.rs"]
mod llama;

#[path = "router/plain.rs"]
mod plain;
#[cfg(test)]
#[path = "router/running.rs"]
mod running;

use http_body_util::BodyExt as _;
use llama::{CONTEXT, KEY, Llama, MODEL, chunks, write_key};
use platform_types::meters::{Provider, UsageReport};
use platform_types::spark::ModelList;
use running::{chat, within};
use serde_json::{Value, json};

const SENTENCE: &str = "Hello, this is model alpha answering over the local router.";
const STREAM: &str = r#","temperature":0,"stream":true"#;
/// Forbids the end of the text: the sentence goes on to `max_tokens`.
const ENDLESS: &str = r#","temperature":0,"stream":true,"logit_bias":{"2":-100},"max_tokens":4000"#;

#[tokio::test]
async fn models_plain_and_stream() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");

    let list: ModelList = lane.0.get("/v1/models").await.unwrap();
    let seen: Vec<_> = list.data.iter().map(|model| (model.id.as_str(), model.context_window)).collect();
    assert_eq!(seen, [(MODEL, Some(CONTEXT))]);

    let answer = lane.ask(chat(MODEL, "hi", r#","temperature":0"#)).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(
        (answer.status, &plain["choices"][0]["message"]["content"], &plain["model"]),
        (200, &json!(SENTENCE), &json!(MODEL))
    );

    let answer = lane.ask(chat(MODEL, "hi", STREAM)).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/event-stream"));
    assert!(answer.text.ends_with("data: [DONE]\n\n"));
    let said: String =
        chunks(&answer.text).iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, SENTENCE);
    assert!(!answer.text.contains("\"usage\""), "nobody asked for usage");

    let answer = running
        .lane("ops")
        .ask(chat(MODEL, "hi", &format!(r#"{STREAM},"stream_options":{{"include_usage":true}}"#)))
        .await;
    let usage = chunks(&answer.text).pop().unwrap();
    assert_eq!(usage["choices"], json!([]));
    let output = usage["usage"]["completion_tokens"].as_u64().unwrap();
    let status = running.counted("three answers", |status| status.requests_total == 3 && status.inflight == 0).await;
    assert_eq!((status.output_tokens_total, status.estimated_total, status.errors_total), (3 * output, 0, 0));

    let report: UsageReport = running.admin().get("/usage").await.unwrap();
    let requests: Vec<_> = report.rows.iter().map(|row| (row.profile.as_str(), row.used.requests)).collect();
    assert_eq!(requests, [("ops", 1), ("personal", 2)]);
    let cached: u64 = report.rows.iter().map(|row| row.used.cached_tokens).sum();
    assert!(cached > 0, "the same prompt three times is read from the server's cache: {report:?}");
    assert!(status.meters.operations.iter().all(|one| one.provider == Provider::Llamacpp && one.error.is_none()));
    within("the router has stopped", running.stopped()).await;
}

#[tokio::test]
async fn a_tool_call_and_its_result() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");
    let tools = r#","tools":[{"type":"function","function":{"name":"get_time","description":"the time","parameters":{"type":"object","properties":{"zone":{"type":"string"}}}}}]"#;

    let answer = lane.ask(chat(MODEL, "what time is it", &format!("{STREAM}{tools}"))).await;
    let chunks = chunks(&answer.text);
    let deltas: Vec<&Value> =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    let arguments: String = deltas.iter().filter_map(|delta| delta["function"]["arguments"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"zone": "utc"}));
    assert_eq!(deltas[0]["function"]["name"], "get_time");
    assert!(chunks.iter().any(|chunk| chunk["choices"][0]["finish_reason"] == "tool_calls"), "{}", answer.text);

    let call =
        json!({"id": deltas[0]["id"], "type": "function", "function": {"name": "get_time", "arguments": arguments}});
    let messages = json!([
        {"role": "user", "content": "what time is it"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": deltas[0]["id"], "content": "13:00"}
    ]);
    let answer = lane.ask(format!(r#"{{"model":"{MODEL}","temperature":0,"messages":{messages}{tools}}}"#)).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(plain["choices"][0]["message"]["content"], SENTENCE, "{}", answer.text);
}

#[tokio::test]
async fn refusals() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");

    // The server itself would answer any name.
    let before = llama.prompt_tokens().await;
    for id in ["fantasy/none", "tiny-lab/bigram-1.4m.alpha-v1.0", "tiny-lab/Bigram-1.4M.beta-v1.0"] {
        let (code, message) = lane.ask(chat(id, "hi", "")).await.refusal();
        assert_eq!(code, "model_not_found");
        assert!(message.contains(MODEL), "{message}");
    }
    assert_eq!(llama.prompt_tokens().await, before, "nothing of it reached the server");

    for extra in [r#","temperature":0"#, STREAM] {
        let answer = lane.ask(chat(MODEL, &"word ".repeat(4000), extra)).await;
        let (code, message) = answer.refusal();
        assert_eq!((code.as_str(), answer.origin.as_deref()), ("context_length_exceeded", Some("backend")));
        let numbers: Vec<u64> =
            message.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect();
        assert!(numbers.len() == 2 && numbers[0] > 4000 && numbers[1] == u64::from(CONTEXT), "{message}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_slot() {
    let mut llama = Llama::start(None, 2 * CONTEXT);
    let running = llama.behind(None).await;
    let mut body = running.lane("personal").open(chat(MODEL, "hi", ENDLESS)).await.into_body();
    within("the first words", body.frame()).await.unwrap().unwrap();
    assert_eq!(llama.busy_slots().await, 1);
    drop(body);
    within("a free slot", async { while llama.busy_slots().await != 0 {} }).await;
    let status =
        running.counted("it was cancelled", |status| status.inflight == 0 && status.cancelled_total == 1).await;
    assert!((1..4000).contains(&status.output_tokens_total), "the model was stopped before its end: {status:?}");
}

#[tokio::test]
async fn the_key_is_needed() {
    let mut llama = Llama::start(Some(KEY), CONTEXT);
    let running = llama.behind(Some("spark-key")).await;
    let lane = running.lane("personal");
    assert_eq!(lane.ask(chat(MODEL, "hi", r#","temperature":0"#)).await.status, 200);

    write_key(&running, "another-key");
    let answer = lane.ask(chat(MODEL, "hi", "")).await;
    let (code, message) = answer.refusal();
    assert_eq!((code.as_str(), answer.origin.as_deref()), ("upstream_unauthorized", Some("backend")));
    assert!(message.contains("botctl secret set") && !message.contains("another-key"), "{message}");

    running.push(2, llama.backend(None), &["personal"]).await.unwrap();
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.refusal().0, "upstream_unauthorized");
}

/// The server ends a kept connection after a hundred requests, and after 5 s.
#[tokio::test]
async fn more_requests_than_it_takes_on_one_connection() {
    let mut llama = Llama::start(None, CONTEXT);
    let running = llama.behind(None).await;
    let lane = running.lane("personal");
    for count in 0..120 {
        let answer = lane.ask(chat(MODEL, "hi", r#","temperature":0,"max_tokens":2"#)).await;
        assert_eq!(answer.status, 200, "{count}: {answer:?}");
    }
    let status = running.counted("all answered", |status| status.inflight == 0).await;
    assert_eq!((status.requests_total, status.errors_total, status.output_tokens_total), (120, 0, 240));
}
