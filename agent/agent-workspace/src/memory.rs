//! What a bot remembers: one line a fact, in a file of its own and one for all bots of the profile.
//!
//! ```text
//! # What learning remembers
//!
//! - 2026-11-23: The person learns Italian.
//! ```
//!
//! **Invariants.** The files are the truth, and people may change them. Both are bounded, and so is what of them goes into a
//! prompt: the newest first, as long as they fit. A fact is known by its id, which is made from its words.

use std::sync::{Mutex, PoisonError};

use agent_store::StateDir;
use platform_types::BotName;

use crate::name::digest;
use crate::note::{limit, one_line};
use crate::{Folder, Name, WorkspaceError};

/// Facts of one bot, and facts of all bots.
pub const MAX_FACTS: usize = 200;
/// Longest fact, in characters.
pub const MAX_FACT_CHARS: usize = 300;
/// Facts that a search gives.
pub const MAX_HITS: usize = 20;
/// Bytes of one file that are read: people may write more than bots do.
const MAX_FILE_BYTES: usize = 512 * 1024;
const SHARED: &str = "shared";

/// The memory of a profile. Its folder is opened with the first call.
#[derive(Debug)]
pub struct Memory {
    state: StateDir,
    open: Mutex<Option<Folder>>,
}

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Eight hex digits, made from the words and whose they are.
    pub id: String,
    pub text: String,
    /// When it was remembered, as `2026-11-23`; empty where nobody wrote it.
    pub date: String,
    /// All bots of the profile have it.
    pub shared: bool,
    /// It goes into the prompt of a turn.
    pub in_prompt: bool,
}

impl Memory {
    pub fn new(state: &StateDir) -> Self {
        Self { state: state.clone(), open: Mutex::new(None) }
    }

    /// What `bot` remembers, newest first: its own, and what all share. `prompt_bytes` of it go into a prompt.
    pub fn list(&self, bot: &BotName, prompt_bytes: usize) -> Result<Vec<Remembered>, WorkspaceError> {
        self.with(|folder| both(folder, bot, prompt_bytes))
    }

    /// Keeps a fact. One that is known already stays as it is.
    pub fn remember(&self, bot: &BotName, text: &str, shared: bool, today: &str) -> Result<Remembered, WorkspaceError> {
        let text = checked(text)?;
        self.with(|folder| {
            let mut facts = read(folder, bot, shared)?;
            let id = id(bot, shared, &text);
            if let Some(known) = facts.iter().find(|fact| fact.id == id) {
                return Ok(known.clone());
            }
            if facts.len() >= MAX_FACTS {
                let words = format!("{MAX_FACTS} facts are remembered, which is the most; forget one first");
                return Err(WorkspaceError::Refused(words));
            }
            let fact = Remembered { id, text, date: today.to_owned(), shared, in_prompt: true };
            facts.push(fact.clone());
            write(folder, bot, shared, &facts)?;
            Ok(fact)
        })
    }

    /// Changes the words of a fact in its place.
    pub fn edit(&self, bot: &BotName, which: &str, text: &str) -> Result<Remembered, WorkspaceError> {
        let text = checked(text)?;
        self.change(bot, which, |facts, index| {
            let fact = &mut facts[index];
            fact.id = id(bot, fact.shared, &text);
            fact.text = text;
            fact.clone()
        })
    }

    /// Forgets a fact, by its id or by its words.
    pub fn forget(&self, bot: &BotName, which: &str) -> Result<Remembered, WorkspaceError> {
        self.change(bot, which, Vec::remove)
    }

    /// Facts that have all words of the query somewhere, newest first.
    pub fn search(&self, bot: &BotName, query: &str) -> Result<Vec<Remembered>, WorkspaceError> {
        let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        let mut found = self.list(bot, 0)?;
        found.retain(|fact| {
            let text = fact.text.to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        });
        found.truncate(MAX_HITS);
        Ok(found)
    }

