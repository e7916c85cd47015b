//! The shape of `platform.toml`: which keys there are, their types, defaults and meaning. Nothing else knows them.
//!
//! These structs make the JSON Schema, the schema checks the file ([`crate::shape`]) and makes the reference
//! (`docs/reference/platform-toml.md`). Every field is optional here: what is required is said with `required`, so that a
//! missing key is one finding among others. Extensions of the schema:
//!
//! | extension | says |
//! |---|---|
//! | `x-change` | what a change of the key does to a running platform |
//! | `x-default` | the default in words, where it is no value |
//! | `x-type` | the type in words, for what is one value and is written in several ways |

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(crate) use crate::raw_cron::{RawCron, RawDeliver, RawMissed};
pub(crate) use crate::raw_rules::{RawEffect, RawMethod, RawPolicyRule, RawRule, RawSession};
pub(crate) use crate::raw_switch::RawSwitch;

/// The whole desired state of an installation of Bot Platform.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "platform.toml", extend("required" = ["profile"]))]
pub(crate) struct RawConfig {
    /// Containers, networks and volumes begin with it. Another name is another installation, with empty state.
    #[schemars(example = &"bot", extend("default" = "bot", "x-change" = "new containers"))]
    pub name: Option<String>,
    /// IANA name of the time zone that bots and schedules use.
    #[schemars(example = &"Europe/Berlin", extend("default" = "UTC", "x-change" = "pushed live"))]
    pub timezone: Option<String>,
    /// IPv4 loopback address and port that serve `/metrics`.
    #[schemars(example = &"127.0.0.1:9469", extend("x-default" = "none: no metrics are served", "x-change" = "pushed live"))]
    pub metrics: Option<String>,
    /// The model box. Leave the section out to chat with the built-in demo model.
    pub spark: Option<RawSpark>,
    /// Trust zones, each with its own agent, gate, state and port.
    pub profile: Option<BTreeMap<String, RawProfile>>,
    /// Snapshots.
    pub backup: Option<RawBackup>,
}

/// The model box: a server with OpenAI's API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["url", "model"]))]
pub(crate) struct RawSpark {
    /// Base URL of the server's API; ends in `/v1`.
    #[schemars(example = &"https://spark.example.ts.net/v1", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub url: Option<String>,
    /// The model of bots that name none; an id of `GET /v1/models`, byte for byte.
    #[schemars(example = &"openai/gpt-oss-120b", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub model: Option<String>,
    /// Bearer key that the server asks for.
    #[schemars(example = json!({"secret": "spark-key"}), extend("x-default" = "none", "x-change" = "pushed live"))]
    pub key: Option<RawSecret>,
    /// Requests at the box at once, of all profiles; a profile that has fewer there goes first.
    #[schemars(range(min = 1, max = 64), example = 2, extend("default" = 4, "x-change" = "pushed live"))]
    pub concurrency: Option<u32>,
    /// Requests that wait for a place at the box. Each profile has an equal share of it, one at least.
    #[schemars(range(min = 1, max = 128), example = 16, extend("default" = 32, "x-change" = "pushed live"))]
    pub queue: Option<u32>,
    /// Longest attempt to make a connection to the box; a second one follows at once.
    #[schemars(range(min = 1, max = 30), example = 5, extend("default" = 2, "x-change" = "pushed live"))]
    pub connect_seconds: Option<u32>,
    /// Longest time from a request at the box to the first byte of its answer.
    #[schemars(range(min = 1, max = 3600), example = 900, extend("default" = 600, "x-change" = "pushed live"))]
    pub first_byte_seconds: Option<u32>,
    /// Longest silence in the middle of an answer.
    #[schemars(range(min = 1, max = 3600), example = 300, extend("default" = 120, "x-change" = "pushed live"))]
    pub idle_seconds: Option<u32>,
    /// Longest time from the arrival of a request, waiting included, to the last byte of its answer.
    #[schemars(range(min = 1, max = 86_400), example = 7200, extend("default" = 3600, "x-change" = "pushed live"))]
    pub total_seconds: Option<u32>,
    /// How the box is switched to another model; left out, nobody switches it from here.
    pub switch: Option<RawSwitch>,
}

