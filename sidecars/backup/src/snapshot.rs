//! A staged copy becomes a snapshot.
//!
//! ```text
//! walk → check the database → manifest (every byte read) → archive (every byte read again, hashed) → compare → complete
//! ```

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use platform_kit::{Clock as _, SystemClock};
use platform_types::backup::{MANIFEST_FILE, Manifest, TaskReport};
use sha2::{Digest as _, Sha256};

use crate::RepositoryArguments;
use crate::files::{Folder, Found};
use crate::repository::{self, Opener, Source, Store};
use crate::{database, manifest, task};

/// What the archiver really read: path to digest.
type Readings = Arc<Mutex<BTreeMap<String, String>>>;

pub fn take(arguments: &RepositoryArguments, source: &Path, reason: &str) -> anyhow::Result<TaskReport> {
    ensure!(
        !reason.is_empty() && reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
        "a reason is one word of a-z and '-'"
    );
    let folder = Arc::new(Folder::open(source)?);
    let at = SystemClock.now();
    let walk = folder.walk()?;
    for path in &walk.left_out {
        task::progress(format!("left out, not a regular file: {}", path.escape_default()));
    }
    ensure!(
        walk.files.iter().all(|found| found.path != MANIFEST_FILE),
        "the staged copy holds a file named {MANIFEST_FILE}"
    );
    task::progress("checking the database");
    let facts = database::inspect(&folder)?;
    task::progress(format!("reading {}", task::files(walk.files.len())));
    let manifest = manifest::build(&folder, &walk.files, facts, &arguments.profile, at)?;

    let key = platform_kit::secret::read(&arguments.key_file)?;
    let _lock = repository::lock(&arguments.repository)?;
    let store = Store::open_or_init(&arguments.repository, &key)?;
    task::progress("writing to the repository");
    let readings = Readings::default();
    let source = archive_source(&folder, walk.files, &manifest, &readings)?;
    let (store, saved) = store.archive(&source, &arguments.profile, reason, at)?;
    compare(&manifest, &readings)?;
    let complete = store.mark_complete(&saved)?;
    let snapshot = repository::describe(&complete).context("the snapshot cannot be described")?;
    Ok(TaskReport::Snapshot(snapshot))
}

/// The staged files and the manifest, in the order of their paths.
fn archive_source(
    folder: &Arc<Folder>,
    files: Vec<Found>,
    manifest: &Manifest,
    readings: &Readings,
) -> anyhow::Result<Source> {
    let mut entries: Vec<(Found, Opener)> = files
        .into_iter()
        .map(|found| {
            let (folder, path, readings) = (folder.clone(), found.path.clone(), readings.clone());
            let opener: Opener = Arc::new(move || {
                let file = folder.open_file(&path)?;
                Ok(Box::new(Recording::new(file, path.clone(), readings.clone())))
            });
            (found, opener)
        })
        .collect();
    let text: Arc<[u8]> = serde_json::to_vec(manifest)?.into();
    let found = Found {
        path: MANIFEST_FILE.to_owned(),
        bytes: text.len() as u64,
        mode: 0o600,
        modified_seconds: manifest.at.as_millis() / 1000,
        modified_nanos: 0,
        uid: 0,
        gid: 0,
    };
    entries.push((found, Arc::new(move || Ok(Box::new(Cursor::new(text.clone()))))));
    entries.sort_by(|(a, _), (b, _)| a.path.split('/').cmp(b.path.split('/')));
    Ok(Source { entries })
}

/// A snapshot is complete when what the archiver read is, byte for byte, what the manifest names.
fn compare(manifest: &Manifest, readings: &Readings) -> anyhow::Result<()> {
    let readings = readings.lock().unwrap_or_else(PoisonError::into_inner);
    for (path, file) in &manifest.files {
        let read = readings
            .get(path)
            .with_context(|| format!("{path} could not be read to its end: the snapshot is incomplete"))?;
        ensure!(*read == file.sha256, "{path} changed while it was read: the snapshot is incomplete");
    }
    Ok(())
}

/// Notes the digest of a file once it was read to its end.
struct Recording<R> {
    inner: R,
    path: String,
    hasher: Sha256,
    readings: Readings,
}

impl<R> Recording<R> {
    fn new(inner: R, path: String, readings: Readings) -> Self {
        Self { inner, path, hasher: Sha256::new(), readings }
    }
}

impl<R: Read> Read for Recording<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        if read == 0 && !buffer.is_empty() {
            let digest = data_encoding::HEXLOWER.encode(&self.hasher.clone().finalize());
            self.readings.lock().unwrap_or_else(PoisonError::into_inner).insert(self.path.clone(), digest);
        }
        Ok(read)
    }
}
