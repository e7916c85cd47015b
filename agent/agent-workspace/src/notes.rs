//! All notes: written, found, shown, edited.
//!
//! **Invariants.** The files are the truth: the index follows them before each search, so what the owner changed, added or
//! removed with an editor is found as it is. A note is never overwritten by another; before a note changes, its text as it was
//! is in the history; what a call says it did is on disk.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use agent_store::StateDir;
use agent_store::index::{Document, Hit, Index, Indexed};
use platform_types::Timestamp;

use crate::history::{History, Version};
use crate::note::{MAX_NOTE_BYTES, Note, Parts};
use crate::{Folder, Name, WorkspaceError};

/// Notes of one profile. With their histories they stay within what a snapshot copies of a workspace.
pub const MAX_NOTES: usize = 5000;
/// Notes that a search gives.
pub const MAX_HITS: usize = 8;
/// Notes that a list gives.
pub const MAX_LISTED: usize = 50;
const MARKDOWN: &str = ".md";

/// The notes of a workspace. Its files are opened with the first call.
#[derive(Debug)]
pub struct Notes {
    state: StateDir,
    index: PathBuf,
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    notes: Folder,
    history: History,
    /// Absent for a moment while it is made anew.
    index: Option<Index>,
}

/// Who changes a note, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// `bot <name>`.
    pub by: String,
    pub now: Timestamp,
    /// As `2026-11-23`, in the profile's time zone.
    pub today: String,
}

/// What changes in a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    pub title: Option<String>,
    pub add: Vec<String>,
    pub remove: Vec<String>,
    pub parts: Parts,
    /// The text of this earlier version, before anything else.
    pub restore: Option<u32>,
}

/// A note that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub name: Name,
    pub facts: usize,
    /// Number of the version that it replaced.
    pub replaced: Option<u32>,
}

/// A note, or an earlier version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub name: Name,
    pub text: String,
    /// Earlier versions, oldest first.
    pub versions: Vec<Version>,
}

impl Notes {
    pub fn new(state: &StateDir) -> Self {
        Self { state: state.clone(), index: state.index(), open: Mutex::new(None) }
    }

    /// Makes a note. Its name is made from its title, and must be free.
    pub fn write(&self, title: &str, facts: &[String], parts: Parts, hand: &Hand) -> Result<Written, WorkspaceError> {
        self.with(|open| {
            let note = Note::new(title, facts, parts, &hand.today)?;
            let name = Name::from_title(title);
            let file = name.with(MARKDOWN);
            if open.notes.stamp(&file)?.is_some() {
                return Err(WorkspaceError::Exists(name.to_string()));
            }
            if open.notes.list()?.len() >= MAX_NOTES {
                return Err(WorkspaceError::TooMany(MAX_NOTES));
            }
            open.notes.write(&file, &note.text()?)?;
            Ok(Written { name, facts: note.facts().count(), replaced: None })
        })
    }

    /// Changes a note. Its text as it was becomes an earlier version.
    pub fn edit(&self, name: &str, edit: Edit, hand: &Hand) -> Result<Written, WorkspaceError> {
        self.with(|open| {
            let name = open.find(name)?;
            let before = open.text(&name)?;
            let Edit { title, add, remove, parts, restore } = edit;
            let from = match restore {
                Some(n) => version(&open.history.read(&name)?, n)?,
                None => before.clone(),
            };
            let mut note = Note::read(&from, name.as_str());
            title.map_or(Ok(()), |title| note.set_title(&title))?;
            note.remove(&remove)?;
            note.add(&add)?;
            note.set(parts)?;
            let facts = note.facts().count();
            if restore.is_none() && note == Note::read(&before, name.as_str()) {
                return Ok(Written { name, facts, replaced: None });
            }
            note.updated.clone_from(&hand.today);
            let text = note.text()?;
            open.history.keep(&name, &before, &hand.by, hand.now)?;
            open.notes.write(&name.with(MARKDOWN), &text)?;
            let replaced = open.history.read(&name)?.last().map(|version| version.n);
            Ok(Written { name, facts, replaced })
        })
    }

    /// A note as its file is, or as it was in an earlier version.
    pub fn show(&self, name: &str, n: Option<u32>) -> Result<Shown, WorkspaceError> {
        self.with(|open| {
            let name = open.find(name)?;
            let versions = open.history.read(&name)?;
            let text = match n {
                Some(n) => version(&versions, n)?,
                None => open.text(&name)?,
            };
            Ok(Shown { name, text, versions })
        })
    }

