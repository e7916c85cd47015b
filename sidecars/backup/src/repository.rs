//! The one module that knows rustic: a repository in restic's format.
//!
//! **Invariants.** Everything that writes holds the repository's own exclusive lock (`.bot.lock`): rustic takes none. A
//! snapshot carries the tag `complete` only after it was compared with its manifest; until then, and after a kill, it
//! carries `unverified`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytesize::ByteSize;
use jiff::tz::TimeZone;
use nix::fcntl::{Flock, FlockArg};
use platform_kit::Secret;
use platform_types::backup::Snapshot;
use platform_types::{ProfileName, Timestamp};
use rustic_backend::BackendOptions;
use rustic_core::repofile::{Metadata, Node, NodeType, SnapshotId, StringList};
use rustic_core::{
    BackupOptions, CheckOptions, CheckResults, ConfigOptions, Credentials, IndexedFullStatus, KeyOptions, LsOptions,
    OpenStatus, ParentOptions, PruneOptions, ReadSource, ReadSourceEntry, ReadSourceOpen, Repository,
    RepositoryBackends, RepositoryOptions, RusticError, RusticResult, SnapshotOptions,
};

/// A snapshot as the repository holds it.
pub use rustic_core::repofile::SnapshotFile;

use crate::files::Found;

/// Small chunks: a changed page of the database costs kilobytes instead of megabytes.
const CHUNK_BYTES: u64 = 64 * 1024;
const CHUNK_MIN_BYTES: u64 = 32 * 1024;
const CHUNK_MAX_BYTES: u64 = 512 * 1024;

/// The folder under which a profile's files stand inside a snapshot.
pub const ROOT: &str = "/state";

const TAG_COMPLETE: &str = "complete";
const TAG_UNVERIFIED: &str = "unverified";
const TAG_REASON: &str = "reason:";
const LOCK_FILE: &str = ".bot.lock";

type Opened = Repository<OpenStatus>;

/// A repository that can be listed and written.
pub struct Store {
    repository: Opened,
    path: PathBuf,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A repository whose index is loaded, so that files can be read back.
pub struct Reading {
    repository: Repository<IndexedFullStatus>,
    root: Node,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// A file or folder inside a snapshot.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Relative to [`ROOT`].
    pub path: String,
    pub kind: StoredKind,
    pub mode: u32,
    pub modified: Option<jiff::Timestamp>,
    node: Node,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredKind {
    File {
        bytes: u64,
    },
    Folder,
    /// A link, device or pipe: ours never holds one.
    Other,
}

/// Something to archive, in the order of paths.
pub struct Source {
    pub entries: Vec<(Found, Opener)>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("entries", &self.entries.len()).finish()
    }
}

/// Opens one file when its turn comes.
pub type Opener = Arc<dyn Fn() -> anyhow::Result<Box<dyn Read + Send>> + Send + Sync>;

/// An exclusive lock on a repository; released on drop.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, never read")] Flock<File>);

/// Waits for the repository's exclusive lock.
pub fn lock(path: &Path) -> anyhow::Result<Lock> {
    let file = File::options().create(true).truncate(false).write(true).open(path.join(LOCK_FILE));
    let file = file.with_context(|| format!("cannot open the lock of the repository {}", path.display()))?;
    let lock = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| anyhow!("cannot lock the repository: {errno}"))?;
    Ok(Lock(lock))
}

/// Whether a repository was made there.
pub fn exists(path: &Path) -> bool {
    path.join("config").is_file()
}

impl Store {
    pub fn open(path: &Path, key: &Secret<String>) -> anyhow::Result<Self> {
        Self::open_on(&backends(path)?, path, key)
    }

    /// The repository behind `backends`, which lies at `path`.
    pub(crate) fn open_on(backends: &RepositoryBackends, path: &Path, key: &Secret<String>) -> anyhow::Result<Self> {
        let repository = unopened(backends)?.open(&credentials(key)).map_err(|error| say(&error))?;
        Ok(Self { repository, path: path.to_path_buf() })
    }

    /// Opens the repository, making it first when there is none. Call under [`lock`].
    pub fn open_or_init(path: &Path, key: &Secret<String>) -> anyhow::Result<Self> {
        if exists(path) {
            return Self::open(path, key);
        }
        let options = ConfigOptions::default()
            .set_chunk_size(ByteSize(CHUNK_BYTES))
            .set_chunk_min_size(ByteSize(CHUNK_MIN_BYTES))
            .set_chunk_max_size(ByteSize(CHUNK_MAX_BYTES));
        let repository = unopened(&backends(path)?)?;
        let repository =
            repository.init(&credentials(key), &KeyOptions::default(), &options).map_err(|error| say(&error))?;
        Ok(Self { repository, path: path.to_path_buf() })
    }

