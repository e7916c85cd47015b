//! The text as TOML, with positions.

use core::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::finding::{Finding, Severity};
use crate::path::{KeyPath, Step};
use crate::report::neutral;

/// Longest text that is read. A configuration with every key and many profiles stays under a tenth of it.
pub(crate) const MAX_TEXT_BYTES: usize = 256 * 1024;
/// Syntax errors that are reported, one a line: one early in a file makes many later ones.
const MAX_SYNTAX_ERRORS: usize = 10;

/// A parsed file.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    text: &'t str,
    top: DeTable<'t>,
}

impl<'t> Document<'t> {
    /// Parses; where the text is not TOML, says every place where it is not.
    pub fn parse(text: &'t str) -> Result<Self, Vec<Finding>> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(vec![too_long()]);
        }
        let (top, errors) = DeTable::parse_recoverable(text);
        if errors.is_empty() {
            return Ok(Self { text, top: top.into_inner() });
        }
        let mut findings: Vec<Finding> = errors.iter().map(|error| syntax_error(text, error)).collect();
        findings.sort_by_key(|finding| (finding.line, finding.column));
        findings.dedup_by_key(|finding| finding.line);
        findings.truncate(MAX_SYNTAX_ERRORS);
        Err(findings)
    }

    pub fn top(&self) -> &DeTable<'t> {
        &self.top
    }

    /// Line and column of the value at a path, of its key where it is a table, or of the nearest table above it.
    pub fn place(&self, path: &KeyPath) -> (u32, u32) {
        let mut place = 0..0;
        let mut table = Some(&self.top);
        let mut array = None;
        for step in path.steps() {
            let found = match step {
                Step::Key(key) => table
                    .and_then(|table| table.get_key_value(key.as_str()))
                    .map(|(key, value)| (span_of(key.span(), value), value.get_ref())),
                Step::Index(index) => array
                    .and_then(|array: &toml::de::DeArray<'t>| array.get(*index))
                    .map(|value| (value.span(), value.get_ref())),
            };
            let Some((span, value)) = found else { break };
            place = span;
            table = value.as_table();
            array = value.as_array();
        }
        position(self.text, place.start)
    }

    pub fn contains(&self, path: &KeyPath) -> bool {
        let mut value = None;
        for step in path.steps() {
            let (Step::Key(key), Some(table)) = (step, value.map_or(Some(&self.top), DeValue::as_table)) else {
                return false;
            };
            match table.get(key.as_str()) {
                Some(found) => value = Some(found.get_ref()),
                None => return false,
            }
        }
        true
    }
}

fn span_of(key: Range<usize>, value: &toml::Spanned<DeValue<'_>>) -> Range<usize> {
    if value.get_ref().is_table() { key } else { value.span() }
}

/// The parser's words, and what to do about the mistakes that people make most.
fn syntax_error(text: &str, error: &toml::de::Error) -> Finding {
    let span = error.span().unwrap_or(text.len()..text.len());
    let (line, column) = position(text, span.start);
    let (message, remedy) = match error.message() {
        message if message.starts_with("string values must be quoted") => {
            ("text stands here without quotes".to_owned(), "Put the text in quotes.")
        }
        "duplicate key" => {
            let key = text.get(span).unwrap_or_default();
            (format!("{key} is defined already"), "Keep one of the two.")
        }
        message => (message.to_owned(), "Correct the line; keys and values are checked once the file is TOML."),
    };
    Finding {
        severity: Severity::Error,
        line,
        column,
        key: String::new(),
        message: neutral(&format!("this is not TOML: {message}")),
        remedy: remedy.to_owned(),
    }
}

fn too_long() -> Finding {
    Finding {
        severity: Severity::Error,
        line: 1,
        column: 1,
        key: String::new(),
        message: format!("the file is longer than {} KiB", MAX_TEXT_BYTES / 1024),
        remedy: "Keep only the platform's configuration in it; instructions belong into bots/*.md.".to_owned(),
    }
}

/// Line and column of a byte offset, from 1; columns count characters.
fn position(text: &str, offset: usize) -> (u32, u32) {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let before = String::from_utf8_lossy(before);
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    (u32::try_from(line + 1).unwrap_or(u32::MAX), u32::try_from(column + 1).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a = 1\n\n[\"ü\".\"b c\"]\n  list = [1,\n 2]\ninline = { x = 1 }\n";

    #[test]
    fn places() {
        let document = Document::parse(TEXT).unwrap();
        let check = |path: KeyPath, expect| assert_eq!(document.place(&path), expect, "{path}");
        check(KeyPath::top(), (1, 1));
        check(KeyPath::of(["a"]), (1, 5));
        check(KeyPath::of(["ü"]), (3, 2));
        check(KeyPath::of(["ü", "b c"]), (3, 6));
        check(KeyPath::of(["ü", "b c", "list"]), (4, 10));
        check(KeyPath::of(["ü", "b c", "list"]).index(1), (5, 2));
        check(KeyPath::of(["ü", "b c", "list"]).index(7), (4, 10));
        check(KeyPath::of(["ü", "b c", "inline", "x"]), (6, 16));
        check(KeyPath::of(["ü", "b c", "missing"]), (3, 6));
        check(KeyPath::of(["a", "below", "a", "number"]), (1, 5));
    }

    #[test]
    fn contents() {
        let document = Document::parse(TEXT).unwrap();
        assert!(document.contains(&KeyPath::of(["ü", "b c"])));
        assert!(!document.contains(&KeyPath::of(["ü", "b"])));
        assert!(!document.contains(&KeyPath::of(["a", "b"])));
    }
}
