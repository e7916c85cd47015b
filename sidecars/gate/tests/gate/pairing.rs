//! Pairing, from both sides.

use std::time::Duration;

use gate::limits::{Limits, PairingLimits};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use platform_kit::client::CallError;
use platform_kit::connection::AnswerBody;
use platform_types::gate::{GateEvent, PairingAttempt, PairingDecision, Purpose};
use serde_json::{Value, json};

use crate::support::rig::sha256;
use crate::support::{Agent, Answer, Rig, TestDevice, within};

const CODE: &str = "0123456789ABCDEFGHJKMNPQRS";

/// The supervisor's end of `GET /events`.
pub struct Events(AnswerBody, Vec<u8>);

impl Events {
    pub async fn listen(rig: &Rig) -> Self {
        let request = Request::get("/events").header("host", "gate").body(Full::default()).unwrap();
        let mut body = rig.admin.open(request).await.unwrap().into_body();
        // The first line says that the gate has subscribed us.
        let first = within(body.frame()).await.unwrap().unwrap().into_data().unwrap();
        Self(body, first.to_vec())
    }

    pub async fn next(&mut self) -> GateEvent {
        loop {
            while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.1.drain(..=end).collect();
                if line.len() > 1 {
                    return serde_json::from_slice(&line).unwrap();
                }
            }
            let data = within(self.0.frame()).await.unwrap().unwrap().into_data().unwrap();
            self.1.extend_from_slice(&data);
        }
    }

    pub async fn attempt(&mut self) -> PairingAttempt {
        loop {
            if let GateEvent::Pairing(attempt) = self.next().await {
                return attempt;
            }
        }
    }
}

pub async fn decide(rig: &Rig, id: &str, decision: &PairingDecision) -> Result<Value, CallError> {
    rig.admin.call(Method::POST, &format!("/pairings/{id}"), Some(decision)).await
}

fn accepted(device: &TestDevice) -> PairingDecision {
    PairingDecision::Accepted { device: device.paired() }
}

