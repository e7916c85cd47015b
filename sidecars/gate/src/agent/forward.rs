//! Named routes to the agent. A request is written anew from parsed parts; of the answer only the status, the kind of
//! its body and the body itself go on.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use platform_kit::Failure;
use platform_types::chat::{DEVICE_HEADER, SCOPES_HEADER, TOKEN_HEADER};
use platform_types::gate::{Caller, Scope};
use platform_types::{BotName, ErrorCode, JobName};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::door::unavailable;
use super::relay::Relay;
use crate::gate::Gate;
use crate::http::answer::{self, Body, BodyError};
use crate::limits::{MAX_AGENT_ERROR_BYTES, MAX_AGENT_HEAD_BYTES, MAX_HEADERS};

/// Kinds of bodies; the gate writes them itself.
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const MARKDOWN: &str = "text/markdown; charset=utf-8";
/// Statuses that an agent may answer with.
const STATUSES: [u16; 14] = [200, 400, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504];
/// Longest `Retry-After` that is passed on.
const MAX_RETRY_AFTER_SECONDS: u32 = 3600;
const MIB: u64 = 1024 * 1024;

/// A route of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentRoute {
    /// A session as a file. The id is 32 lower-case hex digits.
    Export {
        session: String,
    },
    /// What the agent says it did, before an entry of this number.
    Audit {
        before: u64,
    },
    /// Jobs by the clock.
    Jobs,
    Runs {
        bot: BotName,
        job: JobName,
    },
    /// Only for a device that may approve, which whoever forwards it has looked at.
    JobCommand {
        bot: BotName,
        job: JobName,
        verb: Verb,
    },
    Models,
    Completions,
}

/// What somebody wants of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Run,
    Pause,
    Resume,
}

impl Verb {
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Run, Self::Pause, Self::Resume].into_iter().find(|verb| verb.as_str() == word)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

impl AgentRoute {
    pub fn method(&self) -> Method {
        match self {
            Self::Completions | Self::JobCommand { .. } => Method::POST,
            Self::Export { .. } | Self::Audit { .. } | Self::Jobs | Self::Runs { .. } | Self::Models => Method::GET,
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Export { session } => format!("/api/sessions/{session}/export"),
            Self::Audit { before } => format!("/api/audit?before={before}"),
            Self::Jobs => "/api/cron".to_owned(),
            Self::Runs { bot, job } => format!("/api/cron/{bot}/{job}/runs"),
            Self::JobCommand { bot, job, verb } => format!("/api/cron/{bot}/{job}/{}", verb.as_str()),
            Self::Models => "/v1/models".to_owned(),
            Self::Completions => "/v1/chat/completions".to_owned(),
        }
    }

    /// The kinds that a successful answer may have.
    fn kinds(&self) -> &'static [&'static str] {
        match self {
            Self::Export { .. } => &[MARKDOWN, JSON],
            Self::Models | Self::Audit { .. } | Self::Jobs | Self::Runs { .. } | Self::JobCommand { .. } => &[JSON],
            Self::Completions => &[JSON, EVENTS],
        }
    }

    /// Longest answer.
    fn max_bytes(&self) -> u64 {
        match self {
            Self::Export { .. } | Self::Completions => 64 * MIB,
            Self::Models | Self::Audit { .. } | Self::Jobs | Self::Runs { .. } | Self::JobCommand { .. } => MIB,
        }
    }
}

/// Forwards a request of an authenticated caller.
pub async fn forward(
    gate: &Arc<Gate>,
    route: AgentRoute,
    caller: &Caller,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    gate.seen(caller);
    let limits = &gate.limits.forward;
    let time = if route == AgentRoute::Completions { limits.completion_time } else { limits.head_time };
    let mut visit = gate.door.visit();
    let mut body = Some(body);
    loop {
        let stream = visit.connect().await?;
        // Before the first byte went out it is safe to go again; a body is read only once the agent is connected.
        let request = write(&route, caller, body.take())?;
        let reply = exchange(stream, request, time).await?;
        let again = reply.response.status() == StatusCode::SERVICE_UNAVAILABLE && route.method() == Method::GET;
        if !again {
            return answer(&route, reply, limits.body_stall);
        }
    }
}

