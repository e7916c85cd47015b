//! Sockets: challenge, revocation, limits, slow pages, lost agents.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gate::limits::{
    Limits, MAX_MESSAGE_IN_BYTES, MAX_MESSAGE_OUT_BYTES, MAX_UNAUTHENTICATED_BYTES, PairingLimits, SocketLimits,
};
use platform_types::gate::{Purpose, Scope};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::agent::{self, field};
use crate::support::{Agent, Rig, Socket, TestDevice, within};

async fn paired(limits: Limits) -> (Rig, TestDevice) {
    let rig = Rig::start_with(limits).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    (rig, device)
}

fn sockets(change: impl FnOnce(&mut SocketLimits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.socket);
    limits
}

#[tokio::test]
async fn a_paired_device_talks_to_the_agent() {
    let (rig, device) = paired(Limits::default()).await;
    let mut agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, ready) = rig.connect(&device).await;
    assert_eq!(ready["device"], json!(device.id));
    let head = agent.head().await;
    assert_eq!(field(&head, "x-bot-device"), Some(device.id.as_str()));
    for secret in ["origin", "authorization", "cookie", "x-forwarded-for"] {
        assert_eq!(field(&head, secret), None, "{head}");
    }
    socket.say(&json!({"type": "send", "text": "hällo 👋"})).await;
    assert_eq!(socket.hear().await["text"], "hällo 👋");
    assert_eq!(rig.status().await.websockets, 1);
    let ticket = ready["ticket"].as_str().unwrap().to_owned();
    let export = format!("/api/sessions/{}/export", "a".repeat(32));
    let bearer = format!("Bearer {ticket}");
    assert_eq!(rig.ask("GET", &export, &[("authorization", &bearer)], "").await.status, 200);
    drop(socket);
    rig.until(|status| status.websockets == 0).await;
    assert_eq!(rig.ask("GET", &export, &[("authorization", &bearer)], "").await.status, 401);
}

#[tokio::test]
async fn the_agent_is_told_what_a_device_may_do_and_told_anew_when_that_changes() {
    let (rig, device) = paired(Limits::default()).await;
    let mut agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, _) = rig.connect(&device).await;
    assert_eq!(field(&agent.head().await, "x-bot-scopes"), Some("chat"));
    rig.push(|config| config.devices[0].scopes.push(Scope::Approve)).await;
    assert_eq!(socket.closed().await, 1012, "the page connects again");
    let (_socket, _) = rig.connect(&device).await;
    assert_eq!(field(&agent.head().await, "x-bot-scopes"), Some("chat,approve"));
}

#[tokio::test]
async fn who_is_not_paired_is_refused() {
    let (rig, device) = paired(Limits::default()).await;
    let (mut socket, challenge) = rig.dial().await;
    socket.say(&TestDevice::new(2).auth(&challenge)).await;
    assert_eq!(socket.refused().await, ("unauthorized".to_owned(), 4401));
    // A signature over another challenge, for another purpose, or over other values.
    let (_, older) = rig.dial().await;
    let (mut socket, challenge) = rig.dial().await;
    socket.say(&device.auth(&older)).await;
    assert_eq!(socket.refused().await.1, 4401);
    let (mut socket, _) = rig.dial().await;
    let pairing = device.sign(Purpose::Pair, &challenge);
    socket.say(&json!({"type": "auth", "device": device.id, "signature": pairing})).await;
    assert_eq!(socket.refused().await.1, 4401);
    for (name, value) in [("host", json!("evil.example")), ("profile", json!("ops")), ("time", json!(1))] {
        let (mut socket, mut challenge) = rig.dial().await;
        challenge[name] = value;
        socket.say(&device.auth(&challenge)).await;
        assert_eq!(socket.refused().await.1, 4401, "{name}");
    }
    // A device whose scopes do not cover chatting.
    rig.push(|config| config.devices[0].scopes.clear()).await;
    let mut socket = rig.enter(&device).await;
    assert_eq!(socket.refused().await.1, 4401);
    assert_eq!(rig.status().await.denied_total, 7);
}

