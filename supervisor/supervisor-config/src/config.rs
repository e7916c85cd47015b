//! The validated configuration: what the rest of the platform builds on. No serde, no positions, no strings that may be
//! wrong.
//!
//! Invariant: every value of [`Config`] came through [`crate::read`], so ports are distinct, addresses are origins, secrets
//! exist, and each profile has at least one bot.

use core::net::{IpAddr, SocketAddrV4};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platform_types::agent::PolicyRule;
use platform_types::channel::{ChannelKind, ChatId, Senders};
use platform_types::cron::CronJob;
use platform_types::egress::{AnswerFilter, Credential, Field, Method, Shape};
use platform_types::schedule::{Expression, Interval};
use platform_types::spark::{Backend, DEMO_MODEL, SparkLimits};
use platform_types::ways::Requeue;
use platform_types::{BotName, InstallName, ModelId, Port, ProfileName, SecretName, UpstreamName};

/// The whole desired state, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub name: InstallName,
    /// IANA name in its canonical spelling, for example `Europe/Berlin`.
    pub timezone: String,
    /// Where `/metrics` is served, an IPv4 loopback address; `None`: nowhere.
    pub metrics: Option<SocketAddrV4>,
    /// `None`: the built-in demo model answers.
    pub spark: Option<Spark>,
    /// At least one.
    pub profiles: BTreeMap<ProfileName, Profile>,
    pub backup: Backup,
}

/// The model box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spark {
    /// Ends in `/v1`, without a trailing slash.
    pub url: String,
    /// The default model of bots.
    pub model: ModelId,
    pub key: Option<SecretName>,
    pub limits: SparkLimits,
    /// `None`: nobody switches the model from here.
    pub switch: Option<Switch>,
}

/// How the model box is switched to another model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    pub address: SwitchAddress,
    /// `ssh-ed25519 AAAA…`.
    pub host_key: String,
    pub key: SecretName,
    /// At least one; each can be a word of a command.
    pub models: Vec<ModelId>,
    /// Profiles whose bots may ask; the operator always may.
    pub profiles: Vec<ProfileName>,
    pub drain_seconds: u32,
    pub wait_seconds: u32,
}

/// Where the box's SSH server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchAddress {
    pub user: String,
    /// A name or an IP address.
    pub host: String,
    pub port: Port,
}

impl fmt::Display for SwitchAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port } = self;
        if host.contains(':') { write!(f, "{user}@[{host}]:{port}") } else { write!(f, "{user}@{host}:{port}") }
    }
}

/// A trust zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Published on the host's 127.0.0.1 by the gate.
    pub port: Port,
    /// An origin as browsers write it (`https://host` or `https://host:port`), or `None`.
    pub address: Option<String>,
    /// Logins of the tailnet; empty: whoever it lets through.
    pub tailscale_users: Vec<String>,
    /// Of the agent's container.
    pub limits: Limits,
    /// At least one, in the order of the file; the first is the default.
    pub bots: Vec<Bot>,
    pub upstreams: BTreeMap<UpstreamName, Upstream>,
    /// Each goes through the upstream of its name.
    pub channels: BTreeMap<UpstreamName, Channel>,
    /// What bots do by the clock, in the order of the file.
    pub cron: Vec<CronJob>,
    /// Their order means nothing.
    pub policy: Vec<PolicyRule>,
}

/// Limits of an agent's container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub memory_bytes: u64,
    /// Thousandths of a processor; a thousandth is 1,000,000 of Docker's `NanoCpus`.
    pub milli_cpus: u32,
    /// Processes and threads.
    pub pids: u32,
}

/// A bot, as data. Its instructions are a file: see [`crate::instructions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    pub name: BotName,
    /// Shown to people.
    pub title: String,
    /// `bots/<name>.md`, relative to the configuration directory.
    pub instructions: String,
    pub model: ModelId,
    /// Names of known tools, each once.
    pub tools: Vec<String>,
    /// Absolute folders of the host, each with a last name of its own.
    pub documents: Vec<String>,
}

/// A named way out of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// `http` or `https`, without a trailing slash.
    pub url: String,
    /// Connect here instead of resolving the URL's host.
    pub address: Option<IpAddr>,
    /// Private networks that may be reached, in CIDR notation.
    pub networks: Vec<String>,
    /// `certs/<name>.pem`, relative to the configuration directory: what is trusted instead of the authorities of the web.
    pub ca: Option<String>,
    pub credential: Option<Credential>,
    pub allows: Allows,
}

/// Chats with people who are not at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub kind: ChannelKind,
    pub bot: BotName,
    /// Others that a chat may choose.
    pub bots: Vec<BotName>,
    pub senders: Senders,
    pub allow: Vec<ChatId>,
    pub groups: Vec<ChatId>,
}

/// What an upstream lets pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allows {
    HomeAssistant(House),
    SupabaseJobs(Jobs),
    Telegram,
    /// Without a preset.
    Rules(Vec<Rule>),
}

