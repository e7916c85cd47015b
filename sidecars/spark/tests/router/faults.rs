//! Boxes that break, fall silent or talk nonsense, and clients that go away.

use std::time::Duration;

use http_body_util::BodyExt as _;
use platform_types::spark::{Backend, SparkHealth, SparkLimits};
use platform_types::{ErrorBody, ModelId};
use spark::place::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::limits::{PATIENT, hasty, limited};
use crate::running::{Running, chat, within};
use crate::scripted::*;

const STREAM: &str = r#","stream":true"#;

/// Patience for a box that does this: none with one that falls silent for good.
fn limits(steps: &[Step]) -> SparkLimits {
    let silent = steps.iter().any(|step| matches!(step, Step::UntilGone));
    let begun = steps.iter().any(|step| matches!(step, Step::Send(bytes) if bytes.starts_with(b"data: ")));
    let soon = 8;
    match (silent, begun) {
        (false, _) => PATIENT,
        (true, true) => SparkLimits { idle_seconds: soon, ..PATIENT },
        (true, false) => SparkLimits { first_byte_seconds: soon, ..PATIENT },
    }
}

/// A streamed answer: what passed, and the code of the error event behind it.
async fn broken(steps: Vec<Step>) -> (String, String) {
    let limits = limits(&steps);
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = limited(scripted.backend(), limits, hasty()).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", STREAM)).await;
    assert_eq!((answer.status, answer.kind.as_str()), (200, "text/event-stream"), "{answer:?}");
    let (passed, event) = answer.text.rsplit_once("data: ").unwrap();
    assert!(event.ends_with("}\n\n"), "{event}");
    let body: ErrorBody = serde_json::from_str(event).unwrap();
    let status = running.counted("the request has ended", |status| status.inflight == 0).await;
    assert_eq!((status.errors_total, status.cancelled_total), (1, 0));
    (passed.to_owned(), body.error.code)
}

async fn check_broken(rest: Vec<Step>, passed: &str, code: &str) {
    let steps = [vec![stream_head(), send(&chunk("a"))], rest].concat();
    let expect = (format!("{}{passed}", chunk("a")), code.to_owned());
    assert_eq!(broken(steps).await, expect);
}

#[tokio::test]
async fn a_stream_that_breaks_gets_an_error_at_its_end() {
    let b = chunk("b");
    check_broken(vec![], "", "upstream_incomplete").await;
    check_broken(vec![send(&b)], &b, "upstream_incomplete").await;
    // Half an event is never passed on.
    check_broken(vec![send(&b[..40])], "", "upstream_incomplete").await;
    check_broken(vec![Step::UntilGone], "", "upstream_timeout_idle").await;
    let flat = "data: {\"object\":\"error\",\"message\":\"engine died\",\"code\":500}\n\n";
    check_broken(vec![send(&b), send(flat), send("data: [DONE]\n\n")], &b, "upstream_error").await;
    check_broken(vec![send(":\n\n"), Step::UntilGone], ":\n\n", "upstream_timeout_idle").await;
    check_broken(vec![send(&"x".repeat(2 * 1024 * 1024)), Step::UntilGone], "", "upstream_invalid").await;
}

#[tokio::test]
async fn a_reset_in_the_middle_is_an_error_at_the_end() {
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&chunk("a")), Step::Hold, Step::Reset])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let mut body = running.lane("personal").open(chat(MODEL, "hi", STREAM)).await.into_body();
    let first = within("the first chunk", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, chunk("a"));
    scripted.go();
    let rest = within("the rest", body.collect()).await.unwrap().to_bytes();
    assert!(rest.starts_with(b"data: {\"error\":") && rest.ends_with(b"\n\n"), "{rest:?}");
    assert!(String::from_utf8_lossy(&rest).contains("upstream_incomplete"));
}

