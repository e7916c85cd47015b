//! `[profile.X.upstream.Y]`: read and checked, not in force yet.

use std::collections::BTreeMap;

use super::Context;
use crate::config::{Allows, Credential, Rule, Upstream};
use crate::path::KeyPath;
use crate::raw::{RawMethod, RawNamedSecret, RawPreset, RawRule, RawSecret, RawUpstream};
use crate::suggest::listed;

/// The keys that belong to one preset, or to none.
struct Lists {
    entities: Option<Vec<String>>,
    scenes: Option<Vec<String>>,
    confirm: Option<Vec<String>>,
    table: Option<String>,
    rule: Option<Vec<RawRule>>,
}

pub(super) fn upstream(raw: RawUpstream, path: &KeyPath, context: &mut Context<'_>) -> Option<Upstream> {
    let remedy = "Nothing can be reached through it; bots that need it come with a later release.";
    context.report.not_in_force(path, remedy);
    let RawUpstream {
        preset,
        url,
        address,
        networks,
        bearer,
        header,
        query,
        token,
        entities,
        scenes,
        confirm,
        table,
        rule,
    } = raw;
    let url = url.and_then(|url| base_url(&url, &path.key("url"), context));
    let address = address.and_then(|text| {
        let parsed = text.parse().map_err(|_| format!("{text:?} is not an IP address"));
        context.parsed(parsed, &path.key("address"), "Write for example: address = \"192.168.1.20\"")
    });
    let networks_key = path.key("networks");
    let networks = context.each(networks, &networks_key, Context::network);
    let credential = credential((bearer, header, query, token), path, context);
    let lists = Lists { entities, scenes, confirm, table, rule };
    let allows = if context.report.document().contains(&path.key("preset")) && preset.is_none() {
        None
    } else {
        allows(preset, lists, path, context)
    };
    Some(Upstream { url: url?, address, networks, credential, allows: allows? })
}

fn base_url(text: &str, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    context.url(text, path).map(|url| url.as_str().trim_end_matches('/').to_owned())
}

type Credentials = (Option<RawSecret>, Option<RawNamedSecret>, Option<RawNamedSecret>, Option<RawSecret>);

/// At most one credential.
fn credential(
    (bearer, header, query, token): Credentials,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<Credential> {
    let document = context.report.document();
    let written: Vec<&str> =
        ["bearer", "header", "query", "token"].into_iter().filter(|key| document.contains(&path.key(key))).collect();
    if let [_, second, ..] = written.as_slice() {
        let message = format!("{} are more than one credential", listed(written.iter().copied()));
        context.report.error(&path.key(second), message, "Keep one of them.");
        return None;
    }
    let plain = |raw: Option<RawSecret>, key: &str, context: &mut Context<'_>| context.secret(raw?, &path.key(key));
    let bearer = plain(bearer, "bearer", context).map(|secret| Credential::Bearer { secret });
    let token = plain(token, "token", context).map(|secret| Credential::Token { secret });
    let named = |raw: Option<RawNamedSecret>, key: &str, context: &mut Context<'_>| {
        let RawNamedSecret { name, secret } = raw?;
        let path = path.key(key);
        let name = name.and_then(|name| context.token_text(&name, &path.key("name")));
        let secret = secret.and_then(|secret| context.secret_name(secret, &path.key("secret")));
        Some((name?, secret?))
    };
    let header = named(header, "header", context).map(|(name, secret)| Credential::Header { name, secret });
    let query = named(query, "query", context).map(|(name, secret)| Credential::Query { name, secret });
    bearer.or(token).or(header).or(query)
}

