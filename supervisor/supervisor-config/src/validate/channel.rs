//! `[profile.X.channel.Y]`.

use core::net::IpAddr;
use std::collections::BTreeMap;

use platform_types::channel::{ChannelKind, ChatId, MAX_CHANNELS, MAX_LISTED, Senders};
use platform_types::{BotName, UpstreamName};
use url::Url;

use super::Context;
use crate::config::{Allows, Bot, Channel, Upstream};
use crate::path::KeyPath;
use crate::raw::{RawChannel, RawChannelKind, RawSenders};
use crate::suggest::{listed, nearest};

/// What a channel refers to.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub bots: &'a [Bot],
    pub upstreams: &'a BTreeMap<UpstreamName, Upstream>,
}

pub(super) fn channels(
    raw: BTreeMap<String, RawChannel>,
    path: &KeyPath,
    around: Around<'_>,
    context: &mut Context<'_>,
) -> BTreeMap<UpstreamName, Channel> {
    if raw.len() > MAX_CHANNELS {
        let message = format!("{} channels are more than {MAX_CHANNELS}", raw.len());
        context.report.error(path, message, "Use fewer, or spread them over profiles.");
    }
    let mut channels = BTreeMap::new();
    for (name, raw) in raw {
        let path = path.key(&name);
        let name = context.named(UpstreamName::new(name), &path);
        let channel = name.as_ref().and_then(|name| channel(name, raw, &path, (around, &mut *context)));
        channels.extend(name.zip(channel));
    }
    channels
}

fn channel(
    name: &UpstreamName,
    raw: RawChannel,
    path: &KeyPath,
    (around, context): (Around<'_>, &mut Context<'_>),
) -> Option<Channel> {
    let RawChannel { kind, bot, bots, senders, allow, groups } = raw;
    let kind = match kind? {
        RawChannelKind::Loopback => ChannelKind::Loopback,
        RawChannelKind::Telegram => ChannelKind::Telegram,
    };
    upstream(name, kind, path, (around, context));
    let bot = match bot {
        Some(bot) => self::bot(&bot, &path.key("bot"), (around, context)),
        None => around.bots.first().map(|bot| bot.name.clone()),
    }?;
    let bots = others(bots.unwrap_or_default(), &bot, &path.key("bots"), (around, context));
    let senders = match senders {
        None | Some(RawSenders::Pairing) => Senders::Pairing,
        Some(RawSenders::Allowlist) => Senders::Allowlist,
        Some(RawSenders::Closed) => Senders::Closed,
    };
    let allow = ids(allow, &path.key("allow"), context, |id| id > 0);
    let groups = ids(groups, &path.key("groups"), context, |id| id < 0);
    if senders == Senders::Allowlist && allow.is_empty() {
        let remedy = "Write the ids of those who may write into `allow`.";
        context.report.warning(&path.key("senders"), "an empty list allows nobody", remedy);
    }
    if senders == Senders::Closed && !(allow.is_empty() && groups.is_empty()) {
        let remedy = "Leave `allow` and `groups` out, or open the channel.";
        context.report.warning(&path.key("senders"), "a closed channel hears nobody, whoever is listed", remedy);
    }
    Some(Channel { kind, bot, bots, senders, allow, groups })
}

/// What the channel goes through.
fn upstream(name: &UpstreamName, kind: ChannelKind, path: &KeyPath, (around, context): (Around<'_>, &mut Context<'_>)) {
    let upstream = around.upstreams.get(name);
    let Some(upstream) = upstream.filter(|upstream| upstream.allows == Allows::Telegram) else {
        let message = format!("there is no upstream {name} with the preset `telegram`");
        let remedy =
            format!("Add it beside the channel: [{}]", path.parent().parent().key("upstream").key(name.as_str()));
        return context.report.error(path, message, remedy);
    };
    if kind == ChannelKind::Telegram {
        return;
    }
    let host = Url::parse(&upstream.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_err() {
        let remedy = "Write an IP address of this host into the upstream's url.";
        context.report.error(path, format!("a loopback channel is for a server on this host, not for {host}"), remedy);
    }
}

fn bot(name: &str, path: &KeyPath, (around, context): (Around<'_>, &mut Context<'_>)) -> Option<BotName> {
    let known = || around.bots.iter().map(|bot| bot.name.as_str());
    let found = around.bots.iter().find(|bot| bot.name.as_str() == name).map(|bot| bot.name.clone());
    if found.is_none() {
        let remedy = match nearest(name, known()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => format!("Choose from {}.", listed(known())),
        };
        context.report.error(path, format!("there is no bot {name:?} in this profile"), remedy);
    }
    found
}

/// Bots that a chat may choose besides `bot`, each once.
fn others(
    raw: Vec<String>,
    bot: &BotName,
    path: &KeyPath,
    (around, context): (Around<'_>, &mut Context<'_>),
) -> Vec<BotName> {
    let mut others: Vec<BotName> = Vec::new();
    for (index, name) in raw.into_iter().enumerate() {
        let found = self::bot(&name, &path.index(index), (around, context));
        others.extend(found.filter(|found| found != bot && !others.contains(found)));
    }
    others
}

fn ids(raw: Option<Vec<i64>>, path: &KeyPath, context: &mut Context<'_>, fits: fn(i64) -> bool) -> Vec<ChatId> {
    let mut ids = Vec::new();
    for (index, id) in raw.unwrap_or_default().into_iter().enumerate() {
        let path = path.index(index);
        if !fits(id) {
            let remedy = "Ids of senders are above zero, ids of groups below.";
            context.report.error(&path, format!("{id} is not an id that belongs here"), remedy);
        } else if ids.contains(&ChatId(id)) {
            context.report.error(&path, "it stands in the list already", "Remove one of the two.");
        } else {
            ids.push(ChatId(id));
        }
    }
    if ids.len() > MAX_LISTED {
        let message = format!("{} ids are more than {MAX_LISTED}", ids.len());
        context.report.error(path, message, "Use `pairing`: the ledger remembers who was approved.");
    }
    ids
}
