//! Canaries: a text in each directory and volume that is mounted into a container. Who cannot read it there has lost
//! the mount.

use platform_types::layout::CANARY_FILE;

use super::folder::{Access, Folder, FolderError};

/// Longer than any canary that is written.
const MAX_CANARY_BYTES: u64 = 128;

/// The canary that lies in a directory, if it is one of ours: only root can have written it.
pub fn existing(folder: &Folder) -> Option<String> {
    let bytes = folder.read_own(CANARY_FILE, MAX_CANARY_BYTES)?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Makes sure that the canary lies in a directory, whatever somebody put in its place.
pub fn ensure(folder: &Folder, text: &str) -> Result<(), FolderError> {
    if folder.read_own(CANARY_FILE, MAX_CANARY_BYTES).as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    folder.write(CANARY_FILE, text.as_bytes(), Access::root(0o444))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_after_it_was_changed() {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder::open(directory.path()).unwrap();
        let path = directory.path().join(CANARY_FILE);
        for hostile in ["other text", "text"] {
            std::fs::write(&path, hostile).unwrap();
            std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            assert_eq!(existing(&folder), None, "it is not root's");
            ensure(&folder, "text").unwrap();
            assert_eq!(existing(&folder).as_deref(), Some("text"));
        }
    }
}
