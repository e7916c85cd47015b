//! A gate in the test's hands, with a server behind it that speaks the Bot API: updates in, messages and edits out.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use http::StatusCode;
use http_body_util::BodyExt as _;
use platform_types::Timestamp;
use platform_types::egress::{Asked, Outcome};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{until, within};

/// What the server has: updates that are not confirmed, and what it was asked to do.
#[derive(Clone)]
pub struct Server {
    pub updates: watch::Sender<Vec<Value>>,
    state: Arc<Mutex<Sent>>,
    /// Id of the bot whose token is used.
    pub me: Arc<Mutex<i64>>,
    /// Updates in one answer that the gate still passes on.
    pub fits: Arc<Mutex<usize>>,
    /// What becomes of what the upstream `jobs` is asked; `None`: nobody has decided.
    pub confirmation: watch::Sender<Option<Outcome>>,
}

#[derive(Default)]
struct Sent {
    /// Every request but those for updates: method and body.
    calls: Vec<(String, Value)>,
    /// The messages, by number less one: chat and what it says now.
    messages: Vec<(i64, Value)>,
    /// What is answered next to a method.
    faults: VecDeque<(String, StatusCode, Value)>,
}

/// An error as the gate says it.
pub fn of_gate(code: &str) -> Value {
    json!({ "error": { "message": "no", "type": "t", "param": null, "code": code } })
}

/// A refusal of the server, as the gate passes it on.
pub fn refusal(code: u16, description: &str) -> (StatusCode, Value) {
    let body = json!({ "error_code": code, "description": description });
    (StatusCode::from_u16(code).unwrap(), body)
}

/// Somebody writes in his own chat.
pub fn private(message: i64, chat: i64, text: &str) -> Value {
    json!({ "message_id": message, "chat": { "id": chat, "type": "private" },
        "from": { "id": chat, "is_bot": false, "first_name": "Anna" }, "text": text })
}

/// Somebody writes in a group, and means the bot.
pub fn in_group(message: i64, from: i64, text: &str) -> Value {
    json!({ "message_id": message, "chat": { "id": -5, "type": "supergroup" }, "from": { "id": from },
        "text": format!("@House_bot {text}"), "entities": [{ "type": "mention", "offset": 0, "length": 10 }] })
}

