//! Files beside the ledger: named after it, replaced in one step, set aside and never deleted.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What SQLite keeps beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where everything of one ledger lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub ledger: PathBuf,
    /// [`Mark`](crate::mark::Mark).
    pub mark: PathBuf,
    /// The newest complete copy of the ledger.
    pub copy: PathBuf,
}

impl Files {
    /// `supervisor.db` has `supervisor.id` and `supervisor.db.copy`.
    pub fn of(ledger: &Path) -> Self {
        Self { ledger: ledger.to_path_buf(), mark: ledger.with_extension("id"), copy: with_suffix(ledger, ".copy") }
    }

    /// Nothing was ever written there, or all of it was cut away.
    pub fn ledger_is_missing(&self) -> io::Result<bool> {
        match std::fs::metadata(&self.ledger) {
            Ok(metadata) => Ok(metadata.len() == 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Puts a private file in place in one step, and on the disk.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, ".new");
    remove(&temporary)?;
    let mut file = create_private(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    put_in_place(&temporary, path)
}

/// An empty file that only its owner reads; it must not exist.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Renames what is complete and synced, and syncs the directory.
pub(crate) fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(temporary, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// Removes a temporary database with what belongs to it.
pub(crate) fn remove_database(path: &Path) -> io::Result<()> {
    remove(path)?;
    COMPANIONS.iter().try_for_each(|companion| remove(&with_suffix(path, companion)))
}

/// Renames a database and what belongs to it, together: `x` becomes `x.<word>-<number>`. Gives the new names.
pub(crate) fn set_aside(path: &Path, word: &str, number: i64) -> io::Result<Vec<PathBuf>> {
    let base = with_suffix(path, &format!(".{word}-{number}"));
    let mut names = Vec::new();
    for companion in [""].into_iter().chain(COMPANIONS) {
        let (from, to) = (with_suffix(path, companion), with_suffix(&base, companion));
        if to.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match std::fs::rename(&from, &to) {
            Ok(()) => names.push(to),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(names)
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_set_aside_with_what_belongs_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.db");
        std::fs::write(&path, "db").unwrap();
        std::fs::write(with_suffix(&path, "-wal"), "wal").unwrap();
        let names = set_aside(&path, "damaged", 5).unwrap();
        let name = |name: &str| directory.path().join(name);
        assert_eq!(names, [name("supervisor.db.damaged-5"), name("supervisor.db.damaged-5-wal")]);
        assert_eq!(std::fs::read_to_string(name("supervisor.db.damaged-5-wal")).unwrap(), "wal");
        std::fs::write(&path, "other").unwrap();
        assert!(set_aside(&path, "damaged", 5).is_err(), "nothing is overwritten");
        assert_eq!(std::fs::read_to_string(name("supervisor.db.damaged-5")).unwrap(), "db");
    }
}