#[tokio::test]
async fn an_old_challenge_is_no_good() {
    let (rig, device) = paired(Limits::default()).await;
    let (mut socket, challenge) = rig.dial().await;
    rig.clock.advance(60_001);
    socket.say(&device.auth(&challenge)).await;
    assert_eq!(socket.refused().await.1, 4401);
}

#[tokio::test]
async fn many_wrong_answers_are_told_to_slow_down_and_right_ones_pass() {
    let mut limits = Limits { pairing: PairingLimits { failures: 1, ..PairingLimits::default() }, ..Limits::default() };
    limits.socket.close_time = Duration::from_secs(5);
    let (rig, device) = paired(limits).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    assert_eq!(rig.enter(&TestDevice::new(2)).await.refused().await.1, 4401);
    assert_eq!(rig.enter(&TestDevice::new(2)).await.refused().await, ("rate_limited".to_owned(), 1013));
    rig.connect(&device).await;
}

#[tokio::test]
async fn only_the_profiles_page_opens_sockets() {
    let rig = Rig::start().await;
    let own = rig.origin();
    let cases: [(&[(&str, &str)], u16); 7] = [
        (&[], 403),
        (&[("origin", "http://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", "https://vm102.example.ts.net")], 403),
        (&[("host", "evil.example"), ("origin", "http://evil.example")], 403),
        (&[("origin", &own), ("sec-fetch-site", "cross-site")], 403),
        (&[("origin", &own), ("sec-fetch-site", "same-site")], 403),
    ];
    for (fields, status) in cases {
        assert_eq!(rig.dial_with(fields).await.err(), Some(status), "{fields:?}");
    }
    rig.dial_with(&[("origin", &own), ("sec-fetch-site", "same-origin")]).await.unwrap();
    rig.dial_with(&[("host", "vm102.example.ts.net"), ("origin", "https://vm102.example.ts.net")]).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_no_handshake() {
    let rig = Rig::start().await;
    let origin = rig.origin();
    let answer = rig.ask("GET", "/ws", &[("origin", &origin)], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
    let upgrade = [("origin", origin.as_str()), ("connection", "upgrade"), ("upgrade", "websocket")];
    let answer = rig.ask("GET", "/ws", &upgrade, "").await;
    assert_eq!((answer.status, answer.header("connection")), (400, "close"));
    // An upgrade elsewhere is not one, and the connection ends with the answer.
    let answer = rig.ask("GET", "/", &upgrade, "").await;
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once() {
    let (rig, device) = paired(Limits::default()).await;
    let other = TestDevice::new(2);
    rig.push(|config| config.devices.push(other.paired())).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, ready) = rig.connect(&device).await;
    let (mut bystander, _) = rig.connect(&other).await;
    rig.push(|config| config.devices.retain(|paired| paired.id == other.id)).await;
    assert_eq!(socket.closed().await, 4401);
    let bearer = format!("Bearer {}", ready["ticket"].as_str().unwrap());
    let export = format!("/api/sessions/{}/export", "a".repeat(32));
    assert_eq!(rig.ask("GET", &export, &[("authorization", &bearer)], "").await.status, 401);
    assert_eq!(rig.enter(&device).await.refused().await.1, 4401);
    bystander.say(&json!({"n": 1})).await;
    assert_eq!(bystander.hear().await["n"], 1);
}

#[tokio::test]
async fn a_device_revoked_at_the_door_does_not_get_in() {
    let (rig, device) = paired(Limits::default()).await;
    rig.hold().await;
    let mut socket = rig.enter(&device).await;
    rig.until(|status| status.waiting == 1).await;
    rig.push(|config| config.devices.clear()).await;
    assert_eq!(socket.closed().await, 4401);
    rig.until(|status| status.waiting == 0).await;
}

/// Few strangers, and a closing handshake that nobody may be waiting for.
fn few_strangers(unauthenticated: usize) -> Limits {
    sockets(|limits| {
        limits.unauthenticated = unauthenticated;
        limits.close_time = Duration::from_hours(1);
    })
}

#[tokio::test]
async fn strangers_are_few_and_cost_each_other_their_places() {
    let (rig, device) = paired(few_strangers(2)).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut inside, _) = rig.connect(&device).await;
    let ((mut first, _), second) = (rig.dial().await, rig.dial().await);
    // None of them reads or closes, and each newcomer gets in; who has authenticated is not among those who make way.
    let _third = rig.dial().await;
    assert_eq!(first.closed().await, 1013);
    let (mut socket, challenge) = second;
    socket.say(&device.auth(&challenge)).await;
    assert_eq!(socket.hear().await["type"], "ready");
    let mut strangers = Vec::new();
    for _ in 0..8 {
        strangers.push(rig.dial().await);
    }
    for socket in [&mut inside, &mut socket] {
        socket.say(&json!({"n": 1})).await;
        assert_eq!(socket.hear().await["n"], 1);
    }
    assert_eq!(rig.status().await.websockets, 2);
}

#[tokio::test]
async fn strangers_have_little_time_and_little_room() {
    let (rig, _) = paired(sockets(|limits| limits.auth_time = Duration::from_millis(50))).await;
    let (mut socket, _) = rig.dial().await;
    assert_eq!(socket.refused().await, ("request_timeout".to_owned(), 1008));

    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, _) = rig.dial().await;
    socket.text(&"x".repeat(MAX_UNAUTHENTICATED_BYTES)).await;
    assert_eq!(socket.closed().await, 1009);
    let (mut socket, _) = rig.connect(&device).await;
    socket.text(&json!("x".repeat(MAX_UNAUTHENTICATED_BYTES)).to_string()).await;
    assert_eq!(socket.hear().await.as_str().map(str::len), Some(MAX_UNAUTHENTICATED_BYTES));
}