/// A secret, by the name of its file under `secrets/`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-type" = "secret", "required" = ["secret"]))]
pub(crate) struct RawSecret {
    /// Name of the secret, as in `botctl secret set NAME`.
    #[schemars(example = &"spark-key")]
    pub secret: Option<String>,
}

/// A secret and the name under which it is sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-type" = "named secret", "required" = ["name", "secret"]))]
pub(crate) struct RawNamedSecret {
    /// Name of the header or query key.
    #[schemars(example = &"x-api-key")]
    pub name: Option<String>,
    /// Name of the secret, as in `botctl secret set NAME`.
    #[schemars(example = &"jobs-key")]
    pub secret: Option<String>,
}

/// A trust zone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["port"]))]
pub(crate) struct RawProfile {
    /// Port on the host's 127.0.0.1 that the gate publishes. While the new one is taken the gate goes on answering at the old one.
    #[schemars(range(min = 1), example = 18789, extend("x-default" = "required", "x-change" = "replacement"))]
    pub port: Option<u16>,
    /// How browsers reach the profile, for example through `tailscale serve`: scheme, host and port, no path. Allowed as Host and Origin, used in links and QR codes.
    #[schemars(
        example = &"https://vm102.example.ts.net",
        extend("x-default" = "none: links name 127.0.0.1 and the port", "x-change" = "pushed live")
    )]
    pub address: Option<String>,
    /// Logins of the tailnet that may use the profile, believed only on the gate's tailnet socket; each still needs a paired device. Named, the port refuses what comes from the tailnet.
    #[schemars(example = json!(["alice@example.com"]), extend("x-default" = "none: everybody whom the tailnet lets through", "x-change" = "pushed live"))]
    pub tailscale_users: Option<Vec<String>>,
    /// Most memory of the agent's container, from 32MiB to 64GiB.
    #[schemars(example = &"256MiB", extend("default" = "256MiB", "x-change" = "rollout"))]
    pub memory: Option<String>,
    /// Most processors of the agent's container; fractions are allowed.
    #[schemars(range(min = 0.1, max = 64.0), example = 1.0, extend("default" = 1.0, "x-change" = "rollout"))]
    pub cpus: Option<f64>,
    /// Most processes and threads of the agent's container.
    #[schemars(range(min = 16, max = 4096), example = 128, extend("default" = 128, "x-change" = "rollout"))]
    pub pids: Option<u32>,
    /// Bots, in this order; the first is the default. Without any, one bot `assistant` with the tool `clock.now`.
    pub bot: Option<BTreeMap<String, RawBot>>,
    /// Named ways out through the gate.
    pub upstream: Option<BTreeMap<String, RawUpstream>>,
    /// Chats with people who are not at the page, each through the upstream of its name.
    pub channel: Option<BTreeMap<String, RawChannel>>,
    /// Who may call which tool; the strictest rule that matches wins.
    pub policy: Option<Vec<RawPolicyRule>>,
}

/// A bot.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBot {
    /// The name that people see; at most 48 characters.
    #[schemars(example = &"Home", extend("x-default" = "the bot's name, capitalised", "x-change" = "pushed live"))]
    pub title: Option<String>,
    /// File with the bot's instructions, beside `platform.toml`; a file of yours overrides the shipped one of the same name.
    #[schemars(example = &"bots/home.md", extend("default" = "bots/assistant.md", "x-change" = "pushed live"))]
    pub instructions: Option<String>,
    /// Model id, byte for byte as the model box lists it.
    #[schemars(
        example = &"openai/gpt-oss-120b",
        extend("x-default" = "`spark.model`; `demo/echo` without `[spark]`", "x-change" = "pushed live")
    )]
    pub model: Option<String>,
    /// Tools that the bot may call; any other call is denied.
    #[schemars(example = json!(["clock.now"]), extend("default" = [], "x-change" = "pushed live"))]
    pub tools: Option<Vec<String>>,
    /// Folders of the host that the tools `doc.*` of this bot may read, at most 16. Nothing writes there.
    #[schemars(example = json!(["/srv/documents"]), extend("default" = [], "x-change" = "rollout"))]
    pub documents: Option<Vec<String>>,
    /// What the bot does by the clock.
    pub cron: Option<BTreeMap<String, RawCron>>,
}

