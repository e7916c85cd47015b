//! HTTP to the model box.
//!
//! Invariants: no redirects, no proxies, no compression, HTTP/1.1. A connection that cannot be made is tried once more; what
//! was sent is sent again only where [`connection`](crate::connection) says so. The key is read from its file for every
//! request, so a changed file counts at once; it never reaches the log or an error message.

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use platform_kit::Secret;
use platform_kit::clock::SharedClock;
use platform_kit::secret::{self, SecretError};
use platform_types::{ErrorCode, ModelId};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::breaker::{Breaker, Open};
use crate::connection::{ATTEMPTS, Connections, Dial, DialError, Unanswered, pieces};
use crate::fault::{Broken, incomplete};
use crate::gather::gathered;
use crate::place::{Limits, Place, Times};
use crate::refusal::{Refusal, quote};

/// Longest error body that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// When to come again while there is no connection: the box is asked that often.
const OPEN_RETRY_SECONDS: u32 = 2;

/// The body of an answer.
pub type Source = BoxStream<'static, Result<Bytes, Broken>>;

/// Where and how patiently a box is talked to.
#[derive(Debug, Clone)]
pub struct Manner<'a> {
    pub place: &'a Place,
    pub limits: Limits,
    pub times: Times,
    /// Models that are expected beside the configured one.
    pub models: &'a [ModelId],
    pub clock: SharedClock,
}

/// Why a box cannot be talked to with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("[spark].url {text:?} is not an http or https URL without user, query and fragment")]
    Url { text: String },
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// One model box.
#[derive(Debug)]
pub struct Upstream {
    base: Url,
    key: Option<PathBuf>,
    /// For the whole of `GET /v1/models`.
    list: Duration,
    connections: Connections,
    /// What every request has.
    head: HeaderMap,
    breaker: Breaker,
}

/// An answer with its head read.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Source,
}

impl Upstream {
    /// `key` is the file with the bearer key.
    pub fn new(url: &str, key: Option<PathBuf>, manner: &Manner<'_>) -> Result<Self, UpstreamError> {
        let base = parse_url(url)?;
        let dial = Dial::new(&base, &manner.place.extra_roots(), manner.times.connect)?;
        let host = HeaderValue::from_str(base.authority()).map_err(|_| UpstreamError::Url { text: quote(url) })?;
        let head = HeaderMap::from_iter([
            (header::HOST, host),
            (header::USER_AGENT, HeaderValue::from_static(concat!("bot-spark/", env!("CARGO_PKG_VERSION")))),
            (header::ACCEPT, HeaderValue::from_static("*/*")),
            (header::ACCEPT_ENCODING, HeaderValue::from_static("identity")),
        ]);
        // So that a silent server is told from one that cannot be connected.
        let list = manner.limits.list + manner.times.connect * ATTEMPTS;
        let (connections, breaker) = (Connections::new(dial), Breaker::new(manner.clock.clone()));
        Ok(Self { base, key, list, connections, head, breaker })
    }

    /// Whether there is a connection.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// The refusal while there is none.
    pub fn closed_off(&self) -> Result<(), Refusal> {
        self.breaker.open().map_or(Ok(()), |open| Err(self.no_connection(&open)))
    }

    pub fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Why the key cannot be read.
    pub fn key_problem(&self) -> Option<String> {
        self.bearer().err().map(|refusal| refusal.failure.message)
    }

    /// `GET <url>/models`, whole.
    pub async fn models(&self, max_bytes: usize) -> Result<(StatusCode, HeaderMap, Bytes), Refusal> {
        let deadline = Instant::now() + self.list;
        let reply = self.send(Method::GET, "models", None, deadline).await?;
        let body = collect(reply.body, max_bytes, deadline).await?;
        Ok((reply.status, reply.headers, body))
    }

