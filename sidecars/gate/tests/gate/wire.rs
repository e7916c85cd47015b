//! Bad bytes, slow bytes, too many bytes; foreign Hosts and Origins.

use std::time::Duration;

use gate::limits::{HttpLimits, Limits, MAX_BODY_BYTES, MAX_HEAD_BYTES};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::browser::read_to_end;
use crate::support::{Rig, within};

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

#[tokio::test]
async fn connections_over_the_limit_wait() {
    let http = HttpLimits { connections: 2, ..HttpLimits::default() };
    let rig = Rig::start_with(Limits { http, ..Limits::default() }).await;
    let (first, second) = (rig.tcp().await, rig.tcp().await);
    rig.until(|status| status.connections == 2).await;
    let mut third = rig.tcp().await;
    third.write_all(format!("GET /nothing HTTP/1.1\r\nHost: {}\r\n\r\n", rig.host()).as_bytes()).await.unwrap();
    assert_eq!(rig.status().await.connections, 2);
    drop(first);
    let mut start = [0; 12];
    within(third.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 404");
    drop(second);
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
    let mut answer = Vec::new();
    // A byte each 20 ms is never silent for long, and takes far too long in all.
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    within(async {
        loop {
            tokio::select! {
                _ = pace.tick() => { let _ = stream.write_all(b" ").await; }
                read = stream.read_buf(&mut answer) => if read.unwrap_or(0) == 0 { break },
            }
        }
    })
    .await;
    assert_eq!(refusal(&String::from_utf8_lossy(&answer)), (408, "request_timeout".to_owned()));
}

#[tokio::test]
async fn before_the_first_configuration_nothing_is_answered() {
    let rig = Rig::bare(Limits::default()).await;
    let answer = rig.get("/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "agent_unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
}