    /// The best [`MAX_HITS`] notes for a query, with `tag` only those that have it.
    pub fn search(&self, query: &str, tag: Option<&str>) -> Result<Vec<Hit>, WorkspaceError> {
        self.with(|open| open.asked(|index| index.search(query, tag, MAX_HITS), &self.index))
    }

    /// The newest [`MAX_LISTED`] notes, and how many there are.
    pub fn list(&self, tag: Option<&str>) -> Result<(Vec<Hit>, u64), WorkspaceError> {
        self.with(|open| open.asked(|index| index.list(tag, MAX_LISTED), &self.index))
    }

    /// One call at a time.
    fn with<T>(&self, work: impl FnOnce(&mut Open) -> Result<T, WorkspaceError>) -> Result<T, WorkspaceError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match &mut *open {
            Some(open) => open,
            closed => {
                let workspace = Folder::open(&self.state.workspace())?;
                let notes = workspace.folder("notes")?;
                let history = History::new(workspace.folder("history")?);
                closed.insert(Open { notes, history, index: None })
            }
        };
        work(open)
    }
}

impl Open {
    /// The note that is meant: by its name, by its file's name, or by its title.
    fn find(&self, given: &str) -> Result<Name, WorkspaceError> {
        let bare = given.trim().trim_start_matches("[[").trim_end_matches("]]");
        let bare = bare.strip_prefix("notes/").unwrap_or(bare);
        let exact = Name::new(bare.strip_suffix(MARKDOWN).unwrap_or(bare));
        let slug = Name::from_title(bare);
        for name in exact.iter().chain([&slug]) {
            if self.notes.stamp(&name.with(MARKDOWN))?.is_some() {
                return Ok(name.clone());
            }
        }
        exact?;
        let near = "find the right name with note_search or note_list".to_owned();
        Err(WorkspaceError::NotFound { what: "note", name: given.chars().take(120).collect(), near })
    }

    fn text(&self, name: &Name) -> Result<String, WorkspaceError> {
        // The owner's own notes may be longer than those that are written here.
        let text = self.notes.read(&name.with(MARKDOWN), MAX_NOTE_BYTES)?;
        let near = "it was removed just now".to_owned();
        text.ok_or_else(|| WorkspaceError::NotFound { what: "note", name: name.to_string(), near })
    }

    /// Asks the index, once it is what the files are. An index that fails is made anew, once.
    fn asked<T>(
        &mut self,
        ask: impl Fn(&Index) -> Result<T, agent_store::StoreError>,
        path: &std::path::Path,
    ) -> Result<T, WorkspaceError> {
        let index = match self.index.take() {
            Some(index) => index,
            None => Index::open(path)?,
        };
        let (index, answer) = match self.fresh(index).and_then(|index| Ok((ask(&index)?, index))) {
            Ok((answer, index)) => (index, answer),
            Err(WorkspaceError::Index(_)) => {
                let index = self.fresh(Index::anew(path)?)?;
                let answer = ask(&index)?;
                (index, answer)
            }
            Err(other) => return Err(other),
        };
        self.index = Some(index);
        Ok(answer)
    }

    fn fresh(&self, mut index: Index) -> Result<Index, WorkspaceError> {
        let entries = self.notes.list()?;
        let named = entries.iter().filter_map(|entry| Some((entry.name.without(MARKDOWN)?, entry)));
        let files: Vec<Indexed> = named
            .take(MAX_NOTES)
            .map(|(name, entry)| Indexed { name: name.to_string(), bytes: entry.bytes, modified: entry.modified })
            .collect();
        index.sync(&files, |name| Ok::<_, WorkspaceError>(self.document(name)))?;
        Ok(index)
    }

    /// `None` for a file that is too long, cannot be read, or is gone since it was listed: everything else is found all the
    /// same, and [`Notes::show`] says what is wrong with it.
    fn document(&self, name: &str) -> Option<Document> {
        let file = Name::new(name).ok()?.with(MARKDOWN);
        let text = self.notes.read(&file, MAX_NOTE_BYTES).ok()??;
        let note = Note::read(&text, name);
        let body = note.body();
        Some(Document { title: note.title, tags: note.tags, updated: note.updated, body })
    }
}

fn version(versions: &[Version], n: u32) -> Result<String, WorkspaceError> {
    let found = versions.iter().find(|version| version.n == n);
    found.map(|version| version.text.clone()).ok_or_else(|| {
        let numbers: Vec<String> = versions.iter().map(|version| version.n.to_string()).collect();
        let near =
            if numbers.is_empty() { "none is kept".to_owned() } else { format!("kept are {}", numbers.join(", ")) };
        WorkspaceError::NotFound { what: "earlier version", name: n.to_string(), near }
    })
}
