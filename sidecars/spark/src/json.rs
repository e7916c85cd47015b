//! JSON in which every key of an object occurs once.
//!
//! Two parsers that disagree on which of two equal keys counts would let a request say one thing here and another to
//! the model server.

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Deepest nesting of a value.
const MAX_DEPTH: usize = 127;

/// Most values of one field: ten for each message. They take some 30 MB at worst, and 4 MiB of text could hold ten times as
/// many.
const MAX_VALUES: usize = 100_000;

/// Parses a value; a repeated key is an error.
pub fn strict(text: &str) -> Result<Value, serde_json::Error> {
    platform_types::json::strict_within(text.as_bytes(), MAX_DEPTH, MAX_VALUES)
}

/// The fields of one object in their order, each value with its bytes as they came.
#[derive(Debug)]
pub struct Fields<'a>(pub Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Parses an object; a repeated key is an error.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let fields = deserializer.deserialize_map(FieldsVisitor)?;
        deserializer.end()?;
        Ok(fields)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields: Vec<(String, &'de RawValue)> = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            if fields.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            // Known fields are fewer than forty; more are refused anyway, and would make this search slow.
            if fields.len() == MAX_FIELDS {
                return Err(A::Error::custom(format_args!("more than {MAX_FIELDS} fields")));
            }
            fields.push((key, access.next_value()?));
        }
        Ok(Fields(fields))
    }
}

/// Most fields of a request.
const MAX_FIELDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_found_at_any_depth() {
        assert_eq!(strict(r#"{"a":[1,-2,0.5,null,true,"x"],"b":{"a":1}}"#).unwrap()["b"]["a"], 1);
        for text in [r#"{"a":1,"a":2}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert!(strict(text).unwrap_err().to_string().contains("given twice"), "{text}");
        }
        assert!(strict("1 2").is_err());
        assert!(strict(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_err());
        assert!(
            strict(&format!("[{}0]", "{},".repeat(MAX_VALUES))).unwrap_err().to_string().contains("too many values")
        );
    }

    #[test]
    fn fields_keep_order_and_bytes() {
        let fields = Fields::parse(br#" {"z": 1.50, "a" : {"y":1, "x":2 } } "#).unwrap();
        let seen: Vec<_> = fields.0.iter().map(|(key, raw)| (key.as_str(), raw.get())).collect();
        assert_eq!(seen, [("z", "1.50"), ("a", r#"{"y":1, "x":2 }"#)]);
        assert!(Fields::parse(b"[]").is_err());
        assert!(Fields::parse(br#"{"a":1,"a":1}"#).is_err());
    }
}
