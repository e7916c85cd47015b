//! What the configuration is checked against. The caller gathers it; this crate opens no file.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::SecretName;

/// A folder of the host that bots are to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostFolder {
    /// Whoever is not its owner may list and enter it.
    Open,
    /// Others may not, and an agent is another.
    Closed,
    Missing,
    NotAFolder,
    /// The path goes through a link, and leads there.
    Leads(String),
}

/// What exists around `platform.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Names of the files under `secrets/` that only their owner can read.
    pub secrets: BTreeSet<SecretName>,
    /// Names of those that others can read too: nobody gets them.
    pub open_secrets: BTreeSet<SecretName>,
    /// The operator's instruction files: `bots/<name>.md`, relative to the configuration directory, to its text.
    pub instructions: BTreeMap<String, String>,
    /// The operator's certificates: `certs/<name>.pem`, relative to the configuration directory, to its text.
    pub certificates: BTreeMap<String, String>,
    /// What lies at each folder of [`crate::documents::named`]; `None`: nobody looked, so nothing is said about it.
    pub folders: Option<BTreeMap<String, HostFolder>>,
    /// Directories of the platform itself: nobody else reads there.
    pub own_directories: Vec<String>,
    /// Names of the tools that this release has.
    pub tools: BTreeSet<String>,
}