    fn change(
        &self,
        bot: &BotName,
        which: &str,
        work: impl FnOnce(&mut Vec<Remembered>, usize) -> Remembered,
    ) -> Result<Remembered, WorkspaceError> {
        let which = which.trim().trim_start_matches('[').trim_end_matches(']');
        self.with(|folder| {
            for shared in [false, true] {
                let mut facts = read(folder, bot, shared)?;
                let Some(index) = facts.iter().position(|fact| fact.id == which || fact.text == which) else {
                    continue;
                };
                let changed = work(&mut facts, index);
                write(folder, bot, shared, &facts)?;
                return Ok(changed);
            }
            let near = "memory_search gives the ids".to_owned();
            Err(WorkspaceError::NotFound { what: "fact", name: which.chars().take(120).collect(), near })
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Folder) -> Result<T, WorkspaceError>) -> Result<T, WorkspaceError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match &mut *open {
            Some(folder) => folder,
            closed => closed.insert(Folder::open(&self.state.workspace())?.folder("memory")?),
        };
        work(folder)
    }
}

/// What goes into a prompt, as lines with their ids, newest first; empty when nothing is remembered.
pub fn lines(facts: &[Remembered]) -> String {
    let used = facts.iter().filter(|fact| fact.in_prompt);
    used.map(|fact| format!("- [{}] {}\n", fact.id, fact.text)).collect::<Vec<_>>().concat()
}

/// Own and shared facts, newest first, with what of them goes into a prompt.
fn both(folder: &Folder, bot: &BotName, prompt_bytes: usize) -> Result<Vec<Remembered>, WorkspaceError> {
    let (mut own, mut shared) = (read(folder, bot, false)?, read(folder, bot, true)?);
    own.reverse();
    shared.reverse();
    own.extend(shared);
    // Stable: within a day, own facts stand before shared ones, the later before the earlier.
    own.sort_by(|a, b| b.date.cmp(&a.date));
    let mut left = prompt_bytes;
    for fact in &mut own {
        let bytes = fact.text.len() + fact.id.len() + "- [] \n".len();
        fact.in_prompt = bytes <= left && fact.text.chars().count() <= MAX_FACT_CHARS;
        left = if fact.in_prompt { left - bytes } else { left };
    }
    Ok(own)
}

/// The facts of a file, oldest first. Lines that are no facts are not read, and not kept when the file changes.
fn read(folder: &Folder, bot: &BotName, shared: bool) -> Result<Vec<Remembered>, WorkspaceError> {
    let text = folder.read(&file(bot, shared)?, MAX_FILE_BYTES)?.unwrap_or_default();
    let mut facts: Vec<Remembered> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("- ")) {
        let (date, text) = match line.split_once(": ").filter(|(date, _)| is_date(date)) {
            Some((date, text)) => (date.to_owned(), one_line(text)),
            None => (String::new(), one_line(line)),
        };
        let id = id(bot, shared, &text);
        if !text.is_empty() && !facts.iter().any(|fact| fact.id == id) {
            facts.push(Remembered { id, text, date, shared, in_prompt: false });
        }
    }
    Ok(facts)
}

fn write(folder: &Folder, bot: &BotName, shared: bool, facts: &[Remembered]) -> Result<(), WorkspaceError> {
    let who = if shared { "all bots remember".to_owned() } else { format!("{bot} remembers") };
    let line = |fact: &Remembered| match fact.date.as_str() {
        "" => format!("- {}\n", fact.text),
        date => format!("- {date}: {}\n", fact.text),
    };
    let lines: Vec<String> = facts.iter().map(line).collect();
    folder.write(&file(bot, shared)?, &format!("# What {who}\n\n{}", lines.concat()))
}

/// A bot's file cannot be the shared one: bots' names have no dot.
fn file(bot: &BotName, shared: bool) -> Result<Name, WorkspaceError> {
    if shared { Name::new("shared.all.md") } else { Name::new(&format!("{bot}.md")) }
}

