//! Values as YAML: block style, every text in double quotes, so that nothing is taken for something else.

use std::fmt::Write as _;

use serde_json::Value;

use super::file::ComposeFile;

const HEAD: &str = "\
# The topology of this installation, written by: botctl export compose
# It uses directories, volumes' owners and sockets that the supervisor makes; agents stay in standby until it activates
# them. Bring it up with: docker-compose -f FILE up -d
";

/// The file as text.
pub fn render(file: &ComposeFile) -> String {
    let mut text = HEAD.to_owned();
    // A struct of strings, numbers and maps always serialises.
    let value = serde_json::to_value(file).unwrap_or_default();
    block(&mut text, &value, 0);
    text
}

fn block(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                indent(text, depth);
                text.push_str(&plain_key(key));
                text.push(':');
                nested(text, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(text, depth);
                text.push('-');
                entry(text, item, depth);
            }
        }
        scalar => {
            indent(text, depth);
            text.push_str(&inline(scalar));
            text.push('\n');
        }
    }
}

fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) if map.is_empty() => text.push_str(" {}\n"),
        Value::Array(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Object(_) | Value::Array(_) => {
            text.push('\n');
            block(text, value, depth + 1);
        }
        scalar => {
            text.push(' ');
            text.push_str(&inline(scalar));
            text.push('\n');
        }
    }
}

/// An item of a list: a map begins on the line of its dash.
fn entry(text: &mut String, item: &Value, depth: usize) {
    if !matches!(item, Value::Object(map) if !map.is_empty()) {
        return nested(text, item, depth);
    }
    let mut lines = String::new();
    block(&mut lines, item, depth + 1);
    text.push(' ');
    text.push_str(lines.trim_start());
}

/// JSON's strings, numbers and booleans are YAML's.
fn inline(scalar: &Value) -> String {
    scalar.to_string()
}

/// Keys of words and dashes stand as they are.
fn plain_key(key: &str) -> String {
    let plain = !key.is_empty()
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&key);
    if plain { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

fn indent(text: &mut String, depth: usize) {
    let _ = write!(text, "{:1$}", "", depth * 2);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_blocks() {
        let value = json!({
            "services": {"spark": {"cmd": ["a", "b: c"], "empty": [], "none": {}, "n": 5, "ro": true,
                "mounts": [{"type": "bind", "target": "/x"}]}},
            "io.label": "no",
        });
        let mut text = String::new();
        block(&mut text, &value, 0);
        assert_eq!(
            text,
            "\"io.label\": \"no\"\n\
             services:\n  \
               spark:\n    \
                 cmd:\n      \
                   - \"a\"\n      \
                   - \"b: c\"\n    \
                 empty: []\n    \
                 mounts:\n      \
                   - target: \"/x\"\n        \
                     type: \"bind\"\n    \
                 \"n\": 5\n    \
                 none: {}\n    \
                 ro: true\n"
        );
    }
}
