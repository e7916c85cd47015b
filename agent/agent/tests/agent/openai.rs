//! The endpoint for scripts.

use platform_types::ErrorBody;
use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::until;

const TOKEN: (&str, &str) = ("x-bot-token", "script");

fn ask(stream: bool) -> Value {
    json!({"model": "assistant", "stream": stream, "stream_options": {"include_usage": true}, "temperature": 0, "messages": [
        {"role": "system", "content": "Answer in German."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "eins"},
        {"role": "user", "content": "two"},
    ]})
}

#[tokio::test]
async fn a_plain_completion_with_a_tool() {
    let world = World::start().await;
    let body = ask(false);
    let answer = world.agent.post("/v1/chat/completions", &[TOKEN], &body);
    let model = async {
        let exchange = world.model.next().await;
        let prompt = exchange.prompt();
        assert_eq!(prompt[0].1, "You are assistant.\n\nAnswer in German.");
        assert_eq!(prompt[3], ("user".to_owned(), "two".to_owned()));
        assert_eq!(exchange.body["temperature"], 0.0);
        assert_eq!(exchange.turn.len(), 32);
        let stream = exchange.stream();
        stream.call(0, "clock_now", "{}").await;
        stream.finish("tool_calls").await;
        world.model.says("zwei").await;
    };
    let ((status, _, text), ()) = tokio::join!(answer, model);
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], "assistant");
    assert_eq!(answer["choices"][0]["message"]["content"], "zwei");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["total_tokens"], 20);
    let status = world.agent.status().await;
    assert_eq!((status.turns_completed_total, status.tool_calls_total), (1, 1));
    assert_eq!((status.sessions, status.messages), (0, 0), "a script's turn is not stored");
}

#[tokio::test]
async fn a_streamed_completion() {
    let world = World::start().await;
    let body = ask(true);
    let answer = world.agent.post("/v1/chat/completions", &[TOKEN], &body);
    let model = async {
        let stream = world.model.next().await.stream();
        stream.text("zw").await;
        stream.text("ei").await;
        stream.finish("length").await;
    };
    let ((status, headers, text), ()) = tokio::join!(answer, model);
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/event-stream"));
    let events: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let said: String = chunks.iter().filter_map(|c| c["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "zwei");
    assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "length");
    let usage = &chunks[chunks.len() - 1];
    assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(3)));
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == chunks[0]["id"]));
}

#[tokio::test]
async fn errors_have_the_shape_of_openai() {
    let world = World::start().await;
    let post = async |headers: &[(&str, &str)], body: &Value| {
        let (status, _, text) = world.agent.post("/v1/chat/completions", headers, body).await;
        let body: ErrorBody = serde_json::from_str(&text).unwrap();
        (status, body.error)
    };
    assert_eq!(post(&[], &ask(false)).await.0, 401);
    let mut unknown = ask(false);
    unknown["model"] = json!("gpt-4o");
    let (status, error) = post(&[TOKEN], &unknown).await;
    assert_eq!((status, error.code.as_str(), error.param.as_deref()), (404, "model_not_found", Some("model")));
    assert!(error.message.contains("assistant, plain"), "{}", error.message);
    let mut many = ask(false);
    many["n"] = json!(3);
    assert_eq!(post(&[TOKEN], &many).await.0, 400);
    let mut long = ask(false);
    long["messages"][1]["content"] = json!("x".repeat(2 * 1024 * 1024));
    assert_eq!(post(&[TOKEN], &long).await.1.code, "too_large");
    let failing = async {
        for _ in 0..2 {
            let error = json!({"message": "no key", "type": "x", "param": null, "code": "upstream_unauthorized"});
            world.model.next().await.error(502, &error);
        }
    };
    let asking = async {
        let plain = post(&[TOKEN], &ask(false)).await;
        (plain, post(&[TOKEN], &ask(true)).await)
    };
    let ((plain, streamed), ()) = tokio::join!(asking, failing);
    assert_eq!((plain.0, plain.1.code.as_str(), plain.1.message.as_str()), (502, "upstream_unauthorized", "no key"));
    assert_eq!((streamed.0, streamed.1.code.as_str()), (502, "upstream_unauthorized"));
    let (status, _, list) = world.agent.get("/v1/models", &[TOKEN]).await;
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!((status, &list["data"][1]["id"], &list["object"]), (200, &json!("plain"), &json!("list")));
    assert_eq!(world.agent.get("/v1/models", &[]).await.0, 401);
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_stream_is_an_event() {
    let world = World::start().await;
    let body = ask(true);
    let answer = world.agent.post("/v1/chat/completions", &[TOKEN], &body);
    let model = async {
        let stream = world.model.next().await.stream();
        stream.text("zw").await;
        stream.chunk(json!({"error": {"message": "GPU on fire", "code": "upstream_error"}})).await;
    };
    let ((status, _, text), ()) = tokio::join!(answer, model);
    assert_eq!(status, 200);
    assert!(text.contains("GPU on fire") && !text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_turn() {
    let world = World::start().await;
    for stream in [false, true] {
        let body = ask(stream);
        let answer = Box::pin(world.agent.post("/v1/chat/completions", &[TOKEN], &body));
        let started = tokio::select! {
            exchange = world.model.next() => exchange.stream(),
            _ = answer => panic!("answered before the model said anything"),
        };
        // The head of a stream is held until the first words, so this client goes before them in both cases.
        started.given_up().await;
    }
    until("both to be counted", || async {
        let status = world.agent.status().await;
        (status.turns_cancelled_total == 2 && status.turns_running == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn scripts_wait_for_no_slot() {
    let world = World::start().await;
    let body = ask(false);
    let running: Vec<_> = (0..8).map(|_| world.agent.post("/v1/chat/completions", &[TOKEN], &body)).collect();
    let all = futures_util::future::join_all(running);
    let check = async {
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(world.model.next().await);
        }
        let (status, headers, _) = world.agent.post("/v1/chat/completions", &[TOKEN], &body).await;
        assert_eq!((status, headers.contains_key("retry-after")), (429, true));
        for exchange in waiting {
            let stream = exchange.stream();
            stream.text("zwei").await;
            stream.finish("stop").await;
        }
    };
    let (answers, ()) = tokio::join!(all, check);
    assert!(answers.iter().all(|(status, _, _)| *status == 200));
}

#[tokio::test]
async fn a_running_completion_is_finished_before_the_agent_stops() {
    let mut world = World::start().await;
    let body = ask(false);
    {
        let answer = world.agent.post("/v1/chat/completions", &[TOKEN], &body);
        let model = async {
            let stream = world.model.next().await.stream();
            world.agent.terminate();
            until("the drain", || async { world.agent.admin.get::<Value>("/readyz").await.err() }).await;
            assert_eq!(world.agent.get("/v1/models", &[TOKEN]).await.0, 503);
            stream.text("zwei").await;
            stream.finish("stop").await;
        };
        let ((status, _, text), ()) = tokio::join!(answer, model);
        assert!(status == 200 && text.contains("zwei"), "{status} {text}");
    }
    assert!(world.agent.ended().await.success());
}
