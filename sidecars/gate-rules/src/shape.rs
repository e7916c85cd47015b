//! A value against a shape. What fits comes back as it will be written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use platform_types::egress::{Field, Shape};
use serde_json::{Map, Number, Value};

/// Whether the sender of a chat was approved.
pub type Approved<'a> = &'a dyn Fn(&str) -> bool;

/// What does not fit, without the value: where, and what would fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Such as `body.reply_markup[0]`.
    pub place: String,
    pub wanted: String,
}

/// Deepest place that is named; names of unknown fields come from the request.
const MAX_PLACE_CHARS: usize = 96;

/// A value of a body.
pub fn of_json(shape: &Shape, value: Value, place: &str, approved: Approved<'_>) -> Result<Value, Misfit> {
    let misfit = || Misfit { place: place.to_owned(), wanted: wanted(shape) };
    match (shape, value) {
        (Shape::Object { fields }, Value::Object(map)) => of_object(fields, map, place, approved).map(Value::Object),
        (Shape::List { of, max_items }, Value::Array(items)) if items.len() <= *max_items => {
            let items = items.into_iter().enumerate();
            let items = items.map(|(at, item)| of_json(of, item, &format!("{place}[{at}]"), approved));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        (shape, value) => {
            let fits = match (shape, &value) {
                (Shape::OneOf { values }, value) => is_scalar(value) && values.contains(value),
                (Shape::Text { max_chars }, Value::String(text)) => is_text(text, *max_chars),
                (Shape::Integer { min, max }, Value::Number(number)) => {
                    number.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
                }
                (Shape::Number { min, max }, Value::Number(number)) => in_range(number, *min, *max),
                (Shape::Boolean, Value::Bool(_)) => true,
                (Shape::ApprovedChat, Value::String(text)) => approved(text),
                (Shape::After { .. }, Value::String(text)) => of_text(shape, text, place, approved).is_ok(),
                (Shape::ApprovedChat, Value::Number(number)) => {
                    number.as_i64().is_some_and(|id| approved(&id.to_string()))
                }
                _ => false,
            };
            if fits { Ok(value) } else { Err(misfit()) }
        }
    }
}

/// The fields of an object, in the order of their names: those that are named, and no others.
pub fn of_object(
    fields: &BTreeMap<String, Field>,
    mut map: Map<String, Value>,
    place: &str,
    approved: Approved<'_>,
) -> Result<Map<String, Value>, Misfit> {
    let mut fitting = Map::new();
    for (name, Field { shape, required }) in fields {
        let place = below(place, name);
        match map.remove(name) {
            Some(value) => drop(fitting.insert(name.clone(), of_json(shape, value, &place, approved)?)),
            None if *required => return Err(Misfit { place, wanted: "it is missing".to_owned() }),
            None => {}
        }
    }
    match map.keys().next() {
        Some(unknown) => Err(Misfit { place: below(place, unknown), wanted: "no such field is allowed".to_owned() }),
        None => Ok(fitting),
    }
}

/// What of a text words and facts get.
pub fn worded<'a>(shape: &Shape, text: &'a str) -> &'a str {
    match shape {
        Shape::After { prefix, then } => worded(then, text.strip_prefix(prefix.as_str()).unwrap_or(text)),
        _ => text,
    }
}

/// A value of the path or the query, which is text there.
pub fn of_text(shape: &Shape, text: &str, place: &str, approved: Approved<'_>) -> Result<(), Misfit> {
    let integer = || text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    let fits = match shape {
        Shape::OneOf { values } => values.iter().any(|value| scalar(value).as_deref() == Some(text)),
        Shape::Text { max_chars } => is_text(text, *max_chars),
        Shape::Integer { min, max } => integer().is_some_and(|number| (*min..=*max).contains(&number)),
        Shape::Number { min, max } => {
            let number = serde_json::from_str::<Number>(text).ok().filter(|number| number.to_string() == text);
            number.is_some_and(|number| in_range(&number, *min, *max))
        }
        Shape::Boolean => matches!(text, "true" | "false"),
        Shape::ApprovedChat => approved(text),
        Shape::After { prefix, then } => match text.strip_prefix(prefix.as_str()) {
            Some(rest) => return of_text(then, rest, place, approved),
            None => false,
        },
        Shape::Object { .. } | Shape::List { .. } => false,
    };
    if fits { Ok(()) } else { Err(Misfit { place: place.to_owned(), wanted: wanted(shape) }) }
}

