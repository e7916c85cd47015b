//! The folder of the host that a snapshot is restored into, and how it was before.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::failed;
use crate::host::folder::{Access, Folder, FolderError};
use crate::state::OperationError;
use crate::words::chain;

/// A folder that does not exist yet, or is empty.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Owner and mode, when it was there.
    before: Option<Access>,
}

impl Place {
    /// A folder that holds something, or anything else of that name, is refused before its owner or mode is touched.
    pub(super) fn of(path: &Path) -> Result<Self, OperationError> {
        if !path.is_absolute() {
            return Err(failed("name the folder by its absolute path"));
        }
        let before = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&format!("{} cannot be looked at: {error}", path.display()))),
            Ok(found) => Some(Access { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o7777 }),
        };
        if before.is_some() {
            let there = Folder::open(path).map_err(|error| failed(&chain(&error)))?;
            if !there.names(1).map_err(|error| failed(&chain(&error)))?.is_empty() {
                return Err(failed(&format!("{} is not empty; name a folder that does not exist yet", path.display())));
            }
        }
        Ok(Self { path: path.to_path_buf(), before })
    }

    /// Gives what was restored to whoever asked for it.
    pub(super) fn give(&self, uid: u32, gid: u32) -> Result<(), OperationError> {
        let given = Folder::open(&self.path).and_then(|folder| folder.give_tree(uid, gid));
        given.map_err(|error| failed(&chain(&error)))
    }

    /// After a failure: gone if it was not there before, else empty and as it was.
    pub(super) fn put_back(&self) {
        if let Err(error) = self.try_put_back() {
            tracing::warn!(path = %self.path.display(), error = %chain(&error), "half a restore stays behind");
        }
    }

    fn try_put_back(&self) -> Result<(), FolderError> {
        match (self.before, self.path.parent(), self.path.file_name()) {
            (Some(before), _, _) => {
                let folder = Folder::open(&self.path)?;
                folder.clear_except(&BTreeSet::new())?;
                folder.give(before)
            }
            (None, Some(parent), Some(name)) => match Folder::open(parent) {
                Ok(parent) => parent.remove_tree(&name.to_string_lossy()),
                // Not even that was made.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            },
            (None, _, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// What a restore does before it fails.
    fn half_a_restore(path: &Path) {
        let made = Folder::make(path, Access::root(0o700)).unwrap();
        made.give(Access::of(4242, 0o700)).unwrap();
        std::fs::create_dir(path.join("workspace")).unwrap();
        std::fs::write(path.join("workspace/half"), "x").unwrap();
    }

    #[test]
    fn a_folder_that_was_made_for_a_restore_that_failed_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy");
        let place = Place::of(&path).unwrap();
        half_a_restore(&path);
        place.put_back();
        assert!(!path.exists());
        Place::of(&directory.path().join("no/such/parent")).unwrap().put_back();
    }

    #[test]
    fn a_folder_that_was_there_is_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy");
        std::fs::create_dir(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(4343), Some(4344)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let place = Place::of(&path).unwrap();
        half_a_restore(&path);
        place.put_back();
        let found = std::fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), (4343, 4344, 0o750));
        assert!(std::fs::read_dir(&path).unwrap().next().is_none());
    }

    #[test]
    fn a_folder_in_use_is_refused_untouched() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("mine"), "x").unwrap();
        assert!(Place::of(directory.path()).unwrap_err().to_string().contains("not empty"));
        assert!(Place::of(&directory.path().join("mine")).is_err());
        assert!(Place::of(Path::new("relative")).is_err());
    }
}