fn allows(preset: Option<RawPreset>, lists: Lists, path: &KeyPath, context: &mut Context<'_>) -> Option<Allows> {
    let own: &[&str] = match preset {
        Some(RawPreset::HomeAssistant) => &["entities", "scenes", "confirm"],
        Some(RawPreset::SupabaseJobs) => &["table"],
        Some(RawPreset::Telegram) => &[],
        None => &["rule"],
    };
    for key in ["entities", "scenes", "confirm", "table", "rule"] {
        if !own.contains(&key) && context.report.document().contains(&path.key(key)) {
            let remedy = "Remove it, or choose the preset that it belongs to.";
            context.report.error(&path.key(key), "it does not belong to this preset", remedy);
        }
    }
    match preset {
        Some(RawPreset::HomeAssistant) => Some(Allows::HomeAssistant {
            entities: context.each(lists.entities, &path.key("entities"), Context::entity),
            scenes: context.each(lists.scenes, &path.key("scenes"), Context::entity),
            confirm: context.each(lists.confirm, &path.key("confirm"), Context::entity),
        }),
        Some(RawPreset::SupabaseJobs) => {
            let Some(table) = lists.table else {
                context.report.error(&path.key("table"), "it is missing", "Write for example: table = \"jobs\"");
                return None;
            };
            Some(Allows::SupabaseJobs { table: context.token_text(&table, &path.key("table"))? })
        }
        Some(RawPreset::Telegram) => {
            if !context.report.document().contains(&path.key("token")) {
                let remedy = "Write for example: token = { secret = \"telegram-token\" }";
                context.report.error(&path.key("token"), "it is missing", remedy);
            }
            Some(Allows::Telegram)
        }
        None => rules(lists.rule.unwrap_or_default(), &path.key("rule"), context).map(Allows::Rules),
    }
}

fn rules(raw: Vec<RawRule>, path: &KeyPath, context: &mut Context<'_>) -> Option<Vec<Rule>> {
    let rules: Vec<Option<Rule>> =
        raw.into_iter().enumerate().map(|(index, raw)| rule(raw, &path.index(index), context)).collect();
    rules.into_iter().collect()
}

fn rule(raw: RawRule, path: &KeyPath, context: &mut Context<'_>) -> Option<Rule> {
    let RawRule { method, path: pattern, query, headers, body, confirm, card } = raw;
    let confirm = confirm.unwrap_or(false);
    let pattern = pattern.and_then(|pattern| {
        let valid = pattern.starts_with('/') && !pattern.chars().any(|c| c.is_control() || c == '?' || c == '#');
        if !valid {
            let message = format!("{pattern:?} is not a path");
            context.report.error(&path.key("path"), message, "Write for example: path = \"/api/states\"");
        }
        valid.then_some(pattern)
    });
    let headers = context.each(headers, &path.key("headers"), Context::token_text);
    let query = values(query, &path.key("query"), context);
    let body = values(body, &path.key("body"), context);
    if confirm && card.is_none() {
        let remedy = "Write for example: card = \"Open the front door\"";
        context.report.error(&path.key("card"), "what needs a confirmation needs words for it", remedy);
        return None;
    }
    let card = match card {
        Some(card) => Some(context.line(card, &path.key("card"))?),
        None => None,
    };
    Some(Rule { method: method_name(method?).to_owned(), path: pattern?, query, headers, body, confirm, card })
}

fn values(
    raw: Option<BTreeMap<String, Vec<String>>>,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> BTreeMap<String, Vec<String>> {
    let each = raw.unwrap_or_default().into_iter().map(|(key, values)| {
        let values = context.each(Some(values), &path.key(&key), |_, value, _| Some(value.to_owned()));
        (key, values)
    });
    each.collect()
}

fn method_name(method: RawMethod) -> &'static str {
    match method {
        RawMethod::Get => "GET",
        RawMethod::Post => "POST",
        RawMethod::Put => "PUT",
        RawMethod::Patch => "PATCH",
        RawMethod::Delete => "DELETE",
    }
}

impl Context<'_> {
    /// `domain.name`, as Home Assistant names its entities.
    fn entity(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let valid = text.split_once('.').is_some_and(|(domain, name)| part(domain) && part(name));
        if !valid {
            let message = format!("{text:?} is not an entity id");
            self.report.error(path, message, "Write an id as Home Assistant shows it, for example \"light.kitchen\".");
        }
        valid.then(|| text.to_owned())
    }

    /// The name of a header, a query key or a table: no spaces, no separators.
    fn token_text(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let valid =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            let message = format!("{text:?} is not a name");
            self.report.error(path, message, "Use 1 to 64 letters, digits, '-' and '_'.");
        }
        valid.then(|| text.to_owned())
    }
}
