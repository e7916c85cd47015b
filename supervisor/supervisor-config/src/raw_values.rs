//! Values that people write in several ways: a list, a word, or a table. Each is a `oneOf` in the schema, one alternative for
//! each type of TOML.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A text, a number, or true or false.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawScalar(pub Value);

impl JsonSchema for RawScalar {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"], "x-type": "values" })
    }
}

/// Which values may stand somewhere.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawValues {
    OneOf(Vec<RawScalar>),
    Kind(RawKind),
    Table(RawValuesTable),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawKind {
    Boolean,
    ApprovedChat,
}

/// Exactly one of the first five; `after` goes with any of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawValuesTable {
    pub one_of: Option<Vec<RawScalar>>,
    pub text: Option<u32>,
    pub integer: Option<Vec<i64>>,
    pub number: Option<Vec<i64>>,
    pub is: Option<RawKind>,
    pub after: Option<String>,
    pub optional: Option<bool>,
}

impl JsonSchema for RawValues {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "values".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = RawScalar::json_schema(generator);
        let list = json_schema!({ "type": "array", "items": scalar, "examples": [["on", "off"]] });
        let kinds = json_schema!({ "type": "string", "enum": ["boolean", "approved-chat"] });
        let range = json_schema!({
            "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2, "examples": [[1, 100]],
        });
        json_schema!({
            "x-type": "values",
            "examples": [["on", "off"]],
            "oneOf": [list, kinds, {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "one_of": list,
                    "text": { "type": "integer", "minimum": 1, "maximum": 65_536, "examples": [200] },
                    "integer": range,
                    "number": range,
                    "is": kinds,
                    "after": { "type": "string", "examples": ["eq."] },
                    "optional": { "type": "boolean", "examples": [true] },
                },
            }],
        })
    }
}

/// What of an answer is passed on.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawAnswer {
    Members(Vec<String>),
    Kind(RawAnswerKind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawAnswerKind {
    Whole,
    Status,
}

impl JsonSchema for RawAnswer {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "answer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-type": "\"whole\", \"status\" or list of text",
            "examples": [["state"]],
            "oneOf": [
                { "type": "array", "items": { "type": "string" }, "examples": [["state"]] },
                { "type": "string", "enum": ["whole", "status"] },
            ],
        })
    }
}
