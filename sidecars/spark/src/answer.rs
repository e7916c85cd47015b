//! From a checked request to its answer, plain or streamed.
//!
//! The head of a stream waits for the first event, so that an empty stream, an error or a foreign body still becomes an
//! error status. After that the bytes pass untouched; an end in the middle gets an error event appended. The body of the
//! box, and with it the place there, belongs to the body of the answer: a client that goes away drops both at once.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, once, unfold};
use futures_util::{Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use platform_types::ErrorCode;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::{Backend, contradiction};
use crate::chunk::Chunk;
use crate::diagnosis;
use crate::fault::incomplete;
use crate::models::Listed;
use crate::refusal::Refusal;
use crate::request::ChatRequest;
use crate::ticket::Ticket;
use crate::transcript::{First, Transcript, foreign, too_long};
use crate::upstream::{Source, collect};

/// Longest plain answer.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// After `[DONE]` a server ends its stream at once, or it is not worth waiting for.
const AFTER_DONE: Duration = Duration::from_secs(1);

/// What the client gets.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub enum Answer {
    Refused(Refusal),
    Whole(Bytes),
    Stream(Box<Relay>),
}

/// A request that the box has taken.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub struct Opened {
    pub listed: Listed,
    pub source: Source,
    /// For the first byte.
    pub deadline: Instant,
    /// Silence after it.
    pub idle: Duration,
}

impl Answer {
    /// Notes the failure.
    pub fn refused(ticket: &mut Ticket, refusal: Refusal) -> Self {
        ticket.fail(&refusal);
        Self::Refused(refusal)
    }

    /// The rest of a stream whose head is on its way already.
    pub fn events(self) -> BoxStream<'static, Bytes> {
        match self {
            Self::Refused(refusal) => once(async move { Bytes::from(refusal.event()) }).boxed(),
            Self::Whole(body) => once(async { body }).boxed(),
            Self::Stream(relay) => {
                unfold(relay, |mut relay| async move { relay.next().await.map(|bytes| (bytes, relay)) }).boxed()
            }
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Whole(body) => {
                ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
            }
            Self::Stream(_) => event_stream(self.events()),
        }
    }
}

/// The head of a stream, and its events.
pub fn event_stream(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(events.map(Ok::<_, Infallible>));
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], body).into_response()
}

/// Waits for the whole of a plain answer, or the first event of a stream.
pub async fn answer(backend: &Backend, request: &ChatRequest, opened: Opened, mut ticket: Ticket) -> Answer {
    let Opened { listed, source, deadline, idle } = opened;
    if request.stream {
        ticket.streams();
        let transcript = Transcript::new(!request.wants_usage, backend.redaction());
        stream(backend, Relay::new(listed, source, ticket, idle, transcript), deadline).await
    } else {
        plain(backend, &listed, source, ticket, deadline.max(Instant::now() + idle)).await
    }
}

async fn plain(backend: &Backend, listed: &Listed, source: Source, mut ticket: Ticket, deadline: Instant) -> Answer {
    let outcome = async {
        let body = collect(source, MAX_ANSWER_BYTES, deadline).await?;
        ticket.begins();
        let said = || backend.redaction().body(&body).into_owned();
        let chunk: Chunk<'_> = serde_json::from_slice(&body).map_err(|_| foreign(&said()))?;
        if chunk.error.is_some() || chunk.is_flat_error() {
            return Err(diagnosis::in_place_of_an_answer(&said()));
        }
        if chunk.choices.as_ref().is_none_or(Vec::is_empty) {
            return Err(foreign(&said()));
        }
        if let Some(name) = chunk.model.as_deref().filter(|name| !listed.answers_as(name)) {
            return Err(backend.contradiction(listed, name).await);
        }
        ticket.uses(chunk.usage.map(Into::into).unwrap_or_default());
        Ok(body)
    };
    match outcome.await {
        Ok(body) => {
            ticket.finish();
            Answer::Whole(body)
        }
        Err(refusal) => Answer::refused(&mut ticket, refusal),
    }
}

async fn stream(backend: &Backend, mut relay: Relay, deadline: Instant) -> Answer {
    match relay.open(backend, deadline).await {
        Ok(()) => Answer::Stream(Box::new(relay)),
        Err(refusal) => Answer::refused(&mut relay.ticket, refusal),
    }
}

/// A stream on its way from the box to the client.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub struct Relay {
    listed: Listed,
    source: Source,
    transcript: Transcript,
    ticket: Ticket,
    idle: Duration,
    /// What came before the head of the answer was sent.
    held: Bytes,
    /// Whether the name in the first chunk was compared.
    compared: bool,
    ended: bool,
}

impl Relay {
    fn new(listed: Listed, source: Source, ticket: Ticket, idle: Duration, transcript: Transcript) -> Self {
        Self { listed, source, transcript, ticket, idle, held: Bytes::new(), compared: false, ended: false }
    }