pub async fn challenge(rig: &Rig) -> Value {
    let answer = rig.post("/pair/nonce", &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

pub async fn pair(rig: &Rig, device: &TestDevice, code: Option<&str>) -> Answer {
    let challenge = challenge(rig).await;
    rig.post("/pair", &device.pairing(&challenge, code)).await
}

#[tokio::test]
async fn with_a_setup_link_once() {
    let rig = Rig::start().await;
    rig.link(CODE).await;
    let device = TestDevice::new(1);
    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let attempt = events.attempt().await;
        assert_eq!(attempt.device, device.id);
        assert_eq!(attempt.public_key, device.public_key());
        assert_eq!(attempt.name, "Anna's phone");
        assert_eq!(attempt.code_sha256, Some(sha256(CODE)));
        decide(&rig, &attempt.id, &accepted(&device)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(pair(&rig, &device, Some(CODE)), supervisor);
    assert_eq!((answer.status, answer.json()), (200, json!({"device": device.id, "name": "phone"})));

    // It may connect at once, before the next push.
    let _agent = Agent::echo(&rig.agent_socket(1));
    let (mut socket, ready) = rig.connect(&device).await;
    assert_eq!(ready["name"], "phone");
    socket.say(&json!({"type": "ping", "n": 1})).await;
    assert_eq!(socket.hear().await["n"], 1);

    // The link is claimed, and gone with the next push.
    let other = TestDevice::new(2);
    let answer = pair(&rig, &other, Some(CODE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "conflict"));
    rig.push(|config| config.setup_links.clear()).await;
    let answer = pair(&rig, &other, Some(CODE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("botctl open personal"));
}

#[tokio::test]
async fn a_push_since_the_attempt_decides_who_is_in() {
    let rig = Rig::start().await;
    let (kept, revoked) = (TestDevice::new(1), TestDevice::new(2));
    for device in [&kept, &revoked] {
        let request = pair(&rig, device, None).await.json()["request"].as_str().unwrap().to_owned();
        // The supervisor pushes before it answers, and a revocation may come in between.
        rig.push(|config| config.devices = vec![kept.paired()]).await;
        decide(&rig, &request, &accepted(device)).await.unwrap();
    }
    let _agent = Agent::echo(&rig.agent_socket(1));
    rig.connect(&kept).await;
    let mut socket = rig.enter(&revoked).await;
    assert_eq!(socket.hear().await["code"], "unauthorized");
}

#[tokio::test]
async fn a_paired_key_is_told_so_again() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let answer = pair(&rig, &device, Some("ZZZZZZZZZZZZZZZZZZZZZZZZZZ")).await;
    assert_eq!((answer.status, answer.json()["name"].as_str()), (200, Some("phone")));
}

#[tokio::test]
async fn a_link_that_has_expired_or_was_refused() {
    let rig = Rig::start().await;
    rig.link(CODE).await;
    let device = TestDevice::new(1);
    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let attempt = events.attempt().await;
        let refused = PairingDecision::Refused { reason: "the link was used meanwhile".into() };
        decide(&rig, &attempt.id, &refused).await.unwrap();
    };
    let (answer, ()) = tokio::join!(pair(&rig, &device, Some(CODE)), supervisor);
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    assert_eq!(answer.json()["error"]["message"], "the link was used meanwhile");
    rig.clock.advance(3_600_000);
    let answer = pair(&rig, &device, Some(CODE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
}

#[tokio::test]
async fn a_silent_supervisor_is_said_and_the_attempt_survives() {
    let pairing = PairingLimits { decision_time: Duration::from_millis(50), ..PairingLimits::default() };
    let rig = Rig::start_with(Limits { pairing, ..Limits::default() }).await;
    rig.link(CODE).await;
    let device = TestDevice::new(1);
    let answer = pair(&rig, &device, Some(CODE)).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "supervisor_unavailable"));
    assert_eq!(answer.header("retry-after"), "2");
    // The supervisor comes, finds it, and decides; asking again finds the device paired.
    let attempt = Events::listen(&rig).await.attempt().await;
    decide(&rig, &attempt.id, &accepted(&device)).await.unwrap();
    assert_eq!(pair(&rig, &device, Some(CODE)).await.status, 200);
}

#[tokio::test]
async fn by_request_and_approval() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    let mut events = Events::listen(&rig).await;
    let answer = pair(&rig, &device, None).await;
    assert_eq!(answer.status, 202);
    let request = answer.json()["request"].as_str().unwrap().to_owned();
    assert_eq!(answer.json()["expires_at"], 1_700_000_600_000_i64);
    let attempt = events.attempt().await;
    assert_eq!((&attempt.id, attempt.code_sha256.as_ref()), (&request, None));
    // Asking again finds the same request, and a new listener hears of it again.
    assert_eq!(pair(&rig, &device, None).await.json()["request"], request);
    assert_eq!(Events::listen(&rig).await.attempt().await.id, request);
    assert_eq!(rig.status().await.pairings_pending, 1);

    let target = format!("/pair/{request}");
    let approve = async {
        // Somebody else's device is not what was asked for.
        let wrong = decide(&rig, &request, &accepted(&TestDevice::new(9))).await;
        assert!(matches!(wrong, Err(CallError::Refused { status, .. }) if status == 400), "{wrong:?}");
        decide(&rig, &request, &accepted(&device)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(rig.get(&target), approve);
    assert_eq!(answer.json(), json!({"state": "accepted", "device": device.id, "name": "phone"}));
    let again = decide(&rig, &request, &accepted(&device)).await;
    assert!(matches!(again, Err(CallError::Refused { status, .. }) if status == 409), "{again:?}");
    assert_eq!(rig.status().await.pairings_pending, 0);
}

#[tokio::test]
async fn requests_are_refused_or_expire() {
    let pairing = PairingLimits { poll_time: Duration::from_millis(20), ..PairingLimits::default() };
    let rig = Rig::start_with(Limits { pairing, ..Limits::default() }).await;
    let request = pair(&rig, &TestDevice::new(1), None).await.json()["request"].as_str().unwrap().to_owned();
    let target = format!("/pair/{request}");
    assert_eq!(rig.get(&target).await.json(), json!({"state": "pending"}));
    let refused = PairingDecision::Refused { reason: "not mine".into() };
    decide(&rig, &request, &refused).await.unwrap();
    assert_eq!(rig.get(&target).await.json(), json!({"state": "refused", "reason": "not mine"}));
    rig.clock.advance(600_000);
    assert_eq!(rig.get(&target).await.json(), json!({"state": "expired"}));
    let gone = decide(&rig, &request, &refused).await;
    assert!(matches!(gone, Err(CallError::Refused { status, .. }) if status == 404), "{gone:?}");
    // What never was looks the same.
    assert_eq!(rig.get("/pair/00000000000000000000000000000000").await.json(), json!({"state": "expired"}));
}

#[tokio::test]
async fn commands_are_those_of_the_installation() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    assert_eq!(challenge(&rig).await.get("botctl"), None, "just so");
    rig.push(|config| config.botctl = Some("/srv/x/lib/bin/botctl --root /srv/x".into())).await;
    assert_eq!(challenge(&rig).await["botctl"], "/srv/x/lib/bin/botctl --root /srv/x");
    let answer = pair(&rig, &device, Some(CODE)).await;
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("run: /srv/x/lib/bin/botctl --root /srv/x open personal"), "{message}");
    let _agent = Agent::echo(&rig.agent_socket(1));
    rig.push(|config| config.devices = vec![device.paired()]).await;
    assert_eq!(rig.connect(&device).await.1["botctl"], "/srv/x/lib/bin/botctl --root /srv/x");
}

#[tokio::test]
async fn proof_is_exact() {
    let rig = Rig::start().await;
    rig.link(CODE).await;
    let device = TestDevice::new(1);
    let check = |body: Value, status: u16, code: &'static str| {
        let rig = &rig;
        async move {
            let answer = rig.post("/pair", &body).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
        }
    };
    // Another key's signature.
    let nonce = challenge(&rig).await;
    let mut body = device.pairing(&nonce, Some(CODE));
    body["signature"] = TestDevice::new(2).sign(Purpose::Pair, &nonce).into();
    check(body, 401, "unauthorized").await;
    // The nonce went with it.
    check(device.pairing(&nonce, Some(CODE)), 401, "unauthorized").await;
    // A signature for connecting is not one for pairing.
    let nonce = challenge(&rig).await;
    let mut body = device.pairing(&nonce, Some(CODE));
    body["signature"] = device.sign(Purpose::Connect, &nonce).into();
    check(body, 401, "unauthorized").await;
    // Another host, another time, another profile, another nonce.
    for (field, value) in [
        ("host", json!("evil.example")),
        ("time", json!(1_700_000_000_001_i64)),
        ("profile", json!("ops")),
        ("nonce", json!("0".repeat(32))),
    ] {
        let mut nonce = challenge(&rig).await;
        nonce[field] = value;
        check(device.pairing(&nonce, Some(CODE)), 401, "unauthorized").await;
    }
    // An old nonce.
    let nonce = challenge(&rig).await;
    rig.clock.advance(60_001);
    check(device.pairing(&nonce, Some(CODE)), 401, "unauthorized").await;
    // No key, a weak key, no body, too much body.
    let mut body = device.pairing(&challenge(&rig).await, None);
    body["public_key"] = "AAAA".into();
    check(body.clone(), 400, "bad_request").await;
    body["public_key"] = "A".repeat(43).into();
    check(body, 400, "bad_request").await;
    check(json!({}), 400, "bad_request").await;
    check(json!({"name": "x".repeat(5000)}), 413, "too_large").await;
    assert_eq!(rig.status().await.pairings_pending, 0);
}

