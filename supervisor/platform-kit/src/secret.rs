//! Values that must not be shown, and the files they come from.

use std::fmt;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroize;

/// Longest secret file. Keys and tokens are far shorter.
pub const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// A value without `Display`; its `Debug` says nothing, and its memory is wiped on drop.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Whoever calls this must not log or return it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a secret could not be read.
/// Permission bits of group and others.
const OTHERS: u32 = 0o077;

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{path} does not exist; store it with: botctl secret set {name}", name = file_name(path))]
    Missing { path: PathBuf },
    #[error("{path} has mode {mode:04o}: others can read it; run: chmod 600 {path}")]
    Readable { path: PathBuf, mode: u32 },
    #[error("{path} is not a regular file")]
    NotAFile { path: PathBuf },
    #[error("{path} is longer than {MAX_SECRET_BYTES} bytes")]
    TooLong { path: PathBuf },
    #[error("{path} is empty, or is not one line of UTF-8 text")]
    NotText { path: PathBuf },
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
}

/// Whether neither group nor others can read a file; one that cannot be looked at is left for [`read`] to judge.
pub fn is_private(path: &Path) -> bool {
    std::fs::symlink_metadata(path).map_or(true, |metadata| metadata.mode() & OTHERS == 0 || !metadata.is_file())
}

/// Reads a secret file: a regular file (links are not followed) that group and others cannot read.
/// One trailing line break is removed.
pub fn read(path: &Path) -> Result<Secret<String>, SecretError> {
    let path_buf = || path.to_path_buf();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
        .open(path)
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => SecretError::Missing { path: path_buf() },
            _ => SecretError::Read { path: path_buf(), source },
        })?;
    let metadata = file.metadata().map_err(|source| SecretError::Read { path: path_buf(), source })?;
    if !metadata.is_file() {
        return Err(SecretError::NotAFile { path: path_buf() });
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(SecretError::Readable { path: path_buf(), mode: metadata.mode() & 0o7777 });
    }
    if metadata.len() > MAX_SECRET_BYTES {
        return Err(SecretError::TooLong { path: path_buf() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    file.take(MAX_SECRET_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| SecretError::Read { path: path_buf(), source })?;
    let mut text = String::from_utf8(bytes).map_err(|_| SecretError::NotText { path: path_buf() })?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        text.zeroize();
        return Err(SecretError::NotText { path: path_buf() });
    }
    Ok(Secret::new(text))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn check(content: &[u8], mode: u32) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read(&path).map(|secret| secret.expose().clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_private_single_lines() {
        assert_eq!(check(b"s3cret\n", 0o600).unwrap(), "s3cret");
        assert!(check(b"s3cret", 0o644).unwrap_err().contains("chmod 600"));
        assert!(check(b"", 0o600).unwrap_err().contains("empty"));
        assert!(check(b"a\nb", 0o600).unwrap_err().contains("one line"));
        assert!(check("x".repeat(20_000).as_bytes(), 0o600).unwrap_err().contains("longer"));
    }

    #[test]
    fn links_are_not_followed_and_a_missing_file_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", directory.path().join("link")).unwrap();
        assert!(read(&directory.path().join("link")).is_err());
        let error = read(&directory.path().join("spark-key")).unwrap_err().to_string();
        assert!(error.contains("botctl secret set spark-key"), "{error}");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("x".to_owned())), "Secret(…)");
    }
}
