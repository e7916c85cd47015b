//! What a schema cannot say: names, addresses, references, and what must not be the same twice.
//!
//! Each function goes on where it found an error, so that the rest of the file is still looked at; a value that is needed
//! and refused is `None`. [`crate::read`] drops the result when there was any error.

mod backup;
mod bot;
mod channel;
mod cron;
mod documents;
mod network;
mod policy;
mod preset;
mod profile;
mod rule;
mod spark;
mod switch;
mod text;
mod upstream;
mod values;

use core::net::SocketAddrV4;
use std::collections::BTreeMap;

use jiff::tz::TimeZoneDatabase;
use platform_types::{InstallName, Port, ProfileName};

use crate::config::{Config, Profile};
use crate::path::KeyPath;
use crate::raw::{RawConfig, RawProfile};
use crate::report::Report;
use crate::suggest::nearest;
use crate::surroundings::Surroundings;

pub(crate) const DEFAULT_NAME: &str = "bot";
pub(crate) const DEFAULT_TIMEZONE: &str = "UTC";

/// Each profile needs a bridge, and Docker's default address pools give about 31 of them to everything on the host.
const MAX_PROFILES: usize = 24;

/// What every check needs.
pub(crate) struct Context<'a> {
    pub surroundings: &'a Surroundings,
    pub report: Report<'a>,
}

pub(crate) fn config(raw: RawConfig, context: &mut Context<'_>) -> Option<Config> {
    let RawConfig { name, timezone: zone, metrics: listen, spark, profile, backup } = raw;
    let name = install_name(name, context);
    let timezone = timezone(zone, context);
    let metrics = listen.and_then(|listen| metrics(&listen, context));
    let names = profile.iter().flat_map(BTreeMap::keys).cloned().collect();
    let spark = spark::spark(spark, &names, context);
    let for_jobs = timezone.as_deref().unwrap_or(DEFAULT_TIMEZONE);
    let profiles = profiles(profile.unwrap_or_default(), (&spark, for_jobs), context);
    own_ports(&profiles, metrics, context);
    profile::own_origins(&profiles, context);
    let backup = backup::backup(backup.unwrap_or_default(), context);
    let config = Config { name: name?, timezone: timezone?, metrics, spark: spark.into_config(), profiles, backup };
    documents::apart(&config, context);
    Some(config)
}

fn install_name(name: Option<String>, context: &mut Context<'_>) -> Option<InstallName> {
    let name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
    context.named(InstallName::new(name), &KeyPath::of(["name"]))
}

fn timezone(zone: Option<String>, context: &mut Context<'_>) -> Option<String> {
    let zone = zone.unwrap_or_else(|| DEFAULT_TIMEZONE.to_owned());
    self::zone(&zone, &KeyPath::of(["timezone"]), context)
}

/// The zone's canonical spelling.
fn zone(zone: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    let known = TimeZoneDatabase::bundled();
    if let Some(name) = known.get(zone).ok().and_then(|found| found.iana_name().map(str::to_owned)) {
        return Some(name);
    }
    let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
    let remedy = match nearest(zone, names.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean {near:?}?"),
        None => "Write an IANA name, for example \"Europe/Berlin\".".to_owned(),
    };
    context.report.error(path, format!("{zone:?} is no time zone"), remedy);
    None
}

fn metrics(listen: &str, context: &mut Context<'_>) -> Option<SocketAddrV4> {
    let address = listen.parse::<SocketAddrV4>().ok();
    let found = address.filter(|address| address.ip().is_loopback() && address.port() != 0);
    if found.is_none() {
        let message = format!("{listen:?} is not an IPv4 loopback address with a port");
        context.report.error(&KeyPath::of(["metrics"]), message, "Write for example: metrics = \"127.0.0.1:9469\"");
    }
    found
}

fn profiles(
    raw: BTreeMap<String, RawProfile>,
    around: (&spark::Section, &str),
    context: &mut Context<'_>,
) -> BTreeMap<ProfileName, Profile> {
    let path = KeyPath::of(["profile"]);
    if raw.is_empty() && context.report.document().top().get("profile").is_some_and(|value| value.get_ref().is_table())
    {
        let remedy = "Add at least one section such as [profile.personal].";
        context.report.error(&path, "there is no profile", remedy);
    }
    if raw.len() > MAX_PROFILES {
        let remedy = "Use fewer profiles, or a second host.";
        context.report.error(&path, format!("{} profiles are more than {MAX_PROFILES}", raw.len()), remedy);
    }
    let mut profiles = BTreeMap::new();
    for (name, raw) in raw {
        let path = path.key(&name);
        let name = context.named(ProfileName::new(name), &path);
        let profile = profile::profile(raw, &path, around, context);
        if let (Some(name), Some(profile)) = (name, profile) {
            profiles.insert(name, profile);
        }
    }
    profiles
}

/// No port is used twice.
fn own_ports(profiles: &BTreeMap<ProfileName, Profile>, metrics: Option<SocketAddrV4>, context: &mut Context<'_>) {
    let mut taken: BTreeMap<Port, String> = BTreeMap::new();
    let metrics = metrics.and_then(|metrics| Port::new(metrics.port()));
    taken.extend(metrics.map(|port| (port, "metrics".to_owned())));
    let mut in_file_order: Vec<_> = profiles
        .iter()
        .map(|(name, profile)| (KeyPath::of(["profile", name.as_str(), "port"]), name, profile.port))
        .collect();
    in_file_order.sort_by_key(|(path, ..)| context.report.document().place(path));
    for (path, name, port) in in_file_order {
        match taken.get(&port) {
            None => drop(taken.insert(port, format!("profile.{name}"))),
            Some(other) => {
                let message = format!("{port} is the port of {other} too");
                context.report.error(&path, message, "Give each its own port.");
            }
        }
    }
}
