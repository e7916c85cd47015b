//! `[[profile.X.upstream.Y.rule]]`: what passes without a preset. What is refused here is what a gate would refuse, with
//! line and remedy.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::egress::{AnswerFilter, FORBIDDEN_HEADERS, FORBIDDEN_PREFIXES, Field, Method, NEEDS_VALUE};

use super::Context;
use crate::config::{Consent, Rule};
use crate::path::KeyPath;
use crate::raw::{RawMethod, RawRule};
use crate::raw_values::{RawAnswer, RawAnswerKind, RawValues};

/// Longest value of a header.
const MAX_HEADER_BYTES: usize = 1024;
/// Longest words of a card, in characters.
const MAX_CARD_CHARS: usize = 160;
/// Longest reason for a rule without a confirmation, in characters.
const MAX_REASON_CHARS: usize = 160;

pub(super) fn rules(raw: Vec<RawRule>, path: &KeyPath, context: &mut Context<'_>) -> Option<Vec<Rule>> {
    let rules: Vec<Option<Rule>> =
        raw.into_iter().enumerate().map(|(index, raw)| rule(raw, &path.index(index), context)).collect();
    rules.into_iter().collect()
}

fn rule(raw: RawRule, path: &KeyPath, context: &mut Context<'_>) -> Option<Rule> {
    let RawRule { method, path: pattern, params, query, headers, body, confirm, card, unconfirmed, answer } = raw;
    let method = method.map(method_of);
    let params = context.fields(params, &path.key("params"));
    let query = context.fields(query, &path.key("query"));
    let body = body.map(|body| context.fields(Some(body), &path.key("body")));
    let pattern = pattern.and_then(|pattern| context.pattern(&pattern, &params, path));
    if body.is_some() && method == Some(Method::Get) {
        context.report.error(&path.key("body"), "a GET has no body", "Remove it, or choose another method.");
    }
    for (name, _) in params.iter().filter(|(_, field)| !field.required) {
        let remedy = "Remove `optional`: a path has all of its parameters.";
        context.report.error(&path.key("params").key(name), "a parameter cannot be left out", remedy);
    }
    let headers = context.each(headers, &path.key("headers"), Context::rule_header);
    one_value_each(&headers, &path.key("headers"), context);
    let named = [&params, &query].into_iter().chain(body.as_ref()).flat_map(|fields| fields.keys().map(String::as_str));
    let confirm = confirm.unwrap_or(false);
    let card = card_of((confirm, card), &named.collect::<Vec<_>>(), path, context);
    let consent = if confirm {
        if unconfirmed.is_some() {
            let remedy = "Remove it, or confirm and card.";
            context.report.error(&path.key("unconfirmed"), "each request of this rule is confirmed", remedy);
        }
        card.map(Consent::Card)
    } else {
        unconfirmed_of(unconfirmed, method, path, context)
    };
    let answer = answer_of(answer, &path.key("answer"), context)?;
    let params = params.into_iter().map(|(name, field)| (name, field.shape)).collect();
    Some(Rule { method: method?, path: pattern?, params, query, headers, body, consent: consent?, answer })
}

