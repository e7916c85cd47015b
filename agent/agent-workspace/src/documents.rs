//! Folders of the host that a bot may read: `<root>/<bot>/<folder>`, mounted read-only. Nothing is written here.
//!
//! **Invariants.** A path is `folder/…/file`; each component is opened by itself from the one before, and no link is followed,
//! so nothing outside the folder is reached. Hidden names are not there. Everything is bounded; what is left out is said.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use platform_types::BotName;

use crate::WorkspaceError;

/// Files of a bot's folders that are looked at.
pub const MAX_FILES: usize = 5000;
/// Entries of all kinds that are looked at, and folders within one another.
const MAX_ENTRIES: usize = 50_000;
const MAX_DEPTH: usize = 16;
/// Longest file that is read as text, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Longest path, in bytes.
const MAX_PATH_BYTES: usize = 512;
/// Paths that are named when one is not there, and how much of a path is compared.
const MAX_NEAR: usize = 3;
const MAX_COMPARED_CHARS: usize = 128;

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const FILE: OFlag = OFlag::O_RDONLY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// The documents of all bots.
#[derive(Debug, Clone)]
pub struct Documents {
    root: PathBuf,
}

/// A file, by the path that bots use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document {
    pub path: String,
    pub bytes: u64,
}

/// Files in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Document>,
    /// There are more than were looked at.
    pub more: bool,
}

impl Documents {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The names of a bot's folders.
    pub fn folders(&self, bot: &BotName) -> Result<Vec<String>, WorkspaceError> {
        let mut names = names(&self.of(bot)?, "documents")?.0;
        names.sort();
        if names.is_empty() { Err(none()) } else { Ok(names) }
    }

    /// Every file of a bot.
    pub fn list(&self, bot: &BotName) -> Result<Listing, WorkspaceError> {
        let mut walk = Walk { found: Listing::default(), left: MAX_ENTRIES };
        let root = self.of(bot)?;
        for folder in self.folders(bot)? {
            match openat(&root, folder.as_str(), FOLDER, Mode::empty()) {
                Ok(directory) => walk.below(&directory, &folder, MAX_DEPTH)?,
                Err(errno) => return Err(WorkspaceError::nix(&folder)(errno)),
            }
        }
        walk.found.files.sort();
        Ok(walk.found)
    }

    /// The text of a file: UTF-8, up to [`MAX_FILE_BYTES`].
    pub fn read(&self, bot: &BotName, path: &str) -> Result<(String, String), WorkspaceError> {
        let path = self.path(bot, path)?;
        let Some(file) = self.open(bot, &path)? else { return Err(self.missing(bot, &path)?) };
        Ok((text(file, &path)?, path))
    }

    /// Whether a file is there. `path` is one that [`Documents::path`] gave.
    pub fn has(&self, bot: &BotName, path: &str) -> Result<bool, WorkspaceError> {
        Ok(self.open(bot, path)?.is_some())
    }

    /// A path as it is written in lists: with its folder, which may be left out where there is only one.
    pub fn path(&self, bot: &BotName, path: &str) -> Result<String, WorkspaceError> {
        let given = path.trim().trim_start_matches("./");
        let folders = self.folders(bot)?;
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.chars().any(char::is_control);
        if given.len() > MAX_PATH_BYTES || !given.split('/').all(plain) {
            let shown: String = given.chars().take(80).collect();
            let words = format!(
                "{shown:?} is no path in the documents: write one as doc_list gives it, from {}",
                folders.join(", ")
            );
            return Err(WorkspaceError::Refused(words));
        }
        let first = given.split('/').next().unwrap_or_default();
        match folders.as_slice() {
            _ if given.contains('/') && folders.iter().any(|folder| folder == first) => Ok(given.to_owned()),
            [only] => Ok(format!("{only}/{given}")),
            _ => Err(WorkspaceError::Refused(format!(
                "{given:?} names no folder: begin with one of {}",
                folders.join(", ")
            ))),
        }
    }

