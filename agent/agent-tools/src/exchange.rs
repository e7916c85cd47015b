//! One request to one of the profile's upstreams, over the gate, which checks it again and adds the credential. What a person
//! has to confirm is sent once and waited for; it is never sent again.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use platform_kit::client::CallError;
use platform_types::egress::{Asked, MAX_BODY_BYTES, Method, REASON_HEADER, TURN_HEADER};
use platform_types::{ErrorBody, ErrorCode, UpstreamName};
use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};

use crate::confirmed::{self, Ended, Words, is_id};
use crate::egress::Egress;
use crate::target;
use crate::tool::{Context, ToolError};

/// After a change that was sent, and whose answer is not known.
const PERHAPS: &str = "; whether it took effect is not known, so do not repeat it";

const WORDS: Words = Words {
    superseded: "its rule changed before it was confirmed: nothing was done",
    failed: "a person allowed it, but the upstream was not reached",
};

/// What is asked for.
#[derive(Debug)]
pub struct Wish {
    pub method: Method,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub body: Option<Map<String, Value>>,
    /// For the person who may have to confirm it.
    pub reason: Option<String>,
}

impl Wish {
    pub fn get(path: String) -> Self {
        Self { method: Method::Get, path, query: BTreeMap::new(), body: None, reason: None }
    }
}

/// What an upstream answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// Why there is no answer of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The gate said why: its word, and its sentence.
    #[error("{code}: {message}{}", if *.perhaps { PERHAPS } else { "" })]
    Gate { code: String, message: String, perhaps: bool },
    /// The gate gave no answer itself.
    #[error("the gate gave no answer ({message}){}", if *.perhaps { PERHAPS } else { "" })]
    Lost { message: String, perhaps: bool },
    /// It was not sent, or a person decided otherwise.
    #[error("{0}")]
    Not(ToolError),
    /// A person allowed it, and what came of it is not known.
    #[error("{0}")]
    Unknown(ToolError),
}

impl NoAnswer {
    /// It was sent, and may have taken effect.
    pub fn perhaps(&self) -> bool {
        matches!(self, Self::Gate { perhaps: true, .. } | Self::Lost { perhaps: true, .. } | Self::Unknown(_))
    }

    /// The upstream was not there.
    pub fn is_unreachable(&self) -> bool {
        let gone = [
            ErrorCode::UpstreamUnreachable,
            ErrorCode::UpstreamIncomplete,
            ErrorCode::UpstreamTimeoutFirstByte,
            ErrorCode::UpstreamInvalid,
        ];
        matches!(self, Self::Gate { code, .. } if gone.iter().any(|gone| gone.as_str() == code))
    }
}

impl From<Ended> for NoAnswer {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Undone(error) => Self::Not(error),
            Ended::Unknown(error) => Self::Unknown(error),
        }
    }
}

impl From<NoAnswer> for ToolError {
    fn from(error: NoAnswer) -> Self {
        Self(error.to_string())
    }
}

/// Sends it, and waits for a person where one has to confirm it.
pub async fn run(egress: &Egress, upstream: &UpstreamName, wish: Wish, context: &Context) -> Result<Answer, NoAnswer> {
    let changes = wish.method != Method::Get;
    let request = wish.request(upstream, context).map_err(NoAnswer::Not)?;
    let (status, bytes) = egress.send(request).await.map_err(|error| lost(&error, changes))?;
    let asked = (status == StatusCode::ACCEPTED).then(|| serde_json::from_slice::<Asked>(&bytes).ok()).flatten();
    if let Some(asked) = asked.filter(|asked| is_id(&asked.id)) {
        let (status, body) = confirmed::outcome(egress, &asked.id, context, WORDS).await?;
        return Ok(Answer { status, body });
    }
    answered(status, &bytes, changes)
}

impl Wish {
    fn request(&self, upstream: &UpstreamName, context: &Context) -> Result<Request<Full<Bytes>>, ToolError> {
        let body = match &self.body {
            Some(body) => serde_json::to_vec(body).map_err(|error| ToolError(error.to_string()))?,
            None => Vec::new(),
        };
        if body.len() > MAX_BODY_BYTES {
            return Err(ToolError(format!("the body is longer than {MAX_BODY_BYTES} bytes")));
        }
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(target::write(&self.path, &self.query).map_err(ToolError)?)
            .header(header::HOST, upstream.as_str())
            .header(TURN_HEADER, &context.turn);
        if self.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(reason) = self.reason.as_deref().and_then(target::one_line) {
            request = request.header(REASON_HEADER, reason);
        }
        request
            .body(Full::from(body))
            .map_err(|error| ToolError(format!("this cannot be written as a request: {error}")))
    }
}

fn answered(status: StatusCode, bytes: &[u8], changes: bool) -> Result<Answer, NoAnswer> {
    let body = (!bytes.is_empty()).then(|| match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    });
    // The gate's own errors are in the shape of ours; the model is told why, so that it can do better.
    if let Some(error) = body.as_ref().and_then(|body| ErrorBody::deserialize(body).ok())
        && !status.is_success()
    {
        let before = [ErrorCode::UpstreamUnreachable, ErrorCode::UpstreamUnauthorized];
        let unsent = status.is_client_error() || before.iter().any(|code| code.as_str() == error.error.code);
        let (code, message) = (error.error.code, error.error.message);
        return Err(NoAnswer::Gate { code, message, perhaps: changes && !unsent });
    }
    Ok(Answer { status: status.as_u16(), body })
}

fn lost(error: &CallError, changes: bool) -> NoAnswer {
    let unsent = matches!(error, CallError::Socket(_) | CallError::Request(_));
    NoAnswer::Lost { message: error.to_string(), perhaps: changes && !unsent }
}
