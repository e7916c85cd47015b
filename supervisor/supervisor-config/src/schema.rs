//! The JSON Schema of `platform.toml`, and the list of its keys.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::raw::RawConfig;

/// A key of `platform.toml`, as the reference lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// With placeholders: `profile.<profile>.port`.
    pub path: String,
    pub kind: String,
    /// As TOML, or in words.
    pub default: String,
    pub meaning: String,
    /// As TOML.
    pub example: String,
    /// What a change does: `pushed live`, `rollout`, `replacement` or `new containers`.
    pub change: String,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
    drop_null(&mut schema);
    schema
});

/// The JSON Schema of `platform.toml`.
pub fn schema() -> Value {
    SCHEMA.clone()
}

pub(crate) fn shared() -> &'static Value {
    &SCHEMA
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut found = Vec::new();
    walk(&SCHEMA, String::new(), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
});

/// Every key, in the order of the alphabet.
pub fn keys() -> &'static [Key] {
    &KEYS
}

/// What a change of a key, or of the keys below it, does, by its path in a file (`profile.ops.port`).
pub(crate) fn change_of(path: &str) -> Option<&'static str> {
    let fits = |pattern: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), path.split('.').collect());
        pattern.len() >= path.len()
            && pattern
                .iter()
                .zip(&path)
                .all(|(pattern, step)| pattern.starts_with('<') || pattern.trim_end_matches("[]") == *step)
    };
    keys().iter().find(|key| fits(&key.path)).map(|key| key.change.as_str())
}

fn walk(node: &Value, path: String, found: &mut Vec<Key>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if node.get("x-change").is_some() {
        found.push(key(node, path));
    } else if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            walk(property, below(name), found);
        }
    } else if let Some(values) = node.get("additionalProperties").filter(|values| values.is_object()) {
        let section = path.rsplit('.').next().unwrap_or_default();
        walk(values, below(&format!("<{section}>")), found);
    } else if let Some(items) = node.get("items") {
        walk(items, format!("{path}[]"), found);
    }
}

fn key(node: &Value, path: String) -> Key {
    let text = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let default = match node.get("default") {
        Some(value) => format!("`{}`", toml_of(value)),
        None => text("x-default"),
    };
    let kind = match (node.get("minimum"), node.get("maximum")) {
        (Some(least), Some(most)) => format!("{} from {} to {}", kind(node), toml_of(least), toml_of(most)),
        _ => kind(node),
    };
    let example = node.get("examples").and_then(|examples| examples.get(0)).map(toml_of).unwrap_or_default();
    Key { path, kind, default, meaning: text("description"), example, change: text("x-change") }
}

/// The type of a node, in words.
pub(crate) fn kind(node: &Value) -> String {
    if let Some(words) = node.get("x-type").and_then(Value::as_str) {
        return words.to_owned();
    }
    if let Some(choices) = node.get("enum").and_then(Value::as_array) {
        return choices.iter().map(toml_of).collect::<Vec<_>>().join(", ");
    }
    match node.get("type").and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!("list of {}", node.get("items").map(kind).unwrap_or_default()),
        _ => match node.get("additionalProperties").filter(|values| values.is_object()) {
            Some(values) => format!("table of {}", kind(values)),
            None => "table".to_owned(),
        },
    }
}

/// A JSON value as TOML writes it inline.
pub(crate) fn toml_of(value: &Value) -> String {
    toml::Value::try_from(value).map(|value| value.to_string()).unwrap_or_default()
}

/// TOML has no null: an optional key is one that may be left out.
fn drop_null(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("enum") {
                choices.retain(|choice| !choice.is_null());
            }
            if let Some(Value::Array(choices)) = map.remove("anyOf") {
                let kept = choices.into_iter().find(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let Some(Value::Object(kept)) = kept {
                    for (key, value) in kept {
                        map.entry(key).or_insert(value);
                    }
                }
            }
            map.values_mut().for_each(drop_null);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        _ => {}
    }
}
