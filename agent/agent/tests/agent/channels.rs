//! A channel behind a gate in the test's hands: updates in, answers out.

use http::StatusCode;
use platform_types::UpstreamName;
use platform_types::agent::{AgentConfig, Effect, PolicyRule, SessionKind, SessionList};
use platform_types::channel::{AgentChannel, ChannelKind};
use serde_json::{Value, json};

use crate::support::agent::{World, bot, config};
use crate::support::bot_api::{Server, of_gate, refusal};
use crate::support::model::{prompt, results};
use crate::support::until;

fn with_channel() -> AgentConfig {
    let channel = AgentChannel {
        name: UpstreamName::new("chat").unwrap(),
        kind: ChannelKind::Telegram,
        bot: bot("plain", &[]).name,
        bots: Vec::new(),
        page: None,
    };
    AgentConfig { channels: vec![channel], ..config(1) }
}

async fn world() -> (World, Server) {
    let mut world = World::standby().await;
    let server = Server::start(world.directory.path());
    world.config = with_channel();
    world.agent.activate_with(world.config.clone()).await.unwrap();
    (world, server)
}

async fn sessions(world: &World) -> SessionList {
    world.agent.admin.get("/sessions").await.unwrap()
}

#[tokio::test]
async fn each_chat_is_a_session_and_is_answered_there() {
    let (world, server) = world().await;
    server.writes(1, 7, "Hello");
    let exchange = world.model.next().await;
    assert_eq!(exchange.prompt().last().unwrap().1, "Hello");
    server.confirmed().await;
    let stream = exchange.stream();
    stream.text("Hi Anna").await;
    stream.finish("stop").await;
    assert_eq!(server.sent(1).await, [(7, "Hi Anna".to_owned())]);
    server.writes(2, 8, "Me too");
    let body = world.model.says("Hi Eve").await;
    assert_eq!(prompt(&body).iter().filter(|(role, _)| role == "user").count(), 1, "chats do not see each other");
    server.sent(2).await;
    server.writes(3, 7, "And?");
    let body = world.model.says("And you").await;
    assert!(prompt(&body).iter().any(|(_, text)| text == "Hi Anna"), "a chat goes on");
    assert_eq!(server.sent(3).await[2], (7, "And you".to_owned()));
    let sessions = sessions(&world).await.sessions;
    assert_eq!(sessions.iter().map(|session| session.bot.as_str()).collect::<Vec<_>>(), ["plain", "plain"]);

    let mut page = world.agent.page().await;
    let chat = sessions[0].id.clone();
    page.say(&platform_types::chat::ToAgent::Send { session: chat, id: "a".repeat(32), text: "psst".into() }).await;
    assert_eq!(page.failed().await.0, "conflict", "what is said in a chat is said there");
}

#[tokio::test]
async fn what_the_gate_kept_back_leaves_no_trace() {
    let (world, server) = world().await;
    server.update(1, &Value::Null);
    let in_group = |id: i64, text: &str, entities: Value| {
        let chat = json!({ "id": -5, "type": "group" });
        json!({ "message_id": id, "chat": chat, "from": { "id": 7 }, "text": text, "entities": entities })
    };
    server.update(2, &in_group(2, "talk among ourselves", json!([])));
    server.update(3, &json!({ "message_id": 3, "chat": { "id": 7, "type": "channel" }, "text": "news" }));
    server.confirmed().await;
    let status = world.agent.status().await;
    assert_eq!((sessions(&world).await.sessions.len(), status.messages, status.turns_running), (0, 0, 0));
    server.update(4, &in_group(4, "@house_bot hello", json!([{ "type": "mention", "offset": 0, "length": 10 }])));
    world.model.says("Hello all").await;
    assert_eq!(server.sent(1).await, [(-5, "Hello all".to_owned())], "and nothing was said before");
    server.update(5, &json!({ "message_id": 5, "chat": { "id": 7, "type": "private" }, "from": { "id": 7 } }));
    server.writes(6, 7, "/start");
    let sent = server.sent(2).await;
    assert!(sent[1].1.starts_with("Hello, this is PLAIN."), "what has neither text nor media is nothing: {sent:?}");
    assert_eq!(sessions(&world).await.sessions.len(), 1, "a notice needs no session");
}

