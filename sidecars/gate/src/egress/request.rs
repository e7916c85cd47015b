//! The agent's request, read whole.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::egress::{MAX_BODY_BYTES, MAX_REASON_CHARS, REASON_HEADER, TURN_HEADER};
use platform_types::text::neutral_cut;

/// Longest turn id in the audit.
const MAX_TURN_CHARS: usize = 64;

/// Method, target, headers and body, as they came.
#[derive(Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Bytes,
    /// The bot's own words.
    pub reason: Option<String>,
    pub turn: Option<String>,
}

impl Asked {
    /// Reads the body, bounded in size and time.
    pub async fn read(request: Request<Incoming>, time: Duration) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let text = |name: &str, chars: usize| {
            let value = head.headers.get(name)?;
            let text = neutral_cut(&String::from_utf8_lossy(value.as_bytes()), chars);
            (!text.is_empty()).then_some(text)
        };
        let (reason, turn) = (text(REASON_HEADER, MAX_REASON_CHARS), text(TURN_HEADER, MAX_TURN_CHARS));
        let headers =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        let body = read_body(body, MAX_BODY_BYTES, time).await?;
        Ok(Self { method: head.method.as_str().to_owned(), target, headers, body, reason, turn })
    }

    /// As the rules read it.
    pub fn with_rules<T>(&self, act: impl FnOnce(&gate_rules::Request<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        act(&gate_rules::Request { method: &self.method, target: &self.target, headers: &headers, body: &self.body })
    }

    /// The path without its query, for the audit.
    pub fn path(&self) -> String {
        neutral_cut(self.target.split('?').next().unwrap_or_default(), 200)
    }
}

/// Reads a body of at most `limit` bytes within `time`.
pub async fn read_body(body: Incoming, limit: usize, time: Duration) -> Result<Bytes, Failure> {
    let late = || Failure::new(ErrorCode::RequestTimeout, "the body did not arrive");
    let body = tokio::time::timeout(time, Limited::new(body, limit).collect()).await.map_err(|_| late())?;
    let body = body.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Failure::new(ErrorCode::TooLarge, format!("the body is longer than {limit} bytes"))
        } else {
            late()
        }
    })?;
    Ok(body.to_bytes())
}
