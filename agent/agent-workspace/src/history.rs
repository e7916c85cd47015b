//! Earlier versions of a note: one file a note, one line of JSON a version, oldest first. Bounded in number and in bytes.

use platform_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Folder, Name, WorkspaceError};

/// Earlier versions that are kept of one note.
pub const MAX_VERSIONS: usize = 20;
/// Bytes of a note's earlier versions together; the newest always stays.
pub const MAX_HISTORY_BYTES: usize = 256 * 1024;
/// What is read of a history: each byte of a version takes at most six in JSON.
const MAX_FILE_BYTES: usize = 8 * MAX_HISTORY_BYTES;

/// A note as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Counts the versions of a note from 1.
    pub n: u32,
    /// When it stopped being the newest.
    pub until: Timestamp,
    /// Whose change came after it.
    pub by: String,
    pub text: String,
}

/// The histories of all notes.
#[derive(Debug)]
pub struct History(Folder);

impl History {
    pub fn new(folder: Folder) -> Self {
        Self(folder)
    }

    /// Earlier versions, oldest first.
    pub fn read(&self, note: &Name) -> Result<Vec<Version>, WorkspaceError> {
        let text = self.0.read(&file(note), MAX_FILE_BYTES)?.unwrap_or_default();
        // A line that somebody spoilt is a version that is lost; the others are still there.
        Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Keeps `text` as the newest of the earlier versions, unless it is that already. Durable when it returns.
    pub fn keep(&self, note: &Name, text: &str, by: &str, until: Timestamp) -> Result<(), WorkspaceError> {
        let mut versions = self.read(note)?;
        if versions.last().is_some_and(|newest| newest.text == text) {
            return Ok(());
        }
        let n = versions.last().map_or(1, |newest| newest.n.saturating_add(1));
        versions.push(Version { n, until, by: by.to_owned(), text: text.to_owned() });
        let lines: Vec<String> =
            kept(&versions).iter().filter_map(|version| serde_json::to_string(version).ok()).collect();
        self.0.write(&file(note), &(lines.join("\n") + "\n"))
    }
}

/// The newest versions that may stay.
fn kept(versions: &[Version]) -> &[Version] {
    let mut bytes = 0;
    let fits = versions.iter().rev().take(MAX_VERSIONS).take_while(|version| {
        let first = bytes == 0;
        bytes += version.text.len();
        first || bytes <= MAX_HISTORY_BYTES
    });
    &versions[versions.len() - fits.count()..]
}

fn file(note: &Name) -> Name {
    note.with(".jsonl")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_versions_stay() {
        let place = tempfile::tempdir().unwrap();
        let history = History::new(Folder::open(place.path()).unwrap());
        let note = Name::new("tea").unwrap();
        for n in 0..MAX_VERSIONS + 5 {
            history.keep(&note, &format!("text {n}"), "bot learning", Timestamp(7)).unwrap();
        }
        history.keep(&note, "text 24", "bot learning", Timestamp(8)).unwrap();
        let versions = history.read(&note).unwrap();
        assert_eq!((versions.len(), versions[0].n, versions[MAX_VERSIONS - 1].n), (MAX_VERSIONS, 6, 25));
        history.keep(&note, &"x".repeat(MAX_HISTORY_BYTES + 1), "bot learning", Timestamp(9)).unwrap();
        let versions = history.read(&note).unwrap();
        assert_eq!((versions.len(), versions[0].n), (1, 26), "the newest always stays");
    }

    #[test]
    fn a_spoilt_line_costs_one_version() {
        let place = tempfile::tempdir().unwrap();
        let history = History::new(Folder::open(place.path()).unwrap());
        let note = Name::new("tea").unwrap();
        for text in ["one", "two"] {
            history.keep(&note, text, "bot learning", Timestamp(7)).unwrap();
        }
        let path = place.path().join("tea.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen('{', "", 1)).unwrap();
        let texts: Vec<String> = history.read(&note).unwrap().into_iter().map(|version| version.text).collect();
        assert_eq!(texts, ["two"]);
    }
}
