//! A gate for tests: each request is answered by a function of what was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use platform_types::Timestamp;
use platform_types::ways::{House, Jobs};
use serde_json::{Value, json};

use crate::tool::{Context, Tool, ToolError};
use crate::{Egress, Progress};

/// A request as the gate got it. `target` is path and query.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub host: String,
    pub method: String,
    pub target: String,
    pub body: Value,
    pub reason: Option<String>,
}

type Answers = dyn FnMut(&Asked) -> (u16, Value) + Send;

/// Where [`Gate`] listens, and what it was asked.
pub struct Gate {
    pub egress: Egress,
    asked: Arc<Mutex<Vec<Asked>>>,
    _directory: tempfile::TempDir,
}

#[derive(Clone)]
struct Served {
    answers: Arc<Mutex<Box<Answers>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Gate {
    /// `null` is an answer without a body.
    pub fn start(answers: impl FnMut(&Asked) -> (u16, Value) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("egress.sock");
        let listener = platform_kit::socket::bind(&socket, 0o666).unwrap();
        let asked = Arc::default();
        let served = Served { answers: Arc::new(Mutex::new(Box::new(answers))), asked: Arc::clone(&asked) };
        let router = Router::new().fallback(answer).with_state(served);
        platform_kit::task::spawn("gate", async move { axum::serve(listener, router).await.unwrap() });
        Self { egress: Egress::new(socket), asked, _directory: directory }
    }

    /// What was asked since the last look, as `METHOD target`.
    pub fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter().map(|asked| format!("{} {}", asked.method, asked.target)).collect()
    }

    /// The requests that would change something.
    pub fn changes(&self) -> Vec<Asked> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().filter(|asked| asked.method != "GET").collect()
    }
}

async fn answer(State(served): State<Served>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let asked = Asked {
        host: header("host").unwrap_or_default(),
        method: head.method.to_string(),
        target: head.uri.to_string(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        reason: header("x-bot-reason"),
    };
    let (status, body) = (served.answers.lock().unwrap())(&asked);
    served.asked.lock().unwrap().push(asked);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

/// The gate's own error.
pub fn refused(status: u16, code: &str, message: &str) -> (u16, Value) {
    (status, json!({ "error": { "code": code, "message": message, "type": "server_error" } }))
}

/// What a person has to confirm, and the path that tells what became of it.
pub const CONFIRMATION: &str = "00000000000000000000000000000abc";

pub fn to_confirm() -> (u16, Value) {
    (202, json!({ "id": CONFIRMATION, "expires_at": Timestamp(0) }))
}

/// What a call of a tool relies on.
pub fn context(house: Option<House>, jobs: Option<Jobs>) -> Context {
    Context {
        now: Timestamp(0),
        timezone: "UTC".into(),
        bot: platform_types::BotName::new("home").unwrap(),
        turn: "turn".into(),
        upstreams: [].into(),
        house,
        jobs,
        progress: Progress::new(|_| {}),
    }
}

/// A call as a model makes it: arguments and result are JSON.
pub async fn call<T: Tool>(tool: &T, arguments: Value, context: &Context) -> Result<Value, String> {
    let arguments = serde_json::from_value(arguments).map_err(|error| error.to_string())?;
    match tool.call(arguments, context).await {
        Ok(output) => Ok(serde_json::to_value(output).unwrap()),
        Err(ToolError(words)) => Err(words),
    }
}