/// What of a house may be read and set. No lock, cover or alarm may be set without a confirmation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct House {
    /// Only read.
    pub read: Vec<String>,
    pub entities: Vec<String>,
    pub scenes: Vec<String>,
    /// Entities and scenes that are set after a confirmation each time.
    pub confirm: Vec<String>,
}

/// What of a table of jobs may be seen and done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jobs {
    pub table: String,
    /// Empty: every kind that the database shows.
    pub kinds: Vec<String>,
    pub requeue: Requeue,
}

/// A kind of request that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub method: Method,
    /// Begins with `/`; a segment `{name}` is a parameter.
    pub path: String,
    /// One for each parameter.
    pub params: BTreeMap<String, Shape>,
    pub query: BTreeMap<String, Field>,
    /// `name`, or `name: value`.
    pub headers: Vec<String>,
    /// `None`: a body does not pass.
    pub body: Option<BTreeMap<String, Field>>,
    pub consent: Consent,
    pub answer: AnswerFilter,
}

/// Who agrees to each request of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// A person confirms these words.
    Card(String),
    /// Nobody, for this reason.
    Unconfirmed(String),
    /// Nobody: a `GET` only reads.
    Reading,
}

/// Snapshots. Only `repository` is in force in this release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backup {
    pub schedule: Option<Expression>,
    /// How old the newest snapshot may become; `None`: two due times in a row, without a schedule a week.
    pub stale_after: Option<Interval>,
    /// `None`: every snapshot is kept.
    pub keep: Option<Keep>,
    pub drill: Option<Expression>,
    /// Further absolute paths of the host.
    pub paths: Vec<String>,
    /// An absolute folder of the host that holds one repository a profile; `None`: `backups/` of the state root.
    pub repository: Option<String>,
    /// Somebody sees to copies of the repositories on another machine.
    pub copied_off_host: bool,
}

/// How many snapshots are kept; at least one of them is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
}

impl Config {
    /// Where completions come from, as spark is told.
    pub fn backend(&self) -> Backend {
        match &self.spark {
            None => Backend::Demo,
            Some(Spark { url, model, key, .. }) => {
                Backend::Box { url: url.clone(), model: model.clone(), key: key.clone() }
            }
        }
    }

    /// How many requests spark lets to the box, and how long.
    pub fn spark_limits(&self) -> SparkLimits {
        self.spark.as_ref().map(|spark| spark.limits).unwrap_or_default()
    }

    /// Models that bots name beside the default one. Those that a switch brings are left out: they come and go.
    pub fn models_of_bots(&self) -> Vec<ModelId> {
        let Some(spark) = &self.spark else { return Vec::new() };
        let switched = spark.switch.iter().flat_map(|switch| &switch.models);
        let elsewhere: BTreeSet<&ModelId> = switched.chain([&spark.model]).collect();
        let named: BTreeSet<&ModelId> =
            self.profiles.values().flat_map(|profile| &profile.bots).map(|bot| &bot.model).collect();
        named.difference(&elsewhere).map(|model| (*model).clone()).collect()
    }

    /// The secrets that processes of this release need.
    pub fn secrets_in_force(&self) -> BTreeSet<SecretName> {
        self.spark_secrets().chain(self.profiles.values().flat_map(Profile::upstream_secrets).cloned()).collect()
    }

    /// The secrets that spark needs.
    pub fn spark_secrets(&self) -> impl Iterator<Item = SecretName> {
        let switch = self.switch().map(|switch| switch.key.clone());
        self.spark.iter().filter_map(|spark| spark.key.clone()).chain(switch)
    }

    /// How the model box is switched, if it is.
    pub fn switch(&self) -> Option<&Switch> {
        self.spark.as_ref()?.switch.as_ref()
    }

    /// The secrets that each profile's gate needs; a profile whose gate needs none is there too.
    pub fn secrets_by_profile(&self) -> BTreeMap<ProfileName, BTreeSet<SecretName>> {
        let needed = |profile: &Profile| profile.upstream_secrets().cloned().collect();
        self.profiles.iter().map(|(name, profile)| (name.clone(), needed(profile))).collect()
    }
}

impl Profile {
    /// Where browsers find the profile: its address, or the published port on this machine. Links begin with it.
    pub fn origin(&self) -> String {
        self.address.clone().unwrap_or_else(|| format!("http://127.0.0.1:{}", self.port))
    }
}

impl Limits {
    pub const DEFAULT: Self = Self { memory_bytes: 256 * Self::MIB, milli_cpus: 1000, pids: 128 };

    /// Bytes in a mebibyte.
    pub const MIB: u64 = 1024 * 1024;
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Bot {
    /// Answers come from the built-in demo model.
    pub fn is_demo(&self) -> bool {
        self.model.as_str() == DEMO_MODEL
    }
}
