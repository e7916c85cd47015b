//! One note: front matter, then one fact per line. As text and back.
//!
//! ```text
//! ---
//! title: Green tea
//! tags: [tea, kitchen]
//! links: [matcha]
//! sources:
//!   - "https://example.org/tea"
//! created: 2026-11-23
//! updated: 2026-11-23
//! ---
//!
//! - Green tea is brewed at 70 to 80 °C.
//! ```
//!
//! A note is also what its owner made of it with an editor: keys and lines that are not of this form are kept where they
//! are.

use crate::WorkspaceError;
use crate::matter::{self, Entry, Value};

/// Longest title, in characters.
pub const MAX_TITLE_CHARS: usize = 120;
/// Tags, links and sources of one note, each.
pub const MAX_ITEMS: usize = 32;
/// Longest tag, in characters.
pub const MAX_TAG_CHARS: usize = 40;
/// Longest link or source, in characters: a URL.
pub const MAX_LINK_CHARS: usize = 500;
/// Facts of one note: more is several notes.
pub const MAX_FACTS: usize = 200;
/// Longest fact, in characters: one sentence, or two.
pub const MAX_FACT_CHARS: usize = 1000;
/// Longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

/// A note that was read, or is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    pub title: String,
    pub tags: Vec<String>,
    /// Names of other notes, or addresses.
    pub links: Vec<String>,
    /// Where the facts come from.
    pub sources: Vec<String>,
    /// Dates, as `2026-11-23`.
    pub created: String,
    pub updated: String,
    /// Other keys of the front matter.
    pub others: Vec<Entry>,
    pub lines: Vec<Line>,
}

/// A line of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Fact(String),
    /// Words of the owner: headings, paragraphs.
    Words(String),
}

/// The parts of a note as a model gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    pub tags: Option<Vec<String>>,
    pub links: Option<Vec<String>>,
    pub sources: Option<Vec<String>>,
}

impl Note {
    /// A new note of facts.
    pub fn new(title: &str, facts: &[String], parts: Parts, today: &str) -> Result<Self, WorkspaceError> {
        let mut note = Self { created: today.to_owned(), updated: today.to_owned(), ..Self::default() };
        note.set_title(title)?;
        note.set(parts)?;
        note.add(facts)?;
        Ok(note)
    }

    /// Reads a file. Without front matter, or without a title in it, `name` is the title.
    pub fn read(text: &str, name: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut note = Self::default();
        let (matter, body) = parted(text);
        for Entry { key, value } in matter::read(matter.lines()) {
            match (key.as_str(), value) {
                ("title", Value::Text(text)) => note.title = text,
                ("created", Value::Text(text)) => note.created = text,
                ("updated", Value::Text(text)) => note.updated = text,
                ("tags", value @ (Value::Text(_) | Value::List(_))) => note.tags = listed(value),
                ("links", value @ (Value::Text(_) | Value::List(_))) => note.links = listed(value),
                ("sources", value @ (Value::Text(_) | Value::List(_))) => note.sources = listed(value),
                (_, value) => note.others.push(Entry { key, value }),
            }
        }
        note.lines = body.lines().map(Line::read).collect();
        while note.lines.first().is_some_and(Line::is_empty) {
            note.lines.remove(0);
        }
        while note.lines.last().is_some_and(Line::is_empty) {
            note.lines.pop();
        }
        if note.title.is_empty() {
            note.title = note.heading().unwrap_or(name).to_owned();
        }
        note
    }

