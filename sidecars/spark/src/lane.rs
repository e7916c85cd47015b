//! One profile: its socket is its name, so nothing in a request says who asks.
//!
//! | route | gives |
//! |---|---|
//! | `GET /v1/models` | `ModelList` |
//! | `POST /v1/chat/completions` | OpenAI's answer, plain or streamed |
//! | `GET /health` | `SparkHealth` |

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use platform_types::spark::TURN_HEADER;
use platform_types::{ErrorCode, ProfileName};
use tokio::sync::Semaphore;

use crate::answer::{answer, refuse};
use crate::backend::Backend;
use crate::health;
use crate::models::normalised;
use crate::process::Shared;
use crate::refusal::Refusal;
use crate::request::{ChatRequest, MAX_BODY_BYTES};
use crate::ticket::Ticket;

/// Chat requests of one profile at a time: some sessions, some cron jobs. The next is told to come again.
pub const MAX_REQUESTS: usize = 8;
/// When to come again: answers take seconds.
const FULL_RETRY_SECONDS: u32 = 2;
/// Longest turn id that goes into the log.
const MAX_TURN_CHARS: usize = 64;

/// The routes of one profile, and its share of the router.
#[derive(Debug, Clone)]
pub struct Lane {
    profile: ProfileName,
    shared: Arc<Shared>,
    slots: Arc<Semaphore>,
}

impl Lane {
    pub fn new(profile: ProfileName, shared: Arc<Shared>) -> Self {
        Self { profile, shared, slots: Arc::new(Semaphore::new(MAX_REQUESTS)) }
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(completions))
            .route("/health", get(health))
            .fallback(|| async { Refusal::router(ErrorCode::NotFound, "no such route; see docs/reference/spark.md") })
            .method_not_allowed_fallback(|| async {
                Refusal::router(ErrorCode::MethodNotAllowed, "the method does not fit the route")
            })
            .with_state(self)
    }

    fn admit(&self, headers: &HeaderMap) -> Result<Ticket, Refusal> {
        let counters = self.shared.counters.clone();
        let Ok(slot) = self.slots.clone().try_acquire_owned() else {
            counters.turned_away();
            tracing::info!(profile = %self.profile, "chat request turned away");
            return Err(Refusal::router(
                ErrorCode::QueueFull,
                format!("{MAX_REQUESTS} requests of this profile are running; try again in a moment"),
            )
            .with_retry_after(FULL_RETRY_SECONDS));
        };
        Ok(Ticket::new(counters, self.profile.clone(), turn(headers), slot))
    }

    async fn prepare(&self, body: Body) -> Result<(Arc<Backend>, ChatRequest), Refusal> {
        let backend = self.shared.backend()?;
        let body = read(body, self.shared.limits.body).await?;
        Ok((backend, ChatRequest::parse(&body)?))
    }
}

async fn models(State(lane): State<Lane>) -> Response {
    let list = async { lane.shared.backend()?.list_soon(lane.shared.limits.list_age).await };
    match list.await {
        Ok(listed) => Json(normalised(&listed)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn health(State(lane): State<Lane>) -> Response {
    match lane.shared.backend() {
        Ok(backend) => {
            Json(health::probe(&backend, lane.shared.limits.list_age, &*lane.shared.clock).await).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn completions(State(lane): State<Lane>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut ticket = match lane.admit(&head.headers) {
        Ok(ticket) => ticket,
        Err(refusal) => return refusal.into_response(),
    };
    match lane.prepare(body).await {
        Ok((backend, request)) => answer(&backend, &request, ticket, lane.shared.limits).await,
        Err(refusal) => refuse(&mut ticket, refusal),
    }
}

async fn read(body: Body, time: Duration) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(time, Limited::new(body, MAX_BODY_BYTES).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::router(
            ErrorCode::TooLarge,
            format!("the request is longer than {MAX_BODY_BYTES} bytes; shorten the conversation or the pictures"),
        )),
        Ok(Err(_)) => Err(Refusal::router(ErrorCode::BadRequest, "the request body broke off")),
        Err(_) => Err(Refusal::router(ErrorCode::BadRequest, "the request body did not arrive in time")),
    }
}

/// The turn id for the log: what the agent says, if it can be an id.
fn turn(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TURN_HEADER)?.to_str().ok()?;
    let fits =
        text.len() <= MAX_TURN_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| text.to_owned())
}
