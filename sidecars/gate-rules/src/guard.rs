//! What has to hold at an upstream before a request goes out. In doubt it does not hold.

use platform_types::egress::Holds;
use serde_json::Value;

/// Longest list that is looked at.
const MAX_ITEMS: usize = 1000;

/// Whether the fetched value is as it has to be.
pub fn holds(holds: &Holds, value: &Value) -> bool {
    match holds {
        Holds::OneOf { values } => value.as_str().is_some_and(|text| values.iter().any(|value| value == text)),
        Holds::NoneBeginsWith { prefixes } => {
            let harmless =
                |item: &Value| item.as_str().is_some_and(|text| !prefixes.iter().any(|p| text.starts_with(p)));
            value.as_array().is_some_and(|items| items.len() <= MAX_ITEMS && items.iter().all(harmless))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn in_doubt_it_does_not_hold() {
        let kinds = Holds::OneOf { values: vec!["report".to_owned()] };
        let check =
            |holds: &Holds, value: Value, expect: bool| assert_eq!(super::holds(holds, &value), expect, "{value}");
        check(&kinds, json!("report"), true);
        for value in [json!("billing"), json!(""), json!(null), json!(["report"]), json!({"report": 1})] {
            check(&kinds, value, false);
        }
        let harmless = Holds::NoneBeginsWith { prefixes: vec!["lock.".to_owned(), "cover.".to_owned()] };
        check(&harmless, json!(["light.lock", "light.b"]), true);
        check(&harmless, json!([]), true);
        for value in [json!(["light.a", "lock.b"]), json!("light.a"), json!([1]), json!([["light.a"]]), json!(null)] {
            check(&harmless, value, false);
        }
        check(&harmless, Value::Array(vec![json!("light.a"); MAX_ITEMS + 1]), false);
    }
}
