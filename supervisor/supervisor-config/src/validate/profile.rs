//! `[profile.X]`.

use std::collections::BTreeMap;

use platform_types::egress::GATE_HOST;
use platform_types::gate::MAX_LOGIN_CHARS;
use platform_types::{Port, ProfileName, UpstreamName};

use super::channel::Around;
use super::spark::Section;
use super::{Context, bot, channel, cron, policy, upstream};
use crate::config::{Limits, Profile, Upstream};
use crate::path::KeyPath;
use crate::raw::{RawProfile, RawUpstream};

/// Least memory of an agent: it idles at half of that.
const MIN_MEMORY_BYTES: u64 = 32 * Limits::MIB;
/// Most memory of an agent; more is a slip of the keyboard.
const MAX_MEMORY_BYTES: u64 = 64 * 1024 * Limits::MIB;

pub(super) fn profile(
    raw: RawProfile,
    path: &KeyPath,
    (spark, timezone): (&Section, &str),
    context: &mut Context<'_>,
) -> Option<Profile> {
    let RawProfile { port, address, tailscale_users, memory, cpus, pids, bot, upstream, channel, policy: rules } = raw;
    let address = address.and_then(|address| context.origin(&address, &path.key("address")));
    let users = path.key("tailscale_users");
    if tailscale_users.is_some() && address.is_none() {
        let message = "nobody comes from the tailnet to a profile without an address";
        context.report.error(&users, message, "Add the address that tailscale serve answers, or remove this list.");
    }
    let tailscale_users = context.each(tailscale_users, &users, login);
    let memory_bytes = match memory {
        Some(memory) => memory_bytes(&memory, &path.key("memory"), context),
        None => Some(Limits::DEFAULT.memory_bytes),
    };
    let mut raw_bots = bot.unwrap_or_default();
    let raw_jobs = cron::take(&mut raw_bots);
    let bots = bot::bots(raw_bots, &path.key("bot"), spark, context);
    let upstreams = upstreams(upstream.unwrap_or_default(), &path.key("upstream"), context);
    let around = Around { bots: &bots, upstreams: &upstreams };
    let channels = channel::channels(channel.unwrap_or_default(), &path.key("channel"), around, context);
    let around = cron::Around { bots: &bots, channels: &channels, timezone };
    let cron = cron::jobs(raw_jobs, &path.key("bot"), around, context);
    let policy = policy::policy(rules.unwrap_or_default(), &bots, &path.key("policy"), context);
    Some(Profile {
        port: port.and_then(Port::new)?,
        address,
        tailscale_users,
        limits: Limits {
            memory_bytes: memory_bytes?,
            milli_cpus: cpus.map_or(Limits::DEFAULT.milli_cpus, milli_cpus),
            pids: pids.unwrap_or(Limits::DEFAULT.pids),
        },
        bots,
        upstreams,
        channels,
        cron,
        policy,
    })
}

/// No two profiles answer to the same origin.
pub(super) fn own_origins(profiles: &BTreeMap<ProfileName, Profile>, context: &mut Context<'_>) {
    let mut taken: BTreeMap<String, &ProfileName> = BTreeMap::new();
    for (name, profile) in profiles {
        for host in ["127.0.0.1", "localhost"] {
            taken.entry(format!("http://{host}:{}", profile.port)).or_insert(name);
        }
    }
    let mut in_file_order: Vec<_> = profiles
        .iter()
        .filter_map(|(name, profile)| Some((name, profile.address.as_ref()?)))
        .map(|(name, address)| (KeyPath::of(["profile", name.as_str(), "address"]), name, address))
        .collect();
    in_file_order.sort_by_key(|(path, ..)| context.report.document().place(path));
    for (path, name, address) in in_file_order {
        match taken.get(address) {
            Some(other) if *other != name => {
                let message = format!("{address} is the address of profile.{other} too");
                let remedy =
                    "Give each profile its own host or port: tailscale serve takes --https=8443 for a second one.";
                context.report.error(&path, message, remedy);
            }
            _ => drop(taken.insert(address.clone(), name)),
        }
    }
}

fn upstreams(
    raw: BTreeMap<String, RawUpstream>,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> BTreeMap<UpstreamName, Upstream> {
    let mut upstreams = BTreeMap::new();
    for (name, raw) in raw {
        let path = path.key(&name);
        if name == GATE_HOST {
            context.report.error(&path, "the gate's own routes have this name", "Choose another name.");
        }
        let name = context.named(UpstreamName::new(name), &path);
        let upstream = upstream::upstream(raw, &path, context);
        if let (Some(name), Some(upstream)) = (name, upstream) {
            upstreams.insert(name, upstream);
        }
    }
    upstreams
}

/// A login as tailscale names it: `alice@example.com`, `alice@github`. Case does not matter.
fn login(context: &mut Context<'_>, text: &str, path: &KeyPath) -> Option<String> {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@');
    if text.len() <= MAX_LOGIN_CHARS && text.split_once('@').is_some_and(|(name, place)| part(name) && part(place)) {
        return Some(text.to_ascii_lowercase());
    }
    context.report.error(
        path,
        format!("{text:?} is not a login"),
        "Write it as tailscale status shows it: alice@example.com",
    );
    None
}

/// `256MiB`, `256M`, `1GiB` or `1G`: powers of 1024, as Docker and systemd count.
fn memory_bytes(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim_start() {
        "M" | "MiB" => Some(Limits::MIB),
        "G" | "GiB" => Some(1024 * Limits::MIB),
        _ => None,
    };
    let bytes = unit.zip(number.parse::<u64>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    let remedy = "Write a size from 32MiB to 64GiB, for example: memory = \"256MiB\"";
    let Some(bytes) = bytes else {
        context.report.error(path, format!("{text:?} is not a size"), remedy);
        return None;
    };
    if !(MIN_MEMORY_BYTES..=MAX_MEMORY_BYTES).contains(&bytes) {
        context.report.error(path, format!("{text:?} is out of range"), remedy);
        return None;
    }
    Some(bytes)
}

/// The schema keeps `cpus` between 0.1 and 64.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the schema keeps it between 0.1 and 64")]
fn milli_cpus(cpus: f64) -> u32 {
    (cpus * 1000.0).round() as u32
}