#[tokio::test]
async fn a_stream_that_never_began_is_an_error_status() {
    let silent = vec![stream_head(), Step::UntilGone];
    for (steps, extra, code) in [
        (stream(""), STREAM, "upstream_empty_stream"),
        (whole(200, "content-type: text/event-stream\r\n", ""), STREAM, "upstream_empty_stream"),
        (stream("data: [DONE]\n\n"), STREAM, "upstream_empty_stream"),
        (stream("data: {\"object\":\"error\",\"message\":\"died\"}\n\ndata: [DONE]\n\n"), STREAM, "upstream_error"),
        (stream("error: {\"message\":\"died\",\"code\":500}\n\n"), STREAM, "upstream_error"),
        (whole(200, "", r#"{"object":"error","message":"died","code":500}"#), "", "upstream_error"),
        (stream("<html>\n\n</html>"), STREAM, "upstream_invalid"),
        (stream("data: nonsense\n\n"), STREAM, "upstream_invalid"),
        (stream(&plain(MODEL)), STREAM, "upstream_invalid"),
        (stream(&chunk("a")[..30]), STREAM, "upstream_invalid"),
        (vec![send("garbage\r\n\r\n")], STREAM, "upstream_invalid"),
        (vec![send("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), Step::Reset], "", "upstream_incomplete"),
        (vec![Step::UntilGone], "", "upstream_timeout_first_byte"),
        (vec![Step::UntilGone], STREAM, "upstream_timeout_first_byte"),
        (silent, STREAM, "upstream_timeout_first_byte"),
        (whole(200, "", &"x".repeat(9 * 1024 * 1024)), "", "upstream_invalid"),
    ] {
        let scripted = ScriptedBox::start(listing(steps.clone())).await;
        let running = limited(scripted.backend(), limits(&steps), hasty()).await;
        let (found, message) = running.lane("personal").ask(chat(MODEL, "hi", extra)).await.refusal();
        assert_eq!(found, code, "{steps:.80?}: {message}");
        assert!(scripted.chats().len() <= 1, "{code} is not tried again");
    }
}

#[tokio::test]
async fn the_errors_of_the_box_pass_when_they_come_late() {
    let error = "data: {\"error\":{\"message\":\"engine died\",\"code\":500}}\n\n";
    let body = [&chunk("a"), error].concat();
    let scripted = ScriptedBox::start(listing(stream(&body))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", STREAM)).await.text, body);
    running.counted("an error", |status| status.errors_total == 1 && status.inflight == 0).await;
}

#[tokio::test]
async fn a_box_that_ends_the_answer_but_not_the_connection_is_left() {
    let body = [chunk("a"), ending()].concat();
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&body), Step::UntilGone])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", STREAM)).await.text, body);
    scripted.until_gone(1).await;
}

#[tokio::test]
async fn nobody_at_the_other_end() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let backend = Backend::Box { url: url.clone(), model: ModelId::new(MODEL).unwrap(), key: None };
    let running = Running::with(backend, Limits::default()).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", "")).await;
    let (code, message) = answer.refusal();
    assert_eq!((code.as_str(), answer.origin.as_deref()), ("upstream_unreachable", Some("router")));
    assert!(message.contains(&url) && message.contains("refused"), "{message}");
    let health: SparkHealth = running.lane("ops").0.get("/health").await.unwrap();
    assert_eq!((health.reachable, health.answering, health.model_listed), (false, false, false));
    assert!(health.problem.unwrap().contains("is its model server running?"));
    let ready: platform_types::health::Readiness = running.admin().get("/readyz").await.unwrap();
    assert!(ready.ready && ready.notes[0].contains(&url), "a box that is down is a note: {ready:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = ScriptedBox::start(|_| whole(200, "", "{}")).await;
    let location = format!("location: {}/chat/completions\r\n", elsewhere.url);
    let scripted = ScriptedBox::start(listing(whole(307, &location, ""))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal().0, "upstream_invalid");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn the_box_sees_at_once_that_a_client_is_gone() {
    let before_head = vec![Step::UntilGone];
    let before_first_byte = vec![stream_head(), Step::UntilGone];
    for (steps, extra) in [(before_head.clone(), ""), (before_head, STREAM), (before_first_byte, STREAM)] {
        let scripted = ScriptedBox::start(listing(steps)).await;
        let running = Running::with(scripted.backend(), Limits::default()).await;
        let lane = running.lane("personal");
        let request =
            platform_kit::task::spawn("a client", async move { lane.ask(chat(MODEL, "hi", extra)).await.status });
        scripted.until_seen("the chat", |seen| seen.iter().any(|seen| !seen.is_list())).await;
        request.abort();
        scripted.until_gone(1).await;
        let status = running.counted("the slot is free", |status| status.inflight == 0).await;
        assert_eq!((status.cancelled_total, status.errors_total), (1, 0));
    }
}

#[tokio::test]
async fn the_box_sees_in_the_middle_of_a_stream_that_a_client_is_gone() {
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&chunk("a")), Step::UntilGone])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let mut body = running.lane("personal").open(chat(MODEL, "hi", STREAM)).await.into_body();
    within("the first chunk", body.frame()).await.unwrap().unwrap();
    drop(body);
    scripted.until_gone(1).await;
    let status = running.counted("the slot is free", |status| status.inflight == 0).await;
    assert_eq!((status.cancelled_total, status.output_tokens_total, status.estimated_total), (1, 1, 1));
}

#[tokio::test]
async fn a_slow_reader_gets_everything() {
    let words: String = (0..60_000).map(|n| chunk(&format!("w{n}"))).collect();
    let body = [words, ending()].concat();
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&body)])).await;
    let running = limited(scripted.backend(), SparkLimits { idle_seconds: 50, ..PATIENT }, hasty()).await;
    let mut reader = running.lane("personal").open(chat(MODEL, "hi", STREAM)).await.into_body();
    let mut read = Vec::new();
    while let Some(frame) = within("the next frame", reader.frame()).await {
        read.extend_from_slice(&frame.unwrap().into_data().unwrap());
        tokio::task::yield_now().await;
    }
    assert!(read == body.as_bytes(), "{} of {} bytes", read.len(), body.len());
}

