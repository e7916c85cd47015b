//! `http.get` and `http.request`: a request to one of the profile's upstreams, over the gate, which checks it again and adds
//! the credential.
//!
//! **Invariants.** Only upstreams of the configuration are spoken to, never the gate's own routes. What a person has to confirm
//! is sent once and waited for; it is never sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::prompt::Risk;
use platform_types::UpstreamName;
use platform_types::egress::{GATE_HOST, Method};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::confirmed::MAX_RUN;
use crate::egress::Egress;
use crate::exchange::{self, Answer, Wish};
use crate::tool::{Context, Pending, Reach, Tool, ToolError};

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
        Box::pin(run(&self.0, upstream, Wish { method: Method::Get, path, query, body: None, reason: None }, context))
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
        Box::pin(run(&self.0, upstream, Wish { method, path, query, body, reason }, context))
    }
}

fn describe(words: &str, upstreams: &[UpstreamName]) -> Option<String> {
    let names: Vec<&str> = upstreams.iter().map(UpstreamName::as_str).collect();
    (!names.is_empty()).then(|| format!("{words} Upstreams: {}.", names.join(", ")))
}

async fn run(egress: &Egress, upstream: String, wish: Wish, context: &Context) -> Result<Answer, ToolError> {
    let known = context.upstreams.iter().find(|name| name.as_str() == upstream && name.as_str() != GATE_HOST);
    let Some(known) = known else {
        let names: Vec<&str> = context.upstreams.iter().map(UpstreamName::as_str).collect();
        return Err(ToolError(format!("there is no upstream {upstream:?}; there are: {}", names.join(", "))));
    };
    Ok(exchange::run(egress, known, wish, context).await?)
}
