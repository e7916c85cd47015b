//! The routes of the switch on the model socket: what is asked is kept, what becomes of it is the test's to say.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use platform_types::Timestamp;
use platform_types::egress::Outcome;
use serde_json::{Value, json};
use tokio::sync::watch;

const CONFIRMATION: &str = "00000000000000000000000000000def";

/// Spark's part of the socket.
#[derive(Clone)]
pub struct Switching {
    asked: Arc<Mutex<Vec<Value>>>,
    outcome: watch::Sender<Option<Outcome>>,
    /// Why it is refused before anybody is asked.
    refusal: Arc<Mutex<Option<(StatusCode, Value)>>>,
}

impl Switching {
    pub fn new() -> Self {
        let outcome = watch::Sender::new(Some(Outcome::Pending { expires_at: Timestamp(0) }));
        Self { asked: Arc::default(), outcome, refusal: Arc::default() }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    /// What becomes of confirmations; `None`: none is known.
    pub fn confirmation(&self, outcome: Option<Outcome>) {
        self.outcome.send_replace(outcome);
    }

    /// Every question is refused from now on.
    pub fn refuse(&self, status: StatusCode, code: &str, message: &str) {
        let error = json!({"error": {"message": message, "type": "x", "param": null, "code": code}});
        *self.refusal.lock().unwrap() = Some((status, error));
    }

    pub fn routes(&self) -> Router {
        Router::new()
            .route("/health", get(health))
            .route("/switch", get(standing).post(ask))
            .route("/confirmations/{id}", get(outcome))
            .with_state(self.clone())
    }
}

async fn health() -> Json<Value> {
    Json(json!({
        "backend": "box", "url": "http://box/v1", "model": "demo/echo", "reachable": true, "answering": true, "model_listed": true,
        "problem": null, "checked_at": 0, "latency_millis": 1,
    }))
}

async fn standing() -> Json<Value> {
    Json(json!({"models": ["demo/echo", "big/model"], "running": null, "last": null}))
}

async fn ask(State(switching): State<Switching>, Json(body): Json<Value>) -> Response {
    if let Some((status, error)) = switching.refusal.lock().unwrap().clone() {
        return (status, Json(error)).into_response();
    }
    switching.asked.lock().unwrap().push(body);
    (StatusCode::ACCEPTED, Json(json!({"id": CONFIRMATION, "expires_at": 0}))).into_response()
}

async fn outcome(State(switching): State<Switching>) -> Response {
    let mut outcomes = switching.outcome.subscribe();
    let settled = |outcome: &Option<Outcome>| outcome.as_ref().is_none_or(Outcome::is_final);
    let found = outcomes.wait_for(settled).await.unwrap().clone();
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |outcome| Json(outcome).into_response())
}
