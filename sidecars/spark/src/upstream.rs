//! HTTP to the model box.
//!
//! Invariants: no redirects, no proxies, no compression, HTTP/1.1. Each request has a connection of its own, so none can
//! trip over one that the server has just closed (servers do so after 5 s, llama-server also after 100 requests), and none
//! is ever sent twice. The key is read from its file for every request, so a changed file counts at once; it never reaches
//! the log or an error message.

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use platform_kit::Secret;
use platform_kit::secret::{self, SecretError};
use platform_types::ErrorCode;
use reqwest::{Client, ClientBuilder, Method, Url, redirect, retry};
use tokio::time::{Instant, timeout_at};

use crate::place::Limits;
use crate::refusal::{Refusal, quote};

/// Longest error body that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The body of an answer.
pub type Source = BoxStream<'static, Result<Bytes, Broken>>;

/// The connection broke in the middle of an answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Why a box cannot be talked to with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    #[error("[spark].url {text:?} is not an http or https URL without user, query and fragment")]
    Url { text: String },
    #[error("cannot read the certificates of {path}")]
    ReadRoots { path: PathBuf, source: std::io::Error },
    #[error("{path} does not hold certificates in PEM form")]
    Roots { path: PathBuf, source: reqwest::Error },
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// One model box.
#[derive(Debug, Clone)]
pub struct Upstream {
    base: Url,
    key: Option<PathBuf>,
    limits: Limits,
    client: Client,
}

/// An answer with its head read.
#[expect(missing_debug_implementations, reason = "a body on its way has nothing to show")]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Source,
}

impl Upstream {
    /// `key` is the file with the bearer key; `extra_roots` may be missing.
    pub fn new(
        url: &str,
        key: Option<PathBuf>,
        extra_roots: &std::path::Path,
        limits: Limits,
    ) -> Result<Self, UpstreamError> {
        let base = parse_url(url)?;
        let roots = read_roots(extra_roots)?;
        let builder = Client::builder()
            .user_agent(concat!("bot-spark/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .http1_only()
            .tcp_keepalive(Duration::from_secs(15))
            .pool_max_idle_per_host(0);
        let builder = roots.into_iter().fold(builder, ClientBuilder::add_root_certificate);
        Ok(Self { base, key, limits, client: builder.build().map_err(UpstreamError::Client)? })
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
        let deadline = Instant::now() + self.limits.list;
        let reply = self.send(Method::GET, "models", None, deadline).await?;
        let body = collect(reply.body, max_bytes, deadline).await?;
        Ok((reply.status, reply.headers, body))
    }

    /// `POST <url>/chat/completions`: the head, and the body as it comes.
    pub async fn chat(&self, body: String, deadline: Instant) -> Result<Reply, Refusal> {
        self.send(Method::POST, "chat/completions", Some(Bytes::from(body)), deadline).await
    }

    /// The start of an error body, within `deadline`; what cannot be read is left out.
    pub async fn complaint(&self, mut body: Source, deadline: Instant) -> Vec<u8> {
        let mut read = Vec::new();
        while let Ok(Some(Ok(bytes))) = timeout_at(deadline, body.next()).await {
            read.extend_from_slice(&bytes[..bytes.len().min(MAX_ERROR_BYTES - read.len())]);
            if read.len() == MAX_ERROR_BYTES {
                break;
            }
        }
        self.redact(read)
    }

    /// Takes the key out of what a server says.
    fn redact(&self, text: Vec<u8>) -> Vec<u8> {
        match self.bearer() {
            Ok(Some(key)) => String::from_utf8_lossy(&text).replace(key.expose(), "[key]").into_bytes(),
            _ => text,
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>, deadline: Instant) -> Result<Reply, Refusal> {
        let request = self.request(method, path, body)?;
        match timeout_at(deadline, self.client.execute(request)).await {
            Ok(Ok(response)) => Ok(reply(response)),
            Ok(Err(error)) => Err(self.unreachable(&error)),
            Err(_) => Err(self.too_late()),
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<reqwest::Request, Refusal> {
        let mut request = self.client.request(method, format!("{}/{path}", self.url()));
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if let Some(key) = self.bearer()? {
            request = request.bearer_auth(key.expose());
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        request.build().map_err(|error| {
            Refusal::router(
                ErrorCode::UpstreamUnauthorized,
                format!("the request to the model box cannot be written: {}; check the key", cause(&error)),
            )
        })
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

    fn unreachable(&self, error: &reqwest::Error) -> Refusal {
        let (url, cause) = (self.url(), cause(error));
        if innermost::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
            let message = format!("the model box at {url} does not answer in HTTP ({cause}); check [spark].url");
            return Refusal::backend(ErrorCode::UpstreamInvalid, message);
        }
        let what =
            if error.is_connect() { "no connection to" } else { "the connection was closed before an answer by" };
        Refusal::router(
            ErrorCode::UpstreamUnreachable,
            format!("{what} the model box at {url}: {cause}; is its model server running?"),
        )
    }

    /// The refusal for a box that is not waited for any longer.
    pub fn too_late(&self) -> Refusal {
        Refusal::router(
            ErrorCode::UpstreamTimeoutFirstByte,
            format!("the model box at {} did not begin to answer in time", self.url()),
        )
    }
}

fn reply(response: reqwest::Response) -> Reply {
    Reply {
        status: response.status(),
        headers: response.headers().clone(),
        body: response.bytes_stream().map(|bytes| bytes.map_err(|error| Broken(cause(&error)))).boxed(),
    }
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

/// The connection broke after an answer had begun.
pub fn incomplete(broken: &Broken) -> Refusal {
    Refusal::router(
        ErrorCode::UpstreamIncomplete,
        format!("the connection to the model box broke in the middle of its answer: {broken}"),
    )
}

/// Seconds of a `Retry-After`; the form with a date is not used by model servers.
pub fn retry_after(headers: &HeaderMap) -> Option<u32> {
    headers.get(header::RETRY_AFTER).map(HeaderValue::to_str)?.ok()?.trim().parse().ok()
}

/// The last error of a kind in the chain of causes.
fn innermost<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut found = None;
    let mut source = error.source();
    while let Some(inner) = source {
        found = inner.downcast_ref().or(found);
        source = inner.source();
    }
    found
}

/// The innermost cause: "connection refused" rather than "error sending request".
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() && error.is_connect() {
        return "no connection in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    let mut source = error.source();
    while let Some(inner) = source {
        innermost = inner;
        source = inner.source();
    }
    let text = innermost.to_string();
    // The resolver's own words are those of a protocol trace.
    if text.contains("no records found") { "its name cannot be resolved".to_owned() } else { quote(&text) }
}

fn parse_url(text: &str) -> Result<Url, UpstreamError> {
    let wrong = || UpstreamError::Url { text: quote(text) };
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| wrong())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain { Ok(url) } else { Err(wrong()) }
}

fn read_roots(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, UpstreamError> {
    let pem = match std::fs::read(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(UpstreamError::ReadRoots { path: path.to_path_buf(), source }),
    };
    reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|source| UpstreamError::Roots { path: path.to_path_buf(), source })
}
