//! A snapshot becomes a folder, and every file is held against the manifest while it is written.
//!
//! **Invariants.** Nothing is written outside the target. Links and devices in a snapshot are ignored. A damaged file is
//! named and removed; the others come back.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::BufWriter;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use platform_types::backup::{MANIFEST_FILE, Manifest, ManifestFile, Restored, TaskReport};

use crate::RepositoryArguments;
use crate::files::plain_relative;
use crate::manifest::{Hashing, MANIFEST_VERSION, MAX_MANIFEST_BYTES};
use crate::repository::{self, Reading, SnapshotFile, Store, Stored, StoredKind};
use crate::task;

const LATEST: &str = "latest";
/// Shortest beginning of a snapshot id.
const MIN_ID_CHARS: usize = 6;
/// The snapshot must fit beside what is there, with this much to spare.
const SPARE_BYTES: u64 = 16 * 1024 * 1024;

pub fn restore(arguments: &RepositoryArguments, wanted: &str, into: &Path) -> anyhow::Result<TaskReport> {
    let key = platform_kit::secret::read(&arguments.key_file)?;
    ensure!(
        repository::exists(&arguments.repository),
        "there is no snapshot yet; take one with: botctl backup now {}",
        arguments.profile
    );
    let store = Store::open(&arguments.repository, &key)?;
    let snapshot = choose(&store, arguments, wanted)?;
    let id = repository::full_id(&snapshot);
    let reading = store.read(&snapshot)?;
    let entries = reading.entries()?;
    let manifest = read_manifest(&reading, &entries)?;
    ensure!(
        manifest.profile == arguments.profile,
        "snapshot {id} belongs to the profile {}, not to {}",
        manifest.profile,
        arguments.profile
    );
    make_target(into)?;
    check_space(into, &manifest)?;
    task::progress(format!("restoring {}", task::files(manifest.files.len())));
    let damaged = write_all(&reading, &entries, &manifest, into)?;
    sync(into)?;
    Ok(TaskReport::Restore(Restored {
        snapshot: id,
        profile: arguments.profile.clone(),
        path: into.display().to_string(),
        files: (manifest.files.len() - damaged.len()) as u64,
        bytes: manifest.files.iter().filter(|(path, _)| !damaged.contains(*path)).map(|(_, file)| file.bytes).sum(),
        damaged: damaged.into_iter().collect(),
    }))
}

fn choose(store: &Store, arguments: &RepositoryArguments, wanted: &str) -> anyhow::Result<SnapshotFile> {
    let (found, problems) = store.files()?;
    for problem in problems {
        task::progress(problem);
    }
    let complete = |snapshot: &SnapshotFile| repository::describe(snapshot).is_some_and(|snapshot| snapshot.complete);
    if wanted == LATEST {
        let own = |snapshot: &SnapshotFile| snapshot.hostname == arguments.profile.as_str() && complete(snapshot);
        return found.into_iter().find(own).context("there is no complete snapshot of this profile yet");
    }
    ensure!(
        wanted.len() >= MIN_ID_CHARS,
        "name at least {MIN_ID_CHARS} characters of the snapshot's id, or \"{LATEST}\""
    );
    let mut matching = found.into_iter().filter(|snapshot| repository::full_id(snapshot).starts_with(wanted));
    let snapshot = matching
        .next()
        .with_context(|| format!("no snapshot begins with {wanted}; see: botctl backup list {}", arguments.profile))?;
    ensure!(matching.next().is_none(), "more than one snapshot begins with {wanted}; name more characters");
    ensure!(complete(&snapshot), "snapshot {wanted} is not complete: it was never compared with a manifest");
    Ok(snapshot)
}

fn read_manifest(reading: &Reading, entries: &[Stored]) -> anyhow::Result<Manifest> {
    let stored = entries.iter().find(|stored| stored.path == MANIFEST_FILE).context("the snapshot has no manifest")?;
    let StoredKind::File { bytes } = stored.kind else { bail!("the manifest is not a file") };
    ensure!(bytes <= MAX_MANIFEST_BYTES, "the manifest is longer than {MAX_MANIFEST_BYTES} bytes");
    let mut text = Vec::new();
    reading.dump(stored, &mut text).context("the manifest is damaged")?;
    let manifest: Manifest = serde_json::from_slice(&text).context("the manifest is damaged")?;
    ensure!(
        manifest.version == MANIFEST_VERSION,
        "the manifest has version {}, this program reads {MANIFEST_VERSION}",
        manifest.version
    );
    Ok(manifest)
}

fn make_target(into: &Path) -> anyhow::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(into) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let empty = fs::read_dir(into).with_context(|| format!("cannot read {}", into.display()))?.next().is_none();
            ensure!(empty, "{} is not empty; name a new folder", into.display());
            Ok(())
        }
        Err(error) => Err(error).with_context(|| format!("cannot make the folder {}", into.display())),
    }
}

fn check_space(into: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let need = manifest.files.values().map(|file| file.bytes).sum::<u64>() + SPARE_BYTES;
    let space = nix::sys::statvfs::statvfs(into).context("cannot ask for free space")?;
    let free = space.blocks_available() * space.fragment_size();
    ensure!(
        free >= need,
        "the restore needs {need} bytes, {free} are free: make space and try again; nothing was changed"
    );
    Ok(())
}

/// Writes every file that the manifest names; gives those that did not come back whole.
fn write_all(
    reading: &Reading,
    entries: &[Stored],
    manifest: &Manifest,
    into: &Path,
) -> anyhow::Result<BTreeSet<String>> {
    let mut damaged: BTreeSet<String> = manifest.files.keys().cloned().collect();
    for stored in entries {
        let Some(path) = plain_relative(&stored.path) else {
            task::progress(format!("ignored, not a plain path: {}", stored.path.escape_default()));
            continue;
        };
        let target = into.join(path);
        match (stored.kind, manifest.files.get(&stored.path)) {
            (StoredKind::Folder, _) => make_folder(&target)?,
            (StoredKind::File { .. }, Some(named)) => match write_one(reading, stored, named, &target) {
                Ok(()) => {
                    damaged.remove(&stored.path);
                }
                Err(error) => {
                    task::progress(format!("damaged: {}: {error:#}", stored.path.escape_default()));
                    fs::remove_file(&target)
                        .with_context(|| format!("cannot remove the damaged {}", target.display()))?;
                }
            },
            (StoredKind::File { .. }, None) if stored.path == MANIFEST_FILE => {}
            _ => task::progress(format!("ignored, not in the manifest: {}", stored.path.escape_default())),
        }
    }
    Ok(damaged)
}

fn make_folder(target: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(target)
        .with_context(|| format!("cannot make the folder {}", target.display()))
}

fn write_one(reading: &Reading, stored: &Stored, named: &ManifestFile, target: &Path) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
    let mut writer = BufWriter::new(Hashing::new(file));
    reading.dump(stored, &mut writer)?;
    let (file, digest) = writer.into_inner().map_err(std::io::IntoInnerError::into_error)?.finish();
    ensure!(digest.bytes == named.bytes && digest.sha256 == named.sha256, "its content is not what the manifest names");
    file.set_permissions(Permissions::from_mode(stored.mode))?;
    if let Some(modified) = stored.modified {
        let since = Duration::try_from(modified.duration_since(jiff::Timestamp::UNIX_EPOCH)).unwrap_or_default();
        file.set_times(FileTimes::new().set_modified(UNIX_EPOCH + since))?;
    }
    file.sync_all()?;
    Ok(())
}

fn sync(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)?.sync_all().context("cannot flush the restored folder")
}