#[tokio::test]
async fn the_refused_keep_nobody_out_and_are_bounded() {
    let (rig, device) = paired(few_strangers(1)).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let mut refused = rig.enter(&TestDevice::new(2)).await;
    assert_eq!(refused.hear().await["type"], "refused");
    // It does not close, and is gone as soon as somebody else comes.
    rig.connect(&device).await;
    let mut rest = Vec::new();
    let _ = within(refused.0.get_mut().read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn devices_are_bounded_too() {
    let (rig, device) = paired(sockets(|limits| limits.authenticated = 1)).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let _first = rig.connect(&device).await;
    assert_eq!(rig.enter(&device).await.refused().await, ("rate_limited".to_owned(), 1013));
}

#[tokio::test]
async fn garbage_is_closed_with_a_code() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    // Before authentication.
    let (mut socket, _) = rig.dial().await;
    socket.text("not json").await;
    assert_eq!(socket.refused().await, ("bad_request".to_owned(), 1008));
    let (mut socket, _) = rig.dial().await;
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(socket.closed().await, 1003);
    // After it.
    let (mut socket, _) = rig.connect(&device).await;
    socket.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(socket.closed().await, 1003);
    let (mut socket, _) = rig.connect(&device).await;
    socket.text(&"x".repeat(MAX_MESSAGE_IN_BYTES + 1)).await;
    assert_eq!(socket.closed().await, 1009);
    let (mut socket, _) = rig.connect(&device).await;
    let longest = format!("\"{}\"", "x".repeat(MAX_MESSAGE_IN_BYTES - 2));
    socket.text(&longest).await;
    assert_eq!(socket.hear().await.as_str().map(str::len), Some(MAX_MESSAGE_IN_BYTES - 2));
    drop(socket);
    // Bytes that are no frame: unmasked, reserved bits, unknown opcode.
    for bytes in [&[0x81, 0x01, 0x41][..], &[0xf1, 0x80, 0, 0, 0, 0], &[0x8f, 0x80, 0, 0, 0, 0]] {
        let (mut socket, _) = rig.connect(&device).await;
        socket.0.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(socket.closed().await, 1008, "{bytes:x?}");
    }
    rig.until(|status| status.websockets == 0).await;
}

#[tokio::test]
async fn speaking_before_ready_is_not_the_protocol() {
    let (rig, device) = paired(Limits::default()).await;
    rig.hold().await;
    let mut socket = rig.enter(&device).await;
    socket.say(&json!({"type": "ping", "n": 1})).await;
    assert_eq!(socket.closed().await, 1008);
}

#[tokio::test]
async fn a_flood_of_messages_arrives_whole_and_in_order() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (Socket(socket), _) = rig.connect(&device).await;
    let (mut out, mut back) = socket.split();
    let flood = async {
        for n in 0..5_000 {
            out.send(Message::text(json!({"n": n}).to_string())).await.unwrap();
        }
    };
    let echo = async {
        for n in 0..5_000 {
            let message = within(back.next()).await.unwrap().unwrap();
            assert_eq!(message.to_text().unwrap(), json!({"n": n}).to_string());
        }
    };
    tokio::join!(flood, echo);
}