/// The request as the agent gets it.
fn write(route: &AgentRoute, caller: &Caller, body: Option<Incoming>) -> Result<Request<Body>, Failure> {
    let body = match body {
        Some(body) if *route == AgentRoute::Completions => body.map_err(BodyError::from).boxed_unsync(),
        _ => answer::empty(),
    };
    let mut request = Request::new(body);
    *request.method_mut() = route.method();
    *request.uri_mut() = route.target().parse().map_err(|_| Failure::new(ErrorCode::NotFound, "no such thing"))?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("agent"));
    if *route == AgentRoute::Completions {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    let (name, value) = identity(caller);
    headers.insert(name, value);
    if let AgentRoute::JobCommand { .. } = route {
        let scope = Scope::Approve.to_string();
        headers.insert(SCOPES_HEADER, HeaderValue::from_str(&scope).map_err(|_| gone())?);
    }
    Ok(request)
}

/// Who is calling, for the agent: a name, never a credential.
pub fn identity(caller: &Caller) -> (HeaderName, HeaderValue) {
    let (name, text) = match caller {
        Caller::Device { id } => (DEVICE_HEADER, id.as_str()),
        Caller::Token { name } => (TOKEN_HEADER, name.as_str()),
    };
    (HeaderName::from_static(name), HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unnamed")))
}

/// The head of an answer, and the connection that its body comes from.
struct Reply {
    response: Response<Incoming>,
    connection: AbortOnDropHandle<()>,
}

async fn exchange(stream: UnixStream, request: Request<Body>, time: Duration) -> Result<Reply, Failure> {
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_AGENT_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| gone())?;
    let connection = AbortOnDropHandle::new(platform_kit::task::spawn("agent connection", async move {
        // A broken connection shows at the sender or in the body.
        let _ = connection.await;
    }));
    match tokio::time::timeout(time, sender.send_request(request)).await {
        Ok(Ok(response)) => Ok(Reply { response, connection }),
        Ok(Err(error)) if error.is_parse() => Err(invalid("the head of the agent's answer is malformed or too long")),
        Ok(Err(error)) if error.is_user() => Err(Failure::new(ErrorCode::RequestTimeout, "the body did not arrive")),
        Ok(Err(_)) => Err(gone()),
        Err(_) => Err(unavailable("the agent did not answer in time")),
    }
}

/// The answer as the client gets it.
fn answer(route: &AgentRoute, reply: Reply, stall: Duration) -> Result<Response<Body>, Failure> {
    let (head, body) = reply.response.into_parts();
    if !STATUSES.contains(&head.status.as_u16()) {
        tracing::warn!(status = head.status.as_u16(), "the agent answered with a status that is not the protocol");
        return Err(invalid("the agent answered with a status that is not the protocol"));
    }
    let fine = head.status == StatusCode::OK;
    let (kinds, limit) = if fine { (route.kinds(), route.max_bytes()) } else { (&[JSON][..], MAX_AGENT_ERROR_BYTES) };
    let kind =
        kind(&head.headers, kinds).ok_or_else(|| invalid("the agent answered with an unexpected kind of body"))?;
    if body.size_hint().lower() > limit {
        return Err(invalid("the agent's answer is too long"));
    }
    let relay = Relay::new(body, limit, stall, reply.connection);
    let mut response = answer::with_type(head.status, kind, relay.boxed_unsync());
    let headers = response.headers_mut();
    if !fine && let Some(seconds) = retry_after(&head.headers) {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let AgentRoute::Export { session } = route
        && fine
    {
        let extension = if kind == MARKDOWN { "md" } else { "json" };
        let disposition = format!("attachment; filename=\"session-{session}.{extension}\"");
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(|_| gone())?);
    }
    Ok(response)
}

/// The one of `kinds` that the agent names, without its parameters.
fn kind(headers: &HeaderMap, kinds: &[&'static str]) -> Option<&'static str> {
    let essence = |text: &str| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let named = essence(headers.get(header::CONTENT_TYPE)?.to_str().ok()?);
    kinds.iter().find(|kind| essence(kind) == named).copied()
}

fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let seconds: u32 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(seconds.min(MAX_RETRY_AFTER_SECONDS))
}

fn gone() -> Failure {
    unavailable("the agent went away; try again")
}

fn invalid(message: &str) -> Failure {
    Failure::new(ErrorCode::AgentInvalid, message)
}
