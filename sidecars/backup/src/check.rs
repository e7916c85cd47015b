//! Is the repository whole? What is damaged is named, down to the files of the newest complete snapshot.
//!
//! Without the data: snapshots, index and trees can be read, and every pack is there with its size. With it: every byte has the
//! digest that it is known by.

use platform_types::backup::{Checked, TaskReport};

use crate::RepositoryArguments;
use crate::repository::{self, Store, StoredKind};
use crate::task;

/// Sentences and files that are named; where so much is broken, the rest is too.
const MAX_NAMED: usize = 50;

pub fn check(arguments: &RepositoryArguments, all_data: bool) -> anyhow::Result<TaskReport> {
    anyhow::ensure!(repository::exists(&arguments.repository), "there is no repository yet: take a snapshot first");
    let key = platform_kit::secret::read(&arguments.key_file)?;
    let _lock = repository::lock(&arguments.repository)?;
    task::progress(if all_data { "every byte is read" } else { "the index is compared with what is there" });
    let store = Store::open(&arguments.repository, &key)?;
    let (snapshots, mut problems) = store.files()?;
    match store.check(&snapshots, all_data) {
        Ok(found) => problems.extend(found),
        Err(error) => problems.push(format!("{error:#}")),
    }
    let mut damaged = Vec::new();
    let newest = snapshots.iter().find(|snapshot| repository::describe(snapshot).is_some_and(|found| found.complete));
    if let Some(newest) = newest.filter(|_| !problems.is_empty()) {
        task::progress("files of the newest snapshot are read back");
        match store.read(newest).and_then(|reading| unreadable(&reading)) {
            Ok(found) => damaged = found,
            Err(error) => problems.push(format!("the newest snapshot cannot be read back: {error:#}")),
        }
    }
    problems.truncate(MAX_NAMED);
    damaged.truncate(MAX_NAMED);
    let snapshots = snapshots.len() as u64;
    Ok(TaskReport::Check(Checked { profile: arguments.profile.clone(), all_data, snapshots, problems, damaged }))
}

fn unreadable(reading: &repository::Reading) -> anyhow::Result<Vec<String>> {
    let entries = reading.entries()?;
    let files = entries.iter().filter(|entry| matches!(entry.kind, StoredKind::File { .. }));
    let broken = files.filter(|file| reading.dump(file, &mut std::io::sink()).is_err());
    Ok(broken.map(|file| file.path.clone()).collect())
}
