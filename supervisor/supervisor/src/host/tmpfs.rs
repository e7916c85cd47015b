//! Small file systems in memory for socket directories and secrets.
//!
//! **Invariants.** A mount that is there is adopted, never covered: containers hold the old one. Bytes and inodes are
//! bounded, so a container that fills its directory fills nothing else. No mount namespace is made: dockerd has to see
//! these mounts.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::folder::{Access, Folder, FolderError};

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub kib: u32,
    pub inodes: u32,
}

impl Size {
    /// A directory of sockets: a few names and a canary.
    pub const SOCKETS: Self = Self { kib: 256, inodes: 64 };
    /// Spark's directory of directories, for a hundred profiles.
    pub const SPARK: Self = Self { kib: 1024, inodes: 512 };
    /// Secrets: a hundred of the longest would be 1.6 MiB.
    pub const SECRETS: Self = Self { kib: 2048, inodes: 256 };
}

#[derive(Debug, thiserror::Error)]
pub enum TmpfsError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("cannot mount a tmpfs at {}", path.display())]
    Mount { path: PathBuf, source: nix::Error },
    #[error("cannot unmount {}", path.display())]
    Unmount { path: PathBuf, source: nix::Error },
    #[error("a {kind} is mounted at {}, where the platform keeps a tmpfs of its own; unmount it", path.display())]
    Foreign { path: PathBuf, kind: String },
    #[error("cannot read the table of mounts")]
    Table(#[source] std::io::Error),
}

/// Makes sure that a tmpfs lies at `path` and who may use its top directory.
pub fn ensure(path: &Path, size: Size, access: Access) -> Result<Folder, TmpfsError> {
    match mounted_kind(path)? {
        Some(kind) if kind == "tmpfs" => {}
        Some(kind) => return Err(TmpfsError::Foreign { path: path.to_path_buf(), kind }),
        None => {
            Folder::make(path, Access::root(0o700))?;
            let options = format!("size={}k,nr_inodes={},mode=0700", size.kib, size.inodes);
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("bot-platform"), path, Some("tmpfs"), flags, Some(options.as_str()))
                .map_err(|source| TmpfsError::Mount { path: path.to_path_buf(), source })?;
        }
    }
    let top = Folder::open(path)?;
    top.give(access)?;
    Ok(top)
}

/// Unmounts everything of ours below `root`, deepest first.
pub fn remove_below(root: &Path) -> Result<(), TmpfsError> {
    let mut mounts: Vec<PathBuf> = mounts()?.into_iter().map(|(path, _)| path).collect();
    mounts.retain(|path| path.starts_with(root) && path != root);
    mounts.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    for path in mounts {
        umount2(&path, MntFlags::MNT_DETACH).map_err(|source| TmpfsError::Unmount { path: path.clone(), source })?;
    }
    Ok(())
}

/// The kind of file system that is mounted exactly at `path`.
fn mounted_kind(path: &Path) -> Result<Option<String>, TmpfsError> {
    Ok(mounts()?.into_iter().rev().find(|(at, _)| at == path).map(|(_, kind)| kind))
}

fn mounts() -> Result<Vec<(PathBuf, String)>, TmpfsError> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").map_err(TmpfsError::Table)?;
    Ok(table.lines().filter_map(parse_line).collect())
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/root rw`.
fn parse_line(line: &str) -> Option<(PathBuf, String)> {
    let (head, tail) = line.split_once(" - ")?;
    let path = head.split(' ').nth(4)?;
    let kind = tail.split(' ').next()?;
    Some((unescape(path).into(), kind.to_owned()))
}

/// The kernel writes blanks and backslashes as octal.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_line_of_the_mount_table() {
        let line = "36 35 98:0 /x /run/with\\040blank rw,noatime shared:1 master:2 - tmpfs bot-platform rw,size=4k";
        assert_eq!(parse_line(line), Some(("/run/with blank".into(), "tmpfs".into())));
    }

    /// Needs to be root, as the supervisor is.
    #[test]
    fn a_mount_is_made_once_adopted_and_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("run/http");
        let access = Access::of(4242, 0o755);
        ensure(&path, Size::SOCKETS, access).unwrap();
        std::fs::write(path.join("kept"), "x").unwrap();
        ensure(&path, Size::SOCKETS, Access::of(4243, 0o750)).unwrap();
        assert!(path.join("kept").exists(), "adopted, not covered");
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (4243, 0o750));
        assert!(std::fs::write(path.join("big"), vec![0; 300 * 1024]).is_err(), "bytes are bounded");
        let many = (0..100).find_map(|n| std::fs::write(path.join(format!("f{n}")), "").err());
        assert!(many.is_some(), "inodes are bounded");
        remove_below(directory.path().canonicalize().unwrap().as_path()).unwrap();
        assert_eq!(mounted_kind(&path).unwrap(), None);
    }
}
