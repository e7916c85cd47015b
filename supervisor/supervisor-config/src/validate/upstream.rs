//! `[profile.X.upstream.Y]`.

use platform_types::egress::Credential;

use super::network::is_multicast_name;
use super::preset::{self, Lists};
use super::{Context, rule};
use crate::certificates::{is_file_name, problem};
use crate::config::{Allows, Rule, Upstream};
use crate::path::KeyPath;
use crate::presets::telegram::TOKEN_PREFIX;
use crate::raw::{RawNamedSecret, RawSecret, RawUpstream};
use crate::suggest::listed;

pub(super) fn upstream(raw: RawUpstream, path: &KeyPath, context: &mut Context<'_>) -> Option<Upstream> {
    let RawUpstream {
        preset,
        url,
        address,
        networks,
        ca,
        bearer,
        header,
        query,
        token,
        read,
        entities,
        scenes,
        confirm,
        table,
        kinds,
        requeue,
        rule,
    } = raw;
    let pinned = address.is_some();
    let url = url.and_then(|url| base_url(&url, pinned, &path.key("url"), context));
    let address = address.and_then(|text| {
        let parsed = text.parse().map_err(|_| format!("{text:?} is not an IP address"));
        context.parsed(parsed, &path.key("address"), "Write for example: address = \"192.168.1.20\"")
    });
    let networks_key = path.key("networks");
    let networks = context.each(networks, &networks_key, Context::network);
    let ca = ca.and_then(|file| certificates(file, url.as_deref(), &path.key("ca"), context));
    let credential = credential((bearer, header, query, token), path, context);
    let lists = Lists { read, entities, scenes, confirm, table, kinds, requeue, rule };
    let allows = if context.report.document().contains(&path.key("preset")) && preset.is_none() {
        None
    } else {
        preset::allows(preset, lists, path, context)
    };
    let allows = allows?;
    fits(credential.as_ref(), &allows, path, context);
    Some(Upstream { url: url?, address, networks, ca, credential, allows })
}

fn base_url(text: &str, pinned: bool, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    let url = context.url(text, path)?;
    if is_multicast_name(&url) && !pinned {
        let remedy = "Add its IP address: address = \"192.168.1.20\"";
        context.report.error(path, "names in .local need multicast DNS, which containers do not have", remedy);
        return None;
    }
    let base = url.as_str().trim_end_matches('/').to_owned();
    let plain = |c: char| c.is_ascii_graphic() && !"%@\\{}".contains(c);
    if url.path().trim_end_matches('/').contains("//") || !base.chars().all(plain) {
        let remedy = "Write a path of plain segments, or none.";
        context.report.error(path, "the URL's path has an empty segment or an encoded character", remedy);
        return None;
    }
    Some(base)
}

/// `certs/<name>.pem`, with certificates in it.
fn certificates(file: String, url: Option<&str>, path: &KeyPath, context: &mut Context<'_>) -> Option<String> {
    if !is_file_name(&file) {
        let message = format!("{file:?} is not a file of certificates");
        context.report.error(path, message, "Write \"certs/NAME.pem\", with a name of a-z, 0-9 and '-'.");
        return None;
    }
    if url.is_some_and(|url| url.starts_with("http:")) {
        let remedy = "Remove it, or write https in the URL.";
        context.report.error(path, "a server behind http has no certificate", remedy);
        return None;
    }
    let problem = match context.surroundings.certificates.get(&file) {
        None => "does not exist",
        Some(text) => match problem(text) {
            None => return Some(file),
            Some(problem) => problem,
        },
    };
    let remedy = format!("Put the certificate of the server, or of its authority, into {file} beside platform.toml.");
    context.report.error(path, format!("{file} {problem}"), remedy);
    None
}

type Credentials = (Option<RawSecret>, Option<RawNamedSecret>, Option<RawNamedSecret>, Option<RawSecret>);

/// At most one credential; a header and a bearer may go together.
fn credential(
    (bearer, header, query, token): Credentials,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<Credential> {
    let document = context.report.document();
    let written: Vec<&str> =
        ["bearer", "header", "query", "token"].into_iter().filter(|key| document.contains(&path.key(key))).collect();
    let pair = written == ["bearer", "header"];
    if let [_, second, ..] = written.as_slice()
        && !pair
    {
        let message = format!("{} are more than one credential", listed(written.iter().copied()));
        context.report.error(&path.key(second), message, "Keep one of them.");
        return None;
    }
    let plain = |raw: Option<RawSecret>, key: &str, context: &mut Context<'_>| context.way_secret(raw?, &path.key(key));
    let bearer = plain(bearer, "bearer", context).map(|secret| Credential::Bearer { secret });
    let token =
        plain(token, "token", context).map(|secret| Credential::Path { prefix: TOKEN_PREFIX.to_owned(), secret });
    let named = |raw: Option<RawNamedSecret>, key: &str, context: &mut Context<'_>| {
        let RawNamedSecret { name, secret } = raw?;
        let path = path.key(key);
        let name = name.and_then(|name| context.token_text(&name, &path.key("name")));
        let secret = context.way_secret(RawSecret { secret }, &path);
        Some((name?, secret?))
    };
    let header = named(header, "header", context).map(|(name, secret)| Credential::Header { name, secret });
    if let Some(Credential::Header { name, .. }) = &header
        && rule::is_forbidden(name)
    {
        let remedy = "Use `bearer` for Authorization: Bearer, or the header that the server asks for.";
        context.report.error(&path.key("header").key("name"), format!("no credential travels in {name}"), remedy);
        return None;
    }
    let query = named(query, "query", context).map(|(name, secret)| Credential::Query { name, secret });
    if let (Some(Credential::Bearer { secret: bearer }), Some(Credential::Header { name, secret })) = (&bearer, &header)
    {
        return Some(Credential::Both { name: name.clone(), secret: secret.clone(), bearer: bearer.clone() });
    }
    bearer.or(token).or(header).or(query)
}

/// The credential goes with what the upstream is, and no rule lets a bot stand in its place.
fn fits(credential: Option<&Credential>, allows: &Allows, path: &KeyPath, context: &mut Context<'_>) {
    let header =
        |header: &String, name: &str| header.split(':').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
    let taken = |rule: &Rule| match credential {
        Some(Credential::Header { name, .. } | Credential::Both { name, .. }) => {
            rule.headers.iter().any(|own| header(own, name))
        }
        Some(Credential::Query { name, .. }) => rule.query.contains_key(name),
        _ => false,
    };
    match (credential, allows) {
        (_, Allows::Telegram) => {}
        (Some(Credential::Path { .. }), _) => {
            let remedy = "Use `bearer`, `header` or `query`.";
            context.report.error(&path.key("token"), "only the preset `telegram` puts a token into the path", remedy);
        }
        (_, Allows::Rules(rules)) => {
            for (index, _) in rules.iter().enumerate().filter(|(_, rule)| taken(rule)) {
                let remedy = "Remove that header or query key: the gate adds the credential itself.";
                let path = path.key("rule").index(index);
                context.report.error(&path, "it passes on what the credential is sent in", remedy);
            }
        }
        (_, Allows::HomeAssistant(_) | Allows::SupabaseJobs(_)) => {}
    }
}

impl Context<'_> {
    /// The name of a header, a query key or a table: no spaces, no separators.
    pub(super) fn token_text(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let valid =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if !valid {
            let message = format!("{text:?} is not a name");
            self.report.error(path, message, "Use 1 to 64 letters, digits, '-' and '_'.");
        }
        valid.then(|| text.to_owned())
    }
}
