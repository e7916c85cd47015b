//! The files in force, and the copy of them that survives a restart.

use std::path::PathBuf;

use platform_types::layout::Roots;
use supervisor_config::{Config, Finding};

use super::files::Files;
use crate::host::folder::{Access, Folder};
use crate::state::ApplyError;

/// Below the state root. Private: instructions are nobody's business.
const COPY: &str = "accepted.json";

/// Files without an error in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub files: Files,
    pub config: Config,
    /// Warnings.
    pub findings: Vec<Finding>,
}

impl Accepted {
    /// Reads the files on the disk and accepts them if they are good.
    pub fn from_disk(roots: &Roots) -> Result<Self, ApplyError> {
        Self::new(Files::read(roots)?, roots)
    }

    pub fn new(files: Files, roots: &Roots) -> Result<Self, ApplyError> {
        let reading = supervisor_config::read(&files.platform, &files.surroundings(roots));
        let config = reading.config.ok_or_else(|| ApplyError::Config(reading.findings.clone()))?;
        files.images(roots)?;
        Ok(Self { files, config, findings: reading.findings })
    }

    /// What was in force before the restart; `None` when there was never anything good.
    pub fn from_copy(roots: &Roots) -> Option<Self> {
        let text = std::fs::read(copy_path(roots)).ok()?;
        Self::new(serde_json::from_slice(&text).ok()?, roots).ok()
    }

    /// Keeps the files for the next start.
    pub fn keep_copy(&self, roots: &Roots) -> Result<(), ApplyError> {
        let unwritable = |reason: String| ApplyError::File { path: copy_path(roots), reason };
        let text = serde_json::to_vec(&self.files).map_err(|error| unwritable(error.to_string()))?;
        let written = Folder::open(&roots.state).and_then(|folder| folder.write(COPY, &text, Access::root(0o600)));
        written.map_err(|error| unwritable(crate::words::chain(&error)))
    }
}

fn copy_path(roots: &Roots) -> PathBuf {
    roots.state.join(COPY)
}