/// What reads may pass as it is. What changes something is a tool's call that asks: without a confirmation outside of the
/// agent, a taken-over agent does it unasked, and somebody has to say why that is right.
fn unconfirmed_of(
    why: Option<String>,
    method: Option<Method>,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<Consent> {
    let key = path.key("unconfirmed");
    match (method?, why) {
        (Method::Get, None) => Some(Consent::Reading),
        (Method::Get, Some(_)) => {
            context.report.error(&key, "a GET only reads, and needs no confirmation", "Remove it.");
            None
        }
        (_, Some(why)) => context.line_of(why, MAX_REASON_CHARS, &key).map(Consent::Unconfirmed),
        (method, None) => {
            let message = format!("a {method} changes something, and nobody confirms it");
            let remedy = "Add confirm = true and a card, or say why that is not needed: unconfirmed = \"...\"";
            context.report.error(path, message, remedy);
            None
        }
    }
}

fn method_of(method: RawMethod) -> Method {
    match method {
        RawMethod::Get => Method::Get,
        RawMethod::Post => Method::Post,
        RawMethod::Put => Method::Put,
        RawMethod::Patch => Method::Patch,
        RawMethod::Delete => Method::Delete,
    }
}

fn one_value_each(headers: &[String], path: &KeyPath, context: &mut Context<'_>) {
    let mut seen = BTreeSet::new();
    for name in headers.iter().filter_map(|header| header.split(':').next()) {
        if !seen.insert(name) {
            context.report.error(path, format!("the header {name} stands in the list twice"), "Keep one of the two.");
        }
    }
}

/// The words of a confirmation. `None`: the rule needs none, or they are wrong.
fn card_of(
    (confirm, card): (bool, Option<String>),
    named: &[&str],
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<String> {
    let path = path.key("card");
    let Some(card) = card else {
        if confirm {
            let remedy = "Write for example: card = \"Open the front door\"";
            context.report.error(&path, "what needs a confirmation needs words for it", remedy);
        }
        return None;
    };
    let card = context.line_of(card, MAX_CARD_CHARS, &path)?;
    if !confirm {
        let remedy = "Add confirm = true, or remove the words.";
        context.report.error(&path, "nobody reads the words of a rule without a confirmation", remedy);
        return None;
    }
    let mut right = true;
    for name in names(&card) {
        let message = match named.iter().filter(|known| **known == name).count() {
            0 => format!("{{{name}}} is no value of the request"),
            1 => continue,
            _ => format!("{{{name}}} is more than one value of the request"),
        };
        let remedy = "Name a parameter of the path, a query key or a field of the body that occurs once.";
        context.report.error(&path, message, remedy);
        right = false;
    }
    right.then_some(card)
}

/// The names in braces.
fn names(card: &str) -> Vec<&str> {
    card.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

fn answer_of(raw: Option<RawAnswer>, path: &KeyPath, context: &mut Context<'_>) -> Option<AnswerFilter> {
    match raw {
        None | Some(RawAnswer::Kind(RawAnswerKind::Whole)) => Some(AnswerFilter::Whole),
        Some(RawAnswer::Kind(RawAnswerKind::Status)) => Some(AnswerFilter::Status),
        Some(RawAnswer::Members(members)) => {
            let count = members.len();
            let members = context.each(Some(members), path, |context, member, path| {
                let valid = !member.split('.').any(str::is_empty);
                if !valid {
                    let remedy = "Write for example: \"attributes.brightness\"";
                    context.report.error(path, format!("{member:?} is not a member"), remedy);
                }
                valid.then(|| member.to_owned())
            });
            (members.len() == count).then_some(AnswerFilter::Members { members })
        }
    }
}

impl Context<'_> {
    fn fields(&mut self, raw: Option<BTreeMap<String, RawValues>>, path: &KeyPath) -> BTreeMap<String, Field> {
        let mut fields = BTreeMap::new();
        for (name, raw) in raw.unwrap_or_default() {
            let path = path.key(&name);
            if name.is_empty() || name.chars().any(char::is_control) {
                self.report.error(&path, "it has no name, or a control character in it", "Write the name of a value.");
            }
            if let Some(field) = self.field(raw, &path) {
                fields.insert(name, field);
            }
        }
        fields
    }

    /// A path whose parameters are those that have values.
    fn pattern(&mut self, pattern: &str, params: &BTreeMap<String, Field>, rule: &KeyPath) -> Option<String> {
        let path = rule.key("path");
        let Some(segments) = pattern.strip_prefix('/').map(|rest| rest.split('/').collect::<Vec<_>>()) else {
            let remedy = "Write for example: path = \"/api/states\"";
            self.report.error(&path, format!("{pattern:?} is not a path"), remedy);
            return None;
        };
        let mut used = BTreeSet::new();
        let mut right = true;
        for (at, segment) in segments.iter().enumerate() {
            let parameter = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let message = match parameter {
                Some(name) if !used.insert(name) => format!("the parameter {name:?} stands in it twice"),
                Some(name)
                    if params.contains_key(name) || self.report.document().contains(&rule.key("params").key(name)) =>
                {
                    continue;
                }
                Some(name) => format!("the parameter {name:?} has no values"),
                None if is_literal(segment) || (segment.is_empty() && at + 1 == segments.len()) => continue,
                None => format!("{segment:?} is not a segment of a path"),
            };
            let remedy = "Write for example: path = \"/api/jobs/{id}\", with params = { id = { integer = [1, 1000] } }";
            self.report.error(&path, message, remedy);
            right = false;
        }
        for name in params.keys().filter(|name| !used.contains(name.as_str())) {
            let remedy = format!("Write {{{name}}} into the path, or remove it.");
            self.report.error(&rule.key("params").key(name), "the path has no such parameter", remedy);
            right = false;
        }
        right.then(|| pattern.to_owned())
    }

    fn rule_header(&mut self, text: &str, path: &KeyPath) -> Option<String> {
        let (name, value) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.trim())),
            None => (text, None),
        };
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        let plain = |value: &str| {
            !value.is_empty()
                && value.len() <= MAX_HEADER_BYTES
                && value.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        };
        let (message, remedy) = if !is_name {
            (format!("{name:?} is not a name"), "Use 1 to 64 lower-case letters, digits, '-' and '_'.".to_owned())
        } else if is_forbidden(name) {
            (
                format!("the header {name} is never passed on"),
                "Remove it; the gate writes such headers itself.".to_owned(),
            )
        } else if value.is_none() && NEEDS_VALUE.contains(&name) {
            let message = format!("the value of the header {name} changes what a request does");
            (message, format!("Write the one value that is right: \"{name}: value\""))
        } else if !value.is_none_or(plain) {
            (format!("the value of the header {name} is not plain text"), "Write printable ASCII.".to_owned())
        } else {
            return Some(value.map_or_else(|| name.to_owned(), |value| format!("{name}: {value}")));
        };
        self.report.error(path, message, remedy);
        None
    }
}

/// The gate writes this header itself, or nobody does.
pub(super) fn is_forbidden(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    FORBIDDEN_HEADERS.contains(&header.as_str()) || FORBIDDEN_PREFIXES.iter().any(|prefix| header.starts_with(prefix))
}

fn is_literal(segment: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !"%\\{}?#\"<>".contains(c);
    !matches!(segment, "" | "." | "..") && segment.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_card() {
        assert_eq!(names("Set {a} to {b} {c"), ["a", "b"]);
        assert_eq!(names("plain"), Vec::<&str>::new());
    }

    #[test]
    fn a_literal_means_one_thing() {
        let check = |segment: &str, expect| assert_eq!(is_literal(segment), expect, "{segment:?}");
        check("states", true);
        check("a;b=c:d", true);
        check("..", false);
        check("%41", false);
        check("x{id}", false);
        check("ä", false);
    }
}
