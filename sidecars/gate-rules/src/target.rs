//! The target of a request, `path?query`: read in one way only, and written in one way.
//!
//! Percent signs are decoded once. What another reader could take for a separator, a dot segment or an end of text in the
//! path is refused, encoded or not. In what is written everything is encoded except letters, digits, `-`, `.`, `_` and `~`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::card::is_invisible;

/// Longest target, in bytes.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A target, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Without the slash before each; an empty last one stands for a slash at the end.
    pub segments: Vec<String>,
    /// In the order of the request; each key once.
    pub query: Vec<(String, String)>,
}

/// Why a target is not read.
pub type Unreadable = &'static str;

pub fn parse(target: &str) -> Result<Target, Unreadable> {
    if target.len() > MAX_TARGET_BYTES {
        return Err("the path is too long");
    }
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the path has a character that is not printable ASCII");
    }
    if target.contains(['\\', '#', '"', '<', '>']) {
        return Err("the path has a backslash, a number sign, a quote or an angle bracket");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.strip_prefix('/').ok_or("the path does not begin with a slash")?;
    let raw: Vec<&str> = path.split('/').collect();
    let last = raw.len() - 1;
    let segments = raw.into_iter().enumerate().map(|(at, raw)| segment(raw, at == last));
    Ok(Target { segments: segments.collect::<Result<_, _>>()?, query: parse_query(query)? })
}

fn segment(raw: &str, last: bool) -> Result<String, Unreadable> {
    if raw.is_empty() && !last {
        return Err("the path has an empty segment");
    }
    let text = decode(raw)?;
    let slash_at_the_end = raw.is_empty() && last;
    if is_segment(&text) || slash_at_the_end {
        return Ok(text);
    }
    Err("the path has a dot segment or an encoded separator")
}

/// A text that is one segment to every reader.
pub fn is_segment(text: &str) -> bool {
    !text.is_empty() && text != "." && text != ".." && !text.contains(['/', '\\', '%']) && !text.contains(is_invisible)
}

fn parse_query(raw: &str) -> Result<Vec<(String, String)>, Unreadable> {
    let mut query: Vec<(String, String)> = Vec::new();
    if raw.is_empty() {
        return Ok(query);
    }
    for pair in raw.split('&') {
        let (key, value) = pair.split_once('=').ok_or("a part of the query is not key=value")?;
        let (key, value) = (decode(&key.replace('+', " "))?, decode(&value.replace('+', " "))?);
        if key.is_empty() || key.contains(is_invisible) || value.contains(is_invisible) {
            return Err("the query has an empty key or an invisible character");
        }
        if query.iter().any(|(known, _)| *known == key) {
            return Err("the query has a key twice");
        }
        query.push((key, value));
    }
    Ok(query)
}

/// Each `%XX` once; the result is UTF-8.
fn decode(raw: &str) -> Result<String, Unreadable> {
    const WRONG: Unreadable = "a percent sign is not followed by two hex digits";
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let [high, low, after @ ..] = after else { return Err(WRONG) };
            bytes.push(hex(*high).ok_or(WRONG)? << 4 | hex(*low).ok_or(WRONG)?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| "the path is not UTF-8 after decoding")
}

/// The value of a hex digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// `/a/b`, encoded.
pub fn write_path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    segments.into_iter().fold(String::new(), |path, segment| path + "/" + &encode(segment))
}

/// `a=1&b=2`, encoded, in the order given.
pub fn write_query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let refused = [
            "",
            "api",
            "*",
            "http://other/api",
            "//other/api",
            "/a//b",
            "/a/./b",
            "/a/../b",
            "/..",
            "/.",
            "/a/%2e%2e/b",
            "/a/%2E",
            "/a/.%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0ab",
            "/a%7f",
            "/a%25b",
            "/a%252fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/a#b",
            "/a b",
            "/ä",
            "/a%ff",
            "/a%c0%af",
            "/a%e2%80%ae",
            "/a%e2%80%8b",
            "/a%c2%85",
            "/a\tb",
            "/a\u{0}",
            "/a?b",
            "/a?b=1&b=2",
            "/a?b=1&%62=2",
            "/a?=1",
            "/a?b=1&",
            "/a?b=%00",
            "/a?b=%0a",
            "/a?b=%e2%80%ae",
            "/a?b=1#c",
            "/a?b=%ff",
            "/a?b=\\",
        ];
        for target in refused {
            assert!(parse(target).is_err(), "{target:?} was read as {:?}", parse(target));
        }
        assert!(parse(&format!("/{}", "a".repeat(MAX_TARGET_BYTES))).is_err());
    }

    #[test]
    fn what_is_read_is_written_in_one_way() {
        let check = |target: &str, expect: &str| {
            let target = parse(target).unwrap_or_else(|why| panic!("{target}: {why}"));
            let path = write_path(target.segments.iter().map(String::as_str));
            let query = write_query(target.query.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            assert_eq!(format!("{path}?{query}"), expect);
        };
        check("/", "/?");
        check("/a/", "/a/?");
        check("/api/states/light.kitchen", "/api/states/light.kitchen?");
        check("/%61pi/stat%65s", "/api/states?");
        check("/a;b=c:d", "/a%3Bb%3Dc%3Ad?");
        check("/%C3%A4", "/%C3%A4?");
        check("/a?status=in.(failed,dead)&id=eq.1", "/a?status=in.%28failed%2Cdead%29&id=eq.1");
        check("/a?q=one+two%20three%2B%26%3D%25", "/a?q=one%20two%20three%2B%26%3D%25");
        check("/a?", "/a?");
    }
}
