//! Lists as small models write them: a list of texts, or one text with its items in lines.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

/// Texts, one a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(pub Vec<String>);

/// Words, with commas or line ends between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a list of texts")]
enum Given {
    List(Vec<String>),
    Text(String),
    None(()),
}

impl Given {
    fn split(self, at: &[char]) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::Text(text) => {
                text.split(at).map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            }
            Self::None(()) => Vec::new(),
        }
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Given::deserialize(deserializer)?.split(&['\n'])))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Given::deserialize(deserializer)?.split(&['\n', ','])))
    }
}

impl JsonSchema for Lines {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Lines".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<String>::json_schema(generator)
    }
}

impl JsonSchema for Tags {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tags".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<String>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_texts_are_lists() {
        let lines =
            |text: &str| serde_json::from_str::<Lines>(text).map(|lines| lines.0).map_err(|error| error.to_string());
        assert_eq!(lines(r#"["a, b","c"]"#).unwrap(), ["a, b", "c"]);
        assert_eq!(lines(r#""a, b\n\nc""#).unwrap(), ["a, b", "c"]);
        assert!(lines("null").unwrap().is_empty());
        assert!(lines("3").unwrap_err().contains("expected a list of texts"));
        assert_eq!(serde_json::from_str::<Tags>(r#""a, b""#).unwrap().0, ["a", "b"]);
    }
}
