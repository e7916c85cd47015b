//! What a gate lets out, and what it asks a person about first.
//!
//! On `egress.sock`, connected by the profile's agent only, the request's `Host` names the upstream:
//!
//! | request | answer |
//! |---|---|
//! | any, `Host: <upstream>` | the upstream's answer, filtered; or 403 `egress_denied` with what no rule allowed |
//! | the same, for a rule with `confirm` | 202 [`Asked`]; the request is kept and runs once when a person allowed it |
//! | `GET /confirmations/{id}`, `Host: gate` | [`Outcome`], at once when it is final, else within 25 s |
//! | `POST /anchor` [`crate::audit::Anchor`], `Host: gate` | 204; the head of the agent's audit is kept by the gate |
//!
//! A request that matches no rule does not pass. Only what the gate itself writes goes out: method, path, query, headers and
//! body are read, checked and written again, so nothing that was not checked can hide in them. Two rules never add up:
//! one rule has to allow the whole request.
//!
//! The gate's pages and the supervisor decide confirmations: see [`crate::gate`].

use core::net::IpAddr;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{DeviceId, ProfileName, SecretName, Timestamp, UpstreamName};

/// The `Host` of the gate's own routes on `egress.sock`; no upstream may have this name.
pub const GATE_HOST: &str = "gate";
/// Request header with the bot's reason for what it asks; shown apart, as the bot's words.
pub const REASON_HEADER: &str = "x-bot-reason";
/// Request header with the turn, for the audit.
pub const TURN_HEADER: &str = "x-bot-turn";
/// Longest reason, in characters.
pub const MAX_REASON_CHARS: usize = 300;
/// Longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Longest answer that is passed on, in bytes.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Confirmations that may be undecided at once in a profile; more are refused.
pub const MAX_PENDING_CONFIRMATIONS: usize = 16;

/// Headers that say how the message travels, who sends it, or that another request is meant: the gate writes them or
/// nobody does.
pub const FORBIDDEN_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// Beginnings of such names.
pub const FORBIDDEN_PREFIXES: &[&str] = &["proxy-", "sec-", "x-bot-", "x-forwarded-", "tailscale-"];
/// Headers whose value changes what a request does: a rule says which value.
pub const NEEDS_VALUE: &[&str] = &["accept-profile", "content-profile", "prefer"];

/// A named way out of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    pub name: UpstreamName,
    /// `http` or `https`, without a trailing slash; its path goes before every rule's.
    pub url: String,
    /// Connect here instead of resolving the URL's host.
    pub address: Option<IpAddr>,
    /// Networks in CIDR notation that may be reached although they are private, link-local or otherwise special.
    pub networks: Vec<String>,
    pub credential: Option<Credential>,
    /// Certificates in PEM. With them the server is trusted if it has one that they signed, or is one of them; without
    /// them if the authorities of the web signed its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    pub rules: Vec<Rule>,
}

/// Where the gate puts a secret into a request. The secret is a file under `/run/secrets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "lowercase", deny_unknown_fields)]
pub enum Credential {
    /// `Authorization: Bearer <secret>`.
    Bearer {
        secret: SecretName,
    },
    Header {
        name: String,
        secret: SecretName,
    },
    Query {
        name: String,
        secret: SecretName,
    },
    /// `<prefix><secret>` becomes the first segment of the path, as Telegram wants it.
    Path {
        prefix: String,
        secret: SecretName,
    },
    /// A header, and `Authorization: Bearer <bearer>` beside it, as Supabase wants keys that are tokens.
    Both {
        name: String,
        secret: SecretName,
        bearer: SecretName,
    },
}

impl Credential {
    /// The secrets of this credential; the first is the one that its first place gets.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let (first, second) = match self {
            Self::Bearer { secret }
            | Self::Header { secret, .. }
            | Self::Query { secret, .. }
            | Self::Path { secret, .. } => (secret, None),
            Self::Both { secret, bearer, .. } => (secret, Some(bearer)),
        };
        core::iter::once(first).chain(second)
    }
}

/// One kind of request that may pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique in its upstream; names the rule in audit and errors.
    pub name: String,
    pub method: Method,
    /// Begins with `/`. A segment `{name}` is a parameter; every other segment is compared as it is, after decoding.
    pub path: String,
    /// One shape for each parameter of the path.
    pub params: BTreeMap<String, Shape>,
    /// Keys that may be in the query. Their values are text: a [`Shape::Integer`] is compared after parsing.
    pub query: BTreeMap<String, Field>,
    /// Names of request headers that are passed on, in lower case; never `authorization`, `cookie`, `host` and their kin.
    /// `name: value`: the gate always sends exactly this, and refuses a request that says otherwise.
    pub headers: Vec<String>,
    /// Fields of the JSON object in the body; `None`: a body does not pass.
    pub body: Option<BTreeMap<String, Field>>,
    pub confirm: Option<Confirm>,
    pub answer: AnswerFilter,
    /// What has to hold at the upstream, asked by the gate itself before it asks a person and before the request goes out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
}

