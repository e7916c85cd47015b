//! Bad bytes, slow bytes, too many bytes; foreign Hosts and Origins.

use std::time::Duration;

use gate::limits::{HttpLimits, Limits, MAX_BODY_BYTES, MAX_HEAD_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::browser::read_to_end;
use crate::support::rig::TOKEN;
use crate::support::{Agent, Rig, within};

fn impatient() -> Limits {
    let time = Duration::from_millis(100);
    Limits {
        http: HttpLimits { head_time: time, idle_time: time, body_stall: time, ..HttpLimits::default() },
        ..Limits::default()
    }
}

/// Status and error code of a raw answer, checking its shape.
fn refusal(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(head.contains("x-content-type-options: nosniff"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn malformed_requests_are_answered_in_the_one_shape() {
    let rig = Rig::start().await;
    let host = rig.host();
    let cases: [(String, u16, &str); 13] = [
        ("\x16\x03\x01\x02\x00\x01\x00\x01".into(), 400, "bad_request"),
        ("hello\r\n\r\n".into(), 400, "bad_request"),
        (format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"), 400, "bad_request"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400, "bad_request"),
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, "bad_request"),
        (format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400, "bad_request"),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"), 400, "bad_request"),
        (format!("GET / HTTP/1.1\nHost: {host}\n\n"), 400, "bad_request"),
        (format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400, "bad_request"),
        (
            format!(
                "POST /pair HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
            "bad_request",
        ),
        (
            format!("POST /pair HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            411,
            "length_required",
        ),
        (
            format!("POST /pair HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{{", MAX_BODY_BYTES + 1),
            413,
            "too_large",
        ),
        (format!("GET / HTTP/1.1\r\nHost: {host}\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD_BYTES)), 413, "too_large"),
    ];
    for (bytes, status, code) in &cases {
        let answer = rig.raw(bytes.as_bytes()).await;
        assert_eq!(refusal(&answer), (*status, (*code).to_owned()), "{bytes:.200?}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    let status = rig.status().await;
    assert_eq!(status.refused_total, cases.len() as u64);
    assert_eq!(status.requests_total, 0);
}

#[tokio::test]
async fn a_refused_head_does_not_hurt_the_answers_before_it() {
    let rig = Rig::start().await;
    let host = rig.host();
    let answer = rig
        .raw(
            format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\nGET / HTTP/1.1\r\nHost: {host}\r\n\r\nbad\r\n\r\n")
                .as_bytes(),
        )
        .await;
    let statuses: Vec<&str> =
        answer.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).filter(|part| part.parse::<u16>().is_ok()).collect();
    assert_eq!(statuses, ["404", "200", "400"], "{answer}");
}

#[tokio::test]
async fn every_byte_boundary_is_fine() {
    let rig = Rig::start().await;
    let mut stream = rig.tcp().await;
    stream.set_nodelay(true).unwrap();
    let request = format!("GET /nothing HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.host());
    for byte in request.bytes() {
        stream.write_all(&[byte]).await.unwrap();
    }
    assert!(read_to_end(&mut stream).await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn slow_heads_slow_bodies_and_idle_connections_end() {
    let rig = Rig::start_with(impatient()).await;
    let host = rig.host();
    // Nothing at all: closed without a word.
    assert_eq!(rig.raw(b"").await, "");
    // A head that never ends.
    let answer = rig.raw(b"GET / HTTP/1.1\r\nHost: ").await;
    assert_eq!(refusal(&answer), (408, "request_timeout".to_owned()));
    // A body that never comes.
    let answer = rig
        .raw(
            format!("POST /pair HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 9\r\n\r\n{{")
                .as_bytes(),
        )
        .await;
    assert_eq!(refusal(&answer), (408, "request_timeout".to_owned()));
    // Silence after an answer: closed without a word.
    let answer = rig.raw(format!("GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    rig.until(|status| status.connections == 0).await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_cut_off() {
    let http = HttpLimits { write_stall: Duration::from_millis(100), ..HttpLimits::default() };
    let rig = Rig::start_with(Limits { http, ..Limits::default() }).await;
    let index = rig.get("/").await;
    let page = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", rig.host());
    let mut stream = rig.tcp().await;
    // More answers than the kernel's buffers take.
    let requests = page.repeat(16 * 1024 * 1024 / index.body.len().max(1000));
    let _ = within(stream.write_all(requests.as_bytes())).await;
    rig.until(|status| status.connections == 0).await;
}

fn few(connections: usize) -> Limits {
    Limits { http: HttpLimits { connections, ..HttpLimits::default() }, ..Limits::default() }
}

/// A connection that stays open after its first answer.
async fn kept(rig: &Rig) -> TcpStream {
    let mut stream = rig.tcp().await;
    ask_again(rig, &mut stream).await;
    stream
}

async fn ask_again(rig: &Rig, stream: &mut TcpStream) {
    stream.write_all(format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", rig.host()).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        assert!(within(stream.read_buf(&mut answer)).await.unwrap() > 0, "closed without an answer");
    }
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{answer:?}");
}

#[tokio::test]
async fn idle_connections_do_not_keep_new_ones_out() {
    let rig = Rig::start_with(few(16)).await;
    let mut idle = Vec::new();
    for _ in 0..64 {
        idle.push(kept(&rig).await);
    }
    assert_eq!(rig.status().await.connections, 16);
    // The oldest went, without a word; the newest are still good.
    for stream in &mut idle[..48] {
        assert_eq!(read_to_end(stream).await, "");
    }
    for stream in &mut idle[48..] {
        ask_again(&rig, stream).await;
    }
}

#[tokio::test]
async fn the_connection_that_was_used_last_stays() {
    let rig = Rig::start_with(few(2)).await;
    let (mut first, mut second) = (kept(&rig).await, kept(&rig).await);
    ask_again(&rig, &mut first).await;
    let _third = kept(&rig).await;
    ask_again(&rig, &mut first).await;
    assert_eq!(read_to_end(&mut second).await, "");
}

#[tokio::test]
async fn slow_and_silent_clients_do_not_keep_new_ones_out() {
    let rig = Rig::start_with(few(3)).await;
    let host = rig.host();
    let (mut silent, mut head, mut body) = (rig.tcp().await, rig.tcp().await, rig.tcp().await);
    rig.until(|status| status.connections == 3).await;
    let heading = format!("POST /pair HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 9\r\n\r\n");
    // A head that comes byte by byte counts as silence; so does a body of somebody unknown.
    for byte in heading.as_bytes().iter().take(heading.len() - 1) {
        head.write_all(&[*byte]).await.unwrap();
    }
    body.write_all(heading.as_bytes()).await.unwrap();
    rig.until(|status| status.requests_total == 1).await;
    let _newcomers = (kept(&rig).await, kept(&rig).await, kept(&rig).await);
    for stream in [&mut silent, &mut head, &mut body] {
        assert_eq!(read_to_end(stream).await, "");
    }
}

#[tokio::test]
async fn a_request_with_a_credential_is_not_cut_off() {
    let rig = Rig::start_with(few(1)).await;
    rig.token().await;
    let (told, mut calls) = tokio::sync::mpsc::unbounded_channel();
    let _agent = Agent::start(&rig.agent_socket(1), move |call| {
        let told = told.clone();
        async move { told.send(call).unwrap() }
    });
    let bearer = format!("Bearer {TOKEN}");
    let fields = [("authorization", bearer.as_str())];
    let answer = rig.ask("GET", "/v1/models", &fields, "");
    let newcomer = async {
        let call = within(calls.recv()).await.unwrap();
        let mut newcomer = rig.tcp().await;
        newcomer.write_all(format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", rig.host()).as_bytes()).await.unwrap();
        // Whatever the gate does about the newcomer, it does before it answers this.
        rig.until(|status| status.connections == 1 && status.requests_total == 1).await;
        call.answer("200 OK", "content-type: application/json\r\n", "{}").await;
        let mut start = [0; 12];
        within(newcomer.read_exact(&mut start)).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 404");
    };
    let (answer, ()) = tokio::join!(answer, newcomer);
    assert_eq!((answer.status, answer.json()), (200, serde_json::json!({})));
}

#[tokio::test]
async fn a_head_that_trickles_in_is_given_up() {
    let rig = Rig::start_with(impatient()).await;
    let mut stream = rig.tcp().await;
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    assert_eq!(refusal(&trickle(&mut stream, b"x").await), (408, "request_timeout".to_owned()));
}

/// Sends a byte each 20 ms, which is never silent for long and takes far too long in all, and reads the answer.
async fn trickle(stream: &mut TcpStream, byte: &[u8]) -> String {
    let mut answer = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    within(async {
        loop {
            tokio::select! {
                _ = pace.tick() => { let _ = stream.write_all(byte).await; }
                read = stream.read_buf(&mut answer) => if read.unwrap_or(0) == 0 { break },
            }
        }
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn only_the_profiles_own_places() {
    let rig = Rig::start().await;
    let own = rig.host();
    let localhost = format!("localhost:{}", rig.port);
    let origin = rig.origin();
    let cases: [(&[(&str, &str)], u16); 12] = [
        (&[], 404),
        (&[("host", &localhost)], 404),
        (&[("host", "vm102.example.ts.net")], 404),
        (&[("host", "vm102.example.ts.net"), ("origin", "https://vm102.example.ts.net")], 404),
        (&[("host", "evil.example")], 403),
        (&[("host", "127.0.0.1")], 403),
        (&[("host", "vm102.example.ts.net:8443")], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("host", &localhost), ("origin", &origin)], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
    ];
    for (fields, status) in cases {
        let answer = rig.ask("GET", "/nothing", fields, "").await;
        assert_eq!(answer.status, status, "{fields:?} on {own}");
        assert_eq!(answer.code(), if status == 403 { "foreign_origin" } else { "not_found" });
        assert!(answer.headers.get("access-control-allow-origin").is_none());
        assert!(answer.headers.get("set-cookie").is_none());
    }
}

#[tokio::test]
async fn a_foreign_host_learns_nothing_on_any_route() {
    let rig = Rig::start().await;
    for (method, target) in
        [("GET", "/"), ("GET", "/ws"), ("POST", "/pair/nonce"), ("GET", "/v1/models"), ("GET", "/manifest.webmanifest")]
    {
        let answer = rig.ask(method, target, &[("host", "rebound.example")], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "foreign_origin"), "{method} {target}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("personal"));
    }
}

#[tokio::test]
async fn methods_and_paths_are_named() {
    let rig = Rig::start().await;
    let cases = [
        ("POST", "/", 405, "GET, HEAD"),
        ("GET", "/pair", 405, "POST"),
        ("DELETE", "/v1/models", 405, "GET"),
        ("OPTIONS", "/v1/chat/completions", 405, "POST"),
        ("GET", "/healthz", 404, ""),
        ("GET", "/v1/models/x", 404, ""),
        ("GET", "/%2e%2e/", 404, ""),
    ];
    for (method, target, status, allow) in cases {
        let answer = rig.ask(method, target, &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{method} {target}");
        assert_eq!(answer.code(), if status == 405 { "method_not_allowed" } else { "not_found" });
    }
}

#[tokio::test]
async fn a_body_that_trickles_in_does_not_hold_the_pairing_route() {
    let rig = Rig::start_with(impatient()).await;
    let host = rig.host();
    let mut stream = rig.tcp().await;
    let head = format!("POST /pair HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nContent-Length: 4000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(refusal(&trickle(&mut stream, b" ").await), (408, "request_timeout".to_owned()));
}

#[tokio::test]
async fn before_the_first_configuration_nothing_is_answered() {
    let rig = Rig::bare(Limits::default()).await;
    let answer = rig.get("/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "agent_unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
}
