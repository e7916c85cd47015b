//! From the pieces of a model's answer to tool calls, and what can be said about a call before policy sees it.

use std::collections::BTreeMap;

use super::{CallFragment, MAX_ARGUMENT_BYTES, MAX_CALLS_PER_ANSWER, MAX_IDENTICAL_CALLS};
use crate::prompt::{ToolCall, ToolSpec, wire_name};
use crate::repair::repair;
use crate::{json, text};

/// Longest name that is kept of a call.
const MAX_NAME_BYTES: usize = 128;
/// Calls of one answer that are kept at all; those over [`MAX_CALLS_PER_ANSWER`] are answered with a refusal.
const MAX_KEPT_CALLS: usize = 32;

/// Collects fragments by their index.
#[derive(Debug, Default)]
pub(super) struct Collector {
    calls: BTreeMap<usize, Partial>,
}

#[derive(Debug, Default)]
struct Partial {
    name: String,
    arguments: String,
}

impl Collector {
    pub fn add(&mut self, fragment: CallFragment) {
        if !self.calls.contains_key(&fragment.index) && self.calls.len() >= MAX_KEPT_CALLS {
            return;
        }
        let call = self.calls.entry(fragment.index).or_default();
        if let Some(name) = fragment.name {
            call.name.push_str(text::prefix(&name, MAX_NAME_BYTES.saturating_sub(call.name.len())));
        }
        let room = MAX_ARGUMENT_BYTES.saturating_sub(call.arguments.len());
        call.arguments.push_str(text::prefix(&fragment.arguments, room));
    }

    /// Name and arguments of each call, in order; the collector is empty afterwards.
    pub fn take(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.calls).into_values().map(|call| (call.name, call.arguments)).collect()
    }
}

/// Why a call is answered with an error at once. The words are for the model, so that it can do better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The call makes no sense.
    Bad(String),
    /// There is no such tool, or not for this bot.
    NotOffered(String),
}

/// Counts identical calls of one turn.
#[derive(Debug, Default)]
pub(super) struct Repeats(BTreeMap<(String, String), u32>);

/// Checks one call: `position` is its place in the answer. The arguments are a JSON object, and come back as its one text:
/// what is decided about, shown, hashed and run.
pub(super) fn check(
    call: &ToolCall,
    position: usize,
    tools: &[ToolSpec],
    repeats: &mut Repeats,
) -> Result<String, Fault> {
    if position >= MAX_CALLS_PER_ANSWER {
        return Err(Fault::Bad(format!("not run: make at most {MAX_CALLS_PER_ANSWER} tool calls at once")));
    }
    if !tools.iter().any(|tool| tool.answers_to(&call.name)) {
        return Err(Fault::NotOffered(not_offered(&call.name, tools)));
    }
    if call.arguments.len() >= MAX_ARGUMENT_BYTES {
        return Err(Fault::Bad(format!("not run: the arguments are longer than {MAX_ARGUMENT_BYTES} bytes")));
    }
    let canonical = match object(&call.arguments) {
        Ok(value) if value.is_object() => json::canonical(&value),
        Ok(_) => return Err(Fault::Bad("not run: the arguments must be one JSON object".into())),
        Err(error) => {
            let words = format!(
                "not run: the arguments cannot be read ({error}); send one JSON object, like {{\"name\":\"value\"}}"
            );
            return Err(Fault::Bad(words));
        }
    };
    let count = repeats.0.entry((call.name.clone(), canonical.clone())).or_default();
    *count += 1;
    if *count > MAX_IDENTICAL_CALLS {
        return Err(Fault::Bad(format!(
            "not run: you made this very call {MAX_IDENTICAL_CALLS} times already; use its results, or answer without it"
        )));
    }
    Ok(canonical)
}

/// The arguments as a value, mended where it is clear what was meant.
fn object(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    match json::read(text) {
        Ok(value) if value.is_object() => Ok(value),
        found => repair(text).and_then(|mended| json::read(&mended).ok()).map_or(found, Ok),
    }
}

