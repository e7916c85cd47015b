//! The restored folder and `current` change places, while no agent runs.
//!
//! ```text
//!   current, restore-x ──▶ previous-x, restore-x ──▶ previous-x, current
//! ```
//!
//! Killed between the two renames there is no `current`; the same call again finishes. The folder from before is kept
//! as `previous-…` until the next swap.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, ensure};
use platform_types::backup::TaskReport;

const CURRENT: &str = "current";
const RESTORED_PREFIX: &str = "restore-";
const PREVIOUS_PREFIX: &str = "previous-";

pub fn swap(state: &Path, restored: &str) -> anyhow::Result<TaskReport> {
    let suffix = restored.strip_prefix(RESTORED_PREFIX).context("a restored folder is named restore-…")?;
    ensure!(
        crate::files::plain_relative(restored).is_some() && !restored.contains('/'),
        "{restored} is not a plain name"
    );
    let previous = format!("{PREVIOUS_PREFIX}{suffix}");
    let [current, fresh, kept] = [CURRENT, restored, &previous].map(|name| state.join(name));
    if !fresh.exists() && kept.exists() && current.exists() {
        return Ok(TaskReport::Swap { previous });
    }
    ensure!(is_folder(&fresh), "{restored} is not there: restore again");
    if current.exists() {
        remove_older(state, &previous)?;
        fs::rename(&current, &kept).context("cannot set the live state aside")?;
        sync(state)?;
    }
    fs::rename(&fresh, &current).context("cannot put the restored state in place")?;
    sync(state)?;
    Ok(TaskReport::Swap { previous })
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn remove_older(state: &Path, keep: &str) -> anyhow::Result<()> {
    for entry in fs::read_dir(state).context("cannot read the state volume")? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREVIOUS_PREFIX) && name != keep && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path()).with_context(|| format!("cannot remove {name}"))?;
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> anyhow::Result<()> {
    File::open(folder)?.sync_all().context("cannot flush the state volume")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(state: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn state_with(folders: &[&str]) -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        for folder in folders {
            fs::create_dir(state.path().join(folder)).unwrap();
            fs::write(state.path().join(folder).join("is"), folder).unwrap();
        }
        state
    }

    #[test]
    fn they_change_places_and_one_previous_is_kept() {
        let state = state_with(&["current", "restore-b", "previous-a", "staging"]);
        swap(state.path(), "restore-b").unwrap();
        assert_eq!(names(state.path()), ["current", "previous-b", "staging"]);
        assert_eq!(fs::read_to_string(state.path().join("current/is")).unwrap(), "restore-b");
        assert_eq!(fs::read_to_string(state.path().join("previous-b/is")).unwrap(), "current");
    }

    #[test]
    fn killed_between_the_renames_it_finishes() {
        let state = state_with(&["previous-b", "restore-b"]);
        swap(state.path(), "restore-b").unwrap();
        assert_eq!(names(state.path()), ["current", "previous-b"]);
        swap(state.path(), "restore-b").unwrap();
        assert_eq!(names(state.path()), ["current", "previous-b"]);
    }

    #[test]
    fn names_are_plain() {
        let state = state_with(&["current"]);
        for name in ["current", "../x", "restore-../x", "restore-/x", "restore-missing"] {
            assert!(swap(state.path(), name).is_err(), "{name}");
        }
        assert_eq!(names(state.path()), ["current"]);
    }
}
