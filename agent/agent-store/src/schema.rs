//! Opening the database, and its forward-only migrations.
//!
//! `user_version` is the number of the last migration. A release expands the schema first and contracts it a release
//! later, so that the one before still reads and writes what it left: after an update that went wrong, the image goes back
//! and the database stays. The database says itself which releases those are (`compatibility`), because an older one cannot know.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;

/// Each migration by its number, from 1 without gaps.
const MIGRATIONS: [&str; 9] = [
    include_str!("../migrations/0001_create_sessions.sql"),
    include_str!("../migrations/0002_create_approvals_and_audit.sql"),
    include_str!("../migrations/0003_create_chats.sql"),
    include_str!("../migrations/0004_mark_shortened_answers.sql"),
    include_str!("../migrations/0005_create_cron.sql"),
    include_str!("../migrations/0006_drop_indexes_of_every_turn.sql"),
    include_str!("../migrations/0007_create_summaries.sql"),
    include_str!("../migrations/0008_create_conversations.sql"),
    include_str!("../migrations/0009_state_compatibility.sql"),
];

/// The schema that this release writes.
pub const WRITES: u32 = 9;
/// The oldest schema that it reads.
pub const READS_FROM: u32 = 1;
/// The oldest schema whose release still reads what it writes; the database has it in `compatibility`.
pub const READABLE_BY: u32 = 9;

/// Largest database: about four million messages. The volume has no quota of its own on most file systems.
pub const MAX_DATABASE_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const PAGE_BYTES: u64 = 4096;
/// The write-ahead log has this size from early on, and is cut to it after a checkpoint.
const JOURNAL_LIMIT_BYTES: u64 = 16 * 1024 * 1024;
/// Pages in the log before SQLite copies them into the database on its own, in the middle of a commit. The store copies
/// earlier than that, between commits.
const AUTOCHECKPOINT_PAGES: u32 = 4000;
/// Somebody else (a copy being made) holds the database for milliseconds at most.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// More than a turn needs, so that none is parsed twice.
const KEPT_STATEMENTS: usize = 128;

/// Opens the live database and migrates it. One of a later release is left as it is, if that release says it may be used.
pub fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    let found = usable(&connection)?;
    let max_pages = MAX_DATABASE_BYTES / PAGE_BYTES;
    connection.execute_batch(&format!(
        "PRAGMA page_size = {PAGE_BYTES};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;
         PRAGMA max_page_count = {max_pages};
         PRAGMA journal_size_limit = {JOURNAL_LIMIT_BYTES};
         PRAGMA wal_autocheckpoint = {AUTOCHECKPOINT_PAGES};"
    ))?;
    migrate(&mut connection, found)?;
    Ok(connection)
}

/// Fills the write-ahead log up with zeros. A commit that makes its file grow has the file system write its own journal
/// too, which takes twice as long as overwriting. Zeros are no frame: SQLite reads the log up to its last whole commit.
pub(crate) fn fill(log: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(log)?;
    let length = file.metadata()?.len();
    let filled = fill_from(&file, length);
    if filled.is_err() {
        // The space is needed for something better.
        file.set_len(length)?;
    }
    filled
}

fn fill_from(file: &File, mut end: u64) -> std::io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    while end < JOURNAL_LIMIT_BYTES {
        let length = zeros.len().min(usize::try_from(JOURNAL_LIMIT_BYTES - end).unwrap_or(zeros.len()));
        file.write_all_at(&zeros[..length], end)?;
        end += length as u64;
    }
    file.sync_all()
}

/// Opens a database to copy from: it is not changed.
pub(crate) fn open_source(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    usable(&connection)?;
    Ok(connection)
}

/// `user_version` of a database.
pub fn version(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// The schema of a database that this release may use.
fn usable(connection: &Connection) -> Result<u32, StoreError> {
    let found = version(connection)?;
    if found > WRITES && readable_by(connection)? > WRITES {
        return Err(StoreError::Newer { found, known: WRITES });
    }
    Ok(found)
}

/// Without the table that says it, nothing but the release that wrote the database is known to read it.
fn readable_by(connection: &Connection) -> Result<u32, StoreError> {
    let says = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'compatibility')";
    if !connection.query_row(says, [], |row| row.get::<_, bool>(0))? {
        return version(connection);
    }
    Ok(connection.query_row("SELECT readable_by FROM compatibility", [], |row| row.get(0))?)
}

fn migrate(connection: &mut Connection, from: u32) -> Result<(), StoreError> {
    for (number, sql) in (1_u32..).zip(MIGRATIONS) {
        if number <= from {
            continue;
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn the_last_migration_is_what_this_release_writes() {
        assert_eq!(usize::try_from(WRITES).unwrap(), MIGRATIONS.len());
        const { assert!(READS_FROM <= WRITES && READABLE_BY <= WRITES) };
    }

    #[test]
    fn a_fresh_database_equals_one_migrated_from_every_older_schema() {
        let directory = tempfile::tempdir().unwrap();
        let fresh = open(&directory.path().join("fresh.db")).unwrap();
        for oldest in 0..WRITES {
            let path = directory.path().join(format!("from-{oldest}.db"));
            let old = Connection::open(&path).unwrap();
            for (number, sql) in (1_u32..).zip(MIGRATIONS).take(oldest as usize) {
                old.execute_batch(sql).unwrap();
                old.pragma_update(None, "user_version", number).unwrap();
            }
            drop(old);
            let migrated = open(&path).unwrap();
            assert_eq!(tables(&migrated), tables(&fresh));
            assert_eq!((version(&migrated).unwrap(), readable_by(&migrated).unwrap()), (WRITES, READABLE_BY));
        }
    }

    #[test]
    fn every_table_is_strict() {
        let directory = tempfile::tempdir().unwrap();
        let fresh = open(&directory.path().join("fresh.db")).unwrap();
        let loose: Vec<String> = tables(&fresh)
            .into_iter()
            .filter(|sql| sql.starts_with("CREATE TABLE") && !sql.contains("STRICT"))
            .collect();
        assert_eq!(loose, Vec::<String>::new());
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("newer.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", WRITES + 1).unwrap();
        let error = open(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("schema {}", WRITES + 1)), "{error}");
        assert_eq!(version(&Connection::open(&path).unwrap()).unwrap(), WRITES + 1);
    }
}
