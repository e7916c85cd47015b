//! Opening the ledger, migrations, transactions.
//!
//! A [`Store`] is one connection behind a mutex, cheap to clone. Every call is one short transaction that ends with an
//! fsync when it wrote; async callers go through `spawn_blocking` when a few milliseconds matter to them.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{OpenError, StoreError};
use crate::files::Files;
use crate::mark::Mark;

/// In order; the number of a migration is its place, from 1, and the `user_version` that it leaves.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_create_installation.sql"),
    include_str!("../migrations/0002_create_registry.sql"),
    include_str!("../migrations/0003_create_records.sql"),
    include_str!("../migrations/0004_count_events.sql"),
    include_str!("../migrations/0005_mark_installation.sql"),
    include_str!("../migrations/0006_create_audit.sql"),
    include_str!("../migrations/0007_note_logins.sql"),
    include_str!("../migrations/0008_create_senders.sql"),
    include_str!("../migrations/0009_follow_rotations.sql"),
    include_str!("../migrations/0010_create_backup_jobs.sql"),
];

/// There is one supervisor; only somebody with `sqlite3` can be in the way, and not for long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The open ledger.
#[derive(Debug, Clone)]
pub struct Store {
    held: Arc<Mutex<Held>>,
}

#[derive(Debug)]
pub(crate) struct Held {
    pub connection: Connection,
    /// `None` for a ledger that has nothing beside it.
    pub guard: Option<Guard>,
}

/// What lies beside the ledger, and how far it follows.
#[derive(Debug)]
pub(crate) struct Guard {
    pub files: Files,
    /// What the ledger says, and whether the file says so too.
    pub mark: Option<Mark>,
    pub is_written: bool,
    /// Changes of this connection that the copy has.
    pub copied: Option<u64>,
}

impl Store {
    /// The schema that this release writes.
    pub const SCHEMA: u32 = 10;

    /// Opens or creates the ledger, mode 0600, and brings it to [`Self::SCHEMA`]. Nothing beside it is looked at:
    /// [`Store::open_guarded`] is what an installation needs.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let create = |source| OpenError::Create { path: path.to_path_buf(), source };
        std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(create)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| open_error(path, error))?;
        Self::prepare(connection, path)
    }

    /// A ledger that is forgotten: for tests.
    pub fn in_memory() -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| open_error(path, error))?;
        Self::prepare(connection, path)
    }

    fn prepare(mut connection: Connection, path: &Path) -> Result<Self, OpenError> {
        let fail = |error| open_error(path, error);
        connection.busy_timeout(BUSY_TIMEOUT).map_err(fail)?;
        let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
        if found > Self::SCHEMA {
            return Err(OpenError::Newer { path: path.to_path_buf(), found, known: Self::SCHEMA });
        }
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        connection.pragma_update(None, "foreign_keys", "ON").map_err(fail)?;
        connection.pragma_update(None, "trusted_schema", "OFF").map_err(fail)?;
        let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fail)?;
        if verdict != "ok" {
            return Err(OpenError::Corrupt { path: path.to_path_buf(), detail: verdict });
        }
        migrate(&mut connection, path, found)?;
        Ok(Self { held: Arc::new(Mutex::new(Held { connection, guard: None })) })
    }

    /// Runs `work` in one write transaction: all of it is kept, or nothing.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.lock();
        let is_guarded = held.guard.is_some();
        let transaction = held.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        let mark = is_guarded.then(|| Mark::of(&transaction)).transpose()?;
        transaction.commit()?;
        if let (Some(guard), Some(mark)) = (&mut held.guard, mark) {
            // What was asked for is in the ledger. A file that cannot follow is tried again with the next write, and is
            // an error where something is given away: [`Store::settle`].
            let _ = guard.follow(mark);
        }
        Ok(value)
    }

    /// Makes sure that the file beside the ledger says what the ledger says.
    pub(crate) fn settle(&self) -> Result<(), StoreError> {
        match &mut self.lock().guard {
            Some(guard) => guard.settle(),
            None => Ok(()),
        }
    }

    /// Runs `work` in one read transaction: it sees one moment.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.lock();
        let transaction = held.connection.transaction()?;
        work(&transaction)
    }

    /// A panic inside a transaction rolled it back, so the connection is still good.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guard {
    pub fn new(files: Files) -> Self {
        Self { files, mark: None, is_written: false, copied: None }
    }

    pub fn follow(&mut self, mark: Mark) -> Result<(), StoreError> {
        if self.mark.as_ref() != Some(&mark) {
            self.mark = Some(mark);
            self.is_written = false;
        }
        self.settle()
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        if let (Some(mark), false) = (&self.mark, self.is_written) {
            mark.write(&self.files.mark)?;
            self.is_written = true;
        }
        Ok(())
    }
}

