//! A folder whose files are read and replaced safely, one name at a time.
//!
//! **Invariants.** Every access goes through the folder's own descriptor with one [`Name`], so nothing outside the folder is
//! reached. No link is followed, and only regular files are read. A file is replaced as a whole: whoever reads it finds the
//! text before or the text after, also after a power cut, and once [`Folder::write`] is done the text is on disk.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::{Name, WorkspaceError};

/// Entries of one folder that are listed: far more than anything here writes.
pub const MAX_ENTRIES: usize = 20_000;
/// Where a file is written before it takes its name. It cannot be a [`Name`], so nobody reads or lists it.
const UNFINISHED: &str = ".unfinished";

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    directory: OwnedFd,
}

/// A regular file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: Name,
    pub bytes: u64,
    /// Nanoseconds since 1970.
    pub modified: i64,
}

impl Folder {
    /// Opens the folder at `path`, which exists.
    pub fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let shown = path.display().to_string();
        let directory = nix::fcntl::open(path, FOLDER, Mode::empty()).map_err(WorkspaceError::nix(&shown))?;
        Ok(Self { directory })
    }

    /// Opens a folder in this one, and makes it where it is missing. `name` is the program's own or a bot's, never a model's.
    pub fn folder(&self, name: &str) -> Result<Self, WorkspaceError> {
        match mkdirat(&self.directory, name, Mode::S_IRWXU) {
            Ok(()) => self.sync(name)?,
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(WorkspaceError::nix(name)(errno)),
        }
        let directory = openat(&self.directory, name, FOLDER, Mode::empty()).map_err(WorkspaceError::nix(name))?;
        Ok(Self { directory })
    }

    /// The text of a file; `None` where there is no such regular file. What is not UTF-8 is replaced.
    pub fn read(&self, name: &Name, max_bytes: usize) -> Result<Option<String>, WorkspaceError> {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.directory, name.as_str(), flags, Mode::empty()) {
            Err(Errno::ENOENT | Errno::ELOOP) => return Ok(None),
            other => File::from(other.map_err(WorkspaceError::nix(name.as_str()))?),
        };
        if !file.metadata().map_err(WorkspaceError::io(name.as_str()))?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let most = max_bytes as u64 + 1;
        file.take(most).read_to_end(&mut bytes).map_err(WorkspaceError::io(name.as_str()))?;
        if bytes.len() > max_bytes {
            let (found, most) = (bytes.len(), max_bytes);
            return Err(WorkspaceError::TooLarge { what: "the file", found, unit: "bytes or more", most });
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Replaces a file, or makes it. A failure leaves what was there.
    pub fn write(&self, name: &Name, text: &str) -> Result<(), WorkspaceError> {
        let fail = || WorkspaceError::io(name.as_str());
        self.forget(UNFINISHED)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let opened = openat(&self.directory, UNFINISHED, flags, mode).map_err(WorkspaceError::nix(name.as_str()))?;
        let mut file = File::from(opened);
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fail());
        let renamed = written.and_then(|()| {
            renameat(&self.directory, UNFINISHED, &self.directory, name.as_str())
                .map_err(WorkspaceError::nix(name.as_str()))
        });
        if let Err(error) = renamed {
            // On a full disk its space is needed; the first error says what is wrong.
            let _ = self.forget(UNFINISHED);
            return Err(error);
        }
        self.sync(name.as_str())
    }

    /// Removes a file; one that is not there is removed already.
    pub fn remove(&self, name: &Name) -> Result<(), WorkspaceError> {
        self.forget(name.as_str())?;
        self.sync(name.as_str())
    }

    /// The regular files whose names can be names, in their order.
    pub fn list(&self) -> Result<Vec<Entry>, WorkspaceError> {
        let mut directory =
            Dir::openat(&self.directory, ".", FOLDER, Mode::empty()).map_err(WorkspaceError::nix("."))?;
        let mut found = Vec::new();
        for entry in directory.iter().take(MAX_ENTRIES) {
            let entry = entry.map_err(WorkspaceError::nix("."))?;
            let Some(name) = entry.file_name().to_str().ok().and_then(|name| Name::new(name).ok()) else { continue };
            found.extend(self.stamp(&name)?);
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Size and time of a file; `None` where there is no such regular file.
    pub fn stamp(&self, name: &Name) -> Result<Option<Entry>, WorkspaceError> {
        let found: FileStat = match fstatat(&self.directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Ok(None),
            other => other.map_err(WorkspaceError::nix(name.as_str()))?,
        };
        let is_file = SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
        let modified = found.st_mtime.saturating_mul(1_000_000_000).saturating_add(found.st_mtime_nsec);
        let bytes = u64::try_from(found.st_size).unwrap_or_default();
        Ok(is_file.then(|| Entry { name: name.clone(), bytes, modified }))
    }

    fn forget(&self, name: &str) -> Result<(), WorkspaceError> {
        match unlinkat(&self.directory, name, UnlinkatFlags::NoRemoveDir) {
            Err(Errno::ENOENT) | Ok(()) => Ok(()),
            Err(errno) => Err(WorkspaceError::nix(name)(errno)),
        }
    }

    /// Names made and removed so far are on disk afterwards.
    fn sync(&self, name: &str) -> Result<(), WorkspaceError> {
        nix::unistd::fsync(&self.directory).map_err(WorkspaceError::nix(name))
    }
}

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap().folder("notes").unwrap();
        assert_eq!(folder.read(&name("a.md"), 10).unwrap(), None);
        folder.write(&name("a.md"), "one").unwrap();
        folder.write(&name("a.md"), "two").unwrap();
        assert_eq!(folder.read(&name("a.md"), 10).unwrap().as_deref(), Some("two"));
        assert!(folder.read(&name("a.md"), 2).unwrap_err().to_string().contains("at most 2"));
        let listed = folder.list().unwrap();
        assert_eq!((listed.len(), listed[0].bytes), (1, 3));
        folder.remove(&name("a.md")).unwrap();
        folder.remove(&name("a.md")).unwrap();
        assert!(folder.list().unwrap().is_empty());
    }

    #[test]
    fn links_folders_and_what_was_not_finished_are_no_files() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("secret"), "outside").unwrap();
        let folder = Folder::open(place.path()).unwrap().folder("notes").unwrap();
        let inside = place.path().join("notes");
        symlink("../secret", inside.join("link.md")).unwrap();
        std::fs::create_dir(inside.join("folder.md")).unwrap();
        std::fs::write(inside.join(UNFINISHED), "half").unwrap();
        assert_eq!(folder.read(&name("link.md"), 100).unwrap(), None);
        assert_eq!(folder.read(&name("folder.md"), 100).unwrap(), None);
        assert!(folder.list().unwrap().is_empty());
        folder.write(&name("link.md"), "mine").unwrap();
        assert_eq!(std::fs::read_to_string(place.path().join("secret")).unwrap(), "outside");
        assert_eq!(folder.read(&name("link.md"), 100).unwrap().as_deref(), Some("mine"));
        assert!(folder.write(&name("folder.md"), "x").is_err());
        assert!(!inside.join(UNFINISHED).exists(), "a failure leaves nothing behind");
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let place = tempfile::tempdir().unwrap();
        symlink("/", place.path().join("notes")).unwrap();
        assert!(Folder::open(place.path()).unwrap().folder("notes").is_err());
    }
}