#[tokio::test]
async fn the_agent_goes_and_the_page_is_told() {
    let (rig, device) = paired(Limits::default()).await;
    let first = Agent::echo(&rig.agent_socket(1));
    let (mut socket, _) = rig.connect(&device).await;
    drop(first);
    assert_eq!(socket.closed().await, 1012);
    // It comes back; the page waits at the door meanwhile.
    let mut socket = rig.enter(&device).await;
    rig.until(|status| status.waiting == 1).await;
    let _second = Agent::echo(&rig.agent_socket(1));
    assert_eq!(socket.hear().await["type"], "ready");
}

#[tokio::test]
async fn an_agent_with_too_many_pages_says_later() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        call.answer("429 Too Many Requests", "retry-after: 1\r\n", "").await;
    });
    assert_eq!(rig.enter(&device).await.refused().await, ("rate_limited".to_owned(), 1013));
}

#[tokio::test]
async fn close_codes_of_the_agent_that_the_page_knows_are_passed_on() {
    let (rig, device) = paired(Limits::default()).await;
    let cases = [
        (1008, 1008),
        (1009, 1009),
        (1013, 1013),
        (1012, 1012),
        // An agent cannot say in the gate's name that a device is not paired, and nothing that was never agreed on.
        (4401, 1012),
        (4503, 1012),
        (1000, 1012),
        (1011, 1012),
        (3000, 1012),
    ];
    for (generation, (code, expected)) in (2..).zip(cases) {
        let _agent = Agent::start(&rig.agent_socket(generation), move |call| async move {
            let mut socket = call.accept().await;
            let _asked = socket.next().await;
            agent::say(&mut socket, "{\"n\":1}").await;
            let frame = CloseFrame { code: code.into(), reason: "words of the agent".into() };
            socket.send(Message::Close(Some(frame))).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        });
        rig.open(generation).await;
        let (mut socket, _) = rig.connect(&device).await;
        // The page may still be talking; the reason is not lost to that.
        for n in 0..8 {
            socket.say(&json!({"n": n})).await;
        }
        assert_eq!(socket.hear().await["n"], 1);
        assert_eq!(socket.closed().await, expected, "{code}");
    }
}

#[tokio::test]
async fn what_the_agent_said_last_arrives_before_the_close() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let mut socket = call.accept().await;
        for n in 0..100 {
            agent::say(&mut socket, &json!({"n": n}).to_string()).await;
        }
    });
    let (mut socket, _) = rig.connect(&device).await;
    for n in 0..100 {
        assert_eq!(socket.hear().await["n"], n);
    }
    assert_eq!(socket.closed().await, 1012);
}

#[tokio::test]
async fn a_page_that_does_not_read_is_closed() {
    let limits = sockets(|limits| {
        limits.queue_time = Duration::from_millis(100);
        limits.close_time = Duration::from_secs(10);
    });
    let (rig, device) = paired(limits).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let mut socket = call.accept().await;
        let piece = json!({"text": "x".repeat(64 * 1024)}).to_string();
        while agent::say(&mut socket, &piece).await {}
    });
    let (mut socket, _) = rig.connect(&device).await;
    // The agent is let go while the page still reads nothing; what waits is bounded.
    rig.until(|status| status.websockets == 0).await;
    assert_eq!(socket.closed().await, 1013);
}

