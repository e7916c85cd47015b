//! Lists a repository. Opening one takes 130 MB for its key, so the sidecar does it in a child process.

use std::io::Write as _;
use std::process::ExitCode;

use platform_types::backup::SnapshotList;

use crate::RepositoryArguments;
use crate::repository::{self, Store};

/// Prints a [`SnapshotList`]; what went wrong is in it.
pub fn print(arguments: &RepositoryArguments) -> ExitCode {
    let list = list(arguments)
        .unwrap_or_else(|error| SnapshotList { snapshots: Vec::new(), problems: vec![format!("{error:#}")] });
    let text = serde_json::to_string(&list).expect("a list serialises");
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn list(arguments: &RepositoryArguments) -> anyhow::Result<SnapshotList> {
    if !repository::exists(&arguments.repository) {
        return Ok(SnapshotList { snapshots: Vec::new(), problems: Vec::new() });
    }
    let key = platform_kit::secret::read(&arguments.key_file)?;
    let (files, problems) = Store::open(&arguments.repository, &key)?.files()?;
    let snapshots = files.iter().filter_map(repository::describe).collect();
    Ok(SnapshotList { snapshots, problems })
}
