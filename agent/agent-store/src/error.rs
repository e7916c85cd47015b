//! What can go wrong with the store, in words that say what to do.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk of the agent is full; free some space, then it goes on by itself")]
    Full,
    #[error("the disk of the agent is read-only; see the host's log for why")]
    ReadOnly,
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("there are {0} chats already; delete one first")]
    TooManySessions(u64),
    #[error(
        "the database has schema {found}, this release knows up to {known}: start a newer release, or restore a snapshot"
    )]
    Newer { found: u32, known: u32 },
    #[error("another agent has the state open: {holder}")]
    Locked { holder: String },
    #[error("the copy is damaged: {0}")]
    Damaged(String),
    #[error("the workspace is too large to copy: {0}")]
    TooLarge(String),
    #[error("the database failed")]
    Sqlite(#[source] rusqlite::Error),
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("a row is not what it should be")]
    Row(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// The same attempt can work later, without anybody changing the request.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Full | Self::ReadOnly | Self::Io { .. } => true,
            Self::Sqlite(error) => error.sqlite_error_code().is_some_and(|code| {
                use rusqlite::ErrorCode as Code;
                matches!(code, Code::SystemIoFailure | Code::CannotOpen | Code::DatabaseBusy | Code::DatabaseLocked)
            }),
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.raw_os_error() {
            Some(nix::libc::ENOSPC | nix::libc::EDQUOT) => Self::Full,
            Some(nix::libc::EROFS) => Self::ReadOnly,
            _ => Self::Io { path, source },
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(rusqlite::ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Row(Box::new(error))
    }
}

impl From<platform_types::NameError> for StoreError {
    fn from(error: platform_types::NameError) -> Self {
        Self::Row(Box::new(error))
    }
}
