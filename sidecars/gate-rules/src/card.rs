//! What a person reads before a decision. Nothing in it is invisible, or turns the direction of writing around.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use platform_types::text::{neutral, neutral_cut};
use serde_json::Value;

use crate::admit::Admitted;
use crate::json::{MAX_DEPTH, parse};
use crate::target::{encode, is_segment};

/// Longest value in words, in characters; the whole of it is in the request below them.
pub const MAX_VALUE_CHARS: usize = 200;
/// Stands in words for a value that the request does not have.
pub const ABSENT: &str = "(none)";

/// The exact request, without the credential: method, path with query, headers, body.
pub fn shown(admitted: &Admitted) -> String {
    let Admitted { method, path, query, headers, body, .. } = admitted;
    let mark = if query.is_empty() { "" } else { "?" };
    let mut text = format!("{method} {path}{mark}{query}");
    for (name, value) in headers {
        write!(text, "\n{name}: {value}").expect("a String takes everything");
    }
    if let Some(body) = body {
        let pretty = parse(body, MAX_DEPTH).ok().and_then(|body: Value| serde_json::to_string_pretty(&body).ok());
        let body = pretty.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        write!(text, "\n\n{body}").expect("a String takes everything");
    }
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// The words of a rule, with `{name}` replaced. A value is not looked at again, so it cannot bring in another.
pub fn fill(template: &str, values: &BTreeMap<String, String>) -> String {
    let filled = replaced(template, |name| {
        Some(values.get(name).map_or_else(|| ABSENT.to_owned(), |value| shortened(&visible(value))))
    });
    filled.unwrap_or_default()
}

/// Path and query of a fact, with `{name}` replaced and encoded. `None`: a value is missing, or could be read as more than
/// one segment.
pub fn fill_path(template: &str, values: &BTreeMap<String, String>) -> Option<String> {
    replaced(template, |name| values.get(name).filter(|value| is_segment(value)).map(|value| encode(value)))
}

/// The names in braces.
pub(crate) fn names(template: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((_, name, after)) = next(rest) {
        names.push(name);
        rest = after;
    }
    names
}

fn replaced(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, name, after)) = next(rest) {
        text.push_str(before);
        text.push_str(&value(name)?);
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn next(template: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = template.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

fn shortened(text: &str) -> String {
    neutral_cut(text, MAX_VALUE_CHARS)
}

/// Characters that are not seen, or change what is seen around them.
pub(crate) fn is_invisible(character: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = character.encode_utf8(&mut bytes);
    neutral(text) != text
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}' | '\u{e0080}'..='\u{e0fff}'
        )
}

/// The text with every invisible character written out as `\u{..}`.
fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            seen.extend(character.escape_default());
        } else {
            seen.push(character);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> BTreeMap<String, String> {
        let pairs = [
            ("entity", "lock.front_door"),
            ("evil", "x} {entity} {"),
            ("bidi", "abc\u{202e}fed\n"),
            ("up", ".."),
            ("slash", "a/b"),
            ("space", "a b?c"),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    #[test]
    fn words_are_filled_once() {
        let check = |template: &str, expect: &str| assert_eq!(fill(template, &values()), expect);
        check("Unlock {entity}", "Unlock lock.front_door");
        check("{evil}", "x} {entity} {");
        check("{bidi}", r"abc\u{202e}fed\n");
        check("{nothing} {open", "(none) {open");
        let long = BTreeMap::from([("text".to_owned(), "a".repeat(5000))]);
        assert_eq!(fill("{text}", &long).chars().count(), MAX_VALUE_CHARS + 1);
    }

    #[test]
    fn a_value_of_a_fact_stays_in_its_segment() {
        let check =
            |template: &str, expect: Option<&str>| assert_eq!(fill_path(template, &values()).as_deref(), expect);
        check("/api/states/{entity}", Some("/api/states/lock.front_door"));
        check("/a?q={space}", Some("/a?q=a%20b%3Fc"));
        check("/a/{evil}", Some("/a/x%7D%20%7Bentity%7D%20%7B"));
        for template in ["/a/{up}", "/a/{slash}", "/a/{bidi}", "/a/{nothing}"] {
            check(template, None);
        }
    }
}