impl Server {
    pub fn start(root: &Path) -> Self {
        let fits = Arc::new(Mutex::new(usize::MAX));
        let (confirmation, me) = (watch::Sender::default(), Arc::new(Mutex::new(42)));
        let server = Self { updates: watch::Sender::default(), state: Arc::default(), me, fits, confirmation };
        let listener = platform_kit::socket::bind(&root.join("run/bot/egress/egress.sock"), 0o666).unwrap();
        let router = Router::new().fallback(answer).with_state(server.clone());
        platform_kit::task::spawn("server", async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub fn update(&self, id: i64, message: &Value) {
        let update =
            if message.is_null() { json!({ "update_id": id }) } else { json!({ "update_id": id, "message": message }) };
        self.updates.send_modify(|all| all.push(update));
    }

    pub fn writes(&self, id: i64, chat: i64, text: &str) {
        self.update(id, &private(id, chat, text));
    }

    /// Somebody presses a button of a message.
    pub fn press(&self, id: i64, (chat, from): (i64, i64), (number, data): (i64, &str)) {
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let press = json!({ "id": format!("press-{id}"), "from": { "id": from }, "data": data,
            "message": { "message_id": number, "chat": { "id": chat, "type": kind } } });
        self.updates.send_modify(|all| all.push(json!({ "update_id": id, "callback_query": press })));
    }

    /// The next answer to `method` is this.
    pub fn fault(&self, method: &str, (status, body): (StatusCode, Value)) {
        self.state.lock().unwrap().faults.push_back((method.to_owned(), status, body));
    }

    /// A message stands in a chat whose sending was answered by a fault.
    pub fn arrives(&self, chat: i64, body: &Value) {
        self.state.lock().unwrap().messages.push((chat, body.clone()));
    }

    pub fn faults(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// Waits until everything is confirmed.
    pub async fn confirmed(&self) {
        within("confirmation", self.updates.subscribe().wait_for(Vec::is_empty)).await.unwrap();
    }

    /// What was asked of a method so far.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state.calls.iter().filter(|(name, _)| name == method).map(|(_, body)| body.clone()).collect()
    }

    /// The messages as they read now, as soon as there are `count`: chat and text.
    pub async fn sent(&self, count: usize) -> Vec<(i64, String)> {
        until("messages", async || Some(self.shown()).filter(|shown| shown.len() >= count)).await
    }

    pub fn shown(&self) -> Vec<(i64, String)> {
        let state = self.state.lock().unwrap();
        state.messages.iter().map(|(chat, body)| (*chat, body["text"].as_str().unwrap().to_owned())).collect()
    }

    /// A message as it is now, as soon as `check` likes it.
    pub async fn message(&self, number: usize, check: impl Fn(&Value) -> bool) -> Value {
        until("a message", async || {
            let state = self.state.lock().unwrap();
            state.messages.get(number - 1).map(|(_, body)| body.clone()).filter(|body| check(body))
        })
        .await
    }

    fn apply(&self, method: &str, body: &Value) -> Response {
        let mut state = self.state.lock().unwrap();
        state.calls.push((method.to_owned(), body.clone()));
        if let Some(at) = state.faults.iter().position(|(name, ..)| name == method) {
            let (_, status, error) = state.faults.remove(at).unwrap();
            return (status, Json(error)).into_response();
        }
        let chat = body["chat_id"].as_i64().unwrap_or_default();
        let number = match method {
            "sendMessage" => {
                state.messages.push((chat, body.clone()));
                state.messages.len()
            }
            "editMessageText" => {
                let number = usize::try_from(body["message_id"].as_i64().unwrap()).unwrap();
                let (known, message) = state.messages.get_mut(number - 1).unwrap();
                assert_eq!(*known, chat, "a message is edited in its own chat");
                if (&message["text"], &message["reply_markup"]) == (&body["text"], &body["reply_markup"]) {
                    return refused(400, "Bad Request: message is not modified");
                }
                *message = body.clone();
                number
            }
            "sendChatAction" | "answerCallbackQuery" => 0,
            other => panic!("the agent asked for {other}"),
        };
        if number > 0 {
            assert_eq!(body["link_preview_options"], json!({ "is_disabled": true }));
        }
        Json(json!({ "ok": true, "result": { "message_id": number } })).into_response()
    }

    async fn poll(&self, body: &Value) -> Response {
        {
            let mut state = self.state.lock().unwrap();
            if let Some(at) = state.faults.iter().position(|(name, ..)| name == "getUpdates") {
                let (_, status, error) = state.faults.remove(at).unwrap();
                return (status, Json(error)).into_response();
            }
        }
        assert_eq!(body["allowed_updates"], json!(["message", "callback_query"]));
        if let Some(offset) = body["offset"].as_i64() {
            self.updates.send_if_modified(|all| {
                // Telegram does not follow a number from far ahead of its own: it gives what there is.
                if all.iter().filter_map(|update| update["update_id"].as_i64()).max() < Some(offset - 10) {
                    return false;
                }
                let count = all.len();
                all.retain(|update| update["update_id"].as_i64() >= Some(offset));
                all.len() != count
            });
        }
        let mut updates = self.updates.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(10), updates.wait_for(|all| !all.is_empty())).await;
        let mut result = found.map(|found| found.unwrap().clone()).unwrap_or_default();
        let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
        assert!(limit <= 8, "an answer has to fit");
        result.truncate(limit);
        if result.len() > *self.fits.lock().unwrap() {
            return (StatusCode::BAD_GATEWAY, Json(of_gate("upstream_invalid"))).into_response();
        }
        Json(json!({ "ok": true, "result": result })).into_response()
    }
}

fn refused(code: u16, description: &str) -> Response {
    let (status, body) = refusal(code, description);
    (status, Json(body)).into_response()
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").and_then(|host| host.to_str().ok());
    let path = head.uri.path();
    match (host, path) {
        (Some("gate"), "/anchor") => return StatusCode::NO_CONTENT.into_response(),
        (Some("gate"), _) => {
            let mut outcomes = server.confirmation.subscribe();
            let outcome = outcomes.wait_for(Option::is_some).await.unwrap().clone();
            return Json(outcome).into_response();
        }
        (Some("jobs"), _) => {
            let asked = Asked { id: "0".repeat(32), expires_at: Timestamp(i64::MAX) };
            return (StatusCode::ACCEPTED, Json(asked)).into_response();
        }
        _ => assert_eq!(host, Some("chat")),
    }
    let body = body.collect().await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match path {
        "/getMe" => {
            Json(json!({ "ok": true, "result": { "id": *server.me.lock().unwrap(), "username": "House_bot" } }))
                .into_response()
        }
        "/getUpdates" => server.poll(&body).await,
        method => server.apply(&method[1..], &body),
    }
}