fn checked(text: &str) -> Result<String, WorkspaceError> {
    let text = one_line(text);
    let text = text.trim_start_matches("- ").to_owned();
    if text.is_empty() {
        return Err(WorkspaceError::Refused("the fact is empty".to_owned()));
    }
    limit("the fact", text.chars().count(), "characters", MAX_FACT_CHARS)?;
    Ok(text)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn id(bot: &BotName, shared: bool, text: &str) -> String {
    let whose = if shared { SHARED } else { bot.as_str() };
    digest(&format!("{whose}\n{text}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn world() -> (tempfile::TempDir, Memory) {
        let place = tempfile::tempdir().unwrap();
        let state = StateDir::new(place.path());
        std::fs::create_dir_all(state.workspace()).unwrap();
        (place, Memory::new(&state))
    }

    fn bot(name: &str) -> BotName {
        BotName::new(name).unwrap()
    }

    fn texts(memory: &Memory, name: &str) -> Vec<String> {
        memory.list(&bot(name), 0).unwrap().into_iter().map(|fact| fact.text).collect()
    }

    #[test]
    fn a_bot_has_its_own_and_what_all_share() {
        let (_place, memory) = world();
        let (learning, home) = (bot("learning"), bot("home"));
        let first = memory.remember(&learning, "Learns\nItalian.", false, "2026-11-22").unwrap();
        assert_eq!(first.text, "Learns Italian.");
        memory.remember(&learning, "Is called Sam.", true, "2026-11-23").unwrap();
        assert_eq!(memory.remember(&learning, "- Learns Italian.", false, "2026-11-24").unwrap().date, "2026-11-22");
        assert_eq!(texts(&memory, "learning"), ["Is called Sam.", "Learns Italian."]);
        assert_eq!(texts(&memory, "home"), ["Is called Sam."]);
        assert_eq!(memory.search(&learning, "ITAL learns").unwrap().len(), 1);
        assert!(memory.forget(&home, &first.id).is_err(), "not its own");
        let edited = memory.edit(&learning, &first.id, "Learns Spanish.").unwrap();
        assert_ne!(edited.id, first.id);
        memory.forget(&learning, &format!("[{}]", edited.id)).unwrap();
        memory.forget(&home, "Is called Sam.").unwrap();
        assert!(texts(&memory, "learning").is_empty());
        let error = memory.forget(&learning, "deadbeef").unwrap_err().to_string();
        assert!(error.contains("memory_search"), "{error}");
    }

    #[test]
    fn people_may_write_the_file() {
        let (place, memory) = world();
        memory.remember(&bot("home"), "one", false, "2026-11-22").unwrap();
        let path = StateDir::new(place.path()).workspace().join("memory/home.md");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# What home remembers\n\n- 2026-11-22: one\n");
        std::fs::write(&path, "words\n- two: three\n- 2026-11-24: four\n- \n").unwrap();
        assert_eq!(texts(&memory, "home"), ["four", "two: three"]);
    }

    #[test]
    fn it_is_bounded() {
        let (_place, memory) = world();
        let home = bot("home");
        assert!(memory.remember(&home, &"x".repeat(MAX_FACT_CHARS + 1), false, "").is_err());
        assert!(memory.remember(&home, " \n", false, "").is_err());
        for n in 0..MAX_FACTS {
            memory.remember(&home, &format!("fact {n} {}", "x".repeat(200)), false, "2026-11-22").unwrap();
        }
        let error = memory.remember(&home, "one more", false, "2026-11-22").unwrap_err().to_string();
        assert!(error.contains("forget one first"), "{error}");
        let facts = memory.list(&home, 3000).unwrap();
        let prompt = lines(&facts);
        assert!(prompt.len() <= 3000 && prompt.len() > 2700);
        assert!(prompt.contains("fact 199 ") && !prompt.contains("fact 0 "), "the newest go");
    }

    proptest! {
        #[test]
        fn what_is_remembered_is_read_back(text in "\\PC{1,200}") {
            let (_place, memory) = world();
            if let Ok(fact) = memory.remember(&bot("home"), &text, false, "2026-11-22") {
                let read = memory.list(&bot("home"), 0).unwrap();
                prop_assert_eq!((&read[0].text, &read[0].id), (&fact.text, &fact.id));
                prop_assert!(memory.forget(&bot("home"), &fact.id).is_ok());
            }
        }
    }
}
