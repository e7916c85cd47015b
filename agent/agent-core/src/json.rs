//! JSON that can be read in one way only: what is decided about a text is what everybody else reads in it.

use platform_types::json::{sorted, strict};
use serde_json::Value;

/// Lists and objects within one another.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON value. A key given twice in one object, and more than [`MAX_DEPTH`] levels, are errors.
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
    strict(text.as_bytes(), MAX_DEPTH)
}

/// The one text of a value: no white space, keys in order, at every level.
pub fn canonical(value: &Value) -> String {
    sorted(value.clone()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_way_to_read_it() {
        let check = |text: &str, expect: Result<&str, &str>| match (read(text), expect) {
            (Ok(value), Ok(canonical_text)) => assert_eq!(canonical(&value), canonical_text),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        };
        check(r#" { "b" : [1, 1.0, "1", null, true], "a" : {} } "#, Ok(r#"{"a":{},"b":[1,1.0,"1",null,true]}"#));
        check(r#"{"a":1,"a":1}"#, Err("given twice"));
        check(r#"{"a":1,"\u0061":2}"#, Err("given twice"));
        check(r#"[{"x":{"a":1,"b":2,"a":3}}]"#, Err("given twice"));
        check("{} {}", Err("trailing"));
        check("{\"a\":1e999}", Err("out of range"));
        check(
            &format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)),
            Ok(&format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH))),
        );
        check(&format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1)), Err("levels"));
        check(&"[".repeat(100_000), Err("levels"));
        check(&"{\"a\":".repeat(100_000), Err("levels"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads(text in "[\\[\\]{}:,\"a-c0-2.e\\\\u ]{0,24}") {
            if let Ok(value) = read(&text) {
                prop_assert_eq!(&value, &serde_json::from_str::<Value>(&text).unwrap());
                prop_assert_eq!(&value, &read(&canonical(&value)).unwrap());
            }
        }
    }
}
