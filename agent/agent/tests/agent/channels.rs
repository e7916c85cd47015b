//! A channel behind a gate in the test's hands: updates in, answers out.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;
use http_body_util::BodyExt as _;
use platform_types::UpstreamName;
use platform_types::agent::{AgentConfig, Effect, PolicyRule, SessionKind, SessionList};
use platform_types::channel::{AgentChannel, ChannelKind};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::agent::{World, bot, config};
use crate::support::model::{prompt, results};
use crate::support::{until, within};

/// What the server has: updates that are not confirmed, and what it was asked to send.
#[derive(Clone)]
struct Server {
    updates: watch::Sender<Vec<Value>>,
    sent: Arc<Mutex<Vec<(i64, String)>>>,
    /// The status of the next answers to `sendMessage`; none left: 200.
    faults: Arc<Mutex<Vec<(StatusCode, Value)>>>,
    /// Updates in one answer that the gate still passes on.
    fits: Arc<Mutex<usize>>,
}

impl Server {
    fn start(root: &Path) -> Self {
        let (updates, fits) = (watch::Sender::default(), Arc::new(Mutex::new(usize::MAX)));
        let server = Self { updates, sent: Arc::default(), faults: Arc::default(), fits };
        let listener = platform_kit::socket::bind(&root.join("run/bot/egress/egress.sock"), 0o666).unwrap();
        let router = Router::new().fallback(answer).with_state(server.clone());
        platform_kit::task::spawn("server", async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    fn update(&self, id: i64, message: &Value) {
        let update =
            if message.is_null() { json!({ "update_id": id }) } else { json!({ "update_id": id, "message": message }) };
        self.updates.send_modify(|all| all.push(update));
    }

    fn writes(&self, id: i64, chat: i64, text: &str) {
        self.update(id, &private(id, chat, text));
    }

    /// Waits until everything is confirmed.
    async fn confirmed(&self) {
        within("confirmation", self.updates.subscribe().wait_for(Vec::is_empty)).await.unwrap();
    }

    async fn sent(&self, count: usize) -> Vec<(i64, String)> {
        until("messages", async || Some(self.sent.lock().unwrap().clone()).filter(|sent| sent.len() >= count)).await
    }
}

fn private(message: i64, chat: i64, text: &str) -> Value {
    json!({ "message_id": message, "chat": { "id": chat, "type": "private" },
        "from": { "id": chat, "is_bot": false, "first_name": "Anna" }, "text": text })
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    assert_eq!(
        head.headers.get("host").map(http::HeaderValue::as_bytes).filter(|host| *host != b"gate"),
        match head.uri.path() {
            "/anchor" => return StatusCode::NO_CONTENT.into_response(),
            _ => Some(b"chat".as_slice()),
        }
    );
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match head.uri.path() {
        "/getMe" => Json(json!({ "ok": true, "result": { "id": 42, "username": "House_bot" } })).into_response(),
        "/getUpdates" => {
            if let Some(offset) = body["offset"].as_i64() {
                let before = |update: &Value| update["update_id"].as_i64() < Some(offset);
                server.updates.send_if_modified(|all| {
                    let count = all.len();
                    all.retain(|update| !before(update));
                    all.len() != count
                });
            }
            let mut updates = server.updates.subscribe();
            let found = tokio::time::timeout(Duration::from_secs(10), updates.wait_for(|all| !all.is_empty())).await;
            let mut result = found.map(|found| found.unwrap().clone()).unwrap_or_default();
            let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
            assert!(limit <= 8, "an answer has to fit");
            result.truncate(limit);
            if result.len() > *server.fits.lock().unwrap() {
                let error =
                    json!({ "error": { "code": "upstream_invalid", "message": "too long", "type": "server_error" } });
                return (StatusCode::BAD_GATEWAY, Json(error)).into_response();
            }
            Json(json!({ "ok": true, "result": result })).into_response()
        }
        "/sendMessage" => {
            assert_eq!(body["link_preview_options"], json!({ "is_disabled": true }));
            let fault = server.faults.lock().unwrap().pop();
            if let Some((status, error)) = fault {
                return (status, Json(error)).into_response();
            }
            let text = body["text"].as_str().unwrap().to_owned();
            server.sent.lock().unwrap().push((body["chat_id"].as_i64().unwrap(), text));
            Json(json!({ "ok": true, "result": {} })).into_response()
        }
        other => panic!("the agent asked for {other}"),
    }
}

fn with_channel() -> AgentConfig {
    let channel = AgentChannel {
        name: UpstreamName::new("chat").unwrap(),
        kind: ChannelKind::Loopback,
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
    let sent = server.sent(3).await;
    assert!(sent[1].1.contains("text only") && sent[2].1.contains("no commands"), "{sent:?}");
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
    let error = |code: &str| json!({ "error": { "message": "no", "type": "t", "param": null, "code": code } });
    let denied = (StatusCode::FORBIDDEN, error("egress_denied"));
    let gone = (StatusCode::BAD_GATEWAY, error("upstream_unreachable"));
    server.faults.lock().unwrap().extend([denied, gone]);
    server.writes(1, 7, "Hello");
    world.model.says("Hi").await;
    server.confirmed().await;
    until("both faults", async || server.faults.lock().unwrap().is_empty().then_some(())).await;
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
