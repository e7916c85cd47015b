//! What is behind the gate of a home: a server of chats, and a house that tells its state.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;
use http_body_util::BodyExt as _;
use platform_types::UpstreamName;
use platform_types::channel::{AgentChannel, ChannelKind};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::agent::bot;
use super::until;

/// The name of the channel, and of the house.
pub const CHAT: &str = "chat";
pub const HOUSE: &str = "house";

#[derive(Clone)]
pub struct House {
    updates: watch::Sender<Vec<Value>>,
    sent: Arc<Mutex<Vec<(i64, String)>>>,
    /// What every message is answered with; absent: it is taken.
    fault: Arc<Mutex<Option<(StatusCode, Value)>>>,
    looks: Arc<Mutex<u32>>,
}

/// The chat is not known, says the gate.
pub fn denied() -> (StatusCode, Value) {
    let error = json!({ "code": "egress_denied", "message": "this chat is not known", "type": "permission_error" });
    (StatusCode::FORBIDDEN, json!({ "error": error }))
}

/// The server cannot be reached, says the gate: nothing was sent.
pub fn away() -> (StatusCode, Value) {
    let error = json!({ "code": "upstream_unreachable", "message": "no connection", "type": "server_error" });
    (StatusCode::BAD_GATEWAY, json!({ "error": error }))
}

pub fn channel() -> AgentChannel {
    AgentChannel {
        name: UpstreamName::new(CHAT).unwrap(),
        kind: ChannelKind::Loopback,
        bot: bot("plain", &[]).name,
        bots: Vec::new(),
        page: None,
    }
}

impl House {
    pub fn start(root: &Path) -> Self {
        let house = Self {
            updates: watch::Sender::default(),
            sent: Arc::default(),
            fault: Arc::default(),
            looks: Arc::default(),
        };
        let listener = platform_kit::socket::bind(&root.join("run/bot/egress/egress.sock"), 0o666).unwrap();
        let router = Router::new().fallback(answer).with_state(house.clone());
        platform_kit::task::spawn("house", async move { axum::serve(listener, router).await.unwrap() });
        house
    }

    /// A person writes.
    pub fn writes(&self, id: i64, chat: i64, text: &str) {
        let message = json!({ "message_id": id, "chat": { "id": chat, "type": "private" },
            "from": { "id": chat, "is_bot": false, "first_name": "Anna" }, "text": text });
        self.updates.send_modify(|all| all.push(json!({ "update_id": id, "message": message })));
    }

    pub fn fault(&self, fault: Option<(StatusCode, Value)>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// What chats got so far.
    pub fn sent(&self) -> Vec<(i64, String)> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for so many messages in chats.
    pub async fn sent_so_many(&self, count: usize) -> Vec<(i64, String)> {
        until("messages", async || Some(self.sent()).filter(|sent| sent.len() >= count)).await
    }

    /// How often the state of the house was read.
    pub fn looks(&self) -> u32 {
        *self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(house): State<House>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
    match (host.as_str(), head.uri.path()) {
        (HOUSE, _) => {
            *house.looks.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            Json(json!({ "entity_id": "light.kitchen", "state": "on" })).into_response()
        }
        (_, "/getMe") => ok(&json!({ "id": 42, "username": "House_bot" })),
        (_, "/getUpdates") => ok(&updates(&house, &body).await),
        (_, "/sendMessage") => {
            if let Some((status, error)) = house.fault.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                return (status, Json(error)).into_response();
            }
            let (chat, text) = (body["chat_id"].as_i64().unwrap(), body["text"].as_str().unwrap().to_owned());
            let mut sent = house.sent.lock().unwrap_or_else(PoisonError::into_inner);
            sent.push((chat, text));
            ok(&json!({ "message_id": sent.len(), "chat": { "id": chat, "type": "private" } }))
        }
        ("gate", _) => StatusCode::NO_CONTENT.into_response(),
        _ => ok(&json!(true)),
    }
}

fn ok(result: &Value) -> Response {
    Json(json!({ "ok": true, "result": result })).into_response()
}

async fn updates(house: &House, body: &Value) -> Value {
    if let Some(offset) = body["offset"].as_i64() {
        house.updates.send_if_modified(|all| {
            let count = all.len();
            all.retain(|update| update["update_id"].as_i64() >= Some(offset));
            all.len() != count
        });
    }
    let mut updates = house.updates.subscribe();
    let found = tokio::time::timeout(Duration::from_secs(10), updates.wait_for(|all| !all.is_empty())).await;
    let all = found.map(|found| found.unwrap().clone()).unwrap_or_default();
    let limit = usize::try_from(body["limit"].as_u64().unwrap_or(100)).unwrap();
    all.into_iter().take(limit).collect()
}