#[tokio::test]
async fn a_page_that_takes_nothing_for_long_is_closed() {
    let mut limits = sockets(|limits| limits.close_time = Duration::from_secs(10));
    limits.http.write_stall = Duration::from_millis(100);
    let (rig, device) = paired(limits).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let mut socket = call.accept().await;
        let longest = format!("\"{}\"", "x".repeat(MAX_MESSAGE_OUT_BYTES - 2));
        // Two stay in kernel buffers and in hand; none of it overflows the queue.
        agent::say(&mut socket, &longest).await;
        agent::say(&mut socket, &longest).await;
        while socket.next().await.is_some() {}
    });
    let (mut socket, _) = rig.connect(&device).await;
    rig.until(|status| status.websockets == 0).await;
    assert_eq!(socket.closed().await, 1013);
}

#[tokio::test]
async fn a_page_that_takes_a_little_now_and_then_is_waited_for() {
    const STALL: Duration = Duration::from_millis(1_500);
    let mut limits = sockets(|limits| limits.queue_time = Duration::from_mins(1));
    limits.http.write_stall = STALL;
    let (rig, device) = paired(limits).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let mut socket = call.accept().await;
        let piece = json!("x".repeat(512 * 1024)).to_string();
        while agent::say(&mut socket, &piece).await {}
    });
    let (mut socket, _) = rig.connect(&device).await;
    // What the gate writes at once, a full queue, takes this page longer than the patience; no single message does.
    let mut pace = tokio::time::interval(STALL / 5);
    for _ in 0..3 * 5 {
        pace.tick().await;
        assert!(socket.hear().await.is_string());
        assert_eq!(rig.status().await.websockets, 1);
    }
}

#[tokio::test]
async fn a_hostile_agents_socket_is_bounded() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::start(&rig.agent_socket(1), |call| async move {
        let mut socket = call.accept().await;
        agent::say(&mut socket, &"x".repeat(MAX_MESSAGE_OUT_BYTES + 1)).await;
        while socket.next().await.is_some() {}
    });
    let (mut socket, _) = rig.connect(&device).await;
    assert_eq!(socket.closed().await, 1012);
    // Redirections, other statuses and nonsense never reach the page.
    for (generation, answer) in
        [(2, "302 Found\r\nlocation: http://evil.example"), (3, "200 OK"), (4, "403 Forbidden\r\nx: y")]
    {
        let _agent = Agent::start(&rig.agent_socket(generation), move |call| async move {
            call.answer(answer, "", "").await;
        });
        rig.open(generation).await;
        assert_eq!(rig.enter(&device).await.refused().await, ("agent_invalid".to_owned(), 1008), "{answer}");
    }
}

#[tokio::test]
async fn dead_connections_are_found() {
    let limits = sockets(|limits| {
        limits.ping_every = Duration::from_millis(100);
        limits.silence = Duration::from_secs(3);
    });
    let (rig, device) = paired(limits).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut alive, _) = rig.connect(&device).await;
    let (mut dead, _) = rig.connect(&device).await;
    // A page that answers pings stays; one that reads nothing, and so answers nothing, does not.
    tokio::select! {
        frame = async { while alive.0.next().await.is_some_and(|frame| frame.is_ok_and(|frame| frame.is_ping())) {} } => {
            panic!("a living page was closed: {frame:?}");
        }
        status = rig.until(|status| status.websockets == 1) => assert_eq!(status.websockets, 1),
    }
    assert_eq!(dead.closed().await, 1001);
    alive.say(&json!({"n": 1})).await;
    assert_eq!(alive.hear().await["n"], 1);
}

#[tokio::test]
async fn stopping_closes_sockets() {
    let (rig, device) = paired(Limits::default()).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, _) = rig.connect(&device).await;
    let (mut stranger, _) = rig.dial().await;
    rig.stop.cancel();
    assert_eq!(socket.closed().await, 1012);
    assert_eq!(stranger.closed().await, 1012);
    within(rig.serving).await.unwrap();
}