/// A value that the gate fetches with a `GET` on the same upstream, and what has to be so about it. A value that cannot be
/// fetched does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Path and query, with `{name}` as in the words of a confirmation.
    pub path: String,
    /// Where the value is in the answer, as a JSON pointer (RFC 6901).
    pub pointer: String,
    pub holds: Holds,
    /// Said to the bot where it does not hold.
    pub otherwise: String,
}

/// What has to be so about a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Holds {
    /// It is one of these texts.
    OneOf { values: Vec<String> },
    /// It is a list of texts, and none of them begins with one of these.
    NoneBeginsWith { prefixes: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place for a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub shape: Shape,
    #[serde(default)]
    pub required: bool,
}

/// Which values may stand somewhere. Types are exact: `"1"` is no number, `1.0` is no integer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// Exactly one of these JSON scalars.
    OneOf {
        values: Vec<Value>,
    },
    /// Text without control characters other than line feed and tab.
    Text {
        max_chars: usize,
    },
    Integer {
        min: i64,
        max: i64,
    },
    /// Any finite number in this range of whole numbers.
    Number {
        min: i64,
        max: i64,
    },
    Boolean,
    /// An object with these fields and no others.
    Object {
        fields: BTreeMap<String, Field>,
    },
    List {
        of: Box<Shape>,
        max_items: usize,
    },
    /// The id of a chat that the channel of the same name as the upstream knows, as text or as an integer: of a sender who may
    /// write, or of a group. Without such a channel there is none.
    ApprovedChat,
    /// Text that begins with this, such as `eq.`; what comes after it fits the shape as a value of a query would. Words and
    /// facts get what comes after.
    After {
        prefix: String,
        then: Box<Shape>,
    },
}

/// What of an upstream's answer the agent gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pass", rename_all = "lowercase", deny_unknown_fields)]
pub enum AnswerFilter {
    /// All of it, with secrets taken out.
    Whole,
    /// Of a JSON object, or of each object in a JSON list: these members. A member is named by its path with dots, such as
    /// `attributes.brightness`. Anything that is not JSON becomes an error.
    Members { members: Vec<String> },
    /// The status alone.
    Status,
    /// [`crate::channel::Updates`]: what known senders wrote to the channel of the same name as the upstream; of everything
    /// else only the number. Without such a channel nobody is known.
    Updates,
}

/// A person has to allow each request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// What is confirmed, with `{name}` for parameters, query keys and top-level body fields.
    pub words: String,
    /// Asked by the gate itself, before it asks the person.
    pub facts: Vec<Fact>,
    /// A top-level body field that gets the confirmation's id before the digest is made, so that the upstream can tell a
    /// repetition.
    pub id_field: Option<String>,
    /// Seconds until an undecided one is over.
    pub expires_seconds: u32,
}

/// One line on the card that the gate fetched with a `GET` on the same upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub label: String,
    /// Path and query, with `{name}` as in the words.
    pub path: String,
    /// Where the value is in the answer, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The value is a list of texts; each is shown with what is found for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
}

/// What is found out about each item of a list: `item: value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// Path and query, with `{item}` for the item.
    pub path: String,
    /// Where the value is in the answer, as a JSON pointer (RFC 6901).
    pub pointer: String,
}

/// Body of a 202: the request waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// 32 lower-case hex digits.
    pub id: String,
    pub expires_at: Timestamp,
}

/// How a confirmation stands, as the agent is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    Pending {
        expires_at: Timestamp,
    },
    Denied,
    Expired,
    /// The rule changed, or went away, before it was decided.
    Superseded,
    /// Allowed, and being carried out.
    Running,
    /// Carried out: the upstream's status, and its filtered answer.
    Done {
        status: u16,
        body: Option<Value>,
    },
    /// Allowed, and the upstream was not reached: nothing was done.
    Failed {
        message: String,
    },
    /// Allowed, and the gate lost sight of it: whether it took effect is not known. It is not repeated.
    Unknown,
}

impl Outcome {
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Pending { .. } | Self::Running)
    }
}

/// A confirmation as people see it. Everything here comes from the rule or was fetched by the gate, except `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub id: String,
    pub upstream: UpstreamName,
    pub rule: String,
    /// The rule's words, filled in.
    pub words: String,
    pub facts: Vec<(String, String)>,
    /// The exact request, without the credential: method, path with query, body.
    pub request: String,
    /// SHA-256 over the exact request, lower-case hex.
    pub digest: String,
    /// What the bot says why. Not checked by anybody.
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: CardState,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CardState {
    Pending,
    Decided { decision: Verdict, by: Decider, at: Timestamp },
    Expired,
    Superseded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Allow,
    Deny,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Decider {
    Device {
        id: DeviceId,
        name: String,
    },
    /// Through `botctl`, by the name of the peer's user.
    Operator {
        user: String,
    },
}

/// What a device signs to decide (UTF-8, Ed25519).
#[derive(Debug, Clone, Copy)]
pub struct SignedDecision<'a> {
    pub profile: &'a ProfileName,
    pub device: &'a DeviceId,
    pub id: &'a str,
    pub digest: &'a str,
    pub verdict: Verdict,
}

impl fmt::Display for SignedDecision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, device, id, digest, verdict } = self;
        write!(f, "bot-platform confirm v1\n{profile}\n{device}\n{id}\n{digest}\n{verdict}")
    }
}
