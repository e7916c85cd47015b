//! What a model wrote as path, query and reason, as parts of a request that can be read in one way only.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::HeaderValue;
use platform_types::egress::MAX_REASON_CHARS;

const MAX_TARGET_BYTES: usize = 4096;

/// Path and query. The path is taken as it is written; what is wrong with it is said to the model.
pub fn write(path: &str, query: &BTreeMap<String, String>) -> Result<String, String> {
    if let Some(words) = path_problem(path) {
        return Err(format!("the path {words}"));
    }
    let mut target = path.to_owned();
    for (n, (key, value)) in query.iter().enumerate() {
        target.push(if n == 0 { '?' } else { '&' });
        target.push_str(&encoded(key));
        target.push('=');
        target.push_str(&encoded(value));
    }
    if target.len() > MAX_TARGET_BYTES {
        return Err(format!("path and query are longer than {MAX_TARGET_BYTES} bytes"));
    }
    Ok(target)
}

fn path_problem(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    if !path.starts_with('/') || path.starts_with("//") {
        return Some("must begin with one \"/\"");
    }
    if path.contains(['?', '#', '\\']) {
        return Some("has no query and no fragment: give the query as `query`");
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("has characters that must be percent-encoded");
    }
    if ["%2f", "%5c", "%00", "%2e"].iter().any(|code| lower.contains(code)) {
        return Some("has an encoded separator or dot");
    }
    path.split('/').any(|segment| segment == "." || segment == "..").then_some("has dot segments")
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
        encoded
    })
}

/// A reason as a header's value.
pub fn one_line(text: &str) -> Option<HeaderValue> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_REASON_CHARS).collect();
    HeaderValue::from_bytes(line.trim().as_bytes()).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        let check = |path: &str, query: &[(&str, &str)], expect: Result<&str, &str>| {
            let query = query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            match (write(path, &query), expect) {
                (Ok(target), Ok(expect)) => assert_eq!(target, expect),
                (Err(words), Err(expect)) => assert!(words.contains(expect), "{path}: {words}"),
                (found, _) => panic!("{path}: {found:?}"),
            }
        };
        check("/api/states/light.kitchen", &[], Ok("/api/states/light.kitchen"));
        check(
            "/rest/v1/jobs",
            &[("id", "eq.7"), ("select", "a,b&c=d")],
            Ok("/rest/v1/jobs?id=eq.7&select=a%2Cb%26c%3Dd"),
        );
        check("/a%20b", &[], Ok("/a%20b"));
        check("/a...b/..c", &[], Ok("/a...b/..c"));
        check("", &[], Err("begin with"));
        check("//a", &[], Err("begin with"));
        check("/a/..", &[], Err("dot segments"));
        check("/a/%2e%2E", &[], Err("encoded"));
        check("/a%00", &[], Err("encoded"));
        check("/a\tb", &[], Err("percent-encoded"));
        check("/", &[("a", &"x".repeat(5000))], Err("longer"));
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(one_line("a\r\nx: b").unwrap().as_bytes(), b"a  x: b");
        assert_eq!(one_line(&"ü".repeat(400)).unwrap().len(), 2 * MAX_REASON_CHARS);
        assert!(one_line(" \n").is_none());
    }
}