/// A scalar as text: what stands in a path or a query for it.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// No control characters other than line feed and tab.
fn is_text(text: &str, max_chars: usize) -> bool {
    text.chars().take(max_chars.saturating_add(1)).count() <= max_chars
        && !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
}

/// Exact for integers; a fraction lies between the bounds.
#[expect(
    clippy::cast_precision_loss,
    reason = "bounds are small whole numbers; a fraction is compared with their nearest"
)]
fn in_range(number: &Number, min: i64, max: i64) -> bool {
    if let Some(integer) = number.as_i64() {
        return (min..=max).contains(&integer);
    }
    number.is_f64() && number.as_f64().is_some_and(|value| value >= min as f64 && value <= max as f64)
}

/// What would fit, in words. Values of a short list are named.
fn wanted(shape: &Shape) -> String {
    match shape {
        Shape::OneOf { values } if values.len() <= 8 => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("allowed: {}", values.join(", "))
        }
        Shape::OneOf { values } => format!("allowed: {} values", values.len()),
        Shape::Text { max_chars } => {
            format!("allowed: text of at most {max_chars} characters, without control characters")
        }
        Shape::Integer { min, max } => format!("allowed: a whole number from {min} to {max}"),
        Shape::Number { min, max } => format!("allowed: a number from {min} to {max}"),
        Shape::Boolean => "allowed: true and false".to_owned(),
        Shape::Object { .. } => "allowed: an object".to_owned(),
        Shape::List { max_items, .. } => format!("allowed: a list of at most {max_items}"),
        Shape::ApprovedChat => "allowed: a chat whose sender was approved".to_owned(),
        Shape::After { prefix, then } => format!("allowed: {prefix:?} and after it, {}", wanted(then)),
    }
}