/// A client that has read the head of a stream which is longer than every buffer on the way.
async fn half_read(limits: Limits) -> (Running, tokio::net::UnixStream) {
    let words = chunk(&"w".repeat(4096)).repeat(4096);
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&words), Step::UntilGone])).await;
    let running = Running::with(scripted.backend(), limits).await;
    let path = running.lane("personal").0.path().to_owned();
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    let body = chat(MODEL, "hi", STREAM);
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut first = [0; 64];
    within("the head", stream.read_exact(&mut first)).await.unwrap();
    (running, stream)
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_place() {
    let (running, _stream) = half_read(Limits { stall: Duration::from_millis(50), ..Limits::default() }).await;
    let status =
        running.counted("the place is free", |status| status.inflight == 0 && status.requests_total == 1).await;
    assert_eq!(status.cancelled_total, 1);
}

#[tokio::test]
async fn a_client_that_takes_a_little_now_and_then_loses_it_too() {
    let stall = Duration::from_millis(200);
    let (running, mut stream) = half_read(Limits { stall, ..Limits::default() }).await;
    let reading = async {
        // Each wait is shorter than the patience, and all of them together are longer.
        let mut pace = tokio::time::interval(stall / 10);
        let mut some = vec![0; 256 * 1024];
        while matches!(stream.read(&mut some).await, Ok(1..)) {
            pace.tick().await;
        }
    };
    let free = running.counted("the place is free", |status| status.inflight == 0 && status.requests_total == 1);
    let ((), status) = tokio::join!(reading, free);
    assert_eq!(status.cancelled_total, 1);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let scripted = ScriptedBox::start(listing(vec![])).await;
    let limits = Limits { body: Duration::from_millis(50), ..Limits::default() };
    let running = Running::with(scripted.backend(), limits).await;
    let path = running.lane("personal").0.path().to_owned();
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    stream.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    let mut answer = String::new();
    within("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("did not arrive in time"), "{answer}");
}

#[tokio::test]
async fn heads_are_bounded_and_routes_few() {
    let running = Running::with(Backend::Demo, Limits::default()).await;
    let path = running.lane("personal").0.path().to_owned();
    for (request, status) in [
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100_000)), "431"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        ("GET /v1/embeddings HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "404"),
        ("GET /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "405"),
        ("PUT /config HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), "404"),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        // The other side may close before it has read an endless head.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = within("an answer", stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    }
}