#[tokio::test]
async fn long_messages_of_strangers_do_not_keep_others_from_being_heard() {
    let (world, server) = world().await;
    *server.fits.lock().unwrap() = 1;
    server.updates.send_modify(|all| all.extend((1..=20).map(|id| json!({ "update_id": id }))));
    server.writes(21, 7, "Hello");
    world.model.says("Hi Anna").await;
    assert_eq!(server.sent(1).await, [(7, "Hi Anna".to_owned())]);
    server.confirmed().await;
}

#[tokio::test]
async fn a_message_that_comes_twice_is_answered_once() {
    let (mut world, server) = world().await;
    server.writes(1, 7, "Hello");
    let exchange = world.model.next().await;
    server.confirmed().await;
    server.writes(1, 7, "Hello");
    server.confirmed().await;
    drop(exchange.stream());
    // The first answer was cut off; the restarted agent says so, and answers nothing again.
    world.crash().await;
    let sent = server.sent(1).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].1.contains("failed") || sent[0].1.contains("restarted"), "{sent:?}");
    server.writes(2, 7, "Again?");
    world.model.says("Yes").await;
    assert_eq!(server.sent(2).await[1], (7, "Yes".to_owned()));
}

#[tokio::test]
async fn an_answer_waits_for_its_server_and_is_given_up_where_nobody_may_be_written_to() {
    let (world, server) = world().await;
    let gone = (StatusCode::BAD_GATEWAY, of_gate("upstream_unreachable"));
    let mut busy = refusal(429, "Too Many Requests: retry after 1");
    busy.1["parameters"] = json!({ "retry_after": 1 });
    for fault in [gone, busy, refusal(502, "Bad Gateway"), (StatusCode::FORBIDDEN, of_gate("egress_denied"))] {
        server.fault("sendMessage", fault);
    }
    server.writes(1, 7, "Hello");
    world.model.says("Hi").await;
    server.confirmed().await;
    until("all faults", async || (server.faults() == 0).then_some(())).await;
    server.writes(2, 7, "Still there?");
    world.model.says("Yes").await;
    assert_eq!(server.sent(1).await, [(7, "Yes".to_owned())], "the first was given up");
}

#[tokio::test]
async fn a_long_answer_is_sent_in_parts_and_each_once() {
    let (world, server) = world().await;
    server.writes(1, 7, "Tell me everything");
    let long = "word ".repeat(2000);
    world.model.says(&long).await;
    let sent = server.sent(3).await;
    let plain = |text: &str| text.split_whitespace().count();
    assert_eq!(sent.iter().map(|(_, text)| plain(text)).sum::<usize>(), 2000);
    server.writes(2, 7, "Thanks");
    world.model.says("Welcome").await;
    assert_eq!(server.sent(4).await.len(), 4);
}

#[tokio::test]
async fn the_policy_knows_who_writes_through_a_channel() {
    let mut world = World::standby().await;
    let server = Server::start(world.directory.path());
    let deny = PolicyRule {
        effect: Effect::Deny,
        bot: None,
        session: Some(SessionKind::Channel),
        tool: "clock.now".into(),
        when: [].into(),
        why: Some("not from a channel".into()),
    };
    let mut config = AgentConfig { policy: vec![deny], ..with_channel() };
    config.channels[0].bot = bot("assistant", &[]).name;
    world.config = config.clone();
    world.agent.activate_with(config).await.unwrap();
    server.writes(1, 7, "What time is it?");
    world.model.calls(&[("clock_now", "{}")]).await;
    let body = world.model.says("I may not look.").await;
    assert!(results(&body)[0].contains("not from a channel"), "{:?}", results(&body));
    server.sent(1).await;
}