    /// The note as a file.
    pub fn text(&self) -> Result<String, WorkspaceError> {
        let Self { title, tags, links, sources, created, updated, others, lines } = self;
        let mut text = "---\n".to_owned();
        let lists = [("tags", tags), ("links", links), ("sources", sources)];
        let lists =
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key, Value::List(list.clone())));
        let dates = [("created", created), ("updated", updated)];
        let dates =
            dates.into_iter().filter(|(_, date)| !date.is_empty()).map(|(key, date)| (key, Value::Text(date.clone())));
        let named = std::iter::once(("title", Value::Text(title.clone()))).chain(lists).chain(dates);
        let named = named.map(|(key, value)| Entry { key: key.to_owned(), value });
        for entry in named.chain(others.iter().cloned()) {
            text.push_str(&matter::write(&entry));
        }
        text.push_str("---\n\n");
        for line in lines {
            text.push_str(&line.text());
            text.push('\n');
        }
        if text.len() > MAX_NOTE_BYTES {
            return Err(WorkspaceError::TooLarge {
                what: "the note",
                found: text.len(),
                unit: "bytes",
                most: MAX_NOTE_BYTES,
            });
        }
        Ok(text)
    }

    /// The lines of the body, and what links and sources say: what a search looks through.
    pub fn body(&self) -> String {
        let lines = self.lines.iter().map(Line::text);
        lines.chain(self.sources.iter().chain(&self.links).cloned()).collect::<Vec<_>>().join("\n")
    }

    pub fn facts(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(|line| match line {
            Line::Fact(fact) => Some(fact.as_str()),
            Line::Words(_) => None,
        })
    }

    pub fn set_title(&mut self, title: &str) -> Result<(), WorkspaceError> {
        let title = one_line(title);
        if title.is_empty() {
            return Err(WorkspaceError::Refused("the title is empty".to_owned()));
        }
        limit("the title", title.chars().count(), "characters", MAX_TITLE_CHARS)?;
        self.title = title;
        Ok(())
    }

    /// Replaces the lists that are given.
    pub fn set(&mut self, Parts { tags, links, sources }: Parts) -> Result<(), WorkspaceError> {
        if let Some(tags) = tags {
            let tags: Vec<String> = tags.iter().map(|tag| tag.trim().trim_start_matches('#').to_lowercase()).collect();
            self.tags = items("a tag", &tags, MAX_TAG_CHARS)?;
        }
        if let Some(links) = links {
            let plain = |link: &String| link.trim().trim_start_matches("[[").trim_end_matches("]]").to_owned();
            let links: Vec<String> = links.iter().map(plain).collect();
            self.links = items("a link", &links, MAX_LINK_CHARS)?;
        }
        if let Some(sources) = sources {
            self.sources = items("a source", &sources, MAX_LINK_CHARS)?;
        }
        Ok(())
    }

    /// Adds facts behind the last one. A fact that is there already is not added again.
    pub fn add(&mut self, facts: &[String]) -> Result<(), WorkspaceError> {
        for fact in facts.iter().map(|fact| one_fact(fact)).filter(|fact| !fact.is_empty()) {
            limit("a fact", fact.chars().count(), "characters", MAX_FACT_CHARS)?;
            if self.facts().any(|known| known == fact) {
                continue;
            }
            let last = self.lines.iter().rposition(|line| matches!(line, Line::Fact(_)));
            self.lines.insert(last.map_or(self.lines.len(), |last| last + 1), Line::Fact(fact));
        }
        limit("the note", self.facts().count(), "facts", MAX_FACTS)
    }

    /// Removes facts: each by its whole text, or by a part that only one fact has.
    pub fn remove(&mut self, facts: &[String]) -> Result<(), WorkspaceError> {
        for wanted in facts.iter().map(|fact| one_fact(fact)).filter(|fact| !fact.is_empty()) {
            let has = |line: &Line, whole: bool| match line {
                Line::Fact(fact) => {
                    if whole {
                        *fact == wanted
                    } else {
                        fact.to_lowercase().contains(&wanted.to_lowercase())
                    }
                }
                Line::Words(_) => false,
            };
            let exact = self.lines.iter().position(|line| has(line, true));
            let parts: Vec<usize> = (0..self.lines.len()).filter(|&index| has(&self.lines[index], false)).collect();
            match (exact, parts.as_slice()) {
                (Some(index), _) | (None, &[index]) => drop(self.lines.remove(index)),
                (None, []) => {
                    let words = format!("no fact of the note says {wanted:?}; give the fact as note_show gave it");
                    return Err(WorkspaceError::Refused(words));
                }
                (None, many) => {
                    let words = format!("{} facts of the note say {wanted:?}; give the whole fact", many.len());
                    return Err(WorkspaceError::Refused(words));
                }
            }
        }
        Ok(())
    }

    fn heading(&self) -> Option<&str> {
        self.lines.iter().find_map(|line| match line {
            Line::Words(words) => words.strip_prefix("# ").map(str::trim).filter(|title| !title.is_empty()),
            Line::Fact(_) => None,
        })
    }
}

impl Line {
    fn read(text: &str) -> Self {
        match text.strip_prefix("- ").map(str::trim) {
            Some(fact) if !fact.is_empty() => Self::Fact(fact.to_owned()),
            _ => Self::Words(text.trim_end().to_owned()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Words(words) if words.is_empty())
    }

    fn text(&self) -> String {
        match self {
            Self::Fact(fact) => format!("- {fact}"),
            Self::Words(words) => words.clone(),
        }
    }
}

/// The front matter and the body of a file.
fn parted(text: &str) -> (&str, &str) {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return ("", text) };
    let mut start = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return (&rest[..start], &rest[start + line.len()..]);
        }
        start += line.len();
    }
    // No end: what looks like a beginning is the text.
    ("", text)
}

/// A list, or one text with commas between its items.
fn listed(value: Value) -> Vec<String> {
    match value {
        Value::List(list) => list,
        Value::Text(text) => {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
        }
        Value::Other(_) => Vec::new(),
    }
}

fn items(what: &'static str, given: &[String], most: usize) -> Result<Vec<String>, WorkspaceError> {
    let mut found: Vec<String> = Vec::new();
    for item in given.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()) {
        limit(what, item.chars().count(), "characters", most)?;
        if !found.contains(&item) {
            found.push(item);
        }
    }
    limit("the list", found.len(), "items", MAX_ITEMS)?;
    Ok(found)
}

