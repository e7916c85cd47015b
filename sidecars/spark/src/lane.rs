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
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::HeaderMap;
use platform_types::spark::{BOT_HEADER, PRIORITY_HEADER, PROGRESS_HEADER, Priority, TURN_HEADER};
use platform_types::{BotName, ErrorCode, ProfileName};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Answer;
use crate::errand::Errand;
use crate::health;
use crate::models::normalised;
use crate::process::{InForce, Shared};
use crate::progress;
use crate::refusal::Refusal;
use crate::request::{ChatRequest, MAX_BODY_BYTES};
use crate::ticket::{Said, Ticket};

/// Bodies of one profile's requests, together, from their first byte to the end of the answer: four of the longest.
pub const MAX_BODIES_BYTES: usize = 4 * MAX_BODY_BYTES;
/// When to come again with a body for which there is no room: answers take seconds.
const FULL_RETRY_SECONDS: u32 = 2;
/// Longest turn id that goes into the log.
const MAX_TURN_CHARS: usize = 64;

/// The routes of one profile, and its share of the memory.
#[derive(Debug, Clone)]
pub struct Lane {
    profile: ProfileName,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
}

impl Lane {
    pub fn new(profile: ProfileName, shared: Arc<Shared>) -> Self {
        Self { profile, shared, room: Arc::new(Semaphore::new(MAX_BODIES_BYTES)) }
    }

    pub fn routes(self) -> Router {
        let switch = crate::switch::routes::of_profile(self.profile.clone(), self.shared.clone());
        Router::new()
            .route("/v1/models", get(models))
            .route("/v1/chat/completions", post(completions))
            .route("/health", get(health))
            .fallback(|| async { Refusal::router(ErrorCode::NotFound, "no such route; see docs/reference/spark.md") })
            .method_not_allowed_fallback(|| async {
                Refusal::router(ErrorCode::MethodNotAllowed, "the method does not fit the route")
            })
            .with_state(self)
            .merge(switch)
    }

    async fn prepare(&self, body: Body, ticket: &mut Ticket) -> Result<(InForce, ChatRequest), Refusal> {
        let in_force = self.shared.in_force()?;
        let (body, room) = read(body, &self.room, self.shared.limits.body).await?;
        ticket.holds(room);
        ticket.is_read();
        Ok((in_force, ChatRequest::parse(&body)?))
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
    let said = said(&head.headers);
    let priority = said.priority;
    let mut ticket = Ticket::new(lane.shared.counters.clone(), lane.profile.clone(), said);
    let (InForce { backend, times, .. }, request) = match lane.prepare(body, &mut ticket).await {
        Ok(prepared) => prepared,
        Err(refusal) => return Answer::refused(&mut ticket, refusal).into_response(),
    };
    let wants_progress = request.stream && head.headers.get(PROGRESS_HEADER).is_some_and(|value| value == "1");
    let (queue, switch) = (lane.shared.queue.clone(), lane.shared.switch.clone());
    let errand = Errand { backend, times, queue, switch, profile: lane.profile, priority, request, ticket };
    if wants_progress {
        return progress::respond(errand, lane.shared.limits).await;
    }
    errand.run(None).await.into_response()
}

/// A whole body, and its share of the profile's room.
async fn read(
    body: Body,
    room: &Arc<Semaphore>,
    time: Duration,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), Refusal> {
    let bad = |message: &str| Refusal::router(ErrorCode::BadRequest, message);
    let reading = async {
        let (mut whole, mut held) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        let mut body = body.into_data_stream();
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|_| bad("the request body broke off"))?;
            if whole.len() + bytes.len() > MAX_BODY_BYTES {
                let message = format!(
                    "the request is longer than {MAX_BODY_BYTES} bytes; shorten the conversation or the pictures"
                );
                return Err(Refusal::router(ErrorCode::TooLarge, message));
            }
            let more = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let more = room.clone().try_acquire_many_owned(more).map_err(|_| no_room())?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            whole.extend_from_slice(&bytes);
        }
        Ok((whole.freeze(), held))
    };
    match tokio::time::timeout(time, reading).await {
        Ok(outcome) => outcome,
        Err(_) => Err(bad("the request body did not arrive in time")),
    }
}

fn no_room() -> Refusal {
    let message = format!(
        "the requests of this profile are longer than {MAX_BODIES_BYTES} bytes together; try again in a moment"
    );
    Refusal::router(ErrorCode::QueueFull, message).with_retry_after(FULL_RETRY_SECONDS)
}

/// What the request says of itself, as far as it can be true.
fn said(headers: &HeaderMap) -> Said {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Said {
        turn: turn(headers),
        bot: text(BOT_HEADER).and_then(|name| BotName::new(name).ok()),
        priority: text(PRIORITY_HEADER).map(Priority::from_header).unwrap_or_default(),
    }
}

/// The turn id for the log: what the agent says, if it can be an id.
fn turn(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(TURN_HEADER)?.to_str().ok()?;
    let fits =
        text.len() <= MAX_TURN_CHARS && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fits.then(|| text.to_owned())
}
