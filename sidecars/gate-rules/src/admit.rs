//! A request against the rules of an upstream.
//!
//! Each rule is tried alone: it allows the whole request or none of it. Where several allow it, one with `confirm` comes
//! before one without, then the first: a wide rule beside a confirmed one never goes around it.

use std::collections::BTreeMap;
use std::fmt;

use platform_types::egress::{Confirm, Field, MAX_BODY_BYTES, Method, Rule, Shape, Upstream};
use platform_types::text::neutral_cut;
use serde_json::Value;

use crate::json::{MAX_DEPTH, parse, sorted};
use crate::shape::{Approved, Misfit, of_object, of_text, worded};
use crate::target::{self, Target, write_path, write_query};

/// Longest value of a header that is passed on, in bytes.
pub const MAX_HEADER_BYTES: usize = 1024;
/// The only type of a body.
pub const BODY_TYPE: &str = "application/json";

/// A request as the agent sent it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Path and query, as received.
    pub target: &'a str,
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

/// The request as the gate writes it, without the credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Index of the rule that allows it.
    pub rule: usize,
    pub method: Method,
    /// Begins with a slash; goes behind the path of the upstream's URL.
    pub path: String,
    /// Without the question mark; empty: none.
    pub query: String,
    /// In the order of their names, which are in lower case; with `content-type` where there is a body.
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// Parameters, query keys and top-level body fields, for words and facts. No rule names one of them twice there.
    pub values: BTreeMap<String, String>,
}

/// No rule allows the request: what did not fit of the closest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Name of the closest rule; `None`: the request was not readable, or no rule has its path.
    pub rule: Option<String>,
    /// Never quotes a value of the body.
    pub why: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "no rule allows it; the closest is {rule:?}: {}", self.why),
            None => write!(f, "no rule allows it: {}", self.why),
        }
    }
}

impl std::error::Error for Denied {}

/// How far a rule fitted before it did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Path,
    Method,
    Parameters,
    Query,
    Headers,
    Body,
}

type Stopped = (Stage, String);

/// The request as the gate writes it, if one rule allows all of it.
pub fn admit(upstream: &Upstream, request: &Request<'_>, approved: Approved<'_>) -> Result<Admitted, Denied> {
    let target = target::parse(request.target).map_err(|why| Denied { rule: None, why: why.to_owned() })?;
    let mut best: Option<Admitted> = None;
    let mut closest: Option<(usize, Stopped)> = None;
    for (index, rule) in upstream.rules.iter().enumerate() {
        match by_rule((index, rule), request, &target, approved) {
            Ok(admitted) => {
                let asks = |admitted: &Admitted| upstream.rules[admitted.rule].confirm.is_some();
                if best.as_ref().is_none_or(|best| asks(&admitted) && !asks(best)) {
                    best = Some(admitted);
                }
            }
            Err(stopped) if closest.as_ref().is_none_or(|(_, (stage, _))| stopped.0 > *stage) => {
                closest = Some((index, stopped));
            }
            Err(_) => {}
        }
    }
    best.ok_or_else(|| denied(upstream, request, closest))
}

fn denied(upstream: &Upstream, request: &Request<'_>, closest: Option<(usize, Stopped)>) -> Denied {
    match closest {
        Some((index, (stage, why))) if stage > Stage::Path => {
            Denied { rule: Some(upstream.rules[index].name.clone()), why }
        }
        _ => {
            let path = request.target.split('?').next().unwrap_or_default();
            Denied { rule: None, why: format!("none has the path {}", neutral_cut(path, 120)) }
        }
    }
}

fn by_rule(
    (index, rule): (usize, &Rule),
    request: &Request<'_>,
    target: &Target,
    approved: Approved<'_>,
) -> Result<Admitted, Stopped> {
    let mut values = BTreeMap::new();
    let parameters = parameters(&rule.path, &target.segments).ok_or((Stage::Path, String::new()))?;
    if request.method != rule.method.as_str() {
        return Err((Stage::Method, format!("the method is not {}", rule.method)));
    }
    for (name, text) in parameters {
        let Some(shape) = rule.params.get(name) else {
            return Err((Stage::Parameters, format!("the parameter {name} has no shape")));
        };
        let fits = of_text(shape, text, &format!("the parameter {name}"), approved);
        fits.map_err(|misfit| at(Stage::Parameters, misfit))?;
        values.insert(name.to_owned(), worded(shape, text).to_owned());
    }
    let query = query(&rule.query, &target.query, approved).map_err(|misfit| at(Stage::Query, misfit))?;
    let word = |key: &str, value| rule.query.get(key).map_or(value, |field| worded(&field.shape, value)).to_owned();
    values.extend(query.iter().map(|(key, value)| ((*key).to_owned(), word(key, *value))));
    let mut headers = headers(&rule.headers, request.headers).map_err(|why| (Stage::Headers, why))?;
    let body = body(rule.body.as_ref(), request, approved).map_err(|misfit| at(Stage::Body, misfit))?;
    if let Some(Value::Object(fields)) = &body {
        let shapes = rule.body.iter().flatten().map(|(name, field)| (name, &field.shape));
        let word = |(name, shape)| Some((String::clone(name), plain(shape, fields.get(name)?)));
        values.extend(shapes.filter_map(word));
        headers.push(("content-type".to_owned(), BODY_TYPE.to_owned()));
        headers.sort();
    }
    Ok(Admitted {
        rule: index,
        method: rule.method,
        path: write_path(target.segments.iter().map(String::as_str)),
        query: write_query(query),
        headers,
        body: body.map(|body| body.to_string().into_bytes()),
        values,
    })
}

