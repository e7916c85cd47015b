//! JSON that can be read in one way only: every key of an object occurs once, and depth is bounded.
//!
//! Two readers that disagree on which of two equal keys counts would let a text say one thing to the one who decides and
//! another to the one who acts.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads exactly one value. A key given twice in one object, and more than `depth` levels, are errors.
pub fn strict(bytes: &[u8], depth: usize) -> Result<Value, serde_json::Error> {
    strict_within(bytes, depth, usize::MAX)
}

/// [`strict`] of at most so many values, each element and each member counted: in memory a value takes many times the bytes
/// that it has in a text.
pub fn strict_within(bytes: &[u8], depth: usize, values: usize) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth, values: &Cell::new(values) }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// The same value with the keys of all objects in the order of their bytes, whatever order the map keeps.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(entries))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        scalar => scalar,
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    /// Levels that may still be opened.
    depth: usize,
    /// Values that may still come.
    values: &'a Cell<usize>,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too many levels within one another"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.values.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.values.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(inner)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_at_every_level() {
        let check = |text: &str, values: usize, fits: bool| {
            assert_eq!(strict_within(text.as_bytes(), 16, values).is_ok(), fits, "{text} of {values}");
        };
        for text in [r#"{"a":[1,{}],"b":"x"}"#, "[[],[],[],0]"] {
            check(text, 5, true);
            check(text, 4, false);
        }
        check("1", 0, false);
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let check = |text: &str, fits: bool| assert_eq!(strict(text.as_bytes(), 16).is_ok(), fits, "{text}");
        check(r#"{"a":[1,-2,0.5,null,true,"x"],"b":{"a":1}}"#, true);
        check(r#"{"a":1,"a":1}"#, false);
        check(r#"[{"b":{"a":1,"\u0061":2}}]"#, false);
        check("{} {}", false);
        check("{}\0", false);
        check("\u{feff}{}", false);
        check(r#"{"a":"\ud800"}"#, false);
        check("{\"a\":\"line\nbreak\"}", false);
        check("{'a':1}", false);
        check("{a:1}", false);
        check(r#"{"a":1,}"#, false);
        check(r#"{"a":01}"#, false);
        check(r#"{"a":+1}"#, false);
        check(r#"{"a":0x1}"#, false);
        check(r#"{"a":NaN}"#, false);
        check(r#"{"a":1e999}"#, false);
        check("/**/{}", false);
        check(&format!("{}{}", "[".repeat(16), "]".repeat(16)), true);
        check(&format!("{}{}", "[".repeat(17), "]".repeat(17)), false);
        assert!(strict(b"\"\xff\"", 16).is_err());
    }

    #[test]
    fn keys_are_written_in_one_order() {
        let value = strict(br#"{"b":{"z":1,"y":[{"d":1,"c":2}]},"a":0}"#, 16).expect("reads");
        assert_eq!(sorted(value).to_string(), r#"{"a":0,"b":{"y":[{"c":2,"d":1}],"z":1}}"#);
    }
}