    /// The paths that are most like one that is not there, the nearest first.
    pub fn near(&self, bot: &BotName, path: &str) -> Result<Vec<String>, WorkspaceError> {
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
        let cut = |text: &str| text.to_lowercase().chars().take(MAX_COMPARED_CHARS).collect::<String>();
        let (whole, name) = (cut(path), last(&cut(path)));
        let distance = |other: &str| {
            strsim::damerau_levenshtein(&whole, &cut(other)).min(strsim::damerau_levenshtein(&name, &last(&cut(other))))
        };
        let mut near: Vec<(usize, String)> =
            self.list(bot)?.files.into_iter().map(|file| (distance(&file.path), file.path)).collect();
        near.sort();
        Ok(near.into_iter().take(MAX_NEAR).map(|(_, path)| path).collect())
    }

    fn missing(&self, bot: &BotName, path: &str) -> Result<WorkspaceError, WorkspaceError> {
        let near = match self.near(bot, path)?.as_slice() {
            [] => "the folders are empty".to_owned(),
            paths => format!("the nearest are {}", paths.join(", ")),
        };
        Ok(WorkspaceError::NotFound { what: "document", name: path.to_owned(), near })
    }

    fn of(&self, bot: &BotName) -> Result<OwnedFd, WorkspaceError> {
        match nix::fcntl::open(&self.root.join(bot.as_str()), FOLDER, Mode::empty()) {
            Err(Errno::ENOENT) => Err(none()),
            other => other.map_err(WorkspaceError::nix("documents")),
        }
    }

    /// A regular file; `None` where there is none, or a link on the way.
    fn open(&self, bot: &BotName, path: &str) -> Result<Option<File>, WorkspaceError> {
        let mut at = self.of(bot)?;
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { FOLDER } else { FILE };
            at = match openat(&at, part, flags, Mode::empty()) {
                Err(Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR | Errno::ENXIO) => return Ok(None),
                other => other.map_err(WorkspaceError::nix(path))?,
            };
        }
        let file = File::from(at);
        let is_file = file.metadata().map_err(WorkspaceError::io(path))?.is_file();
        Ok(is_file.then_some(file))
    }
}

fn none() -> WorkspaceError {
    WorkspaceError::Refused(
        "this bot has no documents: a person has to name folders under `documents` in platform.toml".to_owned(),
    )
}

/// The text of a file of any length that fits.
fn text(file: File, path: &str) -> Result<String, WorkspaceError> {
    let refuse =
        |why: String| Err(WorkspaceError::Refused(format!("{path} {why}; read another file, or ask the person")));
    let bytes = file.metadata().map_err(WorkspaceError::io(path))?.len();
    if bytes > MAX_FILE_BYTES {
        return refuse(format!("has {bytes} bytes, and at most {MAX_FILE_BYTES} are read"));
    }
    let mut read = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut read).map_err(WorkspaceError::io(path))?;
    match String::from_utf8(read) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => refuse("is binary, not text".to_owned()),
    }
}

/// Names in a folder that are shown, and whether there are more.
fn names(directory: &OwnedFd, shown: &str) -> Result<(Vec<String>, bool), WorkspaceError> {
    let mut opened = Dir::openat(directory, ".", FOLDER, Mode::empty()).map_err(WorkspaceError::nix(shown))?;
    let mut found = Vec::new();
    for entry in opened.iter() {
        if found.len() >= MAX_ENTRIES {
            return Ok((found, true));
        }
        let entry = entry.map_err(WorkspaceError::nix(shown))?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if !name.starts_with('.') && !name.chars().any(char::is_control) {
            found.push(name.to_owned());
        }
    }
    Ok((found, false))
}

struct Walk {
    found: Listing,
    /// Entries that may still be looked at.
    left: usize,
}

