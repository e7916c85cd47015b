//! A model box as vLLM looks from outside, whose answers are written beforehand.
//!
//! | route | gives |
//! |---|---|
//! | `GET /health`, `GET /v1/models` | as vLLM |
//! | `POST /v1/chat/completions` | the same answer to everything, plain or streamed |
//! | `GET /stats` | `{"requests", "aborted"}`: an answer is aborted when its reader left before its end |

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(clap::Args, Debug)]
pub struct Options {
    #[arg(long, value_parser = crate::loopback)]
    listen: SocketAddr,
    #[arg(long, default_value = "bench/model")]
    model: String,
    /// Words of an answer, an event each.
    #[arg(long, default_value_t = 50)]
    words: usize,
    /// Before the first event, in milliseconds.
    #[arg(long, default_value_t = 0)]
    think: u64,
    /// Between two words, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pace: u64,
}

struct Served {
    think: Duration,
    pace: Duration,
    models: Bytes,
    plain: Bytes,
    events: Vec<Bytes>,
    requests: AtomicU64,
    aborted: AtomicU64,
}

pub async fn serve(options: Options) -> anyhow::Result<()> {
    let listener = TcpListener::bind(options.listen).await?;
    let served = Arc::new(Served::new(&options));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let served = Arc::clone(&served);
        platform_kit::task::spawn("connection", async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&served)));
            // A reader that leaves is counted by its answer.
            let _ended =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

impl Served {
    fn new(options: &Options) -> Self {
        let (model, words) = (&options.model, options.words);
        let usage = json!({"prompt_tokens": 100, "completion_tokens": words, "total_tokens": words + 100});
        let chunk = |choices: Value| json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices});
        let delta = |delta: Value, finish: Option<&str>| {
            chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]))
        };
        let mut events = vec![delta(json!({"role": "assistant", "content": ""}), None)];
        events.extend((0..words).map(|n| delta(json!({"content": format!("word{n} ")}), None)));
        events.push(delta(json!({}), Some("stop")));
        let mut last = chunk(json!([]));
        last["usage"] = usage.clone();
        events.push(last);
        let mut events: Vec<Bytes> = events.into_iter().map(|event| format!("data: {event}\n\n").into()).collect();
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        let message = json!({"role": "assistant", "content": "word ".repeat(words)});
        let choices = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": "stop"}]);
        let plain = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage});
        let entry = json!({"id": model, "object": "model", "created": 1, "owned_by": "vllm", "root": model, "parent": null, "max_model_len": 131_072});
        Self {
            think: Duration::from_millis(options.think),
            pace: Duration::from_millis(options.pace),
            models: json!({"object": "list", "data": [entry]}).to_string().into(),
            plain: plain.to_string().into(),
            events,
            requests: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
        }
    }
}

async fn answer(request: Request<Incoming>, served: Arc<Served>) -> Result<Response<Body>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, "/health") => whole(Bytes::from_static(b"{}")),
        (&Method::GET, "/v1/models") => whole(served.models.clone()),
        (&Method::GET, "/stats") => {
            let read = |counter: &AtomicU64| counter.load(Relaxed);
            whole(json!({"requests": read(&served.requests), "aborted": read(&served.aborted)}).to_string().into())
        }
        (&Method::POST, "/v1/chat/completions") => chat(request, served).await,
        _ => refused(StatusCode::NOT_FOUND),
    })
}

async fn chat(request: Request<Incoming>, served: Arc<Served>) -> Response<Body> {
    served.requests.fetch_add(1, Relaxed);
    let answering = Answering { served: Arc::clone(&served), over: false };
    let Ok(body) = request.into_body().collect().await else { return refused(StatusCode::BAD_REQUEST) };
    let Ok(asked) = serde_json::from_slice::<Value>(&body.to_bytes()) else { return refused(StatusCode::BAD_REQUEST) };
    if asked["stream"] != Value::Bool(true) {
        pause(served.think).await;
        answering.end();
        return whole(served.plain.clone());
    }
    let stream = futures_util::stream::unfold((0, Some(answering)), move |(at, answering)| {
        let served = Arc::clone(&served);
        async move {
            let event = served.events.get(at)?.clone();
            pause(if at == 0 { served.think } else { served.pace }).await;
            let rest = if at + 1 < served.events.len() {
                answering
            } else {
                answering.into_iter().for_each(Answering::end);
                None
            };
            Some((Ok(Frame::data(event)), (at + 1, rest)))
        }
    });
    let mut response = Response::new(StreamBody::new(stream.boxed()).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/event-stream"));
    response
}

/// A timer of nothing would still take a millisecond.
async fn pause(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// An answer under way. Dropped before its end, its reader has left.
struct Answering {
    served: Arc<Served>,
    over: bool,
}

impl Answering {
    fn end(mut self) {
        self.over = true;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if !self.over {
            self.served.aborted.fetch_add(1, Relaxed);
        }
    }
}

fn whole(body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = whole(Bytes::from_static(br#"{"error":{"message":"not served"}}"#));
    *response.status_mut() = status;
    response
}
