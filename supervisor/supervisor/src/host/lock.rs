//! One supervisor an installation: an exclusive lock on a file that names its holder.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Held for as long as it lives; the kernel gives it back when the process dies.
#[derive(Debug)]
pub struct InstanceLock {
    _file: Flock<File>,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another supervisor (process {holder}) runs this installation; it holds {}", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("cannot lock {}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl InstanceLock {
    /// Takes the lock and writes the process id into the file.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.to_path_buf(), source };
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC)
            .open(path)
            .map_err(io)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                write_holder(&mut file).map_err(io)?;
                Ok(Self { _file: file })
            }
            Err((mut file, Errno::EAGAIN)) => {
                let mut holder = String::new();
                // Who holds it is a courtesy; that it is held is the fact.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "unknown".to_owned() } else { holder.trim().to_owned() };
                Err(LockError::Held { path: path.to_path_buf(), holder })
            }
            Err((_, errno)) => Err(io(errno.into())),
        }
    }
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_holds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("supervisor.lock");
        let first = InstanceLock::take(&path).unwrap();
        let error = InstanceLock::take(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        InstanceLock::take(&path).unwrap();
    }
}
