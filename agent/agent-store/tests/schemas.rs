//! Databases of other releases: of each older schema with rows in it, and of a later one that only added.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod life;

use agent_store::{StateDir, Store, StoreError, checkpoint, schema};
use life::Life;
use platform_types::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

/// What the release of each schema had written when it was updated: its migration, and rows in its tables.
const RELEASED: [(&str, &str); 9] = [
    (include_str!("../migrations/0001_create_sessions.sql"), include_str!("schemas/0001.sql")),
    (include_str!("../migrations/0002_create_approvals_and_audit.sql"), include_str!("schemas/0002.sql")),
    (include_str!("../migrations/0003_create_chats.sql"), include_str!("schemas/0003.sql")),
    (include_str!("../migrations/0004_mark_shortened_answers.sql"), ""),
    (include_str!("../migrations/0005_create_cron.sql"), include_str!("schemas/0005.sql")),
    (include_str!("../migrations/0006_drop_indexes_of_every_turn.sql"), ""),
    (include_str!("../migrations/0007_create_summaries.sql"), include_str!("schemas/0007.sql")),
    (include_str!("../migrations/0008_create_conversations.sql"), include_str!("schemas/0008.sql")),
    (include_str!("../migrations/0009_state_compatibility.sql"), ""),
];

fn state() -> (TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::new(directory.path());
    std::fs::create_dir_all(state.current()).unwrap();
    (directory, state)
}

fn open(state: &StateDir) -> Result<Store, StoreError> {
    Store::open(state, "test", Timestamp(50)).map(|opened| opened.store)
}

#[test]
fn rows_of_every_older_schema_are_read_and_gone_on_with() {
    assert_eq!(usize::try_from(schema::WRITES).unwrap(), RELEASED.len(), "a schema without its rows");
    for newest in 1..=schema::WRITES {
        let (_directory, state) = state();
        let old = Connection::open(state.database()).unwrap();
        for (number, (migration, rows)) in (1_u32..).zip(RELEASED).take(newest as usize) {
            old.execute_batch(&format!("{migration}{rows}PRAGMA user_version = {number};")).unwrap();
        }
        drop(old);
        let mut store = open(&state).unwrap();
        Life::FIRST.is_found(&store, newest);
        Life::SECOND.is_lived(&mut store);
        Life::SECOND.is_found(&store, schema::WRITES);
    }
}

/// The next release adds columns and tables; what went wrong with it was not its database, and this release goes on.
fn expand(state: &StateDir) -> Vec<String> {
    let next = Connection::open(state.database()).unwrap();
    let mut tables = next
        .prepare(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in &tables {
        next.execute_batch(&format!(
            "ALTER TABLE {table} ADD COLUMN later_words TEXT; ALTER TABLE {table} ADD COLUMN later_count INTEGER NOT NULL DEFAULT 7;"
        ))
        .unwrap();
    }
    next.execute_batch("CREATE TABLE later (session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE) STRICT")
        .unwrap();
    next.pragma_update(None, "user_version", schema::WRITES + 1).unwrap();
    tables
}

#[test]
fn a_database_that_a_later_release_added_to_is_used_and_left_in_its_schema() {
    let (_directory, state) = state();
    let mut store = open(&state).unwrap();
    Life::FIRST.is_lived(&mut store);
    store.close().unwrap();
    let tables = expand(&state);
    assert!(tables.len() > 15, "{tables:?}");

    let mut store = open(&state).unwrap();
    Life::FIRST.is_found(&store, schema::WRITES);
    Life::SECOND.is_lived(&mut store);
    Life::SECOND.is_found(&store, schema::WRITES);
    let copy = checkpoint::make(&state, "copy", Timestamp(60)).unwrap();
    assert_eq!(copy.schema, schema::WRITES + 1, "a copy is of the schema that it has");
    store.delete_session(Life::FIRST.session(), Timestamp(61)).unwrap();
    store.close().unwrap();
    let database = Connection::open(state.database()).unwrap();
    assert_eq!(schema::version(&database).unwrap(), schema::WRITES + 1);
    let untouched: u64 = database
        .query_row("SELECT count(*) FROM messages WHERE later_words IS NULL AND later_count = 7", [], |row| row.get(0))
        .unwrap();
    assert_eq!(untouched, store_messages(&database), "what this release does not know has its default");
}

fn store_messages(database: &Connection) -> u64 {
    let count = database.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert!(count > 0);
    count
}

#[test]
fn a_database_that_a_later_release_took_from_is_refused_and_left_alone() {
    let (_directory, state) = state();
    open(&state).unwrap().close().unwrap();
    let next = Connection::open(state.database()).unwrap();
    next.execute("UPDATE compatibility SET readable_by = ?1", [schema::WRITES + 1]).unwrap();
    next.pragma_update(None, "user_version", schema::WRITES + 1).unwrap();
    next.close().unwrap();
    let before = std::fs::read(state.database()).unwrap();
    let error = open(&state).unwrap_err().to_string();
    assert!(error.contains("newer release") && error.contains("restore a snapshot"), "{error}");
    assert_eq!(std::fs::read(state.database()).unwrap(), before);
}
