//! JSON as small models write it, made into JSON, where it is clear what was meant.
//!
//! Mended are: single quotes, keys without quotes, commas before a closing bracket, `True`, `False` and `None`, line ends in a
//! text, a code fence around it, an object within a text, and closing brackets that are missing or too many.
//!
//! **Invariants.** Nothing is guessed: a text or a number that was cut off, a missing value or comma, or quotes that could be
//! read in two ways are not mended. No text, number or key is changed. What comes out is JSON, and mending it again changes
//! nothing. It is read again by [`crate::json::read`], which refuses a key that is given twice.

use serde_json::Value;

use crate::json;

/// Longest text that is mended, in bytes: as long as arguments may be.
const MAX_BYTES: usize = 32 * 1024;
/// Closing brackets that are added, or left out, at the end.
const MAX_BRACKETS: usize = 8;

/// The object that `text` stands for, as JSON; `None` where that is not clear.
pub fn repair(text: &str) -> Option<String> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let bare = without_fence(text.trim());
    if let Ok(Value::String(inner)) = json::read(bare) {
        // An object within a text, once.
        return object(without_fence(inner.trim()));
    }
    object(bare)
}

fn object(text: &str) -> Option<String> {
    let mut reader = Reader { text, at: 0, out: String::with_capacity(text.len()), open: Vec::new(), added: 0 };
    if reader.peek() != Some('{') {
        return None;
    }
    reader.value()?;
    reader.end()?;
    Some(reader.out)
}

