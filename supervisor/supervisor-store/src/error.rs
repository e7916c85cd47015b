//! What can go wrong with the ledger.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// Why a read or a write failed. Nothing of a failed write is kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full, nothing was written to the ledger: free some space and try again")]
    DiskFull,
    #[error("the ledger is damaged: restart the supervisor, which sets it aside and goes on from supervisor.db.copy")]
    Corrupt(#[source] rusqlite::Error),
    /// A value that this release does not understand.
    #[error("the ledger holds a {what} that this release cannot read: {text:?}")]
    Unreadable { what: &'static str, text: String },
    /// A bug in the caller: what was given away would be given away again.
    #[error("refused to take back {what} that the ledger has given away")]
    Regress { what: &'static str },
    #[error("the ledger cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
    /// The ledger has it; the file that guards against its loss has not.
    #[error("{path} cannot be written")]
    Mark { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be written")]
    Copy { path: PathBuf, source: std::io::Error },
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
    /// There is nothing to recover from.
    #[error(
        "{path} is damaged ({detail}), and neither supervisor.id nor supervisor.db.copy lies beside it: put back a copy \
         of yours, or begin anew with: mv {path} {path}.damaged"
    )]
    Corrupt { path: PathBuf, detail: String },
    /// Nobody can say which of the two is right.
    #[error(
        "{one} is of installation {one_install} and {other} of installation {other_install}: move away the one that does \
         not belong here, for example: mv {other} {other}.other"
    )]
    OtherInstallation { one: PathBuf, one_install: String, other: PathBuf, other_install: String },
    #[error(
        "the ledger {path} is missing, and {mark} cannot be read ({detail}): put back a copy of either, or begin anew \
         with: mv {mark} {mark}.damaged"
    )]
    Lost { path: PathBuf, mark: PathBuf, detail: String },
    #[error("{path} cannot be recovered")]
    Recover { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be taken into use")]
    Rebuild { path: PathBuf, source: StoreError },
    #[error("the disk with {path} is full: free some space and start again")]
    DiskFull { path: PathBuf },
    #[error("migration {number} failed on {path}; the file is as it was before")]
    Migrate { path: PathBuf, number: u32, source: rusqlite::Error },
}
