//! A configuration as a flat list of keys and values, and what follows from it: the effective file, and the difference
//! between two.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use platform_types::channel::ChatId;
use platform_types::cron::{CronJob, Deliver};
use platform_types::egress::Credential;
use platform_types::schedule::When;
use platform_types::spark::SparkLimits;
use platform_types::{ProfileName, SecretName, UpstreamName};
use toml::{Table, Value};

use crate::config::{
    Allows, Backup, Bot, Channel, Config, House, Jobs, Keep, Limits, Profile, Spark, Switch, Upstream,
};
use crate::path::KeyPath;
use crate::report::neutral;
use crate::written;

/// Keys and values in the order in which people write them; sections stand together.
pub(crate) struct Entries(pub Vec<(KeyPath, Value)>);

/// The whole effective file, with every default that has a value, and as comments what the gates let pass. Read again it
/// gives the same [`Config`].
pub fn effective(config: &Config) -> String {
    let mut text = String::new();
    let mut section = KeyPath::top();
    for (path, value) in Entries::of(config).0 {
        if path.parent() != section {
            section = path.parent();
            let gap = if text.is_empty() { "" } else { "\n" };
            writeln!(text, "{gap}[{section}]").expect("a String takes everything");
        }
        writeln!(text, "{} = {value}", path.last()).expect("a String takes everything");
    }
    text + &passing(config)
}

/// What the presets and rules mean, one line for each rule of a gate.
fn passing(config: &Config) -> String {
    let mut text = String::new();
    for (profile, upstream) in config
        .profiles
        .iter()
        .flat_map(|(name, profile)| profile.upstreams_for_gate(&BTreeMap::new()).into_iter().map(move |up| (name, up)))
    {
        let mut line = |line: &str| writeln!(text, "{}", neutral(line)).expect("a String takes everything");
        line("");
        line(&format!("# The gate of {profile} lets pass to {}, and nothing else:", upstream.name));
        for rule in upstream.rules {
            let asks =
                rule.confirm.map(|confirm| format!(", after a confirmation: {}", confirm.words)).unwrap_or_default();
            line(&format!("#   {} {}{asks}", rule.method, rule.path));
        }
    }
    text
}

impl Entries {
    pub fn of(config: &Config) -> Self {
        let Config { name, timezone, metrics, spark, profiles, backup } = config;
        let mut entries = Self(Vec::new());
        let top = KeyPath::top();
        entries.text(&top, "name", name);
        entries.text(&top, "timezone", timezone);
        entries.put(&top, "metrics", metrics.map(|address| Value::String(address.to_string())));
        if let Some(spark) = spark {
            entries.spark(spark);
        }
        for (name, profile) in profiles {
            entries.profile(name, profile);
        }
        entries.backup(backup);
        entries
    }

    fn spark(&mut self, Spark { url, model, key, limits, switch }: &Spark) {
        let path = KeyPath::of(["spark"]);
        self.text(&path, "url", url);
        self.text(&path, "model", model);
        self.put(&path, "key", key.as_ref().map(secret));
        let SparkLimits { concurrency, queue, connect_seconds, first_byte_seconds, idle_seconds, total_seconds } =
            limits;
        for (key, value) in [
            ("concurrency", concurrency),
            ("queue", queue),
            ("connect_seconds", connect_seconds),
            ("first_byte_seconds", first_byte_seconds),
            ("idle_seconds", idle_seconds),
            ("total_seconds", total_seconds),
        ] {
            self.put(&path, key, Some(Value::Integer((*value).into())));
        }
        if let Some(switch) = switch {
            self.switch(&path.key("switch"), switch);
        }
    }

    fn switch(&mut self, path: &KeyPath, switch: &Switch) {
        let Switch { address, host_key, key, models, profiles, drain_seconds, wait_seconds } = switch;
        self.text(path, "address", address);
        self.text(path, "host_key", host_key);
        self.put(path, "key", Some(secret(key)));
        self.put(path, "models", Some(list(&models.iter().map(ToString::to_string).collect::<Vec<_>>())));
        self.put(path, "profiles", Some(list(&profiles.iter().map(ToString::to_string).collect::<Vec<_>>())));
        self.put(path, "drain_seconds", Some(Value::Integer((*drain_seconds).into())));
        self.put(path, "wait_seconds", Some(Value::Integer((*wait_seconds).into())));
    }

