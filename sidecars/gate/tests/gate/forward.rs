//! Named routes: what goes to the agent, what comes back, and what a hostile agent gets away with.

use std::time::Duration;

use gate::limits::{HttpLimits, Limits, PairingLimits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::agent::{Call, field};
use crate::support::browser::read_to_end;
use crate::support::rig::bearer;
use crate::support::{Agent, Rig, within};

const COMPLETIONS: &str = "/v1/chat/completions";
/// More than fits into the buffers in between.
const PIECES: usize = 200;

#[tokio::test]
async fn only_valid_tokens() {
    let rig = Rig::start().await;
    let right = bearer();
    let answer = rig.ask("GET", "/v1/models", &[("authorization", &right)], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("botctl token create personal"));
    rig.token().await;
    let mut agent = Agent::echo(&rig.agent_socket(1));
    for wrong in ["", "Bearer", "Bearer ", "Bearer bot_x", &right[..right.len() - 1], &right.replace("Bearer", "Basic")]
    {
        for (method, target) in [("GET", "/v1/models"), ("POST", COMPLETIONS)] {
            let answer = rig.ask(method, target, &[("authorization", wrong)], "").await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{wrong:?}");
            assert_eq!(answer.json()["error"]["type"], "authentication_error");
        }
    }
    assert!(agent.heads.try_recv().is_err());
    assert_eq!(rig.ask("GET", "/v1/models", &[("authorization", &right)], "").await.status, 200);
    rig.push(|config| config.tokens.clear()).await;
    assert_eq!(rig.ask("GET", "/v1/models", &[("authorization", &right)], "").await.status, 401);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let pairing = PairingLimits { failures: 2, ..PairingLimits::default() };
    let rig = Rig::with_token(Limits { pairing, ..Limits::default() }).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(rig.ask("GET", "/v1/models", &[("authorization", "Bearer bot_x")], "").await.status);
    }
    assert_eq!(statuses, [401, 401, 429, 429]);
    assert_eq!(rig.ask("GET", "/v1/models", &[("authorization", &bearer())], "").await.status, 200);
}

#[tokio::test]
async fn the_request_is_written_anew() {
    let rig = Rig::with_token(Limits::default()).await;
    let mut agent = Agent::start(&rig.agent_socket(1), |mut call| async move {
        let body = call.body(18).await;
        call.answer("200 OK", "content-type: application/json\r\n", &body).await;
    });
    let bearer = bearer();
    let fields = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-bot-device", "forged"),
        ("x-bot-token", "forged"),
        ("x-forwarded-for", "1.2.3.4"),
        ("cookie", "a=b"),
        ("accept-encoding", "gzip"),
        ("tailscale-user-login", "me@example.com"),
    ];
    let answer = rig.ask("POST", &format!("{COMPLETIONS}?x=y"), &fields, "{\"model\":\"home\" }x").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{\"model\":\"home\" }x"[..]));
    let head = agent.head().await;
    let mut lines: Vec<String> = head.trim_end().lines().map(str::to_ascii_lowercase).collect();
    lines[1..].sort();
    assert_eq!(
        lines,
        [
            "post /v1/chat/completions http/1.1",
            "content-length: 18",
            "content-type: application/json",
            "host: agent",
            "x-bot-token: nightly",
        ]
    );
}

