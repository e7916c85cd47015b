//! Input that no page of ours sends.

use platform_types::BotName;
use platform_types::chat::ToAgent;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::support::agent::{DEVICE, World};
use crate::support::page::{Page, id};

#[tokio::test]
async fn malformed_requests_are_answered_and_in_the_end_closed() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let wrong = ["", "{", "[]", "null", r#"{"type":"dance"}"#, r#"{"type":"open"}"#, r#"{"type":"ping","n":1,"x":2}"#];
    for text in wrong {
        page.raw(Frame::text(text)).await;
        assert_eq!(page.failed().await.0, "bad_request", "{text:?}");
    }
    page.raw(Frame::binary(vec![1, 2, 3])).await;
    assert_eq!(page.failed().await.0, "bad_request");
    page.say(&ToAgent::Ping { n: 7 }).await;
    page.expect("a pong", |message| matches!(message, platform_types::chat::ToPage::Pong { n: 7 }).then_some(())).await;
    for _ in 0..8 {
        page.raw(Frame::text("x")).await;
    }
    assert_eq!(page.closed().await, Some(1008));
    world.agent.page().await;
}

#[tokio::test]
async fn requests_that_cannot_be_meant() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    let bot = |name: &str| BotName::new(name).unwrap();
    let send = |id: &str, text: &str| ToAgent::Send { session: session.clone(), id: id.into(), text: text.into() };
    let cases = [
        (ToAgent::CreateSession { id: "../../etc".into(), bot: bot("assistant") }, "bad_request"),
        (ToAgent::CreateSession { id: id(2).to_uppercase().replace('0', "A"), bot: bot("assistant") }, "bad_request"),
        (ToAgent::CreateSession { id: id(2), bot: bot("nobody") }, "not_found"),
        (send("short", "x"), "bad_request"),
        (send(&id(3), " \n"), "bad_request"),
        (send(&id(3), &"x".repeat(64 * 1024 + 1)), "too_large"),
        (ToAgent::Send { session: id(9), id: id(3), text: "x".into() }, "not_found"),
        (ToAgent::Open { session: "'; DROP TABLE messages".into() }, "not_found"),
        (ToAgent::Older { session: id(9), before: u64::MAX }, "not_found"),
        (ToAgent::RenameSession { session: id(9), title: "x".into() }, "not_found"),
    ];
    for (message, expect) in cases {
        page.say(&message).await;
        assert_eq!(page.failed().await.0, expect, "{message:?}");
    }
    page.say(&send(&id(4), &"\u{1}".repeat(64 * 1024))).await;
    assert_eq!(world.model.next().await.prompt()[1].1.len(), 64 * 1024, "the longest message is taken");
}

#[tokio::test]
async fn a_frame_without_end_closes_only_its_connection() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let mut other = world.agent.page().await;
    page.raw(Frame::text("x".repeat(600 * 1024))).await;
    assert_eq!(page.failed().await.0, "too_large");
    page.try_raw(Frame::text("x".repeat(1200 * 1024))).await;
    page.closed().await;
    other.say(&ToAgent::Ping { n: 1 }).await;
    other.next().await;
}

#[tokio::test]
async fn who_is_not_named_by_the_gate_is_refused() {
    let world = World::start().await;
    for device in [None, Some(""), Some("d1"), Some("../x")] {
        assert!(Page::try_connect(&world.agent.http, device).await.is_err(), "{device:?}");
    }
    assert_eq!(world.agent.get("/ws", &[("x-bot-device", DEVICE)]).await.0, 400);
    assert_eq!(world.agent.get("/nowhere", &[]).await.0, 404);
    assert_eq!(world.agent.get("/v1/chat/completions", &[("x-bot-token", "t")]).await.0, 405);
    assert_eq!(world.agent.get("/healthz", &[]).await.0, 404, "admin routes are on the admin socket only");
}

#[tokio::test]
async fn a_device_has_a_bounded_number_of_connections() {
    let world = World::start().await;
    let mut pages = Vec::new();
    for _ in 0..16 {
        pages.push(world.agent.page().await);
    }
    assert!(Page::try_connect(&world.agent.http, Some(DEVICE)).await.is_err());
    let other = DEVICE.replace("d1", "d2");
    assert!(Page::try_connect(&world.agent.http, Some(&other)).await.is_ok());
    pages.pop();
    crate::support::until("a free place", || async {
        Page::try_connect(&world.agent.http, Some(DEVICE)).await.ok().map(|_| ())
    })
    .await;
}
