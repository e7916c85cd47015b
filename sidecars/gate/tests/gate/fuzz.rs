//! Any bytes at all, bounded in number: the gate answers or closes, and goes on.

use std::cell::RefCell;

use gate::limits::Limits;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::upstream::TestUpstream;
use crate::support::{Agent, Rig, TestDevice, within};

/// A quarter of what properties get by default, which `tests/run soak` multiplies.
fn cases() -> u32 {
    Config::default().cases.div_ceil(4)
}

fn runner() -> TestRunner {
    TestRunner::new(Config { cases: cases(), failure_persistence: None, ..Config::default() })
}

/// Something like a request, and something that is not.
fn heads() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Host: localhost\r\n".to_owned()),
        Just("Content-Length: 3\r\n".to_owned()),
        Just("Upgrade: websocket\r\nConnection: upgrade\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        "[A-Za-z-]{1,12}: [ -~]{0,30}\r\n",
        "[ -~\r\n]{0,20}",
    ];
    let request = ("(GET|POST|HEAD|PUT) [ -~]{1,20} HTTP/1\\.1\r\n", vec(line, 0..6), vec(any::<u8>(), 0..20))
        .prop_map(|(start, lines, body)| [start.as_bytes(), lines.concat().as_bytes(), b"\r\n", &body].concat());
    prop_oneof![vec(any::<u8>(), 0..300), request]
}

/// Frames with right and wrong bits, masks and lengths.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let frame = (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..40))
        .prop_map(|(first, second, rest)| [&[first, second][..], &rest].concat());
    vec(frame, 1..4).prop_map(|frames| frames.concat())
}

#[test]
fn any_bytes_are_answered_or_closed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::start());
    let outcome = runner().run(&heads(), |bytes| {
        let answer = runtime.block_on(async {
            let mut stream = rig.tcp().await;
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = within(stream.read_to_end(&mut answer)).await;
            answer
        });
        prop_assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{:?}", answer);
        let refused = |code: &[u8]| answer.starts_with(b"HTTP/1.1 ") && answer[9..].starts_with(code);
        prop_assert!(!refused(b"2") && !refused(b"5"), "{:?}", String::from_utf8_lossy(&answer));
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async {
        assert_eq!(rig.get("/").await.status, 200);
        rig.until(|status| status.connections == 0).await;
    });
}

/// Requests of a hostile agent: nearly right targets, hosts and bodies.
fn ways_out() -> impl Strategy<Value = Vec<u8>> {
    let host = prop_oneof![Just("home".to_owned()), Just("gate".to_owned()), "[ -~]{0,12}"];
    let target = prop_oneof![
        Just("/api/states/light.kitchen".to_owned()),
        "/api/states/[a-z.%0-9/?&=;]{0,20}",
        "/confirmations/[0-9a-f]{30,34}",
        Just("/anchor".to_owned()),
        "[ -~]{1,20}",
    ];
    let body = prop_oneof![
        Just(b"{\"entity_id\":\"light.kitchen\"}".to_vec()),
        Just(b"{\"entity_id\":\"light.kitchen\",\"entity_id\":\"lock.front\"}".to_vec()),
        vec(any::<u8>(), 0..60),
    ];
    let length = prop_oneof![Just(None), any::<u8>().prop_map(Some)];
    ("(GET|POST|PUT|DELETE|CONNECT|TRACE)", target, host, vec("[A-Za-z-]{1,12}: [ -~]{0,30}\r\n", 0..4), body, length)
        .prop_map(|(method, target, host, lines, body, length)| {
            let length = length.map_or(body.len(), usize::from);
            let head = format!(
                "{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{}\r\n",
                lines.concat()
            );
            [head.as_bytes(), &body].concat()
        })
}

#[test]
fn whatever_the_agent_sends_only_the_rules_requests_go_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (rig, upstream) = runtime.block_on(async {
        let upstream = TestUpstream::json(serde_json::json!({"state": "on"})).await;
        (Rig::with_home(&upstream).await, RefCell::new(upstream))
    });
    let outcome =
        TestRunner::new(Config { cases: 4 * cases(), ..runner().config().clone() }).run(&ways_out(), |bytes| {
            rig.clock.advance(60_000);
            let answer = runtime.block_on(rig.out_raw(&bytes));
            prop_assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 "), "{}", answer);
            prop_assert!(!answer.starts_with("HTTP/1.1 5"), "{}", answer);
            while let Ok((head, body)) = upstream.borrow_mut().requests.try_recv() {
                let start = head.lines().next().unwrap_or_default();
                let fits = match start {
                    "GET /api/states/light.kitchen HTTP/1.1" | "GET /api/states/lock.front HTTP/1.1" => body.is_empty(),
                    "POST /api/services/light/turn_on HTTP/1.1" => body == "{\"entity_id\":\"light.kitchen\"}",
                    _ => false,
                };
                prop_assert!(fits, "{head}{body}");
            }
            Ok(())
        });
    outcome.unwrap();
    runtime.block_on(async { rig.audit().await });
}

#[test]
fn any_frames_end_only_their_own_socket() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let device = TestDevice::new(1);
    let (rig, _agent, mut bystander) = runtime.block_on(async {
        let rig = Rig::start_with(Limits::default()).await;
        rig.push(|config| config.devices = vec![device.paired()]).await;
        let agent = Agent::echo(&rig.agent_socket(1));
        let bystander = rig.connect(&device).await.0;
        (rig, agent, bystander)
    });
    let outcome = runner().run(&(frames(), any::<bool>()), |(bytes, authenticated)| {
        runtime.block_on(async {
            let mut socket = if authenticated { rig.connect(&device).await.0 } else { rig.dial().await.0 };
            let stream = socket.0.get_mut();
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut rest = Vec::new();
            let _ = within(stream.read_to_end(&mut rest)).await;
        });
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async {
        bystander.say(&serde_json::json!({"n": 1})).await;
        assert_eq!(bystander.hear().await["n"], 1);
        rig.until(|status| status.websockets == 1).await;
    });
}
