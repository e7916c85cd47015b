//! Notes as bots and their owner use them, on a real folder.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use std::path::PathBuf;

use agent_store::StateDir;
use agent_workspace::history::MAX_VERSIONS;
use agent_workspace::note::Parts;
use agent_workspace::notes::{Edit, Hand, MAX_HITS};
use agent_workspace::{Notes, WorkspaceError};
use platform_types::Timestamp;
use proptest::prelude::*;
use tempfile::TempDir;

struct World {
    directory: TempDir,
    notes: Notes,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::new(directory.path());
        std::fs::create_dir_all(state.workspace()).unwrap();
        Self { notes: Notes::new(&state), directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        StateDir::new(self.directory.path()).workspace().join("notes").join(name)
    }

    fn write(&self, title: &str, facts: &[&str]) -> Result<String, WorkspaceError> {
        self.notes.write(title, &texts(facts), Parts::default(), &hand(1)).map(|written| written.name.to_string())
    }

    fn found(&self, query: &str) -> Vec<String> {
        self.notes.search(query, None).unwrap().into_iter().map(|hit| hit.name).collect()
    }

    /// As a start of the agent does.
    fn reopen(&mut self) {
        self.notes = Notes::new(&StateDir::new(self.directory.path()));
    }
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn hand(day: i64) -> Hand {
    Hand { by: "bot learning".into(), now: Timestamp(day * 86_400_000), today: format!("2026-11-{day:02}") }
}

fn add(fact: &str) -> Edit {
    Edit { add: texts(&[fact]), ..Edit::default() }
}

#[test]
fn notes_are_written_found_shown_and_edited() {
    let world = World::new();
    assert_eq!(world.write("Grüner Tee", &["Grünteeblätter bei 70 °C brühen."]).unwrap(), "gruener-tee");
    let error = world.write("Grüner Tee!", &["anders"]).unwrap_err().to_string();
    assert!(error.contains("exists already") && error.contains("note_edit"), "{error}");
    assert_eq!(world.found("teeblätter"), ["gruener-tee"]);
    let shown = world.notes.show("Grüner Tee", None).unwrap();
    assert!(shown.text.ends_with("\n- Grünteeblätter bei 70 °C brühen.\n") && shown.versions.is_empty());
    let written = world.notes.edit("gruener-tee.md", add("Zwei Minuten ziehen lassen."), &hand(2)).unwrap();
    assert_eq!((written.facts, written.replaced), (2, Some(1)));
    assert_eq!(world.found("minuten ziehen"), ["gruener-tee"]);
    let again = world.notes.edit("gruener-tee", add("Zwei Minuten ziehen lassen."), &hand(3)).unwrap();
    assert_eq!(again.replaced, None, "nothing changed, so nothing was kept");
    let first = world.notes.show("gruener-tee", Some(1)).unwrap();
    assert_eq!(first.text, shown.text);
    assert_eq!((first.versions.len(), first.versions[0].by.as_str()), (1, "bot learning"));
    let restored = Edit { restore: Some(1), ..Edit::default() };
    assert_eq!(world.notes.edit("gruener-tee", restored, &hand(4)).unwrap().replaced, Some(2));
    assert!(world.found("minuten").is_empty());
    assert!(world.notes.show("gruener-tee", Some(2)).unwrap().text.contains("Zwei Minuten"));
    let (listed, count) = world.notes.list(None).unwrap();
    assert_eq!((listed[0].updated.as_str(), count), ("2026-11-04", 1));
}

#[test]
fn errors_say_what_to_do() {
    let world = World::new();
    let error =
        |result: Result<_, WorkspaceError>| result.map(|_: agent_workspace::notes::Shown| ()).unwrap_err().to_string();
    assert!(error(world.notes.show("nothing", None)).contains("note_search"));
    assert!(error(world.notes.show("../agent.db", None)).contains("cannot be a name"));
    assert!(error(world.notes.show("", None)).contains("cannot be a name"));
    world.write("Tea", &["one"]).unwrap();
    assert!(error(world.notes.show("tea", Some(3))).contains("none is kept"));
    world.notes.edit("tea", add("two"), &hand(2)).unwrap();
    assert!(error(world.notes.show("tea", Some(3))).contains("kept are 1"));
}

#[test]
fn the_owner_may_change_files_with_an_editor() {
    let mut world = World::new();
    world.write("Tea", &["one"]).unwrap();
    assert_eq!(world.found("one"), ["tea"]);
    std::fs::write(world.file("tea.md"), "# Tea\n\nMy own words about porcelain.\n\n- one\n").unwrap();
    std::fs::write(world.file("My pots.md"), "Three teapots of stoneware.").unwrap();
    assert_eq!(world.found("porcelain"), ["tea"]);
    assert_eq!(world.found("stoneware"), ["My pots"]);
    assert!(world.notes.show("My pots", None).unwrap().text.starts_with("Three"));
    world.notes.edit("tea", add("two"), &hand(2)).unwrap();
    let text = std::fs::read_to_string(world.file("tea.md")).unwrap();
    assert!(text.contains("My own words about porcelain.\n\n- one\n- two\n"), "{text}");
    assert!(world.notes.show("tea", Some(1)).unwrap().text.starts_with("# Tea\n\nMy own"), "as the owner left it");
    std::fs::remove_file(world.file("My pots.md")).unwrap();
    assert!(world.found("stoneware").is_empty());

    world.reopen();
    std::fs::write(
        StateDir::new(world.directory.path()).index(),
        "spoilt, and long enough to look like a database head, perhaps",
    )
    .unwrap();
    assert_eq!(world.found("porcelain"), ["tea"], "the index is made anew");
}

#[test]
fn an_index_that_is_spoilt_while_it_is_open_is_made_anew() {
    let world = World::new();
    world.write("Tea", &["porcelain"]).unwrap();
    assert_eq!(world.found("porcelain"), ["tea"]);
    let index = rusqlite::Connection::open(StateDir::new(world.directory.path()).index()).unwrap();
    index.execute_batch("DROP TABLE files").unwrap();
    drop(index);
    assert_eq!(world.found("porcelain"), ["tea"]);
}

#[test]
fn history_is_bounded_and_searches_too() {
    let world = World::new();
    world.write("Tea", &["fact 0"]).unwrap();
    for n in 1..=MAX_VERSIONS + 3 {
        world.notes.edit("tea", add(&format!("fact {n}")), &hand(2)).unwrap();
    }
    let versions = world.notes.show("tea", None).unwrap().versions;
    assert_eq!((versions.len(), versions[0].n), (MAX_VERSIONS, 4));
    for n in 0..MAX_HITS + 2 {
        world.write(&format!("Pot {n}"), &["stoneware"]).unwrap();
    }
    assert_eq!(world.found("stoneware").len(), MAX_HITS);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_outside_the_folder_is_touched(name in prop_oneof![any::<String>(), "[./a\\\\~-]{1,12}"], title in any::<String>()) {
        let world = World::new();
        std::fs::write(world.directory.path().join("current/secret.md"), "secret").unwrap();
        let before = entries(&world);
        if let Ok(shown) = world.notes.show(&name, None) {
            prop_assert!(!shown.text.contains("secret"));
        }
        let written = world.write(&title, &["fact"]);
        let edited = world.notes.edit(&name, add("x"), &hand(2));
        prop_assert_eq!(entries(&world), before, "neither {:?} nor {:?} made anything else", written, edited);
        prop_assert_eq!(std::fs::read_to_string(world.directory.path().join("current/secret.md")).unwrap(), "secret");
    }

    #[test]
    fn any_query_can_be_searched_for(query in any::<String>(), fact in any::<String>()) {
        let world = World::new();
        world.write("Tea", &[&fact]).unwrap();
        prop_assert!(world.notes.search(&query, None).is_ok());
    }
}

/// What lies beside the workspace, and in it beside notes and history.
fn entries(world: &World) -> Vec<PathBuf> {
    let current = world.directory.path().join("current");
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in [world.directory.path().to_path_buf(), current.clone(), current.join("workspace")] {
        found.extend(std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.retain(|path| !["notes", "history", "index.db"].iter().any(|name| path.ends_with(name)));
    found.sort();
    found
}