    fn profile(&mut self, name: &ProfileName, profile: &Profile) {
        let Profile { port, address, tailscale_users, limits, bots, upstreams, channels, cron, policy } = profile;
        let Limits { memory_bytes, milli_cpus, pids } = limits;
        let path = KeyPath::of(["profile", name.as_str()]);
        self.put(&path, "port", Some(Value::Integer(port.get().into())));
        self.put(&path, "address", address.clone().map(Value::String));
        self.put(&path, "tailscale_users", (!tailscale_users.is_empty()).then(|| list(tailscale_users)));
        self.text(&path, "memory", &size(*memory_bytes));
        self.put(&path, "cpus", Some(Value::Float(f64::from(*milli_cpus) / 1000.0)));
        self.put(&path, "pids", Some(Value::Integer((*pids).into())));
        let policy: Vec<Value> = policy.iter().map(written::policy_rule).collect();
        self.put(&path, "policy", (!policy.is_empty()).then_some(Value::Array(policy)));
        for bot in bots {
            self.bot(&path.key("bot"), bot);
        }
        for (name, upstream) in upstreams {
            self.upstream(&path.key("upstream"), name, upstream);
        }
        for (name, channel) in channels {
            self.channel(&path.key("channel").key(name.as_str()), channel);
        }
        for job in cron {
            self.job(&path.key("bot"), job);
        }
    }

    fn bot(&mut self, path: &KeyPath, bot: &Bot) {
        let Bot { name, title, instructions, model, tools, documents } = bot;
        let path = path.key(name.as_str());
        self.text(&path, "title", title);
        self.text(&path, "instructions", instructions);
        self.text(&path, "model", model);
        self.put(&path, "tools", Some(list(tools)));
        self.put(&path, "documents", Some(list(documents)));
    }

    fn upstream(&mut self, path: &KeyPath, name: &UpstreamName, upstream: &Upstream) {
        let Upstream { url, address, networks, ca, credential, allows } = upstream;
        let path = path.key(name.as_str());
        let preset = match allows {
            Allows::HomeAssistant(_) => Some("home-assistant"),
            Allows::SupabaseJobs(_) => Some("supabase-jobs"),
            Allows::Telegram => Some("telegram"),
            Allows::Rules(_) => None,
        };
        self.put(&path, "preset", preset.map(|preset| Value::String(preset.to_owned())));
        self.text(&path, "url", url);
        self.put(&path, "address", address.map(|address| Value::String(address.to_string())));
        self.put(&path, "networks", Some(list(networks)));
        self.put(&path, "ca", ca.clone().map(Value::String));
        if let Some(credential) = credential {
            let (key, value) = match credential {
                Credential::Bearer { secret: name } => ("bearer", secret(name)),
                Credential::Header { name, secret } => ("header", named_secret(name, secret)),
                Credential::Query { name, secret } => ("query", named_secret(name, secret)),
                Credential::Path { secret: name, .. } => ("token", secret(name)),
                Credential::Both { name, secret: of_header, bearer } => {
                    self.put(&path, "bearer", Some(secret(bearer)));
                    ("header", named_secret(name, of_header))
                }
            };
            self.put(&path, key, Some(value));
        }
        match allows {
            Allows::HomeAssistant(House { read, entities, scenes, confirm }) => {
                self.put(&path, "read", Some(list(read)));
                self.put(&path, "entities", Some(list(entities)));
                self.put(&path, "scenes", Some(list(scenes)));
                self.put(&path, "confirm", Some(list(confirm)));
            }
            Allows::SupabaseJobs(Jobs { table, kinds, requeue }) => {
                self.text(&path, "table", table);
                self.put(&path, "kinds", (!kinds.is_empty()).then(|| list(kinds)));
                self.text(&path, "requeue", requeue.as_str());
            }
            Allows::Telegram => {}
            Allows::Rules(rules) => {
                self.put(&path, "rule", Some(Value::Array(rules.iter().map(written::rule).collect())));
            }
        }
    }

