//! What can go wrong, in words for a model that can do better, or for a person who can mend it.

use agent_store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("the disk of the agent is full: nothing was written; a person has to free some space")]
    Full,
    #[error("the disk of the agent is read-only: nothing was written")]
    ReadOnly,
    #[error("{0:?} cannot be a name: use the name as a search or a list gave it")]
    BadName(String),
    #[error("there is no {what} {name:?}; {near}")]
    NotFound { what: &'static str, name: String, near: String },
    #[error("a note {0:?} exists already; change it with note_edit, or choose another title")]
    Exists(String),
    #[error("{what} has {found} {unit}, at most {most} fit")]
    TooLarge { what: &'static str, found: usize, unit: &'static str, most: usize },
    #[error("there are {0} notes already, which is the most; a person has to delete some")]
    TooMany(usize),
    #[error("{0}")]
    Refused(String),
    #[error("the file {name:?} cannot be used")]
    Io { name: String, source: std::io::Error },
    #[error("the index of the notes failed")]
    Index(#[source] StoreError),
}

impl WorkspaceError {
    pub(crate) fn io(name: &str) -> impl FnOnce(std::io::Error) -> Self {
        let name = name.to_owned();
        move |source| match source.raw_os_error() {
            Some(nix::libc::ENOSPC | nix::libc::EDQUOT | nix::libc::EFBIG) => Self::Full,
            Some(nix::libc::EROFS) => Self::ReadOnly,
            _ => Self::Io { name, source },
        }
    }

    pub(crate) fn nix(name: &str) -> impl FnOnce(nix::errno::Errno) -> Self {
        let fail = Self::io(name);
        move |errno| fail(std::io::Error::from_raw_os_error(errno as i32))
    }
}

impl From<StoreError> for WorkspaceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Full,
            StoreError::ReadOnly => Self::ReadOnly,
            other => Self::Index(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_says_so() {
        let check = |errno: i32, words: &str| {
            let error = WorkspaceError::io("x.md")(std::io::Error::from_raw_os_error(errno));
            assert!(error.to_string().contains(words), "{error}");
        };
        check(nix::libc::ENOSPC, "full");
        check(nix::libc::EDQUOT, "full");
        check(nix::libc::EROFS, "read-only");
        check(nix::libc::EACCES, "x.md");
    }
}
