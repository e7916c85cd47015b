//! `http.get` and `http.request`: a request to one of the profile's upstreams, over the gate, which checks it again and adds
//! the credential.
//!
//! **Invariants.** Only upstreams of the configuration are spoken to, never the gate's own routes. What a person has to confirm
//! is sent once and waited for; it is never sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::prompt::Risk;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use platform_kit::client::CallError;
use platform_types::egress::{Asked, GATE_HOST, MAX_BODY_BYTES, Method, REASON_HEADER, TURN_HEADER};
use platform_types::{ErrorBody, ErrorCode, UpstreamName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::confirmed::{self, MAX_RUN, Words, is_id};
use crate::egress::Egress;
use crate::target;
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

/// After a change that was sent, and whose answer is not known.
const PERHAPS: &str = "; whether it took effect is not known, so do not repeat it";

const WORDS: Words = Words {
    superseded: "its rule changed before it was confirmed: nothing was done",
    failed: "a person allowed it, but the upstream was not reached",
};

/// Reads from an upstream.
#[derive(Debug)]
pub struct HttpGet(Egress);

/// Changes something at an upstream.
#[derive(Debug)]
pub struct HttpRequest(Egress);

impl HttpGet {
    pub fn new(egress: Egress) -> Self {
        Self(egress)
    }
}

impl HttpRequest {
    pub fn new(egress: Egress) -> Self {
        Self(egress)
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetArguments {
    /// Name of the upstream.
    upstream: String,
    /// Begins with "/", without query.
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestArguments {
    /// Name of the upstream.
    upstream: String,
    method: Change,
    /// Begins with "/", without query.
    path: String,
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// JSON object.
    #[serde(default)]
    body: Option<Map<String, Value>>,
    /// Why, in one sentence, for the person who may have to confirm it.
    #[serde(default)]
    reason: Option<String>,
}

/// Methods that change something.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Change {
    Post,
    Put,
    Patch,
    Delete,
}

/// What an upstream answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl Tool for HttpGet {
    type Arguments = GetArguments;
    type Output = Answer;

    const NAME: &'static str = "http.get";
    const DESCRIPTION: &'static str = "Reads from an upstream (HTTP GET).";
    const RISK: Risk = Risk::Read;
    const MAX_RUN: Duration = MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        describe(Self::DESCRIPTION, reach.upstreams)
    }

    fn call<'a>(&'a self, arguments: GetArguments, context: &'a Context) -> Pending<'a, Answer> {
        let GetArguments { upstream, path, query } = arguments;
        Box::pin(run(&self.0, Wish { upstream, method: Method::Get, path, query, body: None, reason: None }, context))
    }
}

impl Tool for HttpRequest {
    type Arguments = RequestArguments;
    type Output = Answer;

    const NAME: &'static str = "http.request";
    const DESCRIPTION: &'static str =
        "Changes something at an upstream (HTTP). A person may have to confirm it; then this waits.";
    const RISK: Risk = Risk::Change;
    const MAX_RUN: Duration = MAX_RUN;

    fn describe(&self, reach: Reach<'_>) -> Option<String> {
        describe(Self::DESCRIPTION, reach.upstreams)
    }

    fn call<'a>(&'a self, arguments: RequestArguments, context: &'a Context) -> Pending<'a, Answer> {
        let RequestArguments { upstream, method, path, query, body, reason } = arguments;
        let method = match method {
            Change::Post => Method::Post,
            Change::Put => Method::Put,
            Change::Patch => Method::Patch,
            Change::Delete => Method::Delete,
        };
        Box::pin(run(&self.0, Wish { upstream, method, path, query, body, reason }, context))
    }
}

fn describe(words: &str, upstreams: &[UpstreamName]) -> Option<String> {
    let names: Vec<&str> = upstreams.iter().map(UpstreamName::as_str).collect();
    (!names.is_empty()).then(|| format!("{words} Upstreams: {}.", names.join(", ")))
}

struct Wish {
    upstream: String,
    method: Method,
    path: String,
    query: BTreeMap<String, String>,
    body: Option<Map<String, Value>>,
    reason: Option<String>,
}

async fn run(egress: &Egress, wish: Wish, context: &Context) -> Result<Answer, ToolError> {
    let changes = wish.method != Method::Get;
    let (status, bytes) = egress.send(wish.request(context)?).await.map_err(|error| lost(&error, changes))?;
    let asked = (status == StatusCode::ACCEPTED).then(|| serde_json::from_slice::<Asked>(&bytes).ok()).flatten();
    if let Some(asked) = asked.filter(|asked| is_id(&asked.id)) {
        let (status, body) = confirmed::outcome(egress, &asked.id, context, WORDS).await?;
        return Ok(Answer { status, body });
    }
    answered(status, &bytes, changes)
}

impl Wish {
    fn request(&self, context: &Context) -> Result<Request<Full<Bytes>>, ToolError> {
        let known = context.upstreams.iter().find(|name| name.as_str() == self.upstream && name.as_str() != GATE_HOST);
        let Some(upstream) = known else {
            let names: Vec<&str> = context.upstreams.iter().map(UpstreamName::as_str).collect();
            return Err(ToolError(format!(
                "there is no upstream {:?}; there are: {}",
                self.upstream,
                names.join(", ")
            )));
        };
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

fn answered(status: StatusCode, bytes: &[u8], changes: bool) -> Result<Answer, ToolError> {
    let body = (!bytes.is_empty()).then(|| match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(_) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    });
    // The gate's own errors are in the shape of ours; the model is told why, so that it can do better.
    if let Some(error) = body.as_ref().and_then(|body| ErrorBody::deserialize(body).ok())
        && !status.is_success()
    {
        let unsent = status.is_client_error() || error.error.code == ErrorCode::UpstreamUnreachable.as_str();
        let words = if changes && !unsent { PERHAPS } else { "" };
        return Err(ToolError(format!("{}: {}{words}", error.error.code, error.error.message)));
    }
    Ok(Answer { status: status.as_u16(), body })
}

fn lost(error: &CallError, changes: bool) -> ToolError {
    let unsent = matches!(error, CallError::Socket(_) | CallError::Request(_));
    let words = if changes && !unsent { PERHAPS } else { "" };
    ToolError(format!("the gate gave no answer ({error}){words}"))
}