    /// `POST <url>/chat/completions`: the head, and the body as it comes.
    pub async fn chat(&self, body: String, deadline: Instant) -> Result<Reply, Refusal> {
        self.send(Method::POST, "chat/completions", Some(Bytes::from(body)), deadline).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>, deadline: Instant) -> Result<Reply, Refusal> {
        let request = self.request(method, path, body)?;
        let Ok(outcome) = timeout_at(deadline, self.connections.send(request)).await else {
            // Attempts to connect are over long before: it was connected, and said nothing.
            self.breaker.connected();
            return Err(self.too_late());
        };
        let response = outcome.map_err(|unanswered| self.unreachable(unanswered))?;
        self.breaker.connected();
        let (head, body) = response.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body: gathered(pieces(body).boxed()) })
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Request<Full<Bytes>>, Refusal> {
        let unwritable = |error: http::Error| {
            let message = format!("the request to the model box cannot be written: {error}; check the key");
            Refusal::router(ErrorCode::UpstreamUnauthorized, message)
        };
        let mut head = self.head.clone();
        if let Some(key) = self.bearer()? {
            let bearer = HeaderValue::from_str(&format!("Bearer {}", key.expose()));
            let mut bearer = bearer.map_err(|error| unwritable(error.into()))?;
            bearer.set_sensitive(true);
            head.insert(header::AUTHORIZATION, bearer);
        }
        if body.is_some() {
            head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let target = format!("{}/{path}", self.base.path().trim_end_matches('/'));
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .body(Full::new(body.unwrap_or_default()))
            .map_err(unwritable)?;
        *request.headers_mut() = head;
        Ok(request)
    }

    fn bearer(&self) -> Result<Option<Secret<String>>, Refusal> {
        let Some(path) = &self.key else { return Ok(None) };
        secret::read(path).map(Some).map_err(|error| {
            let cause = match &error {
                SecretError::Read { source, .. } => format!("{error}: {source}"),
                _ => error.to_string(),
            };
            Refusal::router(
                ErrorCode::UpstreamUnauthorized,
                format!("the key of the model box cannot be used: {cause}"),
            )
        })
    }

    fn unreachable(&self, unanswered: Unanswered) -> Refusal {
        let url = self.url();
        let (code, message) = match unanswered {
            Unanswered::Unconnected(cause) => {
                self.breaker.failed(&cause);
                return self.breaker.open().map_or_else(|| self.too_late(), |open| self.no_connection(&open));
            }
            Unanswered::Foreign(cause) => {
                let message = format!("the model box at {url} does not answer in HTTP ({cause}); check [spark].url");
                return Refusal::backend(ErrorCode::UpstreamInvalid, message);
            }
            Unanswered::Closed(cause) => (
                ErrorCode::UpstreamUnreachable,
                format!(
                    "the connection was closed before an answer by the model box at {url}: {cause}; is its model server running?"
                ),
            ),
        };
        self.breaker.connected();
        Refusal::router(code, message)
    }

    fn no_connection(&self, Open { since, cause }: &Open) -> Refusal {
        let (url, since) = (self.url(), since.utc());
        let message =
            format!("no connection to the model box at {url} since {since}: {cause}; is its model server running?");
        Refusal::router(ErrorCode::UpstreamUnreachable, message).with_retry_after(OPEN_RETRY_SECONDS)
    }

    /// The refusal for a box that is not waited for any longer.
    pub fn too_late(&self) -> Refusal {
        Refusal::router(
            ErrorCode::UpstreamTimeoutFirstByte,
            format!("the model box at {} did not begin to answer in time", self.url()),
        )
    }
}

/// The start of an error body, within `deadline`; what cannot be read is left out.
pub async fn complaint(mut body: Source, deadline: Instant) -> Vec<u8> {
    let mut read = Vec::new();
    while let Ok(Some(Ok(bytes))) = timeout_at(deadline, body.next()).await {
        read.extend_from_slice(&bytes[..bytes.len().min(MAX_ERROR_BYTES - read.len())]);
        if read.len() == MAX_ERROR_BYTES {
            break;
        }
    }
    read
}

/// Reads a body whole.
pub async fn collect(mut body: Source, max_bytes: usize, deadline: Instant) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    loop {
        match timeout_at(deadline, body.next()).await {
            Err(_) => {
                return Err(Refusal::router(
                    ErrorCode::UpstreamTimeoutIdle,
                    "the model box did not finish its answer in time",
                ));
            }
            Ok(None) => return Ok(whole.freeze()),
            Ok(Some(Err(broken))) => return Err(incomplete(&broken)),
            Ok(Some(Ok(bytes))) if whole.len() + bytes.len() > max_bytes => {
                return Err(Refusal::backend(
                    ErrorCode::UpstreamInvalid,
                    format!("the model box answered more than {max_bytes} bytes"),
                ));
            }
            Ok(Some(Ok(bytes))) => whole.extend_from_slice(&bytes),
        }
    }
}

/// Seconds of a `Retry-After`; the form with a date is not used by model servers.
pub fn retry_after(headers: &HeaderMap) -> Option<u32> {
    headers.get(header::RETRY_AFTER).map(HeaderValue::to_str)?.ok()?.trim().parse().ok()
}

fn parse_url(text: &str) -> Result<Url, UpstreamError> {
    let wrong = || UpstreamError::Url { text: quote(text) };
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| wrong())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain { Ok(url) } else { Err(wrong()) }
}
