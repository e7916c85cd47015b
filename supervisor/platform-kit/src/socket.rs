//! Binding and connecting Unix sockets.
//!
//! A directory that another process may write is not trusted: a name in it can be a link to Docker's socket, a file, a
//! directory. [`connect_untrusted`] opens the name without following links, requires a socket, connects through the
//! opened descriptor, and checks the uid at the other end.

use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("cannot bind {path}")]
    Bind { path: PathBuf, source: std::io::Error },
    #[error("cannot connect to {path}")]
    Connect { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a socket")]
    NotASocket { path: PathBuf },
    #[error("{path} belongs to uid {found}, expected {expected}")]
    WrongPeer { path: PathBuf, found: u32, expected: u32 },
}

/// Who must be at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// The directory is ours alone.
    Trusted,
    /// The directory is written by this uid.
    Uid(u32),
}

/// Binds `path` with `mode`, removing a stale socket file of an earlier process first.
pub fn bind(path: &Path, mode: u32) -> Result<UnixListener, SocketError> {
    let bind = |source| SocketError::Bind { path: path.to_path_buf(), source };
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(bind(error)),
    }
    let listener = UnixListener::bind(path).map_err(bind)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(bind)?;
    Ok(listener)
}

/// Connects according to the trust in the directory.
pub async fn connect(path: &Path, peer: &Peer) -> Result<UnixStream, SocketError> {
    match peer {
        Peer::Trusted => UnixStream::connect(path).await.map_err(|source| cannot_connect(path, source)),
        Peer::Uid(uid) => connect_untrusted(path, *uid).await,
    }
}

/// Connects to a name in a directory that `uid` may write, trusting nothing about the name.
pub async fn connect_untrusted(path: &Path, uid: u32) -> Result<UnixStream, SocketError> {
    let handle = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH | nix::libc::O_NOFOLLOW | nix::libc::O_CLOEXEC)
        .open(path)
        .map_err(|source| cannot_connect(path, source))?;
    let kind = handle.metadata().map_err(|source| cannot_connect(path, source))?.file_type();
    if !kind.is_socket() {
        return Err(SocketError::NotASocket { path: path.to_path_buf() });
    }
    let through = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let stream = UnixStream::connect(&through).await.map_err(|source| cannot_connect(path, source))?;
    let found = stream.peer_cred().map_err(|source| cannot_connect(path, source))?.uid();
    if found != uid {
        return Err(SocketError::WrongPeer { path: path.to_path_buf(), found, expected: uid });
    }
    Ok(stream)
}

fn cannot_connect(path: &Path, source: std::io::Error) -> SocketError {
    SocketError::Connect { path: path.to_path_buf(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_uid() -> u32 {
        nix::unistd::getuid().as_raw()
    }

    #[tokio::test]
    async fn names_in_a_hostile_directory_are_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real.sock");
        let _listener = bind(&real, 0o666).unwrap();
        connect_untrusted(&real, own_uid()).await.unwrap();

        let link = directory.path().join("link.sock");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(matches!(connect_untrusted(&link, own_uid()).await, Err(SocketError::NotASocket { .. })));
        let file = directory.path().join("file.sock");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(connect_untrusted(&file, own_uid()).await, Err(SocketError::NotASocket { .. })));
        let folder = directory.path().join("folder.sock");
        std::fs::create_dir(&folder).unwrap();
        assert!(matches!(connect_untrusted(&folder, own_uid()).await, Err(SocketError::NotASocket { .. })));
        assert!(matches!(connect_untrusted(&real, own_uid() + 1).await, Err(SocketError::WrongPeer { .. })));
    }

    #[tokio::test]
    async fn a_stale_socket_file_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        drop(bind(&path, 0o600).unwrap());
        bind(&path, 0o600).unwrap();
    }
}