    /// Waits for the first event and looks at it.
    async fn open(&mut self, backend: &Backend, deadline: Instant) -> Result<(), Refusal> {
        let mut held = BytesMut::new();
        while self.transcript.first().is_none() && !self.ended {
            match timeout_at(deadline, self.source.next()).await {
                Err(_) => return Err(silent(ErrorCode::UpstreamTimeoutFirstByte)),
                Ok(Some(Err(broken))) => return Err(incomplete(&broken)),
                Ok(Some(Ok(bytes))) => {
                    held.extend_from_slice(&self.transcript.take(&bytes).map_err(|_| too_long())?);
                }
                Ok(None) => {
                    let (last, complaint) = self.transcript.end();
                    held.extend_from_slice(&last);
                    self.ended = true;
                    held.extend_from_slice(&self.doubt(complaint)?);
                }
            }
        }
        self.ticket.begins();
        if !self.ended {
            held.extend_from_slice(&self.doubt(self.transcript.fault())?);
        }
        match self.transcript.first() {
            Some(First::Error(body) | First::Foreign(body)) => return Err(diagnosis::in_place_of_an_answer(body)),
            Some(First::Chunk { model: Some(name) }) if !self.listed.answers_as(name) => {
                let name = name.clone();
                return Err(backend.contradiction(&self.listed, &name).await);
            }
            Some(First::Chunk { .. }) => self.compared = true,
            Some(First::Life) | None => {}
        }
        self.held = held.freeze();
        self.note();
        Ok(())
    }

    /// What is wrong before the head was sent: an error event behind words, an error status without.
    fn doubt(&mut self, fault: Option<Refusal>) -> Result<Bytes, Refusal> {
        match fault {
            None => Ok(Bytes::new()),
            Some(refusal) if self.transcript.has_begun() => Ok(self.break_off(&refusal)),
            Some(refusal) => Err(refusal),
        }
    }

    /// The next bytes for the client.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.held.is_empty() {
            return Some(std::mem::take(&mut self.held));
        }
        while !self.ended {
            let wait = if self.transcript.is_done() { AFTER_DONE } else { self.idle };
            match timeout(wait, self.source.next()).await {
                Err(_) | Ok(Some(Err(_))) if self.transcript.is_whole() => self.ended = true,
                Err(_) => return Some(self.break_off(&silent(ErrorCode::UpstreamTimeoutIdle))),
                Ok(Some(Err(broken))) => return Some(self.break_off(&incomplete(&broken))),
                Ok(None) => return self.close(),
                Ok(Some(Ok(bytes))) => {
                    let Ok(forward) = self.transcript.take(&bytes) else { return Some(self.break_off(&too_long())) };
                    if let Some(refusal) = self.compare() {
                        return Some(self.break_off(&refusal));
                    }
                    if let Some(refusal) = self.transcript.fault() {
                        let event = self.break_off(&refusal);
                        return Some([forward, event].concat().into());
                    }
                    self.note();
                    if !forward.is_empty() {
                        return Some(forward);
                    }
                }
            }
        }
        None
    }

    /// The box has ended its stream.
    fn close(&mut self) -> Option<Bytes> {
        let (last, complaint) = self.transcript.end();
        self.ended = true;
        self.note();
        match complaint {
            None => Some(last).filter(|last| !last.is_empty()),
            Some(refusal) => {
                let event = self.break_off(&refusal);
                Some([last, event].concat().into())
            }
        }
    }

    /// Ends the stream with an error event. Half an event that may lie in the splitter is never sent.
    fn break_off(&mut self, refusal: &Refusal) -> Bytes {
        self.ended = true;
        self.ticket.uses(self.transcript.usage());
        self.ticket.fail(refusal);
        // The connection to the box is not used any more, now and not when the client has read the event.
        self.source = futures_util::stream::empty().boxed();
        refusal.event().into()
    }

    /// Compares the name in the first chunk when pings had let the head go before it.
    fn compare(&mut self) -> Option<Refusal> {
        match self.transcript.first() {
            Some(First::Chunk { model }) if !self.compared => {
                self.compared = true;
                let name = model.as_deref().filter(|name| !self.listed.answers_as(name))?;
                let name = &*self.transcript.redaction().text(name);
                tracing::warn!(asked = %self.listed.id, echoed = crate::refusal::quote(name), "the model box answered as another model");
                Some(contradiction(&self.listed, name))
            }
            _ => None,
        }
    }

    /// Brings the ticket up to date: from here on the client may be gone at any moment.
    fn note(&mut self) {
        self.ticket.reaches(self.transcript.chunks());
        self.ticket.uses(self.transcript.usage());
        if self.transcript.is_whole() {
            self.ticket.finish();
        } else if let Some(refusal) = self.transcript.failure() {
            self.ticket.fail(&refusal);
        }
    }
}

fn silent(code: ErrorCode) -> Refusal {
    let message = match code {
        ErrorCode::UpstreamTimeoutIdle => "the model box fell silent in the middle of its answer",
        _ => "the model box did not begin to answer in time",
    };
    Refusal::router(code, message)
}