/// What stands between the lines of a code fence.
fn without_fence(text: &str) -> &str {
    let Some(inner) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return text };
    let inner = inner.strip_prefix("json").unwrap_or(inner);
    inner.trim()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// Closing brackets that are still to come.
    open: Vec<char>,
    /// Closing brackets that were added.
    added: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next_char(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// The next character that is no white space; it stays the next.
    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.rest().chars().next()
    }

    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            '{' => self.list('}'),
            '[' => self.list(']'),
            quote @ ('"' | '\'') => self.quoted(quote),
            '-' | '0'..='9' => self.number(),
            _ => {
                let word = match self.word()? {
                    "true" | "True" => "true",
                    "false" | "False" => "false",
                    "null" | "None" => "null",
                    _ => return None,
                };
                self.out.push_str(word);
                Some(())
            }
        }
    }

    /// An object or an array: items with commas between them, and perhaps one behind the last.
    fn list(&mut self, close: char) -> Option<()> {
        if self.open.len() >= json::MAX_DEPTH {
            return None;
        }
        self.open.push(close);
        let open = self.next_char()?;
        self.out.push(open);
        let mut first = true;
        loop {
            match self.peek()? {
                next if next == close => {
                    self.next_char();
                    break;
                }
                _ if first => {}
                _ => self.out.push(','),
            }
            first = false;
            if close == '}' {
                self.key()?;
            }
            self.value()?;
            match self.peek() {
                Some(',') => drop(self.next_char()),
                Some(next) if next == close => {}
                // The end of the text after a whole value: only brackets are missing.
                None if self.added < MAX_BRACKETS => {
                    self.added += 1;
                    break;
                }
                _ => return None,
            }
        }
        self.open.pop();
        self.out.push(close);
        Some(())
    }

    fn key(&mut self) -> Option<()> {
        if let quote @ ('"' | '\'') = self.peek()? {
            self.quoted(quote)?;
        } else {
            let word = self.word()?.to_owned();
            self.out.extend(["\"", &word, "\""]);
        }
        if self.peek()? != ':' {
            return None;
        }
        self.next_char();
        self.out.push(':');
        Some(())
    }

    /// Letters, digits and `_`, beginning with no digit.
    fn word(&mut self) -> Option<&str> {
        let start = self.at;
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let is_word = rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        self.at += length;
        is_word.then(|| &self.text[start..start + length])
    }

    /// A text. Behind its end stands what can follow a text, or it was not its end.
    fn quoted(&mut self, quote: char) -> Option<()> {
        self.next_char();
        self.out.push('"');
        loop {
            match self.next_char()? {
                end if end == quote => break,
                '\\' => self.escape()?,
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if c < ' ' => return None,
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        matches!(self.peek(), None | Some(',' | ':' | '}' | ']')).then_some(())
    }

    fn escape(&mut self) -> Option<()> {
        match self.next_char()? {
            '\'' => self.out.push('\''),
            c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
                self.out.push('\\');
                self.out.push(c);
            }
            _ => return None,
        }
        Some(())
    }

    /// A number. At the very end of the text it may have been cut off.
    fn number(&mut self) -> Option<()> {
        let rest = self.rest();
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))?;
        let number = &self.text[self.at..self.at + length];
        json::read(number).ok().filter(Value::is_number)?;
        self.out.push_str(number);
        self.at += length;
        matches!(self.peek(), None | Some(',' | '}' | ']')).then_some(())
    }

    /// Nothing follows but white space, and perhaps closing brackets that are too many.
    fn end(&mut self) -> Option<()> {
        let rest = self.text[self.at..].trim();
        let is_closing = rest.chars().all(|c| matches!(c, '}' | ']')) && rest.len() <= MAX_BRACKETS;
        (is_closing && (rest.is_empty() || self.added == 0)).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_clear_is_mended() {
        let check = |text: &str, expect: &str| assert_eq!(repair(text).as_deref(), Some(expect), "{text}");
        check(r#"{"a": 1, "b": [true, null], }"#, r#"{"a":1,"b":[true,null]}"#);
        check("{'a': 'one', 'b': 'say \"hi\"'}", r#"{"a":"one","b":"say \"hi\""}"#);
        check(r"{'a': 'it\'s'}", r#"{"a":"it's"}"#);
        check("{name: 'x', _b2: None, c: True, d: False}", r#"{"name":"x","_b2":null,"c":true,"d":false}"#);
        check("```json\n{\"a\":1}\n```", r#"{"a":1}"#);
        check("```\n{\"a\":1}```", r#"{"a":1}"#);
        check(r#"{"a":["x","y""#, r#"{"a":["x","y"]}"#);
        check(r#"{"a":{"b":1}"#, r#"{"a":{"b":1}}"#);
        check(r#"{"a":1}}"#, r#"{"a":1}"#);
        check("{\"a\":\"two\nlines\tand a tab\"}", r#"{"a":"two\nlines\tand a tab"}"#);
        check(r#""{\"a\":\"b\"}""#, r#"{"a":"b"}"#);
        check(r#"{"a":"ä😀"}"#, r#"{"a":"ä😀"}"#);
        check("{}", "{}");
    }

    #[test]
    fn what_is_not_clear_is_left() {
        for text in [
            "",
            "{",
            "hello",
            "[1]",
            "3",
            r#"{"a""#,
            r#"{"a":"#,
            r#"{"a":1,"#,
            r#"{"a":12"#,
            r#"{"a":"cut of"#,
            r#"{"a":"say "hi" to me"}"#,
            "{'a':'don't'}",
            r#"{"a" 1}"#,
            r#"{"a":1 "b":2}"#,
            r#"{"a":,"b":2}"#,
            r#"{"a":1,,"b":2}"#,
            r#"{"a":word}"#,
            r#"{"a":"C:\dir"}"#,
            r#"{"a":01}"#,
            r#"{"a":1]"#,
            r#"{"a":1} and more"#,
            r#"{"a":1}{"b":2}"#,
            r#"{"a":[1}]"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert_eq!(repair(text), None, "{text}");
        }
        assert_eq!(repair(&"{\"a\":".repeat(100_000)), None);
        assert_eq!(repair(&format!("{}1", "{\"a\":[".repeat(10))), None);
    }

    /// Values as arguments have them.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z_]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at_and_mending_settles(text in prop_oneof![any::<String>(), "[{}\\[\\]\"':,a-c0-2.e\\\\ \\nTrueNo`]{0,40}"]) {
            if let Some(mended) = repair(&text) {
                let read: Value = serde_json::from_str(&mended).unwrap();
                prop_assert!(read.is_object());
                prop_assert_eq!(repair(&mended), Some(mended));
            }
        }

        #[test]
        fn what_is_json_already_keeps_its_meaning(inner in value()) {
            let value = serde_json::json!({ "a": inner });
            let mended = repair(&value.to_string()).unwrap();
            prop_assert_eq!(serde_json::from_str::<Value>(&mended).unwrap(), value);
        }

        #[test]
        fn what_was_cut_off_is_whole_or_refused(inner in value(), cut in 0..400_usize) {
            let whole = serde_json::json!({ "a": inner });
            let text = whole.to_string();
            let cut = crate::text::prefix(&text, cut);
            if let Some(mended) = repair(cut) {
                // Only brackets were added: each text and number is one of the whole.
                let bare = |text: &str| text.trim_end_matches(['}', ']']).to_owned();
                prop_assert!(cut.starts_with(&bare(&mended)), "{cut} {mended}");
            }
        }
    }
}
