//! The file that detects two agents on one volume.
//!
//! It is not the lease, which the supervisor gives: a lock can be kept alive by a descriptor that was passed on. It only
//! finds accidents, and names its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::StoreError;

/// Longest name of a holder that is read.
const MAX_HOLDER_BYTES: u64 = 200;

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes who has it, or says who else does.
    pub fn take(path: &Path, holder: &str) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC)
            .open(path)
            .map_err(StoreError::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Whoever holds it may be writing: an unreadable name is shown as none.
                let _ = (&file).take(MAX_HOLDER_BYTES).read_to_string(&mut holder);
                return Err(StoreError::Locked { holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::io(path)(source)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        write(&mut file).map_err(StoreError::io(path))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_learns_who_was_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.lock");
        let first = Lock::take(&path, "generation 4").unwrap();
        let error = Lock::take(&path, "generation 5").unwrap_err();
        assert!(matches!(&error, StoreError::Locked { holder } if holder == "generation 4"), "{error}");
        drop(first);
        Lock::take(&path, "generation 5").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "generation 5");
    }
}
