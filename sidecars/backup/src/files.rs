//! Walking and opening files below a folder that its owner may be changing with bad intent.
//!
//! **Invariants.** No link is followed, at any depth (`openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`). Only regular
//! files come out. Number, depth, path length and size are bounded.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag};

/// Files in one snapshot. A workspace of notes holds thousands.
pub const MAX_FILES: usize = 200_000;
/// Folders below one another.
pub const MAX_DEPTH: usize = 32;
/// Length of a relative path.
pub const MAX_PATH_BYTES: usize = 1024;
/// Bytes of one file. The agent bounds its database far below.
pub const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// A folder, held open.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
}

/// A regular file below a [`Folder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Relative, `/`-separated, UTF-8.
    pub path: String,
    pub bytes: u64,
    pub mode: u32,
    pub modified_seconds: i64,
    pub modified_nanos: i64,
    pub uid: u32,
    pub gid: u32,
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Walk {
    /// In the order of their paths' components.
    pub files: Vec<Found>,
    /// Links, sockets, devices and pipes, which are left out.
    pub left_out: Vec<String>,
}

impl Folder {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW).bits())
            .open(path)
            .with_context(|| format!("cannot open the folder {}", path.display()))?;
        Ok(Self { root: file.into() })
    }

    /// Opens a file below, following no link.
    pub fn open_file(&self, path: &str) -> anyhow::Result<File> {
        let file = File::from(self.open_beneath(path, OFlag::O_NONBLOCK)?);
        ensure!(file.metadata()?.is_file(), "{path} is not a regular file");
        Ok(file)
    }

    /// All regular files below, sorted.
    pub fn walk(&self) -> anyhow::Result<Walk> {
        let mut walk = Walk::default();
        self.descend("", 0, &mut walk)?;
        walk.files.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Ok(walk)
    }

    fn open_beneath(&self, path: &str, flags: OFlag) -> anyhow::Result<OwnedFd> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | flags)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let path_or_self = if path.is_empty() { "." } else { path };
        nix::fcntl::openat2(self.root.as_fd(), path_or_self, how).with_context(|| format!("cannot open {path_or_self}"))
    }

    fn descend(&self, folder: &str, depth: usize, walk: &mut Walk) -> anyhow::Result<()> {
        ensure!(depth <= MAX_DEPTH, "{folder} lies deeper than {MAX_DEPTH} folders");
        let handle = self.open_beneath(folder, OFlag::O_DIRECTORY)?;
        let mut entries = nix::dir::Dir::from_fd(handle).with_context(|| format!("cannot read the folder {folder}"))?;
        let mut folders = Vec::new();
        for entry in entries.iter() {
            let entry = entry.with_context(|| format!("cannot read the folder {folder}"))?;
            let Ok(name) = entry.file_name().to_str() else {
                bail!("a name in the folder {folder:?} is not UTF-8: {:?}", entry.file_name());
            };
            if name == "." || name == ".." {
                continue;
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            ensure!(path.len() <= MAX_PATH_BYTES, "a path is longer than {MAX_PATH_BYTES} bytes: {}…", &folder);
            match entry.file_type() {
                Some(nix::dir::Type::Directory) => folders.push(path),
                Some(nix::dir::Type::File) => walk.files.push(self.describe(path)?),
                _ => walk.left_out.push(path),
            }
            ensure!(walk.files.len() + walk.left_out.len() <= MAX_FILES, "there are more than {MAX_FILES} files");
        }
        folders.iter().try_for_each(|path| self.descend(path, depth + 1, walk))
    }

    fn describe(&self, path: String) -> anyhow::Result<Found> {
        let metadata = self.open_file(&path)?.metadata()?;
        ensure!(metadata.len() <= MAX_FILE_BYTES, "{path} is larger than {MAX_FILE_BYTES} bytes");
        Ok(Found {
            bytes: metadata.len(),
            mode: metadata.mode() & 0o777,
            modified_seconds: metadata.mtime(),
            modified_nanos: metadata.mtime_nsec(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            path,
        })
    }
}

/// A relative path of plain names, as a snapshot or manifest may name it: nothing that leaves the folder.
pub fn plain_relative(path: &str) -> Option<PathBuf> {
    let plain = !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && !path.contains('\0')
        && path.split('/').all(|name| !name.is_empty() && name != "." && name != "..")
        && path.split('/').count() <= MAX_DEPTH + 1;
    plain.then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_pipes_are_left_out_and_never_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir_all(root.join("workspace/a")).unwrap();
        std::fs::write(root.join("workspace/a/note.md"), "x").unwrap();
        std::fs::write(root.join("agent.db"), "y").unwrap();
        std::os::unix::fs::symlink("/etc", root.join("etc")).unwrap();
        std::os::unix::fs::symlink("/etc/shadow", root.join("workspace/shadow")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let folder = Folder::open(root).unwrap();
        let walk = folder.walk().unwrap();
        let paths: Vec<&str> = walk.files.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, ["agent.db", "workspace/a/note.md"]);
        assert_eq!(walk.left_out.len(), 3);
        assert!(folder.open_file("etc/hostname").is_err());
        assert!(folder.open_file("workspace/shadow").is_err());
        assert!(folder.open_file("../outside").is_err());
        assert!(folder.open_file("pipe").is_err());
        assert!(Folder::open(&root.join("etc")).is_err());
    }

    #[test]
    fn paths_that_leave_the_folder_are_not_plain() {
        let check = |path: &str, plain: bool| assert_eq!(plain_relative(path).is_some(), plain, "{path:?}");
        check("agent.db", true);
        check("workspace/a b/ü.md", true);
        check("", false);
        check("/etc/passwd", false);
        check("../x", false);
        check("a/../x", false);
        check("a//b", false);
        check("a/./b", false);
        check("a\0b", false);
    }
}