#[tokio::test]
async fn only_the_page_itself_pairs() {
    let rig = Rig::start().await;
    for target in ["/pair/nonce", "/pair"] {
        let answer = rig.ask("POST", target, &[], "{}").await;
        assert_eq!((answer.status, answer.code().as_str()), (403, "foreign_origin"), "{target}");
        let foreign = rig.ask("POST", target, &[("origin", "https://evil.example")], "{}").await;
        assert_eq!((foreign.status, foreign.code().as_str()), (403, "foreign_origin"), "{target}");
    }
}

#[tokio::test]
async fn attempts_are_limited() {
    let pairing = PairingLimits { attempts: 3, wrong_codes: 2, pending: 1, ..PairingLimits::default() };
    let rig = Rig::start_with(Limits { pairing, ..Limits::default() }).await;
    let check = |answer: &Answer, status: u16, retry_after: &str| {
        assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after), "{answer:?}");
    };
    check(&pair(&rig, &TestDevice::new(1), None).await, 202, "");
    check(&pair(&rig, &TestDevice::new(2), None).await, 429, "60");
    check(&pair(&rig, &TestDevice::new(1), None).await, 202, "");
    check(&pair(&rig, &TestDevice::new(1), None).await, 429, "2");
    // Guesses are counted apart.
    check(&pair(&rig, &TestDevice::new(1), Some(CODE)).await, 401, "");
    check(&pair(&rig, &TestDevice::new(1), Some(CODE)).await, 401, "");
    check(&pair(&rig, &TestDevice::new(1), Some(CODE)).await, 429, "2");
    rig.clock.advance(1_000);
    check(&pair(&rig, &TestDevice::new(1), None).await, 202, "");
    check(&pair(&rig, &TestDevice::new(1), Some(CODE)).await, 401, "");
}

#[tokio::test]
async fn a_flood_does_not_lock_a_good_link_out() {
    let pairing =
        PairingLimits { attempts: 2, wrong_codes: 2, failures: 2, pending: 1, nonces: 4, ..PairingLimits::default() };
    let rig = Rig::start_with(Limits { pairing, ..Limits::default() }).await;
    rig.link(CODE).await;
    for n in 0..8 {
        let stranger = TestDevice::new(100 + n);
        pair(&rig, &stranger, None).await;
        pair(&rig, &stranger, Some("ZZZZZZZZZZZZZZZZZZZZZZZZZZ")).await;
        challenge(&rig).await;
    }
    assert_eq!(rig.status().await.pairings_pending, 1);
    assert_eq!(pair(&rig, &TestDevice::new(50), None).await.status, 429);
    let device = TestDevice::new(1);
    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let attempt = loop {
            let attempt = events.attempt().await;
            if attempt.code_sha256.is_some() {
                break attempt;
            }
        };
        decide(&rig, &attempt.id, &accepted(&device)).await.unwrap();
    };
    let (answer, ()) = tokio::join!(pair(&rig, &device, Some(CODE)), supervisor);
    assert_eq!((answer.status, answer.json()["name"].as_str()), (200, Some("phone")));
}
