//! What passes: bytes, ids, fields, usage.

use http_body_util::BodyExt as _;
use platform_types::ErrorCode;
use spark::place::Limits;

use crate::running::{Running, chat, within};
use crate::scripted::*;

const STREAM: &str = r#","stream":true"#;
const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4}}\n\n";

#[tokio::test]
async fn a_plain_answer_passes_byte_for_byte() {
    let scripted = ScriptedBox::start(listing(whole(200, "x-secret: 1\r\n", &plain(MODEL)))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", r#","temperature":0.10"#)).await;
    assert_eq!((answer.status, answer.kind.as_str(), answer.text), (200, "application/json", plain(MODEL)));
    let request = scripted.chats().remove(0);
    assert_eq!(request.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(request.body, chat(MODEL, "hi", r#","temperature":0.10"#));
    assert!(!request.head.to_lowercase().contains("authorization"));
    assert!(request.head.contains("accept-encoding: identity"), "{}", request.head);
    let status = running.counted("usage", |status| status.inflight == 0 && status.requests_total == 1).await;
    assert_eq!((status.input_tokens_total, status.output_tokens_total, status.errors_total), (5, 2, 0));
}

#[tokio::test]
async fn a_stream_passes_byte_for_byte_and_usage_only_on_request() {
    let body = [":\n\n", &chunk("a"), ": ping\n\n", &chunk("b"), USAGE, &ending()].concat();
    let scripted = ScriptedBox::start(listing(stream(&body))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");

    let answer = lane.ask(chat(MODEL, "hi", STREAM)).await;
    assert_eq!((answer.status, answer.kind.as_str(), answer.text), (200, "text/event-stream", body.replace(USAGE, "")));
    let answer = lane.ask(chat(MODEL, "hi", r#","stream":true,"stream_options":{"include_usage":true}"#)).await;
    assert_eq!(answer.text, body);
    for request in scripted.chats() {
        assert!(
            request.body.ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#),
            "{}",
            request.body
        );
    }
    let status = running.counted("usage", |status| status.inflight == 0).await;
    assert_eq!((status.input_tokens_total, status.output_tokens_total, status.estimated_total), (22, 8, 0));
}

#[tokio::test]
async fn only_an_exact_id_goes_to_the_box() {
    let scripted = ScriptedBox::start(listing(whole(200, "", &plain(MODEL)))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    for id in ["tiny/model-1.a", "Model-1.A", "tiny/Model-1.A ", "tiny%2FModel-1.A", "gpt-4"] {
        let answer = running.lane("ops").ask(chat(id, "hi", "")).await;
        let (code, message) = answer.refusal();
        assert_eq!((code.as_str(), answer.origin.as_deref()), ("model_not_found", Some("router")), "{id}");
        assert!(message.contains("it lists: tiny/Model-1.A"), "{message}");
    }
    assert!(scripted.chats().is_empty());
    assert_eq!(running.lane("ops").ask(chat(MODEL, "hi", "")).await.status, 200);
}

#[tokio::test]
async fn a_model_that_is_not_loaded_is_never_loaded_by_a_chat() {
    let cards = format!(
        r#"{{"data":[{{"id":"{MODEL}","status":{{"value":"unloaded"}}}},{{"id":"other","status":{{"value":"loaded"}}}}]}}"#
    );
    let scripted = ScriptedBox::start(move |_| whole(200, "", &cards)).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let (code, message) = running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal();
    assert_eq!(code, ErrorCode::ModelNotLoaded.as_str());
    assert!(message.contains("loaded: other"), "{message}");
    assert!(scripted.chats().is_empty());
}

#[tokio::test]
async fn a_model_that_has_just_appeared_is_found() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let scripted = ScriptedBox::start(move |seen| {
        if !seen.is_list() {
            return whole(200, "", &plain("new"));
        }
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        whole(200, "", if first { r#"{"data":[{"id":"old"}]}"# } else { r#"{"data":[{"id":"new"}]}"# })
    })
    .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let _: platform_types::spark::ModelList = running.admin().get("/models").await.unwrap();
    assert_eq!(running.lane("personal").ask(chat("new", "hi", "")).await.status, 200);
}

#[tokio::test]
async fn an_answer_from_another_model_is_not_used() {
    let other = chunk("b").replace(MODEL, "tiny/Other");
    for (steps, extra) in
        [(whole(200, "", &plain("tiny/Other")), ""), (stream(&[other.clone(), ending()].concat()), STREAM)]
    {
        let scripted = ScriptedBox::start(listing(steps)).await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        let (code, message) = running.lane("personal").ask(chat(MODEL, "hi", extra)).await.refusal();
        assert_eq!(code, "upstream_error");
        assert!(message.contains("answered as") && message.contains("tiny/Other"), "{message}");
    }
    // After a ping the head has gone; the words of the other model have not.
    let scripted =
        ScriptedBox::start(listing(vec![stream_head(), send(":\n\n"), Step::Hold, send(&other), send(&ending())]))
            .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let mut body = running.lane("personal").open(chat(MODEL, "hi", STREAM)).await.into_body();
    let ping = within("the ping", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(ping, ":\n\n");
    scripted.go();
    let rest = within("the rest", body.collect()).await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.starts_with("data: {\"error\":") && rest.contains("upstream_error"), "{rest}");
}

#[tokio::test]
async fn names_that_the_list_itself_gives_are_no_contradiction() {
    for card in [
        format!(r#"{{"id":"{MODEL}","aliases":["served"],"owned_by":"llamacpp"}}"#),
        format!(r#"{{"id":"{MODEL}","root":"served","owned_by":"vllm"}}"#),
        format!(r#"{{"id":"{MODEL}","owned_by":"llama-swap","status":{{"value":"loaded"}}}}"#),
    ] {
        let scripted = ScriptedBox::start(move |seen| {
            let list = format!(r#"{{"data":[{card}]}}"#);
            whole(200, "", &if seen.is_list() { list } else { plain("served") })
        })
        .await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", "")).await.status, 200);
    }
}

#[tokio::test]
async fn after_a_switch_the_real_ids_are_named() {
    let switched = std::sync::atomic::AtomicBool::new(false);
    let scripted = ScriptedBox::start(move |seen| {
        if seen.is_list() && !switched.load(std::sync::atomic::Ordering::SeqCst) {
            return list();
        }
        switched.store(true, std::sync::atomic::Ordering::SeqCst);
        whole(200, "", &if seen.is_list() { r#"{"data":[{"id":"beta"}]}"#.to_owned() } else { plain("beta") })
    })
    .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let (code, message) = running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal();
    assert_eq!(code, "model_not_found");
    assert!(message.contains("it lists: beta"), "{message}");
}

#[tokio::test]
async fn requests_that_do_not_pass_never_reach_the_box() {
    let scripted = ScriptedBox::start(listing(vec![])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    let picture = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/"}}]}]}"#;
    for (body, code, words) in [
        ("{".to_owned(), "bad_request", "not a chat request"),
        (picture.to_owned(), "bad_request", "data: URL"),
        (chat(MODEL, "hi", r#","chat_template":"x""#), "bad_request", "chat_template"),
        (chat(MODEL, &"x".repeat(4 * 1024 * 1024), ""), "too_large", "longer than"),
    ] {
        let (found, message) = lane.ask(body).await.refusal();
        assert_eq!(found, code);
        assert!(message.contains(words), "{message}");
    }
    assert!(scripted.chats().is_empty());
    let status = running.counted("no request is left", |status| status.inflight == 0).await;
    assert_eq!((status.requests_total, status.errors_total, status.cancelled_total), (4, 4, 0));
}
