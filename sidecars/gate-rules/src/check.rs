//! Rules that make no sense, or could not hold what they promise.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platform_types::egress::{
    AnswerFilter, Confirm, Credential, FORBIDDEN_HEADERS, FORBIDDEN_PREFIXES, Field, GATE_HOST, Holds, Method,
    NEEDS_VALUE, Rule, Shape, Upstream,
};

use crate::address::Networks;
use crate::admit::{header_of, header_value, parameter};
use crate::card::{is_invisible, names};
use crate::shape::scalar;
use crate::target::is_segment;

/// Longest time that a confirmation may wait.
pub const MAX_EXPIRES_SECONDS: u32 = 24 * 60 * 60;
/// Deepest nesting of a shape.
const MAX_SHAPE_DEPTH: usize = 8;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `None`: with the upstream itself.
    pub rule: Option<String>,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "rule {rule:?}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Everything that is wrong with an upstream.
pub fn check(upstream: &Upstream) -> Result<(), Vec<Problem>> {
    let mut problems: Vec<Problem> =
        of_upstream(upstream).into_iter().map(|message| Problem { rule: None, message }).collect();
    let mut seen = BTreeSet::new();
    for rule in &upstream.rules {
        let mut messages = of_rule(rule);
        if rule.name.is_empty() || !seen.insert(&rule.name) {
            messages.push("its name is empty, or another rule has it".to_owned());
        }
        messages.extend(of_credential_beside(rule, upstream.credential.as_ref()));
        problems.extend(messages.into_iter().map(|message| Problem { rule: Some(rule.name.clone()), message }));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn of_upstream(upstream: &Upstream) -> Vec<String> {
    let mut found = Vec::new();
    if upstream.name.as_str() == GATE_HOST {
        found.push(format!("no upstream may be called {GATE_HOST:?}: the gate's own routes are"));
    }
    let rest = upstream.url.strip_prefix("https://").or_else(|| upstream.url.strip_prefix("http://"));
    let plain = |rest: &str| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && !rest.ends_with('/')
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\\%".contains(&byte))
            && rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
    };
    if !rest.is_some_and(plain) {
        found.push("its URL is not http or https, or has a user, a query, a fragment or a slash at the end".to_owned());
    }
    if let Err(network) = Networks::parse(&upstream.networks) {
        found.push(format!("{network:?} is not a network"));
    }
    match &upstream.credential {
        Some(Credential::Header { name, .. } | Credential::Both { name, .. })
            if !is_header(name) || is_transport(name) =>
        {
            found.push(format!("the credential cannot travel in the header {name:?}"));
        }
        Some(Credential::Query { name, .. }) if name.is_empty() => {
            found.push("the credential's query key has no name".to_owned());
        }
        Some(Credential::Path { prefix, .. }) if !(prefix.is_empty() || is_segment(prefix)) => {
            found.push("the credential's prefix is more than one segment of a path".to_owned());
        }
        _ => {}
    }
    found
}

/// The agent must have no way to stand in the credential's place.
fn of_credential_beside(rule: &Rule, credential: Option<&Credential>) -> Option<String> {
    let taken = match credential? {
        Credential::Header { name, .. } | Credential::Both { name, .. } => {
            rule.headers.iter().any(|header| header_of(header).0.eq_ignore_ascii_case(name))
        }
        Credential::Query { name, .. } => rule.query.contains_key(name),
        Credential::Bearer { .. } | Credential::Path { .. } => false,
    };
    taken.then(|| "it passes on what the credential is sent in".to_owned())
}

fn of_rule(rule: &Rule) -> Vec<String> {
    let mut found = of_path(rule);
    for (place, shape) in rule.params.iter().chain(rule.query.iter().map(|(key, field)| (key, &field.shape))) {
        if matches!(shape, Shape::Object { .. } | Shape::List { .. }) {
            found.push(format!("{place}: an object or a list cannot stand in a path or a query"));
        }
        of_shape(shape, place, 0, &mut found);
    }
    for (name, Field { shape, .. }) in rule.body.iter().flatten() {
        of_shape(shape, name, 0, &mut found);
    }
    if rule.query.keys().any(String::is_empty) {
        found.push("a query key has no name".to_owned());
    }
    if rule.method == Method::Get && rule.body.is_some() {
        found.push("a GET has no body".to_owned());
    }
    of_headers(&rule.headers, &mut found);
    let (known, twice) = values(rule);
    if let Some(confirm) = &rule.confirm {
        of_confirm(confirm, rule, (&known, &twice), &mut found);
    }
    for guard in &rule.guards {
        of_question(
            &format!("the guard at {:?}", guard.path),
            (&guard.path, &guard.pointer),
            (&known, &twice),
            &mut found,
        );
        let (Holds::OneOf { values } | Holds::NoneBeginsWith { prefixes: values }) = &guard.holds;
        if values.is_empty() || guard.otherwise.trim().is_empty() {
            found.push(format!("the guard at {:?} compares with nothing, or does not say why", guard.path));
        }
    }
    if rule.answer == AnswerFilter::Updates && rule.confirm.is_some() {
        found.push("updates of a channel cannot be confirmed".to_owned());
    }
    if let AnswerFilter::Members { members } = &rule.answer
        && members.iter().any(|member| member.split('.').any(str::is_empty))
    {
        found.push("a member of the answer has no name".to_owned());
    }
    found
}

fn of_path(rule: &Rule) -> Vec<String> {
    let mut found = Vec::new();
    let Some(path) = rule.path.strip_prefix('/') else {
        return vec!["its path does not begin with a slash".to_owned()];
    };
    let segments: Vec<&str> = path.split('/').collect();
    let mut used = BTreeSet::new();
    for (at, segment) in segments.iter().enumerate() {
        match parameter(segment) {
            Some(name) if !used.insert(name) => found.push(format!("the parameter {name:?} stands twice in its path")),
            Some(name) if !rule.params.contains_key(name) => found.push(format!("the parameter {name:?} has no shape")),
            None if segment.is_empty() && at + 1 == segments.len() => {}
            None if !is_segment(segment) || segment.contains(['{', '}', '?', '#']) => {
                found.push(format!("{segment:?} in its path matches nothing, or a part of a segment"));
            }
            Some(_) | None => {}
        }
    }
    let unused = rule.params.keys().filter(|name| !used.contains(name.as_str()));
    found.extend(unused.map(|name| format!("the shape {name:?} belongs to no parameter of its path")));
    found
}

fn of_shape(shape: &Shape, place: &str, depth: usize, found: &mut Vec<String>) {
    if depth > MAX_SHAPE_DEPTH {
        found.push(format!("{place}: it is nested too deep"));
        return;
    }
    match shape {
        Shape::OneOf { values } => {
            if values.is_empty() {
                found.push(format!("{place}: no value is allowed"));
            }
            if values.iter().any(|value| scalar(value).is_none() && !value.is_null()) {
                found.push(format!("{place}: a list or an object is no single value"));
            }
        }
        Shape::Integer { min, max } | Shape::Number { min, max } if min > max => {
            found.push(format!("{place}: the least is more than the most"));
        }
        Shape::Object { fields } => {
            for (name, field) in fields {
                of_shape(&field.shape, &format!("{place}.{name}"), depth + 1, found);
            }
        }
        Shape::List { of, .. } => of_shape(of, &format!("{place}[]"), depth + 1, found),
        Shape::After { prefix, then } => {
            if prefix.is_empty() || prefix.contains(is_invisible) {
                found.push(format!("{place}: the text before the value is empty or not visible"));
            }
            if matches!(**then, Shape::Object { .. } | Shape::List { .. }) {
                found.push(format!("{place}: only a single value can come after a text"));
            }
            of_shape(then, place, depth + 1, found);
        }
        Shape::Integer { .. } | Shape::Number { .. } | Shape::Text { .. } | Shape::Boolean | Shape::ApprovedChat => {}
    }
}

fn of_headers(headers: &[String], found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (name, value) in headers.iter().map(|header| header_of(header)) {
        if !is_header(name) || name != name.to_ascii_lowercase() {
            found.push(format!("{name:?} is not the name of a header in lower case"));
        } else if is_transport(name) {
            found.push(format!("the header {name} is not passed on"));
        } else if value.is_none() && NEEDS_VALUE.contains(&name) {
            found.push(format!("the header {name} needs a value, such as \"{name}: value\""));
        } else if !seen.insert(name) {
            found.push(format!("the header {name} stands twice"));
        }
        if value.is_some_and(|value| value.is_empty() || header_value(value.as_bytes()).is_none()) {
            found.push(format!("the value of the header {name} is not plain text"));
        }
    }
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn is_transport(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    FORBIDDEN_HEADERS.contains(&name.as_str()) || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Names of the request's values: which of them every request has, and which stand in two places.
type Names<'a> = (&'a BTreeMap<&'a str, bool>, &'a BTreeSet<&'a str>);

fn values(rule: &Rule) -> (BTreeMap<&str, bool>, BTreeSet<&str>) {
    let mut known: BTreeMap<&str, bool> = rule.params.keys().map(|name| (name.as_str(), true)).collect();
    let mut twice = BTreeSet::new();
    for (name, field) in rule.query.iter().chain(rule.body.iter().flatten()) {
        if known.insert(name, field.required).is_some() {
            twice.insert(name.as_str());
        }
    }
    (known, twice)
}

fn of_confirm(confirm: &Confirm, rule: &Rule, (known, twice): Names<'_>, found: &mut Vec<String>) {
    let Confirm { words, facts, id_field, expires_seconds } = confirm;
    for name in names(words).into_iter().filter(|name| twice.contains(name)).collect::<BTreeSet<_>>() {
        found.push(two_values(name));
    }
    if words.trim().is_empty() {
        found.push("a confirmation has no words".to_owned());
    }
    for name in names(words).into_iter().filter(|name| !known.contains_key(name)) {
        found.push(format!("its words name {name:?}, which is no value of the request"));
    }
    for fact in facts {
        let what = format!("the fact {:?}", fact.label);
        of_question(&what, (&fact.path, &fact.pointer), (known, twice), found);
        if let Some(each) = &fact.each {
            let items = BTreeMap::from([("item", true)]);
            of_question(&what, (&each.path, &each.pointer), (&items, &BTreeSet::new()), found);
        }
    }
    if let Some(field) = id_field
        && rule.body.as_ref().is_none_or(|body| body.contains_key(field))
    {
        found
            .push(format!("{field:?} cannot get the confirmation's id: there is no body, or it is a field of its own"));
    }
    if !(1..=MAX_EXPIRES_SECONDS).contains(expires_seconds) {
        found.push(format!("a confirmation expires after 1 to {MAX_EXPIRES_SECONDS} seconds"));
    }
}

/// A `GET` that the gate makes itself: its path, and where in the answer the value is.
fn of_question(what: &str, (path, pointer): (&str, &str), (known, twice): Names<'_>, found: &mut Vec<String>) {
    if !path.starts_with('/') || path.starts_with("//") {
        found.push(format!("the path of {what} does not begin with one slash"));
    }
    if !(pointer.is_empty() || pointer.starts_with('/')) {
        found.push(format!("the pointer of {what} does not begin with a slash"));
    }
    for name in names(path) {
        if twice.contains(name) {
            found.push(two_values(name));
        } else if known.get(name) != Some(&true) {
            found.push(format!("{what} needs {name:?}, which a request may lack"));
        }
    }
}

fn two_values(name: &str) -> String {
    format!("{name:?} names two values, of path, query and body")
}
