//! The index: found wherever it stands, any query, and never wiser than the files.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use std::collections::BTreeMap;

use agent_store::StoreError;
use agent_store::index::{Document, Index, Indexed};
use proptest::prelude::*;
use tempfile::TempDir;

/// Files of which an index is kept.
struct World {
    directory: TempDir,
    files: BTreeMap<String, (i64, Document)>,
}

impl World {
    fn new() -> Self {
        let mut world = Self { directory: tempfile::tempdir().unwrap(), files: BTreeMap::new() };
        world.put("tee", 1, ("Grüner Tee", &["küche", "tee"]), "- Grünteeblätter brühen.\n- Öl gehört nicht hinein.");
        world.put("rust", 1, ("Rust ownership", &["rust"]), "- A value has one owner.\n- 100% safe_code \\ fine");
        world.put("garden", 1, ("Garten", &[]), "- Der Apfelbaum trägt im Oktober.\n- Tee aus Apfelschalen.");
        world
    }

    fn put(&mut self, name: &str, modified: i64, (title, tags): (&str, &[&str]), body: &str) {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        let document =
            Document { title: title.into(), tags, updated: format!("2026-11-{modified:02}"), body: body.into() };
        self.files.insert(name.to_owned(), (modified, document));
    }

    fn index(&self) -> Index {
        let mut index = Index::open(&self.directory.path().join("index.db")).unwrap();
        self.sync(&mut index);
        index
    }

    fn sync(&self, index: &mut Index) -> usize {
        let files: Vec<Indexed> = self
            .files
            .iter()
            .map(|(name, (modified, document))| Indexed {
                name: name.clone(),
                bytes: document.body.len() as u64,
                modified: *modified,
            })
            .collect();
        let mut read = 0;
        index
            .sync(&files, |name| {
                read += 1;
                Ok::<_, StoreError>(self.files.get(name).map(|(_, document)| document.clone()))
            })
            .unwrap();
        read
    }
}

fn names(index: &Index, query: &str) -> Vec<String> {
    index.search(query, None, 10).unwrap().into_iter().map(|hit| hit.name).collect()
}

#[test]
fn words_are_found_wherever_they_stand() {
    let index = World::new().index();
    let check = |query: &str, expect: &[&str]| assert_eq!(names(&index, query), expect, "{query}");
    check("teeblätt", &["tee"]);
    check("TEEBLATT", &["tee"]);
    check("gruner", &["tee"]);
    check("Baum", &["garden"]);
    check("owner value", &["rust"]);
    check("Tee", &["tee", "garden"]);
    check("apfel nirgends", &["garden"]);
    check("öl", &["tee"]);
    check("ÖL", &["tee"]);
    check("Öl Grünteeblätter", &["tee"]);
    check("0%", &["rust"]);
    check("e_", &["rust"]);
    check("x_", &[]);
    check("nirgends", &[]);
    check("  ", &[]);
    check("\"tee\" AND (", &["tee", "garden"]);
}

#[test]
fn hits_say_what_was_meant() {
    let index = World::new().index();
    let hits = index.search("apfelschalen", None, 10).unwrap();
    assert_eq!(hits[0].lines, ["Tee aus Apfelschalen."]);
    let hits = index.search("Tee", Some("küche"), 10).unwrap();
    assert_eq!((hits.len(), hits[0].title.as_str(), hits[0].tags.len()), (1, "Grüner Tee", 2));
    let (listed, count) = index.list(None, 2).unwrap();
    assert_eq!((listed.len(), count), (2, 3));
    assert_eq!(index.list(Some("rust"), 9).unwrap().1, 1);
}

#[test]
fn only_what_changed_is_read_again() {
    let mut world = World::new();
    let mut index = world.index();
    assert_eq!(world.sync(&mut index), 0);
    world.put("tee", 2, ("Matcha", &[]), "- fein gemahlen");
    world.files.remove("garden");
    assert_eq!(world.sync(&mut index), 1);
    assert_eq!(names(&index, "Matcha"), ["tee"]);
    assert!(names(&index, "Grüner").is_empty() && names(&index, "Apfel").is_empty());
    drop(index);
    assert_eq!(world.sync(&mut Index::open(&world.directory.path().join("index.db")).unwrap()), 0, "it is kept");
}

#[test]
fn a_damaged_or_foreign_index_is_made_anew() {
    let world = World::new();
    let path = world.directory.path().join("index.db");
    std::fs::write(&path, "this is no database, but long enough to be read as the head of one, and then some").unwrap();
    let mut index = Index::open(&path).unwrap();
    assert_eq!(world.sync(&mut index), 3);
    drop(index);
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.pragma_update(None, "user_version", 99).unwrap();
    drop(foreign);
    let mut index = Index::open(&path).unwrap();
    assert_eq!(world.sync(&mut index), 3);
    drop(index);
    let mut index = Index::anew(&path).unwrap();
    assert_eq!(world.sync(&mut index), 3);
}

proptest! {
    #[test]
    fn any_text_can_be_searched_for(query in prop_oneof![any::<String>(), "[\"'*^:(){}+%_\\\\a-z\\- ANDORT]{0,40}"], tag in any::<String>()) {
        let world = World::new();
        let index = world.index();
        for tag in [None, Some(tag.as_str())] {
            let found = index.search(&query, tag, 5).unwrap();
            prop_assert!(found.len() <= 5);
        }
    }
}
