//! Any pairing at all, bounded in number: only what a device signed gets as far as a question, and nobody gets in.

use platform_types::gate::GateEvent;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::pairing::{Events, challenge, pair};
use crate::support::{Rig, TestDevice, within};

const CODE: &str = "0123456789ABCDEFGHJKMNPQRS";
const KEYS: [&str; 7] = ["public_key", "name", "nonce", "time", "signature", "code", "admin"];

/// One thing done to a good body.
#[derive(Debug, Clone)]
enum Damage {
    Nothing,
    Key(&'static str, Value),
    Gone(&'static str),
    /// A key twice: which one counts is nobody's business.
    Twice(&'static str),
    Bytes(Index, Vec<u8>),
    Whole(Vec<u8>),
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,70}".prop_map(Value::from),
        "[A-Za-z0-9_-]{26,86}".prop_map(Value::from),
        Just(json!(CODE)),
        vec(any::<u8>(), 0..4).prop_map(|bytes| json!(bytes)),
        Just(json!({ "public_key": "x" })),
    ]
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        1 => Just(Damage::Nothing),
        6 => (select(&KEYS[..]), values()).prop_map(|(key, value)| Damage::Key(key, value)),
        1 => select(&KEYS[..5]).prop_map(Damage::Gone),
        1 => select(&KEYS[..5]).prop_map(Damage::Twice),
        2 => (any::<Index>(), vec(any::<u8>(), 1..4)).prop_map(|(at, bytes)| Damage::Bytes(at, bytes)),
        1 => vec(any::<u8>(), 0..200).prop_map(Damage::Whole),
    ]
}

fn damaged(good: &Value, damage: &Damage) -> Vec<u8> {
    let mut body = good.clone();
    let text = |body: &Value| serde_json::to_vec(body).unwrap();
    match damage {
        Damage::Nothing => text(&body),
        Damage::Key(key, value) => {
            body[*key] = value.clone();
            text(&body)
        }
        Damage::Gone(key) => {
            body.as_object_mut().unwrap().remove(*key);
            text(&body)
        }
        Damage::Twice(key) => {
            let more = format!("{{\"{key}\":{},", body[*key]);
            [more.as_bytes(), &text(&body)[1..]].concat()
        }
        Damage::Bytes(at, bytes) => {
            let mut text = text(&body);
            let at = at.index(text.len());
            text.splice(at..(at + bytes.len()).min(text.len()), bytes.iter().copied());
            text
        }
        Damage::Whole(bytes) => bytes.clone(),
    }
}

/// What the device signed stands in the body as it signed it.
fn is_signed(good: &Value, sent: &[u8]) -> bool {
    let sent: Value = serde_json::from_slice(sent).unwrap_or_default();
    ["public_key", "nonce", "time", "signature"].iter().all(|key| sent[*key] == good[*key])
}

/// Posts bytes as they are; gives the whole answer.
async fn post(rig: &Rig, body: &[u8]) -> String {
    let (host, origin, length) = (rig.host(), rig.origin(), body.len());
    let head = format!(
        "POST /pair HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let mut stream = rig.tcp().await;
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn only_what_a_device_signed_asks_and_nobody_gets_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::start());
    let config = Config { failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&(damages(), 2_u8..200), |(damage, seed)| {
        // Rates are another test's: time passes, and what waited is over.
        rig.clock.advance(900_000);
        let device = TestDevice::new(seed);
        let (good, sent, answer) = runtime.block_on(async {
            let good = device.pairing(&challenge(&rig).await, None);
            let sent = damaged(&good, &damage);
            let answer = post(&rig, &sent).await;
            (good, sent, answer)
        });
        // 200 would be a device that was let in.
        match answer.get(9..12) {
            Some("202") => prop_assert!(is_signed(&good, &sent), "{} asks", String::from_utf8_lossy(&sent)),
            Some(status) => {
                prop_assert!(status.starts_with('4') && !matches!(damage, Damage::Nothing), "{answer}");
            }
            None => prop_assert!(false, "no answer: {answer:?}"),
        }
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async {
        assert!(rig.status().await.pairings_pending <= 1);
        let mut events = Events::listen(&rig).await;
        rig.clock.advance(900_000);
        let device = TestDevice::new(1);
        assert_eq!(pair(&rig, &device, None).await.status, 202);
        loop {
            if let GateEvent::Pairing(attempt) = events.next().await
                && attempt.device == device.id
            {
                break;
            }
        }
    });
}
