//! What was done, as the gate's page reads it.

use std::collections::BTreeMap;

use platform_types::audit::{MAX_SHOWN, Shown};
use platform_types::gate::{Device, Scope};
use serde_json::json;

use crate::support::browser::Socket;
use crate::support::{Agent, Answer, Rig, TestDevice};

fn with(device: &TestDevice, scopes: &[Scope]) -> Device {
    Device { scopes: scopes.to_vec(), ..device.paired() }
}

/// A ticket, and the socket with which it ends.
async fn ticket(rig: &Rig, device: &TestDevice) -> (Socket, String) {
    let mut socket = rig.dial_at("/gate/ws").await;
    let challenge = socket.hear().await;
    socket.say(&device.auth(&challenge)).await;
    let ready = socket.hear().await;
    (socket, ready["ticket"].as_str().unwrap().to_owned())
}

async fn read(rig: &Rig, ticket: &str, target: &str) -> Answer {
    rig.ask("GET", target, &[("authorization", &format!("Bearer {ticket}"))], "").await
}

#[tokio::test]
async fn the_record_is_read_backwards_by_devices_with_the_scope_admin() {
    let rig = Rig::start().await;
    let (admin, other) = (TestDevice::new(1), TestDevice::new(2));
    let chat = with(&other, &[Scope::Chat, Scope::Approve]);
    rig.push(|config| config.devices = vec![with(&admin, &[Scope::Chat, Scope::Admin]), chat]).await;
    for _ in 0..(2 * MAX_SHOWN) {
        rig.push(|_| {}).await;
    }
    let (_page, ticket) = ticket(&rig, &admin).await;
    let names = [&admin, &other].map(|device| with(device, &[])).map(|device| (device.id.to_string(), device.name));
    let names = serde_json::json!(BTreeMap::from(names));
    let mut target = "/gate/audit".to_owned();
    let mut all = Vec::new();
    loop {
        let answer = read(&rig, &ticket, &target).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let Shown { entries, more } = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.json()["names"], names, "{answer:?}");
        assert!(entries.len() <= MAX_SHOWN && (!more || entries.len() == MAX_SHOWN));
        all.extend(entries);
        if !more {
            break;
        }
        target = format!("/gate/audit?before={}", all.last().unwrap().n);
    }
    let mut expected = rig.audit().await;
    expected.reverse();
    assert!(expected.len() > 2 * MAX_SHOWN);
    assert_eq!(all, expected[expected.len() - all.len()..]);
    assert_eq!(all.last().unwrap().n, 1);

    let (_other, other_ticket) = self::ticket(&rig, &other).await;
    let wrong = [(ticket.as_str(), "/gate/audit?before=x", 400), (&ticket, "/gate/audit?after=1", 400)];
    let denied = [(other_ticket.as_str(), "/gate/audit", 403), (&other_ticket, "/api/audit", 403)];
    let strangers = [("x", "/gate/audit", 401), ("x", "/api/audit", 401)];
    for (ticket, target, status) in wrong.into_iter().chain(denied).chain(strangers) {
        assert_eq!(read(&rig, ticket, target).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn what_the_agent_reports_is_asked_of_it_in_the_devices_name() {
    let rig = Rig::start().await;
    let admin = TestDevice::new(1);
    rig.push(|config| config.devices = vec![with(&admin, &[Scope::Chat, Scope::Admin])]).await;
    let mut agent = Agent::echo(&rig.agent_socket(1));
    let (_page, ticket) = ticket(&rig, &admin).await;
    let answer = read(&rig, &ticket, "/api/audit?before=7").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"object": "list"})));
    let head = agent.head().await;
    assert!(head.starts_with("GET /api/audit?before=7 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(admin.id.as_str()) && !head.contains(&ticket), "{head}");
}
