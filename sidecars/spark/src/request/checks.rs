//! What the fields of a request may hold: by kind, then messages with their parts and calls, tools, formats. Pure.

use serde_json::{Map, Value};

use super::{MAX_MESSAGES, MAX_TOOLS, at, refuse_unknown};
use crate::fields::{Kind, kind_of};
use crate::refusal::Refusal;

/// One field of the request, by its name.
pub(super) fn check_field(name: &str, value: &Value) -> Result<(), Refusal> {
    let Some(kind) = kind_of(name) else {
        return Err(at(name, "is not known"));
    };
    let expect = |good: bool, rule: &str| if good { Ok(()) } else { Err(at(name, rule)) };
    match kind {
        Kind::Messages => check_messages(value),
        Kind::Text if name == "model" => expect(value.is_string(), "is a text"),
        _ if value.is_null() => Ok(()),
        Kind::Text => expect(value.is_string(), "is a text"),
        Kind::Flag => expect(value.is_boolean(), "is true or false"),
        Kind::Number => expect(value.is_number(), "is a number"),
        Kind::One => expect(value.as_u64() == Some(1), "is 1: one answer a request"),
        Kind::TextOrTexts => expect(
            value.is_string() || value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
            "is a text or a list of texts",
        ),
        Kind::Numbers => {
            expect(value.as_object().is_some_and(|map| map.values().all(Value::is_number)), "is an object of numbers")
        }
        Kind::Tools => check_tools(value),
        Kind::ToolChoice => check_tool_choice(value),
        Kind::ResponseFormat => check_response_format(value),
        Kind::StreamOptions => check_object("stream_options", value, &["include_usage"], Value::is_boolean),
        Kind::TemplateOptions => {
            check_object("chat_template_kwargs", value, &["enable_thinking", "thinking"], Value::is_boolean)
        }
    }
}

fn check_messages(value: &Value) -> Result<(), Refusal> {
    let messages = value.as_array().ok_or_else(|| at("messages", "is a list"))?;
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(at("messages", format!("has 1 to {MAX_MESSAGES} entries")));
    }
    messages.iter().enumerate().try_for_each(|(index, message)| check_message(&format!("messages[{index}]"), message))
}

fn check_message(path: &str, message: &Value) -> Result<(), Refusal> {
    const KEYS: &[&str] =
        &["role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning", "reasoning_content"];
    let message = object(path, message)?;
    known_keys(path, message, KEYS)?;
    match message.get("role").and_then(Value::as_str) {
        Some("system" | "developer" | "user" | "assistant" | "tool") => {}
        _ => return Err(at(format!("{path}.role"), "is system, developer, user, assistant or tool")),
    }
    for key in ["name", "tool_call_id", "refusal", "reasoning", "reasoning_content"] {
        if message.get(key).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(at(format!("{path}.{key}"), "is a text"));
        }
    }
    match message.get("content") {
        None | Some(Value::Null | Value::String(_)) => {}
        Some(Value::Array(parts)) => {
            for (index, part) in parts.iter().enumerate() {
                check_part(&format!("{path}.content[{index}]"), part)?;
            }
        }
        Some(_) => return Err(at(format!("{path}.content"), "is a text or a list of parts")),
    }
    match message.get("tool_calls") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(calls)) => calls
            .iter()
            .enumerate()
            .try_for_each(|(index, call)| check_tool_call(&format!("{path}.tool_calls[{index}]"), call)),
        Some(_) => Err(at(format!("{path}.tool_calls"), "is a list")),
    }
}

fn check_part(path: &str, part: &Value) -> Result<(), Refusal> {
    let part = object(path, part)?;
    match part.get("type").and_then(Value::as_str) {
        Some("text") => {
            known_keys(path, part, &["type", "text"])?;
            text_at(path, part, "text").map(|_| ())
        }
        Some("image_url") => {
            known_keys(path, part, &["type", "image_url"])?;
            let path = format!("{path}.image_url");
            let image = object(&path, part.get("image_url").unwrap_or(&Value::Null))?;
            known_keys(&path, image, &["url", "detail"])?;
            if text_at(&path, image, "url")?.starts_with("data:") {
                return Ok(());
            }
            Err(at(format!("{path}.url"), "is a data: URL; the model box fetches no addresses"))
        }
        Some("input_audio") => {
            known_keys(path, part, &["type", "input_audio"])?;
            let path = format!("{path}.input_audio");
            let audio = object(&path, part.get("input_audio").unwrap_or(&Value::Null))?;
            known_keys(&path, audio, &["data", "format"])?;
            let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
            if text_at(&path, audio, "data")?.bytes().all(base64) {
                return text_at(&path, audio, "format").map(|_| ());
            }
            Err(at(format!("{path}.data"), "is base64"))
        }
        _ => Err(at(format!("{path}.type"), "is text, image_url or input_audio")),
    }
}

