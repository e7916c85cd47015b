//! One HTTP exchange with an upstream: written here, bounded, never repeated, never redirected.

use bytes::{Bytes, BytesMut};
use gate_rules::{Stripper, target};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use platform_kit::{Failure, Secret};
use platform_types::ErrorCode;
use platform_types::egress::{Credential, MAX_ANSWER_BYTES};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::connect::{Connector, unreachable};
use super::ways::Way;
use crate::limits::{EgressLimits, MAX_HEADERS, MAX_UPSTREAM_HEAD_BYTES};

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("bot-gate/", env!("CARGO_PKG_VERSION")));
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// A request without its credential.
#[derive(Debug, Clone)]
pub struct Plain {
    pub method: Method,
    /// Behind the path of the upstream's URL; begins with a slash.
    pub path: String,
    /// Empty: none.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// An answer, read whole, with the secrets taken out.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub content_type: Option<String>,
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum Lost {
    /// Nothing was sent.
    Before(Failure),
    /// It was sent, and may have taken effect.
    After(Failure),
}

impl Lost {
    pub fn failure(self) -> Failure {
        match self {
            Self::Before(failure) | Self::After(failure) => failure,
        }
    }
}

/// Sends a request and reads the answer.
pub async fn exchange(
    connector: &Connector,
    way: &Way,
    secrets: &[Secret<String>],
    plain: Plain,
    limits: &EgressLimits,
) -> Result<Reply, Lost> {
    let request = write(way, secrets, plain).map_err(Lost::Before)?;
    let stream = connector.connect(way).await.map_err(Lost::Before)?;
    let deadline = Instant::now() + limits.answer_time;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_UPSTREAM_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Lost::Before(unreachable(way, "the connection broke")))?;
    let _connection = AbortOnDropHandle::new(platform_kit::task::spawn("upstream connection", async move {
        // A broken connection shows at the sender or in the body.
        let _ = connection.await;
    }));
    let name = &way.upstream.name;
    let response = match timeout_at(deadline, sender.send_request(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_parse() => {
            return Err(invalid(way, "its answer is not HTTP, or its head is too long"));
        }
        Ok(Err(_)) => {
            let message = format!("{name} closed the connection before it answered");
            return Err(Lost::After(Failure::new(ErrorCode::UpstreamIncomplete, message)));
        }
        Err(_) => return Err(late(way)),
    };
    let (head, body) = response.into_parts();
    if head.status.is_informational() || encoded(&head.headers) {
        return Err(invalid(way, "its answer is encoded, or no answer"));
    }
    let mut strip = Strip::new(secrets);
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type =
        content_type.map(|text| String::from_utf8_lossy(&stripped(secrets, text.as_bytes())).into_owned());
    let body = match timeout_at(deadline, collect(way, body, &mut strip)).await {
        Ok(body) => body?,
        Err(_) => return Err(late(way)),
    };
    Ok(Reply { status: head.status, content_type, body })
}

/// The request with its credential.
fn write(way: &Way, secrets: &[Secret<String>], plain: Plain) -> Result<Request<Full<Bytes>>, Failure> {
    let unfit = || {
        let message = format!("the credential of {} cannot be written into a request", way.upstream.name);
        Failure::new(ErrorCode::UpstreamUnauthorized, message)
    };
    let Plain { method, mut path, mut query, headers, body } = plain;
    let mut fields = HeaderMap::new();
    fields.insert(header::HOST, HeaderValue::from_str(&way.authority).map_err(|_| unfit())?);
    fields.insert(header::USER_AGENT, USER_AGENT);
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?;
        fields.insert(name, HeaderValue::from_str(&value).map_err(|_| unfit())?);
    }
    fields.insert(header::ACCEPT_ENCODING, IDENTITY);
    if let (Some(credential), [secret, more @ ..]) = (&way.upstream.credential, secrets) {
        let secret = secret.expose();
        let mut sensitive = |name: HeaderName, text: String| {
            let mut value = HeaderValue::from_str(&text).map_err(|_| unfit())?;
            value.set_sensitive(true);
            fields.insert(name, value);
            Ok(())
        };
        match credential {
            Credential::Bearer { .. } => sensitive(header::AUTHORIZATION, format!("Bearer {secret}"))?,
            Credential::Header { name, .. } => {
                sensitive(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, secret.clone())?;
            }
            Credential::Both { name, .. } => {
                let bearer = more.first().ok_or_else(unfit)?.expose();
                sensitive(header::AUTHORIZATION, format!("Bearer {bearer}"))?;
                sensitive(HeaderName::from_bytes(name.as_bytes()).map_err(|_| unfit())?, secret.clone())?;
            }
            Credential::Query { name, .. } => {
                let mark = if query.is_empty() { "" } else { "&" };
                query = format!("{query}{mark}{}={}", target::encode(name), target::encode(secret));
            }
            // Telegram's tokens have a colon, which stays as it is.
            Credential::Path { prefix, .. }
                if secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":-._~".contains(&byte)) =>
            {
                path = format!("/{prefix}{secret}{path}");
            }
            Credential::Path { .. } => return Err(unfit()),
        }
    }
    let mark = if query.is_empty() { "" } else { "?" };
    let target = format!("{}{path}{mark}{query}", way.prefix);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.parse().map_err(|_| unfit())?;
    *request.headers_mut() = fields;
    Ok(request)
}

async fn collect(way: &Way, mut body: Incoming, strip: &mut Strip) -> Result<Bytes, Lost> {
    let mut whole = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            let message = format!("the answer of {} broke off in the middle", way.upstream.name);
            Lost::After(Failure::new(ErrorCode::UpstreamIncomplete, message))
        })?;
        if let Ok(data) = frame.into_data() {
            length += data.len();
            if length > MAX_ANSWER_BYTES {
                return Err(invalid(way, "its answer is too long"));
            }
            whole.extend_from_slice(&strip.push(&data));
        }
    }
    whole.extend_from_slice(&strip.finish());
    Ok(whole.freeze())
}

/// Takes the secrets out of what an upstream says.
struct Strip(Option<Stripper>);

impl Strip {
    fn new(secrets: &[Secret<String>]) -> Self {
        let bytes: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose().as_bytes()).collect();
        Self((!bytes.is_empty()).then(|| Stripper::new(&bytes)))
    }

    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.0 {
            Some(stripper) => stripper.push(bytes),
            None => bytes.to_vec(),
        }
    }

    fn finish(&mut self) -> Vec<u8> {
        self.0.take().map(Stripper::finish).unwrap_or_default()
    }
}

/// These bytes with the secrets taken out.
pub fn stripped(secrets: &[Secret<String>], bytes: &[u8]) -> Vec<u8> {
    let mut strip = Strip::new(secrets);
    let mut stripped = strip.push(bytes);
    stripped.extend(strip.finish());
    stripped
}

/// Says that the body is not what it seems: nothing can be taken out of it, and nothing was asked for.
fn encoded(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn invalid(way: &Way, reason: &str) -> Lost {
    Lost::After(Failure::new(ErrorCode::UpstreamInvalid, format!("{}: {reason}", way.upstream.name)))
}

fn late(way: &Way) -> Lost {
    let message = format!("{} did not answer in time", way.upstream.name);
    Lost::After(Failure::new(ErrorCode::UpstreamTimeoutFirstByte, message))
}