/// A text without line ends and other control characters.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One fact, without the marks that a model puts before it.
fn one_fact(text: &str) -> String {
    let text = one_line(text);
    let mut rest = text.as_str();
    while let Some(inner) =
        rest.strip_prefix("- ").or_else(|| rest.strip_prefix("* ")).or_else(|| rest.strip_prefix("• "))
    {
        rest = inner.trim_start();
    }
    if rest == "-" { String::new() } else { rest.to_owned() }
}

pub(crate) fn limit(what: &'static str, found: usize, unit: &'static str, most: usize) -> Result<(), WorkspaceError> {
    if found > most { Err(WorkspaceError::TooLarge { what, found, unit, most }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(|&item| item.to_owned()).collect()
    }

    fn parts() -> Parts {
        Parts {
            tags: Some(texts(&["Tea", "#kitchen", "tea"])),
            links: Some(texts(&["[[matcha]]"])),
            sources: Some(texts(&["https://example.org/tea"])),
        }
    }

    #[test]
    fn a_new_note_is_markdown() {
        let facts = texts(&["- Brew at 70 °C.", "Two\nminutes.", "", "Brew at 70 °C."]);
        let note = Note::new("Green tea: how", &facts, parts(), "2026-11-23").unwrap();
        let expect = "---\ntitle: \"Green tea: how\"\ntags: [tea, kitchen]\nlinks: [matcha]\nsources:\n  - \"https://example.org/tea\"\n\
                      created: \"2026-11-23\"\nupdated: \"2026-11-23\"\n---\n\n- Brew at 70 °C.\n- Two minutes.\n";
        assert_eq!(note.text().unwrap(), expect);
        assert_eq!(Note::read(expect, "x"), note);
    }

    #[test]
    fn what_the_owner_wrote_is_kept() {
        let text =
            "---\ntitle: Tea\nmood: calm\ndeep:\n  a: 1\n---\n\n# Tea\n\nWords of mine.\n\n- one\n- two\n\nThe end.\n";
        let mut note = Note::read(text, "tea");
        note.add(&texts(&["three"])).unwrap();
        note.remove(&texts(&["one"])).unwrap();
        let written = note.text().unwrap();
        assert_eq!(
            written,
            "---\ntitle: Tea\nmood: calm\ndeep: \"\"\n  a: 1\n---\n\n# Tea\n\nWords of mine.\n\n- two\n- three\n\nThe end.\n"
        );
        let bare = Note::read("# My heading\n\n- fact\n", "file-name");
        assert_eq!((bare.title.as_str(), bare.facts().count()), ("My heading", 1));
        assert_eq!(Note::read("just words", "file-name").title, "file-name");
        assert_eq!(Note::read("---\nno end", "n").lines.len(), 2);
    }

    #[test]
    fn facts_are_removed_when_it_is_clear_which() {
        let mut note = Note::new("Tea", &texts(&["Brew at 70 °C.", "Brew at 80 °C.", "Drink"]), parts(), "").unwrap();
        let error = |note: &mut Note, fact: &str| note.remove(&texts(&[fact])).unwrap_err().to_string();
        assert!(error(&mut note, "Brew").contains("2 facts"));
        assert!(error(&mut note, "coffee").contains("no fact"));
        note.remove(&texts(&["DRINK", "- Brew at 70 °C."])).unwrap();
        assert_eq!(note.facts().collect::<Vec<_>>(), ["Brew at 80 °C."]);
    }

    #[test]
    fn limits_are_named() {
        let check = |title: &str, facts: &[String], parts: Parts, words: &str| {
            let error = Note::new(title, facts, parts, "").and_then(|note| note.text()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check(" \n", &[], Parts::default(), "title is empty");
        check(&"x".repeat(121), &[], Parts::default(), "at most 120");
        check("x", &["y".repeat(1001)], Parts::default(), "at most 1000");
        check("x", &(0..201).map(|n| n.to_string()).collect::<Vec<_>>(), Parts::default(), "at most 200");
        let tags = Some((0..33).map(|n| n.to_string()).collect());
        check("x", &[], Parts { tags, ..Parts::default() }, "at most 32");
        check("x", &(0..100).map(|n| format!("{n}{}", "y".repeat(900))).collect::<Vec<_>>(), Parts::default(), "bytes");
    }

    proptest! {
        #[test]
        fn a_note_reads_back(
            title in "\\PC{1,60}",
            facts in prop::collection::vec(any::<String>(), 0..6),
            tags in prop::collection::vec("\\PC{1,20}", 0..4),
            sources in prop::collection::vec(any::<String>(), 0..4),
        ) {
            let parts = Parts { tags: Some(tags), links: None, sources: Some(sources) };
            if let Ok(note) = Note::new(&title, &facts, parts, "2026-11-23") {
                prop_assert_eq!(Note::read(&note.text().unwrap(), "other"), note);
            }
        }

        #[test]
        fn any_file_is_read_and_rewriting_it_settles(text in any::<String>()) {
            let first = Note::read(&text, "name").text().unwrap();
            let second = Note::read(&first, "name").text().unwrap();
            prop_assert_eq!(first, second);
        }
    }
}
