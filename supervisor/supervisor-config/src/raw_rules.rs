//! The shape of rules in `platform.toml`: what a way out lets pass, and who may call which tool. See [`crate::raw`].

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::raw_values::{RawAnswer, RawScalar, RawValues};

/// A kind of request that may pass.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["method", "path"]))]
pub(crate) struct RawRule {
    /// HTTP method.
    #[schemars(example = &"POST", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub method: Option<RawMethod>,
    /// Path, behind that of the URL; a segment `{name}` is a parameter.
    #[schemars(example = &"/api/jobs/{id}/retry", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub path: Option<String>,
    /// What may stand for each parameter of the path.
    #[schemars(example = json!({"id": {"integer": [1, 1_000_000]}}), extend("default" = {}, "x-change" = "pushed live"))]
    pub params: Option<BTreeMap<String, RawValues>>,
    /// Query keys, each with its values. No other key passes.
    #[schemars(
        example = json!({"limit": {"integer": [1, 100], "optional": true}}),
        extend("default" = {}, "x-change" = "pushed live")
    )]
    pub query: Option<BTreeMap<String, RawValues>>,
    /// Request headers that are passed on, in lower case; `name: value` is always sent as it stands here.
    #[schemars(example = json!(["accept-language"]), extend("default" = [], "x-change" = "pushed live"))]
    pub headers: Option<Vec<String>>,
    /// Fields of the JSON object in the body, each with its values. No other field passes.
    #[schemars(
        example = json!({"queue": ["fast", "slow"], "note": {"text": 200}}),
        extend("x-default" = "none: no body passes", "x-change" = "pushed live")
    )]
    pub body: Option<BTreeMap<String, RawValues>>,
    /// Each request needs a confirmation.
    #[schemars(example = true, extend("default" = false, "x-change" = "pushed live"))]
    pub confirm: Option<bool>,
    /// The words that are confirmed, with `{name}` for values of the request.
    #[schemars(example = &"Retry job {id}", extend("x-default" = "none; required by `confirm`", "x-change" = "pushed live"))]
    pub card: Option<String>,
    /// Why each request may pass without a confirmation although it is no `GET`.
    #[schemars(
        example = &"A job that runs twice does no harm",
        extend("x-default" = "none; required without `confirm`, except by `GET`", "x-change" = "pushed live")
    )]
    pub unconfirmed: Option<String>,
    /// What of the answer the bot gets: `whole`, `status`, or the names of members, with dots for inner ones.
    #[schemars(example = json!(["state", "job.id"]), extend("default" = "whole", "x-change" = "pushed live"))]
    pub answer: Option<RawAnswer>,
}

/// Who may call which tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["effect", "tool"]))]
pub(crate) struct RawPolicyRule {
    /// What happens to the calls that match.
    #[schemars(example = &"ask", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub effect: Option<RawEffect>,
    /// A tool's name, `area.*`, or `*`.
    #[schemars(example = &"clock.*", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub tool: Option<String>,
    /// Matches calls of this bot only.
    #[schemars(example = &"bot", extend("x-default" = "none: every bot", "x-change" = "pushed live"))]
    pub bot: Option<String>,
    /// Matches calls of this kind of session only.
    #[schemars(example = &"script", extend("x-default" = "none: every session", "x-change" = "pushed live"))]
    pub session: Option<RawSession>,
    /// Matches calls only whose arguments have one of these values; types are exact.
    #[schemars(example = json!({"zone": ["UTC"]}), extend("default" = {}, "x-change" = "pushed live"))]
    pub when: Option<BTreeMap<String, Vec<RawScalar>>>,
    /// Shown to people with the decision.
    #[schemars(example = &"Somebody has to look at it", extend("x-default" = "none", "x-change" = "pushed live"))]
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawEffect {
    Allow,
    Ask,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawSession {
    Chat,
    Cron,
    Script,
    Channel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum RawMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}
