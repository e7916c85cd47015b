//! The front matter's small part of YAML: keys with one text, or with a list of texts in one line or in several.
//!
//! What people write by hand is read leniently. What is written is valid YAML, and reads back as the same values.

/// A key with its values, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    List(Vec<String>),
    /// Something else of YAML, kept as it was written.
    Other(Vec<String>),
}

/// The entries of a front matter, line by line.
pub fn read<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in lines {
        let item = line.trim_start().strip_prefix("- ").filter(|_| line.starts_with([' ', '-']));
        match (item, entries.last_mut()) {
            (Some(item), Some(Entry { value: Value::List(list), .. })) => list.push(scalar(item)),
            (Some(item), Some(Entry { value: value @ Value::Text(_), .. })) if *value == Value::Text(String::new()) => {
                *value = Value::List(vec![scalar(item)]);
            }
            _ => match line.split_once(':').filter(|(key, _)| is_key(key)) {
                Some((key, value)) => entries.push(Entry { key: key.to_owned(), value: read_value(value) }),
                None => keep(line, &mut entries),
            },
        }
    }
    entries
}

/// What is not understood stays with the key that it follows.
fn keep(line: &str, entries: &mut Vec<Entry>) {
    if line.trim().is_empty() {
        return;
    }
    match entries.last_mut() {
        Some(Entry { value: Value::Other(lines), .. }) => lines.push(line.to_owned()),
        _ => entries.push(Entry { key: String::new(), value: Value::Other(vec![line.to_owned()]) }),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

fn read_value(text: &str) -> Value {
    let text = text.trim();
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(items) => {
            Value::List(split(items).iter().map(|item| scalar(item)).filter(|item| !item.is_empty()).collect())
        }
        None => Value::Text(scalar(text)),
    }
}

/// Splits at commas that are not within quotes.
fn split(items: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quote, mut escaped) = (None, false);
    for c in items.chars() {
        match quote {
            Some(end) => {
                if c == end && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && end == '"' && !escaped;
            }
            None if c == ',' => {
                parts.push(String::new());
                continue;
            }
            // A quote within a word is an apostrophe.
            None if matches!(c, '"' | '\'') && parts.last().is_some_and(|part| part.trim().is_empty()) => {
                quote = Some(c);
            }
            None => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// One text, without its quotes.
fn scalar(text: &str) -> String {
    let text = text.trim();
    if text.starts_with('"')
        && let Ok(text) = serde_json::from_str::<String>(text)
    {
        return text;
    }
    match text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(inner) => inner.replace("''", "'"),
        None => text.to_owned(),
    }
}

/// One entry as text, with its line end.
pub fn write(Entry { key, value }: &Entry) -> String {
    match value {
        Value::Text(text) => format!("{key}: {}\n", quoted(text)),
        Value::List(list) if list.iter().all(|item| is_plain(item)) => format!("{key}: [{}]\n", list.join(", ")),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| format!("  - {}\n", quoted(item))).collect();
            format!("{key}:\n{}", items.concat())
        }
        Value::Other(lines) => lines.join("\n") + "\n",
    }
}

/// Words that mean the same to every reader of YAML without quotes.
fn is_plain(text: &str) -> bool {
    let starts = text.chars().next().is_some_and(char::is_alphabetic);
    let fine = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_' | '.' | '/');
    let is_word =
        matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n");
    starts && !is_word && !text.ends_with(' ') && text.chars().all(fine)
}

/// A text in JSON's quotes is a text in YAML, too.
fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(key: &str, value: Value) -> Entry {
        Entry { key: key.to_owned(), value }
    }

    fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|&item| item.to_owned()).collect())
    }

    #[test]
    fn what_people_write_is_read() {
        let text = "title: Tea: the 'green' one\ntags: [tea, \"a, b\", 'it''s']\nlinks:\n  - one\n- \"two\"\nempty:\nnested:\n    deep: 1\n# words\n";
        let read = read(text.lines());
        assert_eq!(read[0], entry("title", Value::Text("Tea: the 'green' one".into())));
        assert_eq!(read[1], entry("tags", list(&["tea", "a, b", "it's"])));
        assert_eq!(read[2], entry("links", list(&["one", "two"])));
        assert_eq!(read[3], entry("empty", Value::Text(String::new())));
        let written: String = read.iter().map(write).collect();
        assert!(written.contains("    deep: 1\n# words\n"), "what is not understood stays: {written}");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(text in "[^\\p{C}]{0,40}", items in prop::collection::vec("[^\\p{C}]{1,20}", 1..5)) {
            let text = text.trim().to_owned();
            let items: Vec<String> = items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
            let entries = vec![entry("a", Value::Text(text)), entry("b", Value::List(items.clone()))];
            let written: String = entries.iter().map(write).collect();
            prop_assert_eq!(read(written.lines()), entries);
        }

        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let written: String = read(text.lines()).iter().map(write).collect();
            let again: String = read(written.lines()).iter().map(write).collect();
            prop_assert_eq!(written, again, "and rewriting it changes nothing more");
        }
    }
}
