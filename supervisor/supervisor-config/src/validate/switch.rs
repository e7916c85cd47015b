//! `[spark.switch]`.

use core::net::{IpAddr, Ipv6Addr};
use std::collections::BTreeSet;

use data_encoding::BASE64;
use platform_types::switch::{HOST_KEY_ALGORITHM, MAX_SWITCH_MODELS, is_switchable};
use platform_types::{ModelId, Port, ProfileName};

use super::Context;
use super::spark::box_model;
use crate::config::{Switch, SwitchAddress};
use crate::path::KeyPath;
use crate::raw::RawSwitch;
use crate::suggest::{listed, nearest};

const DRAIN_SECONDS: u32 = 120;
const WAIT_SECONDS: u32 = 900;
/// Where Tailscale SSH listens: it takes the connection before OpenSSH does, and knows no forced command.
const TAILSCALE_SSH_PORT: u16 = 22;
/// Of an ed25519 public key on the wire: two lengths, the algorithm's name, 32 bytes.
const HOST_KEY_BYTES: usize = 4 + HOST_KEY_ALGORITHM.len() + 4 + 32;

/// `model` is that of `[spark]`, `profiles` are those of the file.
pub(super) fn switch(
    raw: RawSwitch,
    path: &KeyPath,
    (model, profiles): (Option<&ModelId>, &BTreeSet<String>),
    context: &mut Context<'_>,
) -> Option<Switch> {
    let RawSwitch { address: at, host_key: pin, key, models: to, profiles: askers, drain_seconds, wait_seconds } = raw;
    let address = at.and_then(|at| address(&at, &path.key("address"), context));
    let host_key = pin.and_then(|pin| host_key(&pin, &path.key("host_key"), context));
    let key = key.and_then(|key| context.secret(key, &path.key("key")));
    let models = to.and_then(|to| models(to, &path.key("models"), model, context));
    let askers =
        context.each(askers, &path.key("profiles"), |context, name, path| asker(name, path, profiles, context));
    Some(Switch {
        address: address?,
        host_key: host_key?,
        key: key?,
        models: models?,
        profiles: askers,
        drain_seconds: drain_seconds.unwrap_or(DRAIN_SECONDS),
        wait_seconds: wait_seconds.unwrap_or(WAIT_SECONDS),
    })
}

/// `user@host:port`; an IPv6 address stands in brackets.
fn address(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<SwitchAddress> {
    let remedy = "Write user, host and port: \"spark-switch@spark.example.ts.net:2222\".";
    let Some(found) = parse_address(text) else {
        context.report.error(path, format!("{text:?} is not user@host:port"), remedy);
        return None;
    };
    if found.port.get() == TAILSCALE_SSH_PORT {
        let message = "where Tailscale SSH is on, it takes port 22 and bypasses the forced command";
        let remedy = "Let OpenSSH listen on another port of the box, and write that one.";
        context.report.warning(path, message, remedy);
    }
    let is_loopback = found.host.parse::<IpAddr>().map_or(found.host == "localhost", |ip| ip.is_loopback());
    if is_loopback {
        let message = "the container of spark does not reach the host's own loopback address";
        let remedy = "Let the SSH server listen on another address of this machine, and write that one.";
        context.report.warning(path, message, remedy);
    }
    Some(found)
}

fn parse_address(text: &str) -> Option<SwitchAddress> {
    let (user, place) = text.split_once('@')?;
    let (host, port) = place.rsplit_once(':')?;
    let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let user_fits = (1..=32).contains(&user.len())
        && user.bytes().all(named)
        && user.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && label.bytes().all(named);
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().ok()?.to_string(),
        None => (host.len() <= 253 && host.split('.').all(label)).then(|| host.to_owned())?,
    };
    let port = port.parse().ok().and_then(Port::new).filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    user_fits.then(|| SwitchAddress { user: user.to_owned(), host, port })
}

/// The algorithm and the key, without a comment.
fn host_key(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    let mut words = text.split_ascii_whitespace();
    let key = match (words.next(), words.next()) {
        (Some(HOST_KEY_ALGORITHM), Some(key)) => Some(key),
        _ => None,
    };
    let found = key.filter(|key| is_ed25519(key)).map(|key| format!("{HOST_KEY_ALGORITHM} {key}"));
    if found.is_none() {
        let remedy =
            "Run `ssh-keyscan -t ed25519 -p PORT HOST`, compare it with the box, and write the line without the host.";
        context.report.error(path, "it is not an ed25519 host key", remedy);
    }
    found
}

fn is_ed25519(key: &str) -> bool {
    let Ok(bytes) = BASE64.decode(key.as_bytes()) else { return false };
    let begin = [&[0, 0, 0, 11], HOST_KEY_ALGORITHM.as_bytes(), &[0, 0, 0, 32]].concat();
    bytes.len() == HOST_KEY_BYTES && bytes.starts_with(&begin)
}

fn models(
    raw: Vec<String>,
    path: &KeyPath,
    configured: Option<&ModelId>,
    context: &mut Context<'_>,
) -> Option<Vec<ModelId>> {
    if raw.is_empty() || raw.len() > MAX_SWITCH_MODELS {
        let message = format!("it has {} models", raw.len());
        context.report.error(path, message, format!("Name 1 to {MAX_SWITCH_MODELS} models, or leave the section out."));
        return None;
    }
    let wanted = raw.len();
    let models = context.each(Some(raw), path, |context, id, path| {
        let model = box_model(id.to_owned(), path, context)?;
        if !is_switchable(id) {
            let message = format!("{id:?} cannot be a word of a command");
            let remedy = "Serve it under a name of letters, digits and ._:/@+- that begins with a letter or a digit.";
            context.report.error(path, message, remedy);
            return None;
        }
        Some(model)
    });
    if let Some(model) = configured.filter(|model| !models.contains(model)) {
        let message = format!("{model}, the model of [spark], is not among them: nobody can switch back to it");
        context.report.warning(path, message, "Add it.");
    }
    (models.len() == wanted).then_some(models)
}

fn asker(name: &str, path: &KeyPath, profiles: &BTreeSet<String>, context: &mut Context<'_>) -> Option<ProfileName> {
    if profiles.contains(name) {
        return ProfileName::new(name).ok();
    }
    let names = || profiles.iter().map(String::as_str);
    let remedy = match nearest(name, names()) {
        Some(near) => format!("Did you mean {near:?}?"),
        None => format!("Name one of {}.", listed(names())),
    };
    context.report.error(path, format!("there is no profile {name:?}"), remedy);
    None
}
