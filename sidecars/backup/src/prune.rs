//! Forgets what need not be kept, then removes what nobody needs any more.
//!
//! **Invariants.** Under the repository's lock, so that no snapshot is written meanwhile. Killed anywhere, what is kept stays whole:
//! new packs and their index are there before the old index goes, and packs go last; the next prune finishes it.
//!
//! ```text
//!  lock ─▶ choose ─▶ forget (snapshot files) ─▶ repack ─▶ new index ─▶ old index gone ─▶ packs gone ─▶ leftovers gone
//! ```

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail, ensure};
use jiff::tz::TimeZone;
use platform_kit::{Clock as _, SystemClock};
use platform_types::backup::{Pruned, Snapshot, TaskReport};

use crate::repository::{self, Store};
use crate::retention::{self, Keep, Shrunk};
use crate::{RepositoryArguments, task};

/// Half-written files of a process that was killed; a younger one may belong to another program that writes.
const LEFTOVER_AGE: Duration = Duration::from_hours(24);

pub fn prune(arguments: &RepositoryArguments, keep: Keep, zone: &str) -> anyhow::Result<TaskReport> {
    let zone = TimeZone::get(zone).with_context(|| format!("there is no time zone {zone}"))?;
    ensure!(repository::exists(&arguments.repository), "there is no repository yet: take a snapshot first");
    let key = platform_kit::secret::read(&arguments.key_file)?;
    let _lock = repository::lock(&arguments.repository)?;
    refuse_foreign_locks(&arguments.repository)?;
    let before = size(&arguments.repository.join("data"))?;
    let store = Store::open(&arguments.repository, &key)?;
    let (kept, forgotten) = tidy(&store, arguments, keep, &zone)?;
    sweep(&arguments.repository)?;
    let freed_bytes = before.saturating_sub(size(&arguments.repository.join("data"))?);
    Ok(TaskReport::Prune(Pruned { profile: arguments.profile.clone(), kept, forgotten, freed_bytes }))
}

/// How many are kept and were forgotten.
fn tidy(store: &Store, arguments: &RepositoryArguments, keep: Keep, zone: &TimeZone) -> anyhow::Result<(u64, u64)> {
    let (files, problems) = store.files()?;
    if let Some(problem) = problems.first() {
        bail!("nothing is forgotten while {problem}");
    }
    let own: Vec<Snapshot> =
        files.iter().filter_map(repository::describe).filter(|found| found.profile == arguments.profile).collect();
    let gone = retention::forget(&own, keep, zone, SystemClock.now()).map_err(|shrunk| refuse(&shrunk))?;
    task::progress(format!("{} of {} snapshots are forgotten", gone.len(), own.len()));
    let gone: Vec<_> = files.iter().filter(|file| gone.contains(&repository::full_id(file))).collect();
    store.forget(&gone)?;
    task::progress("what nobody needs any more is removed");
    store.prune()?;
    Ok(((own.len() - gone.len()) as u64, gone.len() as u64))
}

fn refuse(Shrunk { newest_bytes, before_bytes }: &Shrunk) -> anyhow::Error {
    anyhow::anyhow!(
        "nothing is forgotten: the newest snapshot has {newest_bytes} bytes, and one of the week before it had {before_bytes}"
    )
}

/// Stock restic holds a lock while it works; removing what it is about to name would break its snapshot.
fn refuse_foreign_locks(repository: &Path) -> anyhow::Result<()> {
    let folder = repository.join("locks");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).context("the locks of the repository cannot be read"),
    };
    ensure!(entries.count() == 0, "another program works with the repository; when none does any more: restic unlock");
    Ok(())
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for file in files(folder)? {
        total += file.1.len();
    }
    Ok(total)
}

/// Removes what a killed process left half-written.
fn sweep(repository: &Path) -> anyhow::Result<()> {
    let now =
        Duration::from_millis(u64::try_from(SystemClock.now().as_millis()).context("the clock stands before 1970")?);
    let oldest = SystemTime::UNIX_EPOCH + now.saturating_sub(LEFTOVER_AGE);
    for (path, metadata) in files(repository)? {
        let is_half = path.file_name().is_some_and(|name| name.to_string_lossy().contains("-tmp-"));
        if is_half && metadata.modified().is_ok_and(|at| at < oldest) {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Every file below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<(std::path::PathBuf, std::fs::Metadata)>> {
    let (mut folders, mut found) = (vec![folder.to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let (path, metadata) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
            if metadata.is_dir() { folders.push(path) } else { found.push((path, metadata)) }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