#[tokio::test]
async fn response_headers_are_the_gates_own() {
    let rig = Rig::with_token(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let fields = "content-type: application/json; charset=evil\r\nset-cookie: a=b\r\naccess-control-allow-origin: *\r\n\
            content-security-policy: default-src *\r\nservice-worker-allowed: /\r\nclear-site-data: \"*\"\r\nx-evil: 1\r\n\
            refresh: 0;url=http://evil.example\r\nlink: <x>; rel=preload\r\ncache-control: public\r\n";
        call.answer("200 OK", fields, "{}").await;
    });
    let answer = rig.ask("GET", "/v1/models", &[("authorization", &bearer())], "").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    let mut names: Vec<&str> = answer.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "cache-control",
            "content-length",
            "content-security-policy",
            "content-type",
            "cross-origin-opener-policy",
            "cross-origin-resource-policy",
            "date",
            "permissions-policy",
            "referrer-policy",
            "x-content-type-options",
        ]
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn hostile_answers_become_errors() {
    let rig = Rig::with_token(Limits::default()).await;
    let json = "content-type: application/json\r\n";
    let cases: [(String, u16, &str); 11] = [
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\n\r\nhi".into(), 502, "agent_invalid"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".into(), 502, "agent_invalid"),
        (
            format!("HTTP/1.1 302 Found\r\nlocation: http://evil.example\r\n{json}content-length: 0\r\n\r\n"),
            502,
            "agent_invalid",
        ),
        (format!("HTTP/1.1 401 Unauthorized\r\n{json}content-length: 2\r\n\r\n{{}}"), 502, "agent_invalid"),
        (format!("HTTP/1.1 200 OK\r\n{json}content-length: 99999999999\r\n\r\n{{"), 502, "agent_invalid"),
        (format!("HTTP/1.1 400 Bad\r\n{json}content-length: 100000\r\n\r\n{{"), 502, "agent_invalid"),
        (format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(100_000)), 502, "agent_invalid"),
        (format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1000)), 502, "agent_invalid"),
        ("garbage\r\n\r\n".into(), 502, "agent_invalid"),
        (String::new(), 503, "agent_unavailable"),
        ("HTTP/1.1 200 OK\r\n".into(), 503, "agent_unavailable"),
    ];
    let bearer = bearer();
    for (generation, (bytes, status, code)) in (1..).zip(cases) {
        let said = bytes.clone();
        let _agent = Agent::start(&rig.agent_socket(generation), move |mut call| {
            let said = said.clone();
            async move { call.write(&said).await }
        });
        rig.open(generation).await;
        let answer = rig.ask("GET", "/v1/models", &[("authorization", &bearer)], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{bytes:.80?}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("evil"));
    }
}