    /// Archives `source`; the snapshot is `unverified`. Call under [`lock`].
    pub fn archive(
        self,
        source: &Source,
        profile: &ProfileName,
        reason: &str,
        at: Timestamp,
    ) -> anyhow::Result<(Self, SnapshotFile)> {
        let time = jiff::Timestamp::from_millisecond(at.as_millis())?.to_zoned(TimeZone::UTC);
        let template = SnapshotOptions::default()
            .host(profile.to_string())
            .time(time)
            .add_tags(&format!("{TAG_UNVERIFIED},{TAG_REASON}{reason}"))
            .and_then(|options| options.to_snapshot())
            .map_err(|error| say(&error))?;
        // No parent: every byte is read, so that it can be compared with the manifest.
        let options = BackupOptions::default().parent_opts(ParentOptions::default().force(true)).no_scan(true);
        let repository = self.repository.to_indexed_ids().map_err(|error| say(&error))?;
        let saved =
            repository.archive(&options, source, template, &[PathBuf::from(ROOT)]).map_err(|error| say(&error))?;
        sync_folders(&self.path)?;
        Ok((Self { repository: repository.drop_index(), path: self.path }, saved))
    }

    /// Replaces an `unverified` snapshot by the same one as `complete`; gives the new id.
    pub fn mark_complete(&self, snapshot: &SnapshotFile) -> anyhow::Result<SnapshotFile> {
        let mut complete = snapshot.clone();
        complete.tags.remove_all(&[unverified()]);
        complete.tags.add(TAG_COMPLETE.to_owned());
        let [tree, time] = [snapshot.tree.to_string(), snapshot.time.to_string()];
        self.repository.save_snapshots(vec![complete]).map_err(|error| say(&error))?;
        sync_folders(&self.path)?;
        self.repository.delete_snapshots(&[snapshot.id]).map_err(|error| say(&error))?;
        let same = |found: &SnapshotFile| {
            is_complete(found) && found.tree.to_string() == tree && found.time.to_string() == time
        };
        let (found, _) = self.files()?;
        found.into_iter().find(same).context("the finished snapshot is not in the repository")
    }

    /// Every snapshot that can be read, newest first, and what cannot be.
    pub fn files(&self) -> anyhow::Result<(Vec<SnapshotFile>, Vec<String>)> {
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for id in self.repository.list::<SnapshotId>().map_err(|error| say(&error))? {
            match self.repository.get_file::<SnapshotFile>(&id) {
                Ok(mut snapshot) => {
                    snapshot.id = id;
                    found.push(snapshot);
                }
                Err(error) => {
                    problems.push(format!("snapshot {} cannot be read: {}", id, say(&error)));
                }
            }
        }
        found.sort_by(|a, b| b.time.cmp(&a.time));
        Ok((found, problems))
    }

    /// Deletes snapshots. What they held is still there until [`Self::prune`]. Call under [`lock`].
    pub fn forget(&self, snapshots: &[&SnapshotFile]) -> anyhow::Result<()> {
        let ids: Vec<_> = snapshots.iter().map(|snapshot| snapshot.id).collect();
        self.repository.delete_snapshots(&ids).map_err(|error| say(&error))?;
        sync_folders(&self.path)
    }

    /// Removes what no snapshot needs. At once: nobody else writes while we hold the lock. Call under [`lock`].
    pub fn prune(&self) -> anyhow::Result<()> {
        let mut options = PruneOptions::default();
        options.instant_delete = true;
        let plan = self.repository.prune_plan(&options).map_err(|error| say(&error))?;
        self.repository.prune(&options, plan).map_err(|error| say(&error))?;
        sync_folders(&self.path)
    }

    /// What is wrong with the repository, one sentence each, as far as these snapshots and its index tell.
    pub fn check(&self, snapshots: &[SnapshotFile], all_data: bool) -> anyhow::Result<Vec<String>> {
        let trees = snapshots.iter().map(|snapshot| snapshot.tree).collect();
        let options = CheckOptions::default().read_data(all_data);
        let results = self.repository.check_with_trees(options, trees).map_err(|error| say(&error))?;
        // The level has no name outside of rustic; a list of one says whether it is an error.
        let wrong = results.0.into_iter().filter_map(|finding| {
            let words = one_line(&finding.1.to_string());
            CheckResults(vec![finding]).is_ok().is_err().then_some(words)
        });
        Ok(wrong.collect())
    }

    /// Loads the index and opens one snapshot for reading.
    pub fn read(self, snapshot: &SnapshotFile) -> anyhow::Result<Reading> {
        let repository = self.repository.to_indexed().map_err(|error| say(&error))?;
        let at = format!("{}:{ROOT}", full_id(snapshot));
        let root = repository.node_from_snapshot_path(&at, |_| true).map_err(|error| say(&error))?;
        Ok(Reading { repository, root })
    }
}

