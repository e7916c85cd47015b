//! `platform.toml` as it lies on the disk: checked, shown with every default, compared with what is in force.

use std::collections::BTreeMap;

use platform_types::layout::Roots;
use supervisor_config::instructions::overridden;
use supervisor_config::{Config, Finding, diff, effective, read};

use crate::api::wire::settings::{ConfigCheck, ConfigDiff, ConfigText, Override};
use crate::desired::Accepted;
use crate::desired::files::{self, Unread};

/// Why the file tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Unread(#[from] Unread),
    /// Every error at once.
    #[error("{}", findings(.0))]
    Invalid(Vec<Finding>),
}

impl ConfigError {
    /// The caller may not read the files; the supervisor may.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Unread(unread) if unread.denied)
    }
}

/// Errors and warnings of the file.
pub fn check(roots: &Roots) -> Result<ConfigCheck, ConfigError> {
    let (text, surroundings) = files::configuration(roots)?;
    let reading = read(&text, &surroundings);
    let path = roots.platform_toml().display().to_string();
    Ok(ConfigCheck { path, valid: reading.config.is_some(), findings: reading.findings })
}

/// The file with every default filled in.
pub fn show(roots: &Roots) -> Result<ConfigText, ConfigError> {
    let (config, _) = good(roots)?;
    Ok(ConfigText { text: effective(&config) })
}

/// What the file would change, and where the operator's instructions differ from the shipped ones.
pub fn compare(roots: &Roots, in_force: Option<&Config>) -> Result<ConfigDiff, ConfigError> {
    let (config, instructions) = good(roots)?;
    let overrides = overridden(&instructions).into_iter();
    Ok(ConfigDiff {
        compared: in_force.is_some(),
        changed: in_force.map(|old| diff(old, &config)).unwrap_or_default(),
        overrides: overrides
            .map(|found| Override { file: found.file, shipped: found.shipped.to_owned(), yours: found.yours })
            .collect(),
    })
}

/// What the supervisor had in force when it was last there, else what lies on the disk; `None` when neither can be read.
pub fn last_known(roots: &Roots) -> Option<Config> {
    let kept = Accepted::from_copy(roots).map(|accepted| accepted.config);
    kept.or_else(|| good(roots).ok().map(|(config, _)| config))
}

fn good(roots: &Roots) -> Result<(Config, BTreeMap<String, String>), ConfigError> {
    let (text, surroundings) = files::configuration(roots)?;
    let reading = read(&text, &surroundings);
    match reading.config {
        Some(config) => Ok((config, surroundings.instructions)),
        None => Err(ConfigError::Invalid(reading.findings)),
    }
}

fn findings(findings: &[Finding]) -> String {
    let errors: Vec<String> = findings.iter().filter(|finding| finding.is_error()).map(ToString::to_string).collect();
    errors.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation(text: &str) -> (tempfile::TempDir, Roots) {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        std::fs::create_dir_all(roots.bots()).unwrap();
        std::fs::write(roots.platform_toml(), text).unwrap();
        (directory, roots)
    }

    #[test]
    fn a_good_file_is_shown_with_its_defaults() {
        let (_directory, roots) = installation("[profile.personal]\nport = 18789\n");
        assert!(check(&roots).unwrap().valid);
        let text = show(&roots).unwrap().text;
        assert!(text.contains("[profile.personal]") && text.contains("timezone"), "{text}");
    }

    #[test]
    fn every_error_is_said_with_its_line() {
        let (_directory, roots) = installation("[profile.personal]\nport = 0\nprot = 1\n");
        let found = check(&roots).unwrap();
        assert!(!found.valid);
        assert!(found.findings.len() >= 2, "{found:?}");
        let error = show(&roots).unwrap_err().to_string();
        assert!(error.contains("platform.toml:2") && error.contains("platform.toml:3"), "{error}");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let error = check(&Roots::under(directory.path())).unwrap_err();
        assert!(!error.is_denied());
        assert!(error.to_string().contains("platform.toml"), "{error}");
    }

    #[test]
    fn what_differs_is_named_key_by_key() {
        let (_directory, roots) = installation("[profile.personal]\nport = 18789\n");
        let in_force = good(&roots).unwrap().0;
        assert_eq!(compare(&roots, Some(&in_force)).unwrap().changed, []);
        std::fs::write(roots.platform_toml(), "[profile.personal]\nport = 18800\n").unwrap();
        std::fs::write(roots.bots().join("assistant.md"), "Be brief.").unwrap();
        let found = compare(&roots, Some(&in_force)).unwrap();
        assert_eq!(found.changed[0].key, "profile.personal.port");
        assert_eq!(found.overrides[0].yours, "Be brief.");
        assert!(!compare(&roots, None).unwrap().compared);
    }

    #[test]
    fn without_a_supervisor_the_file_tells_what_is_needed() {
        let (_directory, roots) = installation("[profile.personal]\nport = 18789\n");
        assert!(last_known(&roots).unwrap().profiles.keys().any(|name| name.as_str() == "personal"));
        std::fs::write(roots.platform_toml(), "prot = 1").unwrap();
        assert_eq!(last_known(&roots), None);
    }
}