impl Walk {
    /// A folder inside that cannot be entered is left out, and said.
    fn below(&mut self, directory: &OwnedFd, path: &str, depth: usize) -> Result<(), WorkspaceError> {
        let (mut names, more) = names(directory, path)?;
        self.found.more |= more;
        names.sort();
        for name in names {
            if self.left == 0 || self.found.files.len() >= MAX_FILES {
                self.found.more = true;
                return Ok(());
            }
            self.left -= 1;
            let inner = format!("{path}/{name}");
            // One that is gone meanwhile is not there.
            let Ok(found) = fstatat(directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            match SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT {
                SFlag::S_IFREG => {
                    let bytes = u64::try_from(found.st_size).unwrap_or_default();
                    self.found.files.push(Document { path: inner, bytes });
                }
                SFlag::S_IFDIR if depth > 1 => match openat(directory, name.as_str(), FOLDER, Mode::empty()) {
                    Ok(directory) => self.below(&directory, &inner, depth - 1)?,
                    Err(_) => self.found.more = true,
                },
                SFlag::S_IFDIR => self.found.more = true,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn place() -> (tempfile::TempDir, Documents, BotName) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("project/docs");
        std::fs::create_dir_all(folder.join("api")).unwrap();
        for (name, text) in
            [("readme.md", "one\ntwo\n"), ("api/routes.md", "GET /"), (".secret", "x"), ("api/blob", "a\0b")]
        {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let documents = Documents::new(place.path());
        (place, documents, BotName::new("project").unwrap())
    }

    fn paths(listing: &Listing) -> Vec<&str> {
        listing.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn files_are_listed_and_read_hidden_ones_are_not() {
        let (_place, documents, bot) = place();
        let listing = documents.list(&bot).unwrap();
        assert_eq!(paths(&listing), ["docs/api/blob", "docs/api/routes.md", "docs/readme.md"]);
        assert!(!listing.more);
        assert_eq!(documents.read(&bot, "docs/readme.md").unwrap().0, "one\ntwo\n");
        assert_eq!(documents.read(&bot, "readme.md").unwrap().1, "docs/readme.md", "the only folder may be left out");
        let refused = |path: &str| documents.read(&bot, path).unwrap_err().to_string();
        assert!(refused("docs/readme").contains("the nearest are docs/readme.md, "), "{}", refused("docs/readme"));
        assert!(refused("docs/api/blob").contains("binary"));
        assert!(refused("docs/.secret").contains("no path"));
        assert!(refused("docs/../docs/readme.md").contains("no path"));
        assert!(refused("/etc/passwd").contains("no path"));
        assert!(refused("docs/api").contains("there is no document"), "a folder is no document");
    }

    #[test]
    fn no_link_leads_out() {
        let (place, documents, bot) = place();
        let folder = place.path().join("project/docs");
        std::fs::write(place.path().join("outside"), "secret").unwrap();
        symlink(place.path().join("outside"), folder.join("link.md")).unwrap();
        symlink(Path::new("../../.."), folder.join("up")).unwrap();
        assert_eq!(documents.list(&bot).unwrap().files.len(), 3);
        for path in ["docs/link.md", "docs/up/outside"] {
            assert!(documents.read(&bot, path).unwrap_err().to_string().contains("there is no document"), "{path}");
        }
    }

    #[test]
    fn bots_have_folders_of_their_own() {
        let (place, documents, bot) = place();
        let other = BotName::new("other").unwrap();
        assert!(documents.list(&other).unwrap_err().to_string().contains("this bot has no documents"));
        std::fs::create_dir_all(place.path().join("project/more")).unwrap();
        assert!(documents.read(&bot, "readme.md").unwrap_err().to_string().contains("begin with one of docs, more"));
    }

    #[test]
    fn a_file_that_is_too_long_says_so() {
        let (place, documents, bot) = place();
        let file = File::create(place.path().join("project/docs/huge.md")).unwrap();
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(documents.read(&bot, "docs/huge.md").unwrap_err().to_string().contains("1048577 bytes"));
    }
}