fn migrate(connection: &mut Connection, path: &Path, found: u32) -> Result<(), OpenError> {
    for (number, sql) in (1u32..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= found) {
        let apply = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()
        };
        apply(connection).map_err(|source| match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => OpenError::DiskFull { path: path.to_path_buf() },
            Some(ErrorCode::DatabaseCorrupt) => {
                OpenError::Corrupt { path: path.to_path_buf(), detail: source.to_string() }
            }
            _ => OpenError::Migrate { path: path.to_path_buf(), number, source },
        })?;
    }
    Ok(())
}

fn open_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_path_buf();
    match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => OpenError::DiskFull { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            OpenError::Corrupt { path, detail: source.to_string() }
        }
        _ => OpenError::Open { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(store: &Store) -> Vec<(String, String)> {
        store
            .read(|transaction| {
                let mut statement =
                    transaction.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .unwrap()
    }

    #[test]
    fn a_fresh_ledger_equals_every_migrated_one() {
        let fresh = schema(&Store::in_memory().unwrap());
        for old in 0..MIGRATIONS.len() {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("supervisor.db");
            let connection = Connection::open(&path).unwrap();
            for sql in &MIGRATIONS[..old] {
                connection.execute_batch(sql).unwrap();
            }
            connection.pragma_update(None, "user_version", u32::try_from(old).unwrap()).unwrap();
            drop(connection);
            assert_eq!(schema(&Store::open(&path).unwrap()), fresh, "from schema {old}");
        }
    }

    #[test]
    fn the_schema_is_the_number_of_migrations() {
        assert_eq!(usize::try_from(Store::SCHEMA).unwrap(), MIGRATIONS.len());
    }

    #[test]
    fn every_table_is_strict() {
        let store = Store::in_memory().unwrap();
        let loose: Vec<String> = store
            .read(|transaction| {
                let mut statement = transaction.prepare(
                    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 AND name NOT LIKE 'sqlite_%'",
                )?;
                let rows = statement.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .unwrap();
        assert_eq!(loose, Vec::<String>::new());
    }

    #[test]
    fn a_newer_ledger_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.db");
        drop(Store::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = Store::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 99, known: Store::SCHEMA, .. }), "{error}");
        assert!(error.to_string().contains("newer release"));
    }

    #[test]
    fn a_damaged_ledger_is_named_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.db");
        std::fs::write(&path, "this is not a database, and it is longer than the header of one would be: 100 bytes")
            .unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::Corrupt { .. })));

        let path = directory.path().join("torn.db");
        drop(Store::open(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::Corrupt { .. })));
    }

    #[test]
    fn a_full_disk_keeps_nothing_of_a_write_and_says_so() {
        let store = Store::in_memory().unwrap();
        let pages: u32 =
            store.read(|transaction| Ok(transaction.query_row("PRAGMA page_count", [], |row| row.get(0))?)).unwrap();
        store.lock().connection.pragma_update(None, "max_page_count", pages).unwrap();
        let full = (0..10_000).find_map(|n| store.canary(&format!("mount {n}"), "0123456789abcdef").err());
        assert!(matches!(full, Some(StoreError::DiskFull)), "{full:?}");
        store.install_id().unwrap();
    }

    #[test]
    fn the_file_is_private_and_survives() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.db");
        let id = Store::open(&path).unwrap().install_id().unwrap();
        assert_eq!(id.len(), 32);
        assert_eq!(Store::open(&path).unwrap().install_id().unwrap(), id);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn writes_are_synchronous_in_wal_mode() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("supervisor.db")).unwrap();
        let pragma = |name: &str| {
            store
                .lock()
                .connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
        assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    }
}