/// A named way out of a profile.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["url"]))]
pub(crate) struct RawUpstream {
    /// Turns the lists below into rules; without it `rule` entries say what may pass.
    #[schemars(example = &"home-assistant", extend("x-default" = "none", "x-change" = "pushed live"))]
    pub preset: Option<RawPreset>,
    /// Base URL; `http` or `https`.
    #[schemars(example = &"http://192.168.1.20:8123", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub url: Option<String>,
    /// IP address to connect to instead of resolving the URL's host.
    #[schemars(example = &"192.168.1.20", extend("x-default" = "none: the host is resolved", "x-change" = "pushed live"))]
    pub address: Option<String>,
    /// Networks that may be reached although they are private, in CIDR notation.
    #[schemars(example = json!(["192.168.1.0/24"]), extend("default" = [], "x-change" = "pushed live"))]
    pub networks: Option<Vec<String>>,
    /// `https`: file with the certificate of the server or of its authority, beside `platform.toml`; nothing else is trusted then.
    #[schemars(
        example = &"certs/house.pem",
        extend("x-default" = "none: the authorities of the web are trusted", "x-change" = "pushed live")
    )]
    pub ca: Option<String>,
    /// Credential, sent as a bearer token.
    #[schemars(example = json!({"secret": "ha-token"}), extend("x-default" = "none", "x-change" = "pushed live"))]
    pub bearer: Option<RawSecret>,
    /// Credential, sent in a header.
    #[schemars(
        example = json!({"name": "x-api-key", "secret": "jobs-key"}),
        extend("x-default" = "none", "x-change" = "pushed live")
    )]
    pub header: Option<RawNamedSecret>,
    /// Credential, sent as a query key.
    #[schemars(
        example = json!({"name": "key", "secret": "jobs-key"}),
        extend("x-default" = "none", "x-change" = "pushed live")
    )]
    pub query: Option<RawNamedSecret>,
    /// `telegram`: the bot's token, put into the path.
    #[schemars(example = json!({"secret": "telegram-token"}), extend("x-default" = "none; required by `telegram`", "x-change" = "pushed live"))]
    pub token: Option<RawSecret>,
    /// `home-assistant`: entities that may only be read.
    #[schemars(example = json!(["sensor.hall"]), extend("default" = [], "x-change" = "pushed live"))]
    pub read: Option<Vec<String>>,
    /// `home-assistant`: entities that may be read and set.
    #[schemars(example = json!(["light.kitchen"]), extend("default" = [], "x-change" = "pushed live"))]
    pub entities: Option<Vec<String>>,
    /// `home-assistant`: scenes that may be turned on.
    #[schemars(example = json!(["scene.movie"]), extend("default" = [], "x-change" = "pushed live"))]
    pub scenes: Option<Vec<String>>,
    /// `home-assistant`: entities and scenes that need a confirmation each time.
    #[schemars(example = json!(["lock.front_door"]), extend("default" = [], "x-change" = "pushed live"))]
    pub confirm: Option<Vec<String>>,
    /// `supabase-jobs`: the table of jobs.
    #[schemars(example = &"jobs", extend("x-default" = "none; required by `supabase-jobs`", "x-change" = "pushed live"))]
    pub table: Option<String>,
    /// `supabase-jobs`: the kinds of jobs that may be seen and queued again.
    #[schemars(example = json!(["report"]), extend("x-default" = "none: every kind that the database shows", "x-change" = "pushed live"))]
    pub kinds: Option<Vec<String>>,
    /// `supabase-jobs`: how a job is queued again: by the function `requeue_job`, or by comparing and setting its row.
    #[schemars(example = &"function", extend("default" = "function", "x-change" = "pushed live"))]
    pub requeue: Option<RawRequeue>,
    /// Without a preset: the requests that may pass.
    pub rule: Option<Vec<RawRule>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawPreset {
    HomeAssistant,
    SupabaseJobs,
    Telegram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawRequeue {
    Function,
    CompareAndSet,
}

/// Chats with people who are not at the page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["kind"]))]
pub(crate) struct RawChannel {
    /// What is spoken: `telegram`, or `loopback` for the same with a server on this host.
    #[schemars(example = &"telegram", extend("x-default" = "required", "x-change" = "pushed live"))]
    pub kind: Option<RawChannelKind>,
    /// The bot that answers.
    #[schemars(example = &"bot", extend("x-default" = "the profile's first bot", "x-change" = "pushed live"))]
    pub bot: Option<String>,
    /// Further bots that a chat may choose with `/bot`.
    #[schemars(example = json!(["bot"]), extend("default" = [], "x-change" = "pushed live"))]
    pub bots: Option<Vec<String>>,
    /// Who may write: those in `allow` and whoever the operator approved, those in `allow`, or nobody.
    #[schemars(example = &"pairing", extend("default" = "pairing", "x-change" = "pushed live"))]
    pub senders: Option<RawSenders>,
    /// Ids of senders who may write without having been approved.
    #[schemars(example = json!([123_456_789]), extend("default" = [], "x-change" = "pushed live"))]
    pub allow: Option<Vec<i64>>,
    /// Ids of groups in which senders who may write are heard when they mention the bot.
    #[schemars(example = json!([-1_001_234_567_890_i64]), extend("default" = [], "x-change" = "pushed live"))]
    pub groups: Option<Vec<i64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawChannelKind {
    Loopback,
    Telegram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawSenders {
    Pairing,
    Allowlist,
    Closed,
}

/// Snapshots.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBackup {
    /// When a snapshot of each profile is taken, as a cron expression in `timezone`. One that was missed is made up for.
    #[schemars(example = &"0 3 * * *", extend("x-default" = "none: by hand", "x-change" = "pushed live"))]
    pub schedule: Option<String>,
    /// How old the newest snapshot of a profile may become before it is called stale.
    #[schemars(
        example = &"36h",
        extend("x-default" = "two due times in a row; without `schedule` seven days", "x-change" = "pushed live")
    )]
    pub stale_after: Option<String>,
    /// How many snapshots are kept; without it every one.
    pub keep: Option<RawKeep>,
    /// When the newest snapshot is restored on trial, as a cron expression. Not in force yet in this release.
    #[schemars(example = &"0 5 * * 0", extend("x-default" = "none: by hand", "x-change" = "pushed live"))]
    pub drill: Option<String>,
    /// Further paths of the host to snapshot. Not in force yet in this release.
    #[schemars(example = json!(["/srv/old-gateway"]), extend("default" = [], "x-change" = "pushed live"))]
    pub paths: Option<Vec<String>>,
    /// Folder of the host with one repository per profile.
    #[schemars(
        example = &"/srv/backups",
        extend("x-default" = "`backups/` in the state directory", "x-change" = "replacement")
    )]
    pub repository: Option<String>,
    /// Copies of the repositories on another machine are seen to, by means outside of this platform.
    #[schemars(example = true, extend("default" = false, "x-change" = "pushed live"))]
    pub copied_off_host: Option<bool>,
}

/// How many snapshots are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = json!({"daily": 7, "weekly": 5, "monthly": 12}))]
pub(crate) struct RawKeep {
    /// Newest snapshots of that many days.
    #[schemars(range(max = 1000), example = 7, extend("default" = 0, "x-change" = "pushed live"))]
    pub daily: Option<u32>,
    /// Newest snapshots of that many weeks.
    #[schemars(range(max = 1000), example = 5, extend("default" = 0, "x-change" = "pushed live"))]
    pub weekly: Option<u32>,
    /// Newest snapshots of that many months.
    #[schemars(range(max = 1000), example = 12, extend("default" = 0, "x-change" = "pushed live"))]
    pub monthly: Option<u32>,
}
