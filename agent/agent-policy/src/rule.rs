//! Whether one rule matches one call.
//!
//! In doubt the stricter side wins. `when` of an `allow` rule matches only values that are exactly those listed, types
//! included. `when` of an `ask` or `deny` rule matches unless the argument is there and is surely another: a missing
//! argument, a value of another type, a list or an object match. So a model cannot step around a rule by writing `"1"`,
//! `1.0` or nothing at all where `1` is denied.

use std::cmp::Ordering;

use platform_types::agent::{Effect, PolicyRule};
use serde_json::Value;

use crate::Call;

/// Whether `rule` is about `call`.
pub(crate) fn matches(rule: &PolicyRule, call: &Call<'_>) -> bool {
    rule.bot.as_ref().is_none_or(|bot| bot == call.bot)
        && rule.session.is_none_or(|session| session == call.session)
        && names(&rule.tool, call.tool)
        && rule.when.iter().all(|(argument, values)| {
            let given = call.arguments.get(argument);
            match rule.effect {
                Effect::Allow => given.is_some_and(|given| values.contains(given)),
                Effect::Ask | Effect::Deny => !given.is_some_and(|given| is_surely_another(given, values)),
            }
        })
}

/// `*`, `area.*`, or the very name.
fn names(pattern: &str, tool: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(area) => area.ends_with('.') && tool.starts_with(area),
        None => pattern == tool,
    }
}

/// A scalar of a listed type that is none of the listed values.
fn is_surely_another(given: &Value, values: &[Value]) -> bool {
    let mut comparable = values.iter().filter_map(|value| is_same(given, value)).peekable();
    comparable.peek().is_some() && comparable.all(|same| !same)
}

/// `None` where two values cannot be compared.
fn is_same(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Null, Value::Null) => Some(true),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::String(a), Value::String(b)) => Some(a == b),
        // 1 and 1.0 are one number to a tool that takes fractions.
        (Value::Number(a), Value::Number(b)) => Some(a.as_f64()?.partial_cmp(&b.as_f64()?)? == Ordering::Equal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use agent_core::prompt::Risk;
    use platform_types::BotName;
    use platform_types::agent::SessionKind;
    use serde_json::json;

    use super::*;

    fn rule(effect: Effect, tool: &str, when: Value) -> PolicyRule {
        let when = serde_json::from_value(when).unwrap();
        PolicyRule { effect, bot: None, session: None, tool: tool.into(), when, why: None }
    }

    fn is_match(rule: &PolicyRule, tool: &str, arguments: &Value) -> bool {
        let bot = BotName::new("home").unwrap();
        let session = SessionKind::Chat;
        matches(
            rule,
            &Call { bot: &bot, session, tool, risk: Some(Risk::Change), inside: false, offered: true, arguments },
        )
    }

    #[test]
    fn patterns() {
        let check = |pattern: &str, tool: &str, expect| {
            assert_eq!(
                is_match(&rule(Effect::Allow, pattern, json!({})), tool, &json!({})),
                expect,
                "{pattern} {tool}"
            );
        };
        check("*", "clock.now", true);
        check("clock.*", "clock.now", true);
        check("clock.*", "clocks.now", false);
        check("clock.*", "clock", false);
        check("clock.now", "clock.now", true);
        check("clock.now", "clock.now2", false);
        check("clock*", "clock.now", false);
    }

    #[test]
    fn values_are_exact_for_allow_and_wide_for_the_rest() {
        let check = |listed: Value, arguments: Value, allow, deny| {
            let when = json!({"level": listed});
            let found = |effect| is_match(&rule(effect, "*", when.clone()), "home.set", &arguments);
            assert_eq!((found(Effect::Allow), found(Effect::Deny)), (allow, deny), "{when} {arguments}");
            assert_eq!(found(Effect::Ask), deny);
        };
        check(json!([1]), json!({"level": 1}), true, true);
        check(json!([1]), json!({"level": 2}), false, false);
        check(json!([1]), json!({"level": 1.0}), false, true);
        check(json!([1]), json!({"level": "1"}), false, true);
        check(json!([1, "1"]), json!({"level": "2"}), false, false);
        check(json!([1]), json!({"level": null}), false, true);
        check(json!([1]), json!({}), false, true);
        check(json!([1]), json!({"Level": 1}), false, true);
        check(json!(["a"]), json!({"level": ["a"]}), false, true);
        check(json!([["a"]]), json!({"level": ["a"]}), true, true);
        check(json!([["a"]]), json!({"level": ["b"]}), false, true);
        check(json!([true]), json!({"level": false}), false, false);
        check(json!([]), json!({"level": 1}), false, true);
        check(json!([9_007_199_254_740_993_u64]), json!({"level": 9_007_199_254_740_992_u64}), false, true);
    }
}
