//! What all servers answer, as it arrives at an agent: lists, errors, streams.

use platform_types::spark::{ModelList, SparkHealth};

use crate::running::{Running, chat, within};
use crate::scripted::*;
use spark::place::Limits;

const STREAM: &str = r#","stream":true"#;

/// The router in front of a box that lists [`MODEL`] and answers chats so; one plain and one streamed request.
async fn both(steps: Vec<Step>, code: &str, words: &str) {
    let scripted = ScriptedBox::start(listing(steps.clone())).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    for extra in ["", STREAM] {
        let answer = running.lane("personal").ask(chat(MODEL, "hi", extra)).await;
        let (found, message) = answer.refusal();
        assert_eq!(found, code, "{steps:?}: {message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(answer.origin.as_deref(), Some("backend"), "{message}");
    }
    assert_eq!(scripted.chats().len(), 2, "an answer with an error is not asked for again");
}

#[tokio::test]
async fn lists_of_models_are_normalised() {
    for (body, expect) in [
        (
            r#"{"object":"list","data":[{"id":"a/B","owned_by":"vllm","created":1,"max_model_len":131072}]}"#,
            vec![("a/B", Some(131_072), None)],
        ),
        (
            r#"{"object":"list","models":[],"data":[{"id":"t","owned_by":"llamacpp","meta":{"n_ctx":2048}}]}"#,
            vec![("t", Some(2048), None)],
        ),
        (r#"{"object":"list","data":null}"#, vec![]),
        (
            r#"{"object":"list","data":[{"id":"x","owned_by":"llama-swap","status":{"value":"loaded"},"context_length":8},{"id":"y","status":{"value":"unloaded"}}]}"#,
            vec![("x", Some(8), Some(true)), ("y", None, Some(false))],
        ),
    ] {
        let scripted = ScriptedBox::start(move |_| whole(200, "", body)).await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        for client in [running.admin(), running.lane("ops").0] {
            let target = if client.path().ends_with("spark.sock") { "/models" } else { "/v1/models" };
            let list: ModelList = within("a list", client.get(target)).await.unwrap();
            let seen: Vec<_> = list.data.iter().map(|m| (m.id.as_str(), m.context_window, m.loaded)).collect();
            assert_eq!((list.object.as_str(), seen), ("list", expect.clone()));
        }
    }
}

#[tokio::test]
async fn what_is_no_list_is_said_to_be_none() {
    for (steps, code, words) in [
        (whole(200, "", "<html><title>Sign in</title></html>"), "upstream_invalid", "<title>Sign in</title>"),
        (whole(200, "", r#"{"models":[]}"#), "upstream_invalid", "[spark].url"),
        (whole(302, "location: http://127.0.0.1:1/\r\n", ""), "upstream_invalid", "302"),
        (whole(401, "", r#"{"error":"Unauthorized"}"#), "upstream_unauthorized", "refused the key"),
        (
            whole(503, "", r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#),
            "model_loading",
            "loading",
        ),
        (whole(502, "", "Bad Gateway"), "upstream_unreachable", "proxy"),
        (whole(200, "", &"x".repeat(2 * 1024 * 1024)), "upstream_invalid", "more than"),
    ] {
        let scripted = ScriptedBox::start(move |_| steps.clone()).await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        let answer = running.lane("personal").ask(chat(MODEL, "hi", "")).await;
        let (found, message) = answer.refusal();
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{message}");
        assert!(scripted.chats().is_empty(), "nothing goes to a box whose list cannot be read");

        let health: SparkHealth = running.admin().get("/health").await.unwrap();
        assert_eq!((health.reachable, health.answering, health.model_listed), (true, false, false), "{health:?}");
        assert!(health.problem.unwrap().contains(words));
    }
}

#[tokio::test]
async fn errors_of_all_servers_have_one_shape() {
    let too_long = "has 5000 tokens, the context window of the model 2048";
    for (status, body, code, words) in [
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, your request has 5000 input tokens.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            "context_length_exceeded",
            too_long,
        ),
        (
            400,
            r#"{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (2048 tokens).","type":"BadRequest","param":null,"code":400}"#,
            "context_length_exceeded",
            too_long,
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":2048}}"#,
            "context_length_exceeded",
            too_long,
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":"model","code":404}}"#,
            "model_not_found",
            "does not exist",
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"model is not loaded","type":"invalid_request_error"}}"#,
            "model_not_loaded",
            "not loaded",
        ),
        (401, r#"{"error":"Unauthorized"}"#, "upstream_unauthorized", "botctl secret set"),
        (503, "", "upstream_error", "engine has died"),
        (
            503,
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
            "model_loading",
            "Loading model",
        ),
        (
            503,
            r#"{"error":{"message":"server busy, please try again.  maximum pending requests exceeded"}}"#,
            "queue_full",
            "busy",
        ),
        (429, r#"{"error":{"message":"wait","code":"concurrency_limit","src":"llama-swap"}}"#, "queue_full", "wait"),
        (422, r#"{"detail":[{"msg":"field required"}]}"#, "bad_request", "field required"),
        (500, "Internal Server Error", "upstream_error", "Internal Server Error"),
        (502, "<html>\x1b[31mBad\u{202e} Gateway</html>", "upstream_unreachable", "<html>[31mBad Gateway</html>"),
    ] {
        both(whole(status, "", body), code, words).await;
    }
}

#[tokio::test]
async fn an_error_in_the_place_of_an_answer_is_an_error() {
    both(whole(200, "", r#"{"error":{"message":"boom","type":"x","code":500}}"#), "upstream_error", "boom").await;
    both(whole(200, "", "<html>Sign in</html>"), "upstream_invalid", "<html>Sign in</html>").await;
    both(whole(200, "", r#"{"hello":"world"}"#), "upstream_invalid", "hello").await;
}

#[tokio::test]
async fn an_error_as_the_first_event_still_becomes_a_status() {
    let body = "data: {\"error\":{\"message\":\"The input (9 tokens) is longer than the model's context length (8 tokens).\",\"code\":400}}\n\ndata: [DONE]\n\n";
    let scripted = ScriptedBox::start(listing(stream(body))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", STREAM)).await;
    assert_eq!(answer.refusal().0, "context_length_exceeded");
}

#[tokio::test]
async fn waiting_times_reach_the_agent() {
    let scripted = ScriptedBox::start(listing(whole(429, "retry-after: 7\r\n", "{}"))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", "")).await;
    assert_eq!((answer.refusal().0.as_str(), answer.retry_after.as_deref()), ("queue_full", Some("7")));
}