    fn channel(&mut self, path: &KeyPath, channel: &Channel) {
        let Channel { kind, bot, bots, senders, allow, groups } = channel;
        let ids = |ids: &[ChatId]| Some(Value::Array(ids.iter().map(|id| Value::Integer(id.0)).collect()));
        self.text(path, "kind", kind.as_str());
        self.text(path, "bot", bot);
        let bots: Vec<String> = bots.iter().map(ToString::to_string).collect();
        self.put(path, "bots", Some(list(&bots)));
        self.text(path, "senders", senders.as_str());
        self.put(path, "allow", ids(allow));
        self.put(path, "groups", ids(groups));
    }

    fn job(&mut self, path: &KeyPath, job: &CronJob) {
        let CronJob { bot, name, when, timezone, prompt, missed, timeout_minutes, retries, deliver, tools } = job;
        let path = path.key(bot.as_str()).key("cron").key(name.as_str());
        match when {
            When::Schedule(expression) => {
                self.text(&path, "schedule", expression);
                self.text(&path, "timezone", timezone);
            }
            When::EverySeconds(interval) => self.text(&path, "every", interval),
        }
        self.text(&path, "prompt", prompt);
        self.text(&path, "missed", missed.as_str());
        self.put(&path, "timeout_minutes", Some(Value::Integer((*timeout_minutes).into())));
        self.put(&path, "retries", Some(Value::Integer((*retries).into())));
        self.put(&path, "deliver", deliver.as_ref().map(chat));
        self.put(&path, "tools", tools.as_deref().map(list));
    }

    fn backup(&mut self, backup: &Backup) {
        let Backup { schedule, stale_after, keep, drill, paths, repository, copied_off_host } = backup;
        let path = KeyPath::of(["backup"]);
        self.put(&path, "schedule", schedule.as_ref().map(|cron| Value::String(cron.to_string())));
        self.put(&path, "stale_after", stale_after.map(|age| Value::String(age.to_string())));
        self.put(&path, "drill", drill.as_ref().map(|cron| Value::String(cron.to_string())));
        self.put(&path, "paths", Some(list(paths)));
        self.put(&path, "repository", repository.clone().map(Value::String));
        self.put(&path, "copied_off_host", Some(Value::Boolean(*copied_off_host)));
        if let Some(Keep { daily, weekly, monthly }) = keep {
            for (key, count) in [("daily", daily), ("weekly", weekly), ("monthly", monthly)] {
                self.put(&path.key("keep"), key, Some(Value::Integer((*count).into())));
            }
        }
    }

    fn text(&mut self, path: &KeyPath, key: &str, text: &(impl ToString + ?Sized)) {
        self.put(path, key, Some(Value::String(text.to_string())));
    }

    fn put(&mut self, path: &KeyPath, key: &str, value: Option<Value>) {
        self.0.extend(value.map(|value| (path.key(key), value)));
    }
}

pub(crate) fn list(texts: &[String]) -> Value {
    Value::Array(texts.iter().cloned().map(Value::String).collect())
}

fn secret(name: &SecretName) -> Value {
    Value::Table(Table::from_iter([("secret".to_owned(), Value::String(name.to_string()))]))
}

fn chat(Deliver { channel, chat }: &Deliver) -> Value {
    let (channel, chat) = (Value::String(channel.to_string()), Value::Integer(chat.0));
    Value::Table(Table::from_iter([("channel".to_owned(), channel), ("chat".to_owned(), chat)]))
}

fn named_secret(name: &str, secret: &SecretName) -> Value {
    let pairs = [("name", name.to_owned()), ("secret", secret.to_string())];
    Value::Table(pairs.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect())
}

/// In the largest unit that needs no fraction.
fn size(bytes: u64) -> String {
    let mebibytes = bytes / Limits::MIB;
    if mebibytes.is_multiple_of(1024) { format!("{}GiB", mebibytes / 1024) } else { format!("{mebibytes}MiB") }
}
