//! The files in force, and the copy of them that survives a restart.

use std::collections::BTreeSet;
use std::path::PathBuf;

use platform_types::SecretName;
use platform_types::layout::Roots;
use serde::{Deserialize, Serialize};
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
    /// Warnings; of a copy also the secrets and folders that were deleted since.
    pub findings: Vec<Finding>,
}

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    files: Files,
    /// The secrets that there were. Their names only.
    #[serde(default)]
    secrets: BTreeSet<SecretName>,
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

    /// What was in force before the restart; `None` when there was never anything good. A secret that was deleted since is
    /// a finding: who needs it has to do without, and everybody else goes on.
    pub fn from_copy(roots: &Roots) -> Option<Self> {
        let text = std::fs::read(copy_path(roots)).ok()?;
        let Kept { files, secrets } = serde_json::from_slice(&text).ok()?;
        let now = files.surroundings(roots);
        let findings = supervisor_config::read(&files.platform, &now).findings;
        let mut then = now;
        then.secrets.extend(secrets);
        // A folder that is gone keeps one agent from being made anew, and nobody else from anything.
        then.folders = None;
        let config = supervisor_config::read(&files.platform, &then).config?;
        files.images(roots).ok()?;
        Some(Self { files, config, findings })
    }

    /// Keeps the files for the next start.
    pub fn keep_copy(&self, roots: &Roots) -> Result<(), ApplyError> {
        let unwritable = |reason: String| ApplyError::File { path: copy_path(roots), reason };
        let kept = Kept { files: self.files.clone(), secrets: self.files.surroundings(roots).secrets };
        let text = serde_json::to_vec(&kept).map_err(|error| unwritable(error.to_string()))?;
        let written = Folder::open(&roots.state).and_then(|folder| folder.write(COPY, &text, Access::root(0o600)));
        written.map_err(|error| unwritable(crate::words::chain(&error)))
    }
}

fn copy_path(roots: &Roots) -> PathBuf {
    roots.state.join(COPY)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const RELEASE: &str = r#"{"agent":{"image":"a","release":"a"},"gate":{"image":"g","release":"g"},
                              "spark":{"image":"s","release":"s"},"backup":{"image":"b","release":"b"}}"#;
    const PLATFORM: &str = "[spark]\nurl = \"https://spark.example.ts.net/v1\"\nmodel = \"openai/gpt-oss-120b\"\n\
                            key = { secret = \"spark-key\" }\n[profile.personal]\nport = 18789\n";

    /// Accepted files, and their copy, with the secret that they name.
    fn kept(directory: &std::path::Path) -> (Roots, Accepted) {
        let roots = Roots::under(directory);
        std::fs::create_dir_all(roots.secrets()).unwrap();
        std::fs::create_dir_all(&roots.state).unwrap();
        let secret = roots.secrets().join("spark-key");
        std::fs::write(&secret, "k").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let files = Files {
            platform: PLATFORM.to_owned(),
            instructions: std::collections::BTreeMap::new(),
            certificates: std::collections::BTreeMap::new(),
            release: RELEASE.to_owned(),
            agent_seccomp: "{}".to_owned(),
        };
        let accepted = Accepted::new(files, &roots).unwrap();
        accepted.keep_copy(&roots).unwrap();
        (roots, accepted)
    }

    #[test]
    fn the_copy_is_what_was_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let (roots, accepted) = kept(directory.path());
        assert_eq!(Accepted::from_copy(&roots), Some(accepted));
    }

    #[test]
    fn a_secret_that_was_deleted_since_is_a_finding_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let (roots, accepted) = kept(directory.path());
        std::fs::remove_file(roots.secrets().join("spark-key")).unwrap();
        assert!(matches!(Accepted::new(accepted.files.clone(), &roots), Err(ApplyError::Config(_))));
        let copy = Accepted::from_copy(&roots).expect("it is still usable");
        assert_eq!((&copy.files, &copy.config), (&accepted.files, &accepted.config));
        let errors: Vec<_> = copy.findings.iter().filter(|finding| finding.is_error()).collect();
        let [error] = errors.as_slice() else { panic!("one error, not {errors:?}") };
        assert!(error.key == "spark.key.secret" && error.remedy.contains("botctl secret set spark-key"), "{error}");
    }

    #[test]
    fn a_copy_of_an_earlier_release_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let (roots, accepted) = kept(directory.path());
        std::fs::write(copy_path(&roots), serde_json::to_vec(&accepted.files).unwrap()).unwrap();
        assert_eq!(Accepted::from_copy(&roots), Some(accepted));
    }
}
