//! A model server on a Unix socket. Each completion is handed to the test, which answers it piece by piece.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::switching::Switching;
use super::within;

/// The model's side of the socket.
pub struct Model {
    requests: tokio::sync::Mutex<mpsc::UnboundedReceiver<Exchange>>,
    window: Arc<Mutex<Option<u32>>>,
    pub switching: Switching,
}

/// One completion that waits for its answer.
pub struct Exchange {
    pub body: Value,
    pub turn: String,
    pub headers: HeaderMap,
    reply: oneshot::Sender<Response>,
}

/// A completion that streams.
pub struct Stream {
    pieces: mpsc::Sender<Result<String, Infallible>>,
}

#[derive(Clone)]
struct Shared {
    exchanges: mpsc::UnboundedSender<Exchange>,
    window: Arc<Mutex<Option<u32>>>,
}

impl Model {
    pub fn start(socket: &Path) -> Self {
        let (exchanges, requests) = mpsc::unbounded_channel();
        let window = Arc::new(Mutex::new(Some(8192)));
        let shared = Shared { exchanges, window: window.clone() };
        let router = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(complete))
            .with_state(shared);
        let switching = Switching::new();
        let router = router.merge(switching.routes());
        let listener = platform_kit::socket::bind(socket, 0o666).unwrap();
        platform_kit::task::spawn("model", async move { axum::serve(listener, router).await.unwrap() });
        Self { requests: tokio::sync::Mutex::new(requests), window, switching }
    }

    /// What `GET /v1/models` tells from now on.
    pub fn set_window(&self, window: Option<u32>) {
        *self.window.lock().unwrap() = window;
    }

    /// The next completion that the agent asks for.
    pub async fn next(&self) -> Exchange {
        within("a call of the model", async { self.requests.lock().await.recv().await.unwrap() }).await
    }

    /// Answers the next completion with `text` in one piece, and gives back what was asked.
    pub async fn says(&self, text: &str) -> Value {
        let exchange = self.next().await;
        let body = exchange.body.clone();
        let stream = exchange.stream();
        stream.text(text).await;
        stream.finish("stop").await;
        body
    }
}

async fn models(State(shared): State<Shared>) -> Json<Value> {
    let window = *shared.window.lock().unwrap();
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 0, "owned_by": "test", "context_window": window});
    Json(json!({"object": "list", "data": [model("demo/echo"), model("big/model")]}))
}

async fn complete(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let turn = headers.get("x-bot-turn").and_then(|turn| turn.to_str().ok()).unwrap_or_default().to_owned();
    let (reply, response) = oneshot::channel();
    let sent = shared.exchanges.send(Exchange { body, turn, headers, reply });
    if sent.is_err() {
        return StatusCode::GONE.into_response();
    }
    response.await.unwrap_or_else(|_| StatusCode::GONE.into_response())
}

impl Model {
    /// Answers the next completion with tool calls, and gives back what was asked.
    pub async fn calls(&self, calls: &[(&str, &str)]) -> Value {
        let exchange = self.next().await;
        let body = exchange.body.clone();
        let stream = exchange.stream();
        for (index, (name, arguments)) in calls.iter().enumerate() {
            stream.call(index, name, arguments).await;
        }
        stream.finish("tool_calls").await;
        body
    }
}

/// The results of tools in a request, oldest first.
pub fn results(body: &Value) -> Vec<String> {
    prompt(body).into_iter().filter(|(role, _)| role == "tool").map(|(_, text)| text).collect()
}

impl Exchange {
    /// Starts a stream.
    pub fn stream(self) -> Stream {
        let (pieces, body) = mpsc::channel(16);
        let body = futures_util::stream::unfold(body, |mut body| async move { Some((body.recv().await?, body)) });
        let response = ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response();
        assert!(self.reply.send(response).is_ok(), "the agent waits for the answer");
        Stream { pieces }
    }

    /// Refuses, and closes the connection.
    pub fn error(self, status: u16, error: &Value) {
        let (status, close) = (StatusCode::from_u16(status).unwrap(), [(http::header::CONNECTION, "close")]);
        let response = (status, close, Json(json!({ "error": error }))).into_response();
        assert!(self.reply.send(response).is_ok(), "the agent waits for the answer");
    }

    /// The roles and texts of the prompt.
    pub fn prompt(&self) -> Vec<(String, String)> {
        prompt(&self.body)
    }

    /// Waits until the agent gave this completion up before it was answered.
    pub async fn given_up(mut self) {
        within("the completion to be cancelled", self.reply.closed()).await;
    }
}

/// The roles and texts of a request.
pub fn prompt(body: &Value) -> Vec<(String, String)> {
    let text = |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
    body["messages"].as_array().unwrap().iter().map(|m| (text(m, "role"), text(m, "content"))).collect()
}

impl Stream {
    pub async fn raw(&self, piece: impl Into<String>) {
        assert!(self.pieces.send(Ok(piece.into())).await.is_ok(), "the agent reads on");
    }

    pub async fn chunk(&self, chunk: Value) {
        self.raw(format!("data: {chunk}\n\n")).await;
    }

    pub async fn text(&self, text: &str) {
        self.chunk(json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})).await;
    }

    /// A tool call, in two fragments.
    pub async fn call(&self, index: usize, name: &str, arguments: &str) {
        let first = agent_core::text::prefix(arguments, arguments.len() / 2);
        let rest = &arguments[first.len()..];
        for (name, arguments) in [(Some(name), first), (None, rest)] {
            let call = json!({"index": index, "id": "x", "function": {"name": name, "arguments": arguments}});
            self.chunk(json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})).await;
        }
    }

    pub async fn finish(self, reason: &str) {
        self.chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})).await;
        self.chunk(json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})).await;
        self.raw("data: [DONE]\n\n").await;
    }

    /// Waits until the agent hung up.
    pub async fn given_up(self) {
        within("the stream to be cancelled", self.pieces.closed()).await;
    }
}
