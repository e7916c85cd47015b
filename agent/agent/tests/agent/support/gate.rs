//! A gate's side of `egress.sock`, with one upstream: what it gets is kept, what it answers depends on the path.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use platform_types::Timestamp;
use platform_types::audit::Anchor;
use platform_types::egress::{Asked, Outcome};
use serde_json::json;
use tokio::sync::watch;

/// A request to an upstream.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
    }
}

#[derive(Clone)]
pub struct Gate {
    seen: Arc<Mutex<Vec<Seen>>>,
    anchors: watch::Sender<Vec<Anchor>>,
    outcome: watch::Sender<Option<Outcome>>,
}

const CONFIRMATION: &str = "00000000000000000000000000000abc";

impl Gate {
    pub fn start(root: &Path) -> Self {
        let gate = Self {
            seen: Arc::default(),
            anchors: watch::Sender::new(Vec::new()),
            outcome: watch::Sender::new(Some(Outcome::Pending { expires_at: Timestamp(0) })),
        };
        let listener = platform_kit::socket::bind(&root.join("run/bot/egress/egress.sock"), 0o666).unwrap();
        let router = Router::new().fallback(answer).with_state(gate.clone());
        platform_kit::task::spawn("gate", async move { axum::serve(listener, router).await.unwrap() });
        gate
    }

    /// Requests to upstreams so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for the head of an audit with this many entries.
    pub async fn anchor(&self, n: u64) -> Anchor {
        let mut anchors = self.anchors.subscribe();
        let found = super::within("an anchor", anchors.wait_for(|all| all.iter().any(|anchor| anchor.n >= n))).await;
        found.unwrap().last().unwrap().clone()
    }

    /// What becomes of confirmations; `None`: the gate knows none.
    pub fn confirmation(&self, outcome: Option<Outcome>) {
        self.outcome.send_replace(outcome);
    }

    async fn outcome(&self) -> Response {
        let mut outcomes = self.outcome.subscribe();
        let settled = |outcome: &Option<Outcome>| outcome.as_ref().is_none_or(Outcome::is_final);
        let found = outcomes.wait_for(settled).await.unwrap().clone();
        found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |outcome| Json(outcome).into_response())
    }
}

async fn answer(State(gate): State<Gate>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let (method, target) = (head.method.to_string(), head.uri.to_string());
    match (host.as_str(), head.uri.path()) {
        ("gate", "/anchor") => {
            gate.anchors.send_modify(|all| all.push(serde_json::from_str(&body).unwrap()));
            return StatusCode::NO_CONTENT.into_response();
        }
        ("gate", path) => {
            assert_eq!(path, format!("/confirmations/{CONFIRMATION}"));
            return gate.outcome().await;
        }
        _ => {}
    }
    gate.seen.lock().unwrap().push(Seen { method, target, headers: head.headers, body });
    match head.uri.path() {
        "/confirm" => {
            let asked = Asked { id: CONFIRMATION.to_owned(), expires_at: Timestamp(i64::MAX) };
            (StatusCode::ACCEPTED, Json(asked)).into_response()
        }
        "/denied" => {
            let error = json!({"message": "no rule allows it", "type": "permission_error", "param": null, "code": "egress_denied"});
            (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
        }
        "/text" => "plain words".into_response(),
        "/accepted" => (StatusCode::ACCEPTED, Json(json!({"job": 7}))).into_response(),
        _ => Json(json!({"ok": true})).into_response(),
    }
}
