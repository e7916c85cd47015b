//! What can go wrong with the ledger.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why a read or a write failed. Nothing of a failed write is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full, nothing was written to the ledger: free some space and try again")]
    DiskFull,
    #[error("the ledger is damaged: stop the supervisor and restore supervisor.db from a snapshot")]
    Corrupt(#[source] rusqlite::Error),
    /// A value that this release does not understand.
    #[error("the ledger holds a {what} that this release cannot read: {text:?}")]
    Unreadable { what: &'static str, text: String },
    /// A bug in the caller: what was given away would be given away again.
    #[error("refused to take back {what} that the ledger has given away")]
    Regress { what: &'static str },
    #[error("the ledger cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error),
            _ => Self::Sqlite(error),
        }
    }
}

/// Why the ledger could not be opened. The file is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("cannot create {path}")]
    Create { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} has schema {found}, this release knows up to {known}: a newer release wrote it; install that release again"
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is damaged ({detail}): move it away and restore it from a snapshot")]
    Corrupt { path: PathBuf, detail: String },
    #[error("the disk with {path} is full: free some space and start again")]
    DiskFull { path: PathBuf },
    #[error("migration {number} failed on {path}; the file is as it was before")]
    Migrate { path: PathBuf, number: u32, source: rusqlite::Error },
}