impl Reading {
    /// Everything below [`ROOT`], folders before what is in them.
    pub fn entries(&self) -> anyhow::Result<Vec<Stored>> {
        let options = LsOptions::default();
        let listing = self.repository.ls(&self.root, &options).map_err(|error| say(&error))?;
        listing
            .map(|item| {
                let (path, node) = item.map_err(|error| say(&error))?;
                let path =
                    path.to_str().context("a path in the snapshot is not UTF-8")?.trim_start_matches('/').to_owned();
                let kind = match node.node_type {
                    NodeType::File => StoredKind::File { bytes: node.meta.size },
                    NodeType::Dir => StoredKind::Folder,
                    _ => StoredKind::Other,
                };
                let mode = node.meta.mode.unwrap_or(0o600) & 0o777;
                Ok(Stored { path, kind, mode, modified: node.meta.mtime, node })
            })
            .collect()
    }

    /// Writes a file's content.
    pub fn dump(&self, stored: &Stored, writer: &mut impl Write) -> anyhow::Result<()> {
        self.repository.dump(&stored.node, writer).map_err(|error| say(&error))
    }
}

impl ReadSource for Source {
    type Open = Opening;
    type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<Opening>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(Some(self.entries.iter().map(|(found, _)| found.bytes).sum()))
    }

    fn entries(&self) -> Self::Iter {
        let entries = self.entries.iter().map(|(found, opener)| {
            let path = Path::new(ROOT).join(&found.path);
            let name = path.file_name().unwrap_or_default().to_owned();
            let node = Node::new_node(&name, NodeType::File, metadata(found));
            Ok(ReadSourceEntry { path, node, open: Some(Opening(opener.clone())) })
        });
        entries.collect::<Vec<_>>().into_iter()
    }
}

/// An [`Opener`] in the shape that rustic asks for.
#[derive(Clone)]
pub struct Opening(Opener);

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening")
    }
}

impl ReadSourceOpen for Opening {
    type Reader = Box<dyn Read + Send>;

    fn open(self) -> RusticResult<Self::Reader> {
        (self.0)().map_err(|error| RusticError::new(rustic_core::ErrorKind::Backend, format!("{error:#}")))
    }
}

/// Files of a snapshot that are not the profile's.
const MANIFESTS: u64 = 1;

/// One of ours as people and the supervisor see it; `None` for what another program wrote.
pub fn describe(snapshot: &SnapshotFile) -> Option<Snapshot> {
    let summary = snapshot.summary.as_ref();
    Some(Snapshot {
        id: full_id(snapshot),
        profile: ProfileName::new(snapshot.hostname.clone()).ok()?,
        at: Timestamp(snapshot.time.timestamp().as_millisecond()),
        reason: snapshot.tags.iter().find_map(|tag| tag.strip_prefix(TAG_REASON)).unwrap_or("unknown").to_owned(),
        files: summary.map_or(0, |summary| summary.total_files_processed.saturating_sub(MANIFESTS)),
        bytes: summary.map_or(0, |summary| summary.total_bytes_processed),
        added_bytes: summary.map(|summary| summary.data_added_packed),
        complete: is_complete(snapshot),
    })
}

fn is_complete(snapshot: &SnapshotFile) -> bool {
    snapshot.tags.iter().any(|tag| tag == TAG_COMPLETE)
}

fn metadata(found: &Found) -> Metadata {
    let nanos = i32::try_from(found.modified_nanos).unwrap_or(0);
    Metadata {
        mode: Some(0o100_000 | found.mode),
        mtime: jiff::Timestamp::new(found.modified_seconds, nanos).ok(),
        uid: Some(found.uid),
        gid: Some(found.gid),
        size: found.bytes,
        ..Metadata::default()
    }
}

pub(crate) fn backends(path: &Path) -> anyhow::Result<RepositoryBackends> {
    BackendOptions::default().repository(path.to_string_lossy()).to_backends().map_err(|error| say(&error))
}

fn unopened(backends: &RepositoryBackends) -> anyhow::Result<Repository<()>> {
    // A local repository gains nothing from a cache, and there is no home folder here.
    Repository::new(&RepositoryOptions::default().no_cache(true), backends).map_err(|error| say(&error))
}

fn credentials(key: &Secret<String>) -> Credentials {
    Credentials::password(key.expose().clone())
}

/// rustic renames files into place without flushing the folder.
fn sync_folders(path: &Path) -> anyhow::Result<()> {
    for folder in ["data", "index", "snapshots"] {
        File::open(path.join(folder))
            .and_then(|folder| folder.sync_all())
            .with_context(|| format!("cannot flush {folder} of the repository"))?;
    }
    Ok(())
}

/// The whole id; its `Display` is short.
pub fn full_id(snapshot: &SnapshotFile) -> String {
    snapshot.id.to_hex().as_str().to_owned()
}

fn unverified() -> StringList {
    let mut tags = StringList::default();
    tags.add(TAG_UNVERIFIED.to_owned());
    tags
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// rustic's errors are paragraphs; ours are one line.
fn say(error: &RusticError) -> anyhow::Error {
    anyhow!(one_line(&error.display_log()))
}
