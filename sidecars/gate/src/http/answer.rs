//! Responses. Every header that leaves the gate is set here, or by the route that answers; none is copied from the agent.

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use platform_kit::Failure;
use serde::Serialize;

/// What can go wrong while an answer is streamed; the connection is cut, so that a client sees that it is not whole.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// The policy of everything the gate serves: only its own files, no inline code, no HTML sinks, no frames.
/// `{connect}` is replaced by the places that the page may open sockets to.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src {connect}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The same on every answer.
const FIXED: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    (header::CACHE_CONTROL, "no-store"),
];

/// The page asks for nothing.
const PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), \
    screen-wake-lock=(), serial=(), usb=()";

/// The content security policy; older browsers do not count a WebSocket as `'self'`, so its origin is named.
pub fn policy(socket_origin: Option<&str>) -> String {
    let connect = socket_origin.map_or_else(|| "'self'".to_owned(), |origin| format!("'self' {origin}"));
    POLICY.replace("{connect}", &connect)
}

/// An answer with the fixed headers and a content type.
pub fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    harden(headers);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let text = serde_json::to_vec(value).unwrap_or_default();
    with_type(status, "application/json", full(Bytes::from(text)))
}

/// An error in the one shape.
pub fn failure(failure: &Failure) -> Response<Body> {
    let mut response = json(status(failure), &failure.body());
    if let Some(seconds) = failure.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// The same as bytes, for a request that never reached hyper. The connection ends with it.
pub fn raw_failure(failure: &Failure) -> Bytes {
    let mut headers = HeaderMap::new();
    harden(&mut headers);
    let text = serde_json::to_vec(&failure.body()).unwrap_or_default();
    let status = status(failure);
    let mut bytes = BytesMut::with_capacity(2048);
    bytes.put_slice(format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("")).as_bytes());
    for (name, value) in &headers {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    bytes.put_slice(
        format!("content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len())
            .as_bytes(),
    );
    bytes.put_slice(&text);
    bytes.freeze()
}

pub fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Sets what stands on every answer.
pub fn harden(headers: &mut HeaderMap) {
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy(None)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

fn status(failure: &Failure) -> StatusCode {
    StatusCode::from_u16(failure.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