fn at(stage: Stage, Misfit { place, wanted }: Misfit) -> Stopped {
    (stage, format!("{place}: {wanted}"))
}

/// The values of the pattern's parameters, when its other segments are those of the path.
fn parameters<'a>(pattern: &'a str, segments: &'a [String]) -> Option<Vec<(&'a str, &'a str)>> {
    let pattern: Vec<&str> = pattern.strip_prefix('/')?.split('/').collect();
    if pattern.len() != segments.len() {
        return None;
    }
    let mut found = Vec::new();
    for (pattern, segment) in pattern.into_iter().zip(segments) {
        match parameter(pattern) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => found.push((name, segment.as_str())),
            None if pattern == segment => {}
            None => return None,
        }
    }
    Some(found)
}

/// The name in `{name}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Keys and values in the order of the keys.
fn query<'a>(
    fields: &'a BTreeMap<String, Field>,
    given: &'a [(String, String)],
    approved: Approved<'_>,
) -> Result<Vec<(&'a str, &'a str)>, Misfit> {
    if let Some((unknown, _)) = given.iter().find(|(key, _)| !fields.contains_key(key)) {
        let place = format!("query.{}", neutral_cut(unknown, 32));
        return Err(Misfit { place, wanted: "no such key is allowed".to_owned() });
    }
    let mut pairs = Vec::new();
    for (key, field) in fields {
        let place = format!("query.{key}");
        match given.iter().find(|(known, _)| known == key) {
            Some((_, value)) => {
                of_text(&field.shape, value, &place, approved)?;
                pairs.push((key.as_str(), value.as_str()));
            }
            None if field.required => return Err(Misfit { place, wanted: "it is missing".to_owned() }),
            None => {}
        }
    }
    Ok(pairs)
}

/// A header's name, and the one value that it may have, as a rule writes them: `name` or `name: value`.
pub(crate) fn header_of(rule: &str) -> (&str, Option<&str>) {
    match rule.split_once(':') {
        Some((name, value)) => (name, Some(value.trim())),
        None => (rule, None),
    }
}

/// The headers that the rule passes on or sets, in the order of their names. All others are left out.
fn headers(rules: &[String], given: &[(&str, &[u8])]) -> Result<Vec<(String, String)>, String> {
    let mut passed = Vec::new();
    for (name, fixed) in rules.iter().map(|rule| header_of(rule)) {
        let mut values = given.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let value = values.next();
        if values.next().is_some() {
            return Err(format!("the header {name} is given twice"));
        }
        match (value, fixed) {
            (Some(value), Some(fixed)) if value != fixed.as_bytes() => {
                return Err(format!("the header {name} is {fixed:?} and nothing else"));
            }
            (_, Some(fixed)) => passed.push((name.to_owned(), fixed.to_owned())),
            (Some(value), None) => {
                let text = header_value(value).ok_or_else(|| format!("the header {name} is not plain text"))?;
                passed.push((name.to_owned(), text.to_owned()));
            }
            (None, None) => {}
        }
    }
    passed.sort();
    Ok(passed)
}

/// Visible ASCII with spaces in between, bounded.
pub(crate) fn header_value(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (plain && text.trim() == text && text.len() <= MAX_HEADER_BYTES).then_some(text)
}

fn body(
    fields: Option<&BTreeMap<String, Field>>,
    request: &Request<'_>,
    approved: Approved<'_>,
) -> Result<Option<Value>, Misfit> {
    let misfit = |wanted: &str| Misfit { place: "body".to_owned(), wanted: wanted.to_owned() };
    let Some(fields) = fields else {
        return if request.body.is_empty() { Ok(None) } else { Err(misfit("none is allowed")) };
    };
    let mut types = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let is_json = types.next().is_some_and(|(_, value)| value.eq_ignore_ascii_case(BODY_TYPE.as_bytes()));
    if !is_json || types.next().is_some() {
        return Err(misfit("the content-type is not application/json"));
    }
    if request.body.len() > MAX_BODY_BYTES {
        return Err(misfit("it is too long"));
    }
    match parse(request.body, MAX_DEPTH) {
        Ok(Value::Object(map)) => {
            let fitting = of_object(fields, map, "body", approved)?;
            Ok(Some(sorted(Value::Object(fitting))))
        }
        Ok(_) => Err(misfit("it is not an object")),
        Err(error) if error.is_data() => Err(misfit("a key occurs twice, or it is nested too deep")),
        Err(_) => Err(misfit("it is not one JSON value")),
    }
}

/// A field's value in words.
fn plain(shape: &Shape, value: &Value) -> String {
    let text = crate::shape::scalar(value).unwrap_or_else(|| value.to_string());
    worded(shape, &text).to_owned()
}

/// Places the confirmation's id into its field of the body, so that the upstream can tell a repetition.
#[must_use]
pub fn with_id(mut admitted: Admitted, confirm: &Confirm, id: &str) -> Admitted {
    let body = admitted.body.as_deref().and_then(|body| parse(body, MAX_DEPTH).ok());
    if let (Some(field), Some(Value::Object(mut fields))) = (&confirm.id_field, body) {
        fields.insert(field.clone(), Value::String(id.to_owned()));
        admitted.body = Some(sorted(Value::Object(fields)).to_string().into_bytes());
        admitted.values.insert(field.clone(), id.to_owned());
    }
    admitted
}
