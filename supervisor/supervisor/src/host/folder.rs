//! An opened directory, and what is done inside it by name without following links.
//!
//! **Invariant.** In a directory that somebody else may write, a name can be anything at any time. Every step here goes
//! through a descriptor: what was opened is what is changed, whatever the name means a moment later.

use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

/// Deepest tree whose owner is changed; a state volume is four deep.
const MAX_DEPTH: u32 = 64;

/// Who owns a file or directory, and what may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
}

impl Access {
    pub const fn root(mode: u32) -> Self {
        Self { uid: 0, gid: 0, mode }
    }

    pub const fn of(uid: u32, mode: u32) -> Self {
        Self { uid, gid: uid, mode }
    }
}

/// An opened directory.
#[derive(Debug)]
pub struct Folder {
    file: File,
    /// For messages only.
    path: PathBuf,
}

/// A step in a directory that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {}", path.display())]
pub struct FolderError {
    step: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FolderError {
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl Folder {
    /// Opens a directory whose parents belong to root; the last name is not followed when it is a link.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
            .open(path)
            .map_err(|source| FolderError { step: "open the directory", path: path.to_path_buf(), source })?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Makes sure that a directory and its parents exist, and who may use it. For paths whose parents belong to root.
    pub fn make(path: &Path, access: Access) -> Result<Self, FolderError> {
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).map_err(|source| FolderError {
            step: "make the directory",
            path: parent.to_path_buf(),
            source,
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self::open(parent)?.child(&name, access)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that a directory exists below this one, and who may use it.
    pub fn child(&self, name: &str, access: Access) -> Result<Self, FolderError> {
        match mkdirat(self.file.as_fd(), name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(self.failed("make the directory", name, errno)),
        }
        let child = self.existing_child(name)?;
        child.give(access)?;
        Ok(child)
    }

    /// Opens a directory below this one.
    pub fn existing_child(&self, name: &str) -> Result<Self, FolderError> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(self.file.as_fd(), name, flags, Mode::empty())
            .map_err(|errno| self.failed("open the directory", name, errno))?;
        Ok(Self { file: opened.into(), path: self.path.join(name) })
    }

    /// Sets owner and mode of this directory where they differ.
    pub fn give(&self, access: Access) -> Result<(), FolderError> {
        set_access(&self.file, access).map_err(|source| self.failed_here("set owner and mode of", source))
    }

    /// Owner of this directory.
    pub fn owner(&self) -> Result<(u32, u32), FolderError> {
        let metadata = self.file.metadata().map_err(|source| self.failed_here("look at", source))?;
        Ok((metadata.uid(), metadata.gid()))
    }

    /// Reads a small regular file that belongs to root; `None` when there is no such thing under this name.
    pub fn read_own(&self, name: &str, max_bytes: u64) -> Option<Vec<u8>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file: File = openat(self.file.as_fd(), name, flags, Mode::empty()).ok()?.into();
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.uid() != 0 || metadata.nlink() != 1 || metadata.len() > max_bytes {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(max_bytes).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Puts a file in place in one step, whatever the name was before (a directory of that name is an error).
    pub fn write(&self, name: &str, bytes: &[u8], access: Access) -> Result<(), FolderError> {
        let temporary = format!(".{}.new", platform_kit::random::id());
        let result = self.write_new(&temporary, bytes, access).and_then(|()| {
            renameat(self.file.as_fd(), temporary.as_str(), self.file.as_fd(), name)
                .map_err(|errno| self.failed("replace", name, errno))
        });
        if result.is_err() {
            // What could not be put in place must not stay; the error that matters is the first.
            let _ = self.remove_file(&temporary);
        }
        result
    }

    fn write_new(&self, name: &str, bytes: &[u8], access: Access) -> Result<(), FolderError> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut file: File = openat(self.file.as_fd(), name, flags, Mode::S_IRUSR | Mode::S_IWUSR)
            .map_err(|errno| self.failed("create", name, errno))?
            .into();
        let written = file.write_all(bytes).and_then(|()| set_access(&file, access)).and_then(|()| file.sync_all());
        written.map_err(|source| FolderError { step: "write", path: self.path.join(name), source })
    }

    /// Removes a file or link. One that is gone already is fine.
    pub fn remove_file(&self, name: &str) -> Result<(), FolderError> {
        match unlinkat(self.file.as_fd(), name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed("remove", name, errno)),
        }
    }

    /// Renames within this directory. What is there under the new name must be nothing.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), FolderError> {
        let nothing = nix::fcntl::RenameFlags::RENAME_NOREPLACE;
        nix::fcntl::renameat2(self.file.as_fd(), from, self.file.as_fd(), to, nothing)
            .map_err(|errno| self.failed("rename", from, errno))
    }

    /// Whether there is a directory of this name; a link to one is none.
    pub fn has_child(&self, name: &str) -> bool {
        self.existing_child(name).is_ok()
    }

    /// Removes a directory below this one with everything in it. Links are removed, not followed.
    pub fn remove_tree(&self, name: &str) -> Result<(), FolderError> {
        self.remove_below(name, MAX_DEPTH)
    }

    fn remove_below(&self, name: &str, depth: u32) -> Result<(), FolderError> {
        if depth == 0 {
            return Err(self.failed_here("go deeper into", io::Error::from(io::ErrorKind::QuotaExceeded)));
        }
        match self.existing_child(name) {
            Ok(child) => {
                for inner in child.names(usize::MAX)? {
                    child.remove_below(&inner, depth - 1)?;
                }
                match unlinkat(self.file.as_fd(), name, UnlinkatFlags::RemoveDir) {
                    Ok(()) | Err(Errno::ENOENT) => Ok(()),
                    Err(errno) => Err(self.failed("remove", name, errno)),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if is_not_a_directory(&error.source) => self.remove_file(name),
            Err(error) => Err(error),
        }
    }

    /// Removes everything in this directory but what is named. Links are removed, not followed; names need not be UTF-8.
    pub fn clear_except(&self, keep: &BTreeSet<String>) -> Result<(), FolderError> {
        let through = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let entries = std::fs::read_dir(through).map_err(|source| self.failed_here("list", source))?;
        for name in entries.filter_map(|entry| Some(entry.ok()?.file_name())) {
            match name.to_str() {
                Some(text) if keep.contains(text) => {}
                Some(text) => self.remove_tree(text)?,
                None => unlinkat(self.file.as_fd(), name.as_os_str(), UnlinkatFlags::NoRemoveDir)
                    .map_err(|errno| self.failed("remove", &name.to_string_lossy(), errno))?,
            }
        }
        Ok(())
    }

    /// Names in this directory, at most `limit`.
    pub fn names(&self, limit: usize) -> Result<Vec<String>, FolderError> {
        let through = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let entries = std::fs::read_dir(through).map_err(|source| self.failed_here("list", source))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.take(limit).collect())
    }

    /// Gives everything below this directory, and itself, to an owner. Links are given themselves, not what they name.
    pub fn give_tree(&self, uid: u32, gid: u32) -> Result<(), FolderError> {
        self.give_below(uid, gid, MAX_DEPTH)
    }

    fn give_below(&self, uid: u32, gid: u32, depth: u32) -> Result<(), FolderError> {
        if depth == 0 {
            return Err(self.failed_here("go deeper into", io::Error::from(io::ErrorKind::QuotaExceeded)));
        }
        let (owner, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
        for name in self.names(usize::MAX)? {
            match self.existing_child(&name) {
                Ok(child) => child.give_below(uid, gid, depth - 1)?,
                Err(error) if is_not_a_directory(&error.source) => {
                    let given = fchownat(
                        self.file.as_fd(),
                        name.as_str(),
                        Some(owner),
                        Some(group),
                        AtFlags::AT_SYMLINK_NOFOLLOW,
                    );
                    given.map_err(|errno| self.failed("give away", &name, errno))?;
                }
                Err(error) => return Err(error),
            }
        }
        std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid))
            .map_err(|source| self.failed_here("give away", source))
    }

    fn failed(&self, step: &'static str, name: &str, errno: Errno) -> FolderError {
        FolderError { step, path: self.path.join(name), source: errno.into() }
    }

    fn failed_here(&self, step: &'static str, source: io::Error) -> FolderError {
        FolderError { step, path: self.path.clone(), source }
    }
}

fn set_access(file: &File, access: Access) -> io::Result<()> {
    let metadata = file.metadata()?;
    if (metadata.uid(), metadata.gid()) != (access.uid, access.gid) {
        std::os::unix::fs::fchown(file, Some(access.uid), Some(access.gid))?;
    }
    // After the owner: a change of owner clears set-group-id.
    if file.metadata()?.mode() & 0o7777 != access.mode {
        file.set_permissions(Permissions::from_mode(access.mode))?;
    }
    Ok(())
}

fn is_not_a_directory(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::ENOTDIR | nix::libc::ELOOP))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Access = Access::root(0o444);

    #[test]
    fn everything_goes_but_what_is_named_whatever_it_is_called() {
        use std::os::unix::ffi::OsStrExt as _;
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at(".canary"), "x").unwrap();
        std::fs::write(at("1.sock"), "").unwrap();
        std::fs::write(directory.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        std::fs::create_dir_all(at("folder/inner")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", at("link")).unwrap();
        let keep = BTreeSet::from([".canary".to_owned()]);
        Folder::open(directory.path()).unwrap().clear_except(&keep).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(std::path::Path::new("/etc/hostname").exists());
    }

    #[test]
    fn links_in_a_hostile_directory_are_replaced_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let hostile = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&victim, hostile.path().join(".canary")).unwrap();
        let folder = Folder::open(hostile.path()).unwrap();
        assert_eq!(folder.read_own(".canary", 100), None);
        folder.write(".canary", b"text", FILE).unwrap();
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert_eq!(folder.read_own(".canary", 100).unwrap(), b"text");
        assert_eq!(folder.read_own(".canary", 3), None);
    }

    #[test]
    fn a_link_in_place_of_a_directory_is_an_error() {
        let outside = tempfile::tempdir().unwrap();
        let hostile = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), hostile.path().join("current")).unwrap();
        let folder = Folder::open(hostile.path()).unwrap();
        assert!(folder.child("current", Access::root(0o700)).is_err());
        std::fs::create_dir(hostile.path().join(".canary")).unwrap();
        assert!(folder.write(".canary", b"text", FILE).is_err());
        assert_eq!(folder.names(10).unwrap().len(), 2, "nothing temporary stays");
    }

    #[test]
    fn a_fifo_does_not_block() {
        let hostile = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&hostile.path().join(".canary"), Mode::S_IRWXU).unwrap();
        let folder = Folder::open(hostile.path()).unwrap();
        assert_eq!(folder.read_own(".canary", 100), None);
        folder.write(".canary", b"text", FILE).unwrap();
    }

    #[test]
    fn a_tree_is_removed_without_following_its_links() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("precious"), "x").unwrap();
        let hostile = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(hostile.path().join("restore-x/deep")).unwrap();
        std::os::unix::fs::symlink(outside.path(), hostile.path().join("restore-x/deep/link")).unwrap();
        std::os::unix::fs::symlink(outside.path(), hostile.path().join("restore-y")).unwrap();
        let folder = Folder::open(hostile.path()).unwrap();
        folder.remove_tree("restore-x").unwrap();
        folder.remove_tree("restore-y").unwrap();
        folder.remove_tree("restore-z").unwrap();
        assert!(folder.names(10).unwrap().is_empty());
        assert!(outside.path().join("precious").exists());
    }

    #[test]
    fn a_tree_is_given_away_with_its_links_but_not_their_targets() {
        let outside = tempfile::tempdir().unwrap();
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tree.path().join("a/b")).unwrap();
        std::fs::write(tree.path().join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("a/link")).unwrap();
        Folder::open(tree.path()).unwrap().give_tree(4242, 4243).unwrap();
        let owner = |path: &Path| {
            let metadata = std::fs::symlink_metadata(path).unwrap();
            (metadata.uid(), metadata.gid())
        };
        for path in ["", "a", "a/b", "a/b/file", "a/link"] {
            assert_eq!(owner(&tree.path().join(path)), (4242, 4243), "{path}");
        }
        assert_eq!(owner(outside.path()), (0, 0));
    }
}