fn check_tool_call(path: &str, call: &Value) -> Result<(), Refusal> {
    let call = object(path, call)?;
    known_keys(path, call, &["id", "type", "function", "index"])?;
    let path = format!("{path}.function");
    let function = object(&path, call.get("function").unwrap_or(&Value::Null))?;
    known_keys(&path, function, &["name", "arguments"])?;
    text_at(&path, function, "name")?;
    text_at(&path, function, "arguments").map(|_| ())
}

fn check_tools(value: &Value) -> Result<(), Refusal> {
    let tools = value.as_array().ok_or_else(|| at("tools", "is a list"))?;
    if tools.len() > MAX_TOOLS {
        return Err(at("tools", format!("has at most {MAX_TOOLS} entries")));
    }
    for (index, tool) in tools.iter().enumerate() {
        let path = format!("tools[{index}]");
        let tool = object(&path, tool)?;
        known_keys(&path, tool, &["type", "function"])?;
        if tool.get("type").and_then(Value::as_str) != Some("function") {
            return Err(at(format!("{path}.type"), "is function"));
        }
        let path = format!("{path}.function");
        let function = object(&path, tool.get("function").unwrap_or(&Value::Null))?;
        known_keys(&path, function, &["name", "description", "parameters", "strict"])?;
        text_at(&path, function, "name")?;
        check_schema(&format!("{path}.parameters"), function.get("parameters").unwrap_or(&Value::Null))?;
    }
    Ok(())
}

fn check_tool_choice(value: &Value) -> Result<(), Refusal> {
    if value.is_string() {
        return Ok(());
    }
    let choice = object("tool_choice", value)?;
    known_keys("tool_choice", choice, &["type", "function"])?;
    let function = object("tool_choice.function", choice.get("function").unwrap_or(&Value::Null))?;
    known_keys("tool_choice.function", function, &["name"])?;
    text_at("tool_choice.function", function, "name").map(|_| ())
}

fn check_response_format(value: &Value) -> Result<(), Refusal> {
    let format = object("response_format", value)?;
    known_keys("response_format", format, &["type", "json_schema"])?;
    if !matches!(format.get("type").and_then(Value::as_str), Some("text" | "json_object" | "json_schema")) {
        return Err(at("response_format.type", "is text, json_object or json_schema"));
    }
    let Some(schema) = format.get("json_schema") else { return Ok(()) };
    let path = "response_format.json_schema";
    known_keys(path, object(path, schema)?, &["name", "description", "schema", "strict"])?;
    check_schema("response_format.json_schema.schema", schema.get("schema").unwrap_or(&Value::Null))
}

/// A JSON Schema refers only to itself: some servers fetch what `$ref` names.
fn check_schema(path: &str, schema: &Value) -> Result<(), Refusal> {
    match schema {
        Value::Array(items) => items.iter().try_for_each(|item| check_schema(path, item)),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| match value {
            Value::String(target) if key == "$ref" && !target.starts_with('#') => {
                Err(at(path, "has a $ref that leaves the schema; refer with #/..."))
            }
            _ => check_schema(path, value),
        }),
        _ => Ok(()),
    }
}

fn check_object(path: &str, value: &Value, keys: &[&str], good: fn(&Value) -> bool) -> Result<(), Refusal> {
    let map = object(path, value)?;
    known_keys(path, map, keys)?;
    if map.values().all(good) { Ok(()) } else { Err(at(path, "holds true or false")) }
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| at(path, "is an object"))
}

fn text_at<'a>(path: &str, map: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    map.get(key).and_then(Value::as_str).ok_or_else(|| at(format!("{path}.{key}"), "is a text"))
}

fn known_keys(path: &str, map: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    let unknown: Vec<&str> = map.keys().map(String::as_str).filter(|key| !known.contains(key)).collect();
    refuse_unknown(path, &unknown)
}