#[tokio::test]
async fn errors_of_the_agent_keep_their_shape() {
    let rig = Rig::with_token(Limits::default()).await;
    let error = "{\"error\":{\"message\":\"no bot\",\"type\":\"invalid_request_error\",\"param\":\"model\",\"code\":\"not_found\"}}";
    let _agent = Agent::start(&rig.agent_socket(1), move |call| async move {
        call.answer("429 Too Many", "content-type: application/json\r\nretry-after: 99999999\r\n", error).await;
    });
    let answer = rig.ask("POST", COMPLETIONS, &[("authorization", &bearer())], "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "not_found"));
    assert_eq!(answer.header("retry-after"), "3600");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let rig = Rig::with_token(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |mut call| async move {
        call.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let piece = "x".repeat(64 * 1024);
        for _ in 0..64 {
            call.chunk(&piece).await;
        }
        call.gone().await;
    });
    let mut answer = rig.stream("GET", "/v1/models", &[("authorization", &bearer())], "").await;
    let mut bytes = 0;
    let end = loop {
        match answer.piece().await {
            Some(Ok(piece)) => bytes += piece.len(),
            end => break end,
        }
    };
    assert!(matches!(end, Some(Err(_))), "cut, not ended: {end:?}");
    assert!(bytes <= 1024 * 1024, "{bytes}");
}

/// Streams what it is told, piece by piece.
async fn stream_pieces(
    mut call: Call,
    pieces: std::sync::Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<&'static str>>>,
) {
    call.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
    while let Some(piece) = pieces.lock().await.recv().await {
        call.chunk(piece).await;
    }
    call.write("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_stream_arrives_piece_by_piece() {
    let rig = Rig::with_token(Limits::default()).await;
    let (tell, pieces) = tokio::sync::mpsc::channel(1);
    let pieces = std::sync::Arc::new(tokio::sync::Mutex::new(pieces));
    let _agent = Agent::start(&rig.agent_socket(1), move |call| stream_pieces(call, pieces.clone()));
    let mut answer = rig.stream("POST", COMPLETIONS, &[("authorization", &bearer())], "{\"stream\":true}").await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (200, "text/event-stream"));
    for piece in ["data: {\"a\":1}\n\n", "data: {\"b\":2}\n\n", "data: [DONE]\n\n"] {
        // The next piece is only sent once this one has arrived.
        tell.send(piece).await.unwrap();
        assert_eq!(answer.piece().await.unwrap().unwrap(), piece);
    }
    drop(tell);
    assert!(answer.piece().await.is_none());
}

#[tokio::test]
async fn an_agent_that_dies_in_the_middle_is_seen() {
    let rig = Rig::with_token(Limits::default()).await;
    let (tell, pieces) = tokio::sync::mpsc::channel(1);
    let pieces = std::sync::Arc::new(tokio::sync::Mutex::new(pieces));
    let agent = Agent::start(&rig.agent_socket(1), move |call| stream_pieces(call, pieces.clone()));
    let mut answer = rig.stream("POST", COMPLETIONS, &[("authorization", &bearer())], "{}").await;
    tell.send("data: 1\n\n").await.unwrap();
    assert_eq!(answer.piece().await.unwrap().unwrap(), "data: 1\n\n");
    drop(agent);
    let end = answer.piece().await;
    assert!(matches!(end, Some(Err(_))), "the stream must not look whole: {end:?}");
}

#[tokio::test]
async fn a_client_that_goes_takes_the_agents_connection_with_it() {
    let rig = Rig::with_token(Limits::default()).await;
    for streaming in [true, false] {
        let generation = if streaming { 1 } else { 2 };
        let (gone, left) = tokio::sync::oneshot::channel();
        let gone = std::sync::Arc::new(std::sync::Mutex::new(Some(gone)));
        let mut agent = Agent::start(&rig.agent_socket(generation), move |mut call| {
            let gone = gone.clone();
            async move {
                if streaming {
                    call.write(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
                    )
                    .await;
                    call.chunk("data: 1\n\n").await;
                }
                call.gone().await;
                let gone = gone.lock().unwrap().take();
                gone.unwrap().send(()).unwrap();
            }
        });
        rig.open(generation).await;
        let mut client = rig.tcp().await;
        let host = rig.host();
        let request = format!(
            "POST {COMPLETIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\nContent-Length: 2\r\n\r\n{{}}",
            bearer()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        agent.head().await;
        drop(client);
        within(left).await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_reader_holds_the_agent_back_and_loses_nothing() {
    let rig = Rig::with_token(Limits::default()).await;

    let (told, mut sent) = tokio::sync::watch::channel(0_usize);
    let _agent = Agent::start(&rig.agent_socket(1), move |mut call| {
        let told = told.clone();
        async move {
            call.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                .await;
            let piece = "x".repeat(64 * 1024);
            for n in 1..=PIECES {
                call.chunk(&piece).await;
                told.send_replace(n);
            }
            call.write("0\r\n\r\n").await;
        }
    });
    let mut answer = rig.stream("POST", COMPLETIONS, &[("authorization", &bearer())], "{}").await;
    within(sent.wait_for(|sent| *sent > 0)).await.unwrap();
    assert!(*sent.borrow() < PIECES, "12 MiB do not fit into the buffers in between");
    let mut bytes = 0;
    while let Some(piece) = answer.piece().await {
        bytes += piece.unwrap().len();
    }
    assert_eq!(bytes, PIECES * 64 * 1024);
}

#[tokio::test]
async fn a_body_that_stalls_ends_the_request() {
    let http = HttpLimits { body_stall: Duration::from_millis(50), ..HttpLimits::default() };
    let rig = Rig::with_token(Limits { http, ..Limits::default() }).await;
    let _agent = Agent::start(&rig.agent_socket(1), Call::gone);
    let host = rig.host();
    let request = format!(
        "POST {COMPLETIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\nContent-Length: 9\r\n\r\n{{",
        bearer()
    );
    let answer = rig.raw(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_before_it_sends_its_body() {
    let rig = Rig::with_token(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |mut call| async move {
        let body = call.body(2).await;
        call.answer("200 OK", "content-type: application/json\r\n", &body).await;
    });
    let host = rig.host();
    let head = format!(
        "POST {COMPLETIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {}\r\nContent-Length: 2\r\n\
         Expect: 100-continue\r\nConnection: close\r\n\r\n",
        bearer()
    );
    let mut stream = rig.tcp().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    within(stream.read_exact(&mut told)).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{}"), "{answer}");
}

#[tokio::test]
async fn exports_are_files() {
    let rig = Rig::start().await;
    let device = crate::support::TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let mut agent = Agent::start(&rig.agent_socket(1), |call| async move {
        if call.is_socket() {
            let _socket = call.accept().await;
            return std::future::pending().await;
        }
        call.answer("200 OK", "content-type: text/markdown\r\ncontent-disposition: inline\r\n", "# Chat").await;
    });
    let id = "0123456789abcdef0123456789abcdef";
    let target = format!("/api/sessions/{id}/export");
    assert_eq!(rig.get(&target).await.status, 401);
    assert_eq!(rig.ask("GET", &target, &[("authorization", &bearer())], "").await.status, 401);
    let (_socket, ready) = rig.connect(&device).await;
    agent.head().await;
    let ticket = format!("Bearer {}", ready["ticket"].as_str().unwrap());
    let answer = rig.ask("GET", &target, &[("authorization", &ticket)], "").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"# Chat"[..]));
    assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"session-{id}.md\""));
    let head = agent.head().await;
    assert_eq!((field(&head, "x-bot-device"), field(&head, "authorization")), (Some(device.id.as_str()), None));
    // A ticket is no token.
    assert_eq!(rig.ask("GET", "/v1/models", &[("authorization", &ticket)], "").await.status, 401);
}
