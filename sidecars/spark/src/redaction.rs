//! Takes the box's key out of what the box says, before anybody else sees or stores it.
//!
//! Only faults come through here: what is quoted, what goes into the log, error events on their way to a client. The key is
//! read from its file each time, so the one in force counts; words of an answer are never looked at.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;
use platform_kit::Secret;
use platform_kit::secret;
use serde_json::Value;

/// What stands where the key stood.
const MARK: &str = "[key]";

/// Where the key lies; none: there is nothing to take out.
#[derive(Debug, Clone, Default)]
pub struct Redaction(Option<Arc<Path>>);

impl Redaction {
    /// `file` holds the key.
    pub fn of(file: Option<&Path>) -> Self {
        Self(file.map(Arc::from))
    }

    /// A key that cannot be read was not sent either.
    fn key(&self) -> Option<Secret<String>> {
        secret::read(self.0.as_deref()?).ok()
    }

    /// A line of text without the key.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.key() {
            Some(key) if text.contains(key.expose().as_str()) => text.replace(key.expose().as_str(), MARK).into(),
            _ => text.into(),
        }
    }

    /// A body without the key. In JSON it is found however it is escaped, and the body is written anew; a body without the
    /// key stays as it came, byte for byte.
    pub fn body<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(key) = self.key() else { return body.into() };
        let key = key.expose().as_str();
        let is_plain = contains(body, key);
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(mut value) => {
                let is_inside = clear(&mut value, key);
                (is_inside || is_plain).then(|| value.to_string())
            }
            Err(_) => is_plain.then(|| String::from_utf8_lossy(body).into_owned()),
        };
        let Some(text) = text else { return body.into() };
        text.replace(key, MARK).into_bytes().into()
    }

    /// A whole event of a stream, whose data is `data`, without the key; `None`: it is not in there.
    pub fn event(&self, event: &[u8], data: &[u8]) -> Option<Bytes> {
        let cleared = self.body(data);
        let is_elsewhere = self.key().is_some_and(|key| contains(event, key.expose()));
        if matches!(cleared, Cow::Borrowed(_)) && !is_elsewhere {
            return None;
        }
        let (event, cleared) = (String::from_utf8_lossy(event), String::from_utf8_lossy(&cleared));
        let others = event.lines().filter(|line| !line.is_empty() && !line.starts_with("data"));
        let others = others.map(|line| format!("{}\n", self.text(line)));
        let data = cleared.split('\n').map(|line| format!("data: {line}\n"));
        Some(others.chain(data).chain(["\n".to_owned()]).collect::<String>().into())
    }
}

fn contains(text: &[u8], key: &str) -> bool {
    memmem::find(text, key.as_bytes()).is_some()
}

/// Takes the key out of every text and name in a value; whether there was one.
fn clear(value: &mut Value, key: &str) -> bool {
    match value {
        Value::String(text) if text.contains(key) => {
            *text = text.replace(key, MARK);
            true
        }
        Value::Array(values) => values.iter_mut().map(|value| usize::from(clear(value, key))).sum::<usize>() > 0,
        Value::Object(fields) => {
            let named = fields.keys().any(|name| name.contains(key));
            if named {
                *fields =
                    std::mem::take(fields).into_iter().map(|(name, value)| (name.replace(key, MARK), value)).collect();
            }
            fields.values_mut().map(|value| usize::from(clear(value, key))).sum::<usize>() > 0 || named
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &str = "sk/box-1";

    fn with_key(check: impl FnOnce(&Redaction)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spark-key");
        std::fs::write(&path, KEY).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        check(&Redaction::of(Some(&path)));
    }

    #[test]
    fn the_key_goes_however_it_is_written() {
        with_key(|redaction| {
            let check = |body: &str, expect: &str| {
                assert_eq!(String::from_utf8_lossy(&redaction.body(body.as_bytes())), expect, "{body}");
            };
            check("<p>sk/box-1 sk/box-1</p>", "<p>[key] [key]</p>");
            check(r#"{"error":"bad sk/box-1"}"#, r#"{"error":"bad [key]"}"#);
            check(r#"{"error":{"message":["bad sk\/box-1"]}}"#, r#"{"error":{"message":["bad [key]"]}}"#);
            check(r#"{"\u0073k/box-1":1}"#, r#"{"[key]":1}"#);
            check(r#"{ "error" : "box-1" }"#, r#"{ "error" : "box-1" }"#);
            assert_eq!(redaction.text("--api-key sk/box-1"), "--api-key [key]");
        });
    }

    #[test]
    fn an_event_without_the_key_stays_as_it_is() {
        with_key(|redaction| {
            let event = |event: &str, data: &str| redaction.event(event.as_bytes(), data.as_bytes());
            assert_eq!(event("data: {\"error\": 1}\r\n\r\n", "{\"error\": 1}"), None);
            assert_eq!(
                event("event: error\r\ndata: {\"error\": \"sk\\/box-1\"}\r\n\r\n", "{\"error\": \"sk\\/box-1\"}")
                    .unwrap(),
                "event: error\ndata: {\"error\":\"[key]\"}\n\n"
            );
            assert_eq!(
                event(": sk/box-1\ndata: {\"error\":\ndata: 1}\n\n", "{\"error\":\n1}").unwrap(),
                ": [key]\ndata: {\"error\":\ndata: 1}\n\n"
            );
        });
    }

    #[test]
    fn without_a_key_nothing_changes() {
        assert_eq!(Redaction::default().text(KEY), KEY);
        let missing = Redaction::of(Some(Path::new("/nowhere/spark-key")));
        assert_eq!(&*missing.body(KEY.as_bytes()), KEY.as_bytes());
    }
}
