//! Rules as inline tables of TOML: what [`crate::raw_values`] reads, written again.
//!
//! Keys stand in the order of the alphabet: whether tables keep another order is a feature of `toml` that any crate may turn
//! on.

use std::collections::BTreeMap;

use platform_types::agent::{Effect, PolicyRule, SessionKind};
use platform_types::egress::{AnswerFilter, Field, Shape};
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::config::{Consent, Rule};
use crate::effective::list;

pub(crate) fn rule(rule: &Rule) -> Value {
    let Rule { method, path, params, query, headers, body, consent, answer } = rule;
    let (card, unconfirmed) = match consent {
        Consent::Card(words) => (Some(words), None),
        Consent::Unconfirmed(why) => (None, Some(why)),
        Consent::Reading => (None, None),
    };
    let params: BTreeMap<_, _> =
        params.iter().map(|(name, shape)| (name, Field { shape: shape.clone(), required: true })).collect();
    let entries = [
        ("answer", Some(answer_of(answer))),
        ("body", body.as_ref().map(fields)),
        ("card", card.cloned().map(Value::String)),
        ("confirm", Some(Value::Boolean(card.is_some()))),
        ("headers", Some(list(headers))),
        ("method", Some(Value::String(method.to_string()))),
        ("params", Some(fields(params.iter().map(|(name, field)| (*name, field))))),
        ("path", Some(Value::String(path.clone()))),
        ("query", Some(fields(query))),
        ("unconfirmed", unconfirmed.cloned().map(Value::String)),
    ];
    table(entries)
}

pub(crate) fn policy_rule(rule: &PolicyRule) -> Value {
    let PolicyRule { effect, bot, session, tool, when, why } = rule;
    let when = when.iter().map(|(name, values)| (name.clone(), Value::Array(values.iter().map(value).collect())));
    let text = |text: &str| Value::String(text.to_owned());
    table([
        ("bot", bot.as_ref().map(|bot| text(bot.as_str()))),
        ("effect", Some(text(effect_word(*effect)))),
        ("session", session.map(|session| text(session_word(session)))),
        ("tool", Some(text(tool))),
        ("when", Some(Value::Table(when.collect()))),
        ("why", why.as_deref().map(text)),
    ])
}

fn effect_word(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Ask => "ask",
        Effect::Deny => "deny",
    }
}

fn session_word(session: SessionKind) -> &'static str {
    match session {
        SessionKind::Chat => "chat",
        SessionKind::Cron => "cron",
        SessionKind::Script => "script",
        SessionKind::Channel => "channel",
    }
}

fn answer_of(answer: &AnswerFilter) -> Value {
    match answer {
        AnswerFilter::Whole => Value::String("whole".to_owned()),
        AnswerFilter::Status => Value::String("status".to_owned()),
        AnswerFilter::Updates => Value::String("updates".to_owned()),
        AnswerFilter::Members { members } => list(members),
    }
}

fn fields<'a>(fields: impl IntoIterator<Item = (&'a String, &'a Field)>) -> Value {
    let fields = fields.into_iter().map(|(name, Field { shape, required })| {
        let mut table = shape_of(shape);
        if !required {
            table.insert("optional".to_owned(), Value::Boolean(true));
        }
        (name.clone(), Value::Table(table))
    });
    Value::Table(fields.collect())
}

fn shape_of(shape: &Shape) -> Table {
    let range = |min: i64, max: i64| Value::Array(vec![Value::Integer(min), Value::Integer(max)]);
    let (key, written) = match shape {
        Shape::OneOf { values } => ("one_of", Value::Array(values.iter().map(value).collect())),
        Shape::Text { max_chars } => ("text", Value::Integer(i64::try_from(*max_chars).unwrap_or(i64::MAX))),
        Shape::Integer { min, max } => ("integer", range(*min, *max)),
        Shape::Number { min, max } => ("number", range(*min, *max)),
        Shape::Boolean => ("is", Value::String("boolean".to_owned())),
        Shape::ApprovedChat => ("is", Value::String("approved-chat".to_owned())),
        Shape::After { prefix, then } => {
            let mut table = shape_of(then);
            table.insert("after".to_owned(), Value::String(prefix.clone()));
            return table;
        }
        // Only presets have these.
        Shape::Object { .. } | Shape::List { .. } => ("is", Value::String("object".to_owned())),
    };
    Table::from_iter([(key.to_owned(), written)])
}

fn value(value: &Json) -> Value {
    Value::try_from(value).unwrap_or_else(|_| Value::String(value.to_string()))
}

fn table<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    Value::Table(entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
}