fn not_offered(name: &str, tools: &[ToolSpec]) -> String {
    let names: Vec<String> = tools.iter().map(|tool| wire_name(&tool.name)).collect();
    if names.is_empty() {
        format!("denied: there is no tool {name:?}; answer without tools")
    } else {
        format!("denied: there is no tool {name:?}; the tools are: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Risk;

    fn tools() -> Vec<ToolSpec> {
        let parameters = serde_json::json!({"type": "object"});
        vec![ToolSpec { name: "clock.now".into(), description: String::new(), parameters, risk: Risk::Read }]
    }

    fn checked(name: &str, arguments: &str, position: usize) -> Result<String, Fault> {
        let call = ToolCall { id: "c".into(), name: name.into(), arguments: arguments.into() };
        check(&call, position, &tools(), &mut Repeats::default())
    }

    #[test]
    fn calls_are_checked_before_policy_sees_them() {
        assert_eq!(checked("clock.now", "{}", 0), Ok("{}".to_owned()));
        assert_eq!(checked("clock_now", r#"{ "b": "1", "a": 1 }"#, 7), Ok(r#"{"a":1,"b":"1"}"#.to_owned()));
        assert_eq!(checked("clock.now", "{zone: 'UTC',}", 0), Ok(r#"{"zone":"UTC"}"#.to_owned()));
        assert!(
            matches!(checked("clock.now", "{zone:'a',zone:'b'}", 0), Err(Fault::Bad(text)) if text.contains("line 1"))
        );
        assert!(matches!(checked("clock.now", "{", 0), Err(Fault::Bad(text)) if text.contains("cannot be read")));
        let twice = r#"{"zone":"UTC","zone":"Europe/Berlin"}"#;
        assert!(matches!(checked("clock.now", twice, 0), Err(Fault::Bad(text)) if text.contains("given twice")));
        assert!(matches!(checked("clock.now", "[]", 0), Err(Fault::Bad(text)) if text.contains("JSON object")));
        assert!(matches!(checked("clock.now", "{}", 8), Err(Fault::Bad(text)) if text.contains("at most 8")));
        assert!(matches!(checked("door.open", "{}", 0), Err(Fault::NotOffered(text)) if text.contains("clock_now")));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ARGUMENT_BYTES));
        assert!(matches!(checked("clock.now", &long, 0), Err(Fault::Bad(text)) if text.contains("longer")));
    }

    #[test]
    fn the_same_call_again_and_again_is_refused() {
        let mut repeats = Repeats::default();
        let call = |arguments: &str| ToolCall { id: "c".into(), name: "clock.now".into(), arguments: arguments.into() };
        assert!(check(&call(r#"{"zone":"UTC"}"#), 0, &tools(), &mut repeats).is_ok());
        assert!(check(&call(r#"{ "zone" : "UTC" }"#), 0, &tools(), &mut repeats).is_ok());
        assert!(check(&call(r#"{"zone":"UTC"}"#), 0, &tools(), &mut repeats).is_err());
        assert!(check(&call("{}"), 0, &tools(), &mut repeats).is_ok());
    }

    #[test]
    fn fragments_come_in_any_order_and_are_bounded() {
        let mut collector = Collector::default();
        let piece = |index, name: Option<&str>, arguments: &str| CallFragment {
            index,
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        };
        collector.add(piece(1, Some("b"), "{\"x\""));
        collector.add(piece(0, Some("a"), "{}"));
        collector.add(piece(1, None, ":1}"));
        for index in 2..1000 {
            collector.add(piece(index, Some("c"), ""));
        }
        collector.add(piece(0, None, &"y".repeat(MAX_ARGUMENT_BYTES * 2)));
        let calls = collector.take();
        assert_eq!(calls.len(), MAX_KEPT_CALLS);
        assert_eq!(calls[0].1.len(), MAX_ARGUMENT_BYTES);
        assert_eq!(calls[1], ("b".to_owned(), "{\"x\":1}".to_owned()));
        assert!(collector.take().is_empty());
    }
}