fn below(place: &str, name: &str) -> String {
    let mut below = String::from(place);
    write!(below, ".{}", platform_types::text::neutral_cut(name, 32)).expect("a String takes everything");
    platform_types::text::neutral_cut(&below, MAX_PLACE_CHARS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn approved(id: &str) -> bool {
        ["17", "-100"].contains(&id)
    }

    fn json_fits(shape: &Shape, text: &str) -> bool {
        let value = crate::json::parse(text.as_bytes(), crate::json::MAX_DEPTH).unwrap();
        of_json(shape, value, "body", &approved).is_ok()
    }

    #[test]
    fn types_are_exact() {
        let check = |shape: &Shape, fits: &[&str], misfits: &[&str]| {
            for text in fits {
                assert!(json_fits(shape, text), "{shape:?} refuses {text}");
            }
            for text in misfits {
                assert!(!json_fits(shape, text), "{shape:?} takes {text}");
            }
        };
        let one = Shape::OneOf { values: vec![json!(1), json!("on"), json!(true)] };
        check(&one, &["1", "\"on\"", "true"], &["1.0", "\"1\"", "\"true\"", "\"On\"", "\"on \"", "[1]", "null", "1e0"]);
        check(&Shape::OneOf { values: vec![] }, &[], &["null", "\"\""]);
        let integer = Shape::Integer { min: 0, max: i64::MAX };
        let big = ["1.0", "1e3", "\"1\"", "9223372036854775808", "18446744073709551616", "-1", "-0", "true", "null"];
        check(&integer, &["0", "9223372036854775807"], &big);
        let number = Shape::Number { min: 5, max: 30 };
        check(&number, &["5", "5.0", "21.5", "30", "3e1"], &["4.999", "30.0001", "\"21\"", "1e300", "null"]);
        check(&Shape::Boolean, &["true", "false"], &["1", "0", "\"true\"", "null"]);
        check(
            &Shape::Text { max_chars: 3 },
            &["\"\"", "\"äöü\"", r#""a\nb""#],
            &["\"abcd\"", r#""\u0000""#, r#""\r""#, "1"],
        );
        let chats = ["\"18\"", "18", "\"017\"", "\" 17\"", "17.0", "\"@somebody\"", "[17]", "1.7e1"];
        check(&Shape::ApprovedChat, &["\"17\"", "17", "-100"], &chats);
        let list = Shape::List { of: Box::new(Shape::Boolean), max_items: 2 };
        check(&list, &["[]", "[true,false]"], &["[true,true,true]", "[1]", "true", "{}"]);
        let fields = BTreeMap::from([
            ("a".to_owned(), Field { shape: Shape::Boolean, required: true }),
            ("b".to_owned(), Field { shape: Shape::Boolean, required: false }),
        ]);
        let misfits = ["{}", r#"{"b":true}"#, r#"{"a":true,"c":1}"#, r#"{"A":true}"#, r#"{"a":null}"#, "[]"];
        check(&Shape::Object { fields }, &[r#"{"a":true}"#, r#"{"b":true,"a":true}"#], &misfits);
    }

    #[test]
    fn text_of_a_query_is_one_spelling_of_a_value() {
        let check = |shape: &Shape, fits: &[&str], misfits: &[&str]| {
            for text in fits {
                assert!(of_text(shape, text, "query", &approved).is_ok(), "{shape:?} refuses {text}");
            }
            for text in misfits {
                assert!(of_text(shape, text, "query", &approved).is_err(), "{shape:?} takes {text}");
            }
        };
        let misfits = ["", "+1", "01", "-0", "1.0", " 1", "1 ", "101", "0", "0x1", "१"];
        check(&Shape::Integer { min: 1, max: 100 }, &["1", "100"], &misfits);
        check(&Shape::Number { min: 0, max: 2 }, &["1", "1.5"], &["1.50", "+1", "1e0", "NaN", "inf", "", "01"]);
        check(&Shape::OneOf { values: vec![json!("eq.1"), json!(10)] }, &["eq.1", "10"], &["eq.2", "eq.1 ", "10.0"]);
        check(&Shape::Boolean, &["true"], &["True", "1"]);
        let after = Shape::After { prefix: "eq.".to_owned(), then: Box::new(Shape::Integer { min: 1, max: 9 }) };
        check(
            &after,
            &["eq.7"],
            &["7", "eq.", "eq.0", "neq.7", "eq.eq.7", "EQ.7", "gt.7", "in.(7)", "eq.7,8", " eq.7"],
        );
        assert!(json_fits(&after, "\"eq.7\"") && !json_fits(&after, "7") && !json_fits(&after, "\"7\""));
        assert_eq!((worded(&after, "eq.7"), worded(&Shape::Boolean, "true")), ("7", "true"));
        check(&Shape::ApprovedChat, &["17"], &["018"]);
        check(&Shape::List { of: Box::new(Shape::Boolean), max_items: 1 }, &[], &["true", "[true]"]);
    }

    #[test]
    fn a_misfit_says_where_and_what_would_fit_and_not_what_was_there() {
        let fields = BTreeMap::from([(
            "state".to_owned(),
            Field { shape: Shape::OneOf { values: vec![json!("on")] }, required: true },
        )]);
        let check = |text: &str, place: &str, wanted: &str| {
            let Value::Object(map) = crate::json::parse(text.as_bytes(), 9).unwrap() else { panic!("an object") };
            let misfit = of_object(&fields, map, "body", &approved).unwrap_err();
            assert_eq!((misfit.place.as_str(), misfit.wanted.as_str()), (place, wanted));
        };
        check(r#"{"state":"hunter2"}"#, "body.state", "allowed: \"on\"");
        check("{}", "body.state", "it is missing");
        check(r#"{"state":"on","x\u001b[2J":1}"#, r"body.x\u{1b}[2J", "no such field is allowed");
    }
}
