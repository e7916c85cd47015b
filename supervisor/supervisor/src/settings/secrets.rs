//! `secrets/`: one file a secret, mode 0600, put in place in one step.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;

use platform_kit::secret::{self, MAX_SECRET_BYTES};
use platform_types::layout::Roots;
use platform_types::{SecretName, Timestamp};
use supervisor_config::Config;
use supervisor_plan::Target;

use crate::api::wire::settings::{SecretEntry, Secrets};
use crate::host::folder::{Access, Folder, FolderError};
use crate::host::secrets::repository_key;
use crate::words::chain;

/// More files than secrets can be.
const MAX_NAMES: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum SetError {
    #[error("a secret is one line of text, and not empty")]
    NotALine,
    #[error("a secret has at most {MAX_SECRET_BYTES} bytes")]
    TooLong,
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Checks a value as it came from standard input: one trailing line break is not part of it. An OpenSSH private key, the one
/// secret that comes in many lines, becomes its base64 text in one.
pub fn value(text: &str) -> Result<Cow<'_, str>, SetError> {
    let value = text.strip_suffix('\n').unwrap_or(text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    let value = private_key(value).map_or(Cow::Borrowed(value), Cow::Owned);
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(SetError::NotALine);
    }
    if u64::try_from(value.len()).unwrap_or(u64::MAX) >= MAX_SECRET_BYTES {
        return Err(SetError::TooLong);
    }
    Ok(value)
}

/// The inner lines of an OpenSSH private key.
fn private_key(text: &str) -> Option<String> {
    let body = text.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let body = body.trim_end().strip_suffix("-----END OPENSSH PRIVATE KEY-----")?;
    Some(body.lines().map(str::trim).collect())
}

/// Stores a secret. Whoever reads it while this happens gets the old one or the new one, whole.
pub fn set(roots: &Roots, name: &SecretName, text: &str) -> Result<(), SetError> {
    let value = value(text)?;
    let folder = Folder::make(&roots.secrets(), Access::root(0o700))?;
    Ok(folder.write(name.as_str(), format!("{value}\n").as_bytes(), Access::root(0o600))?)
}

/// Which container needs which secrets: spark and the gates what the file names, backup the key of each repository.
/// Those that need none are in it too.
pub fn by_consumer(config: &Config) -> BTreeMap<Target, BTreeSet<SecretName>> {
    let spark = config.spark_secrets().collect();
    let keys = config.profiles.keys().filter_map(|profile| SecretName::new(repository_key(profile)).ok()).collect();
    let gates = config.secrets_by_profile().into_iter().map(|(profile, names)| (Target::gate(&profile), names));
    gates.chain([(Target::spark(), spark), (Target::backup(), keys)]).collect()
}

/// What is needed, and by which containers.
pub fn needed(config: &Config) -> BTreeMap<SecretName, Vec<Target>> {
    let mut consumers: BTreeMap<SecretName, Vec<Target>> = BTreeMap::new();
    for (target, names) in by_consumer(config) {
        for name in names {
            consumers.entry(name).or_default().push(target.clone());
        }
    }
    consumers
}

/// What is there and what is needed, by name.
pub fn list(
    roots: &Roots,
    consumers: &BTreeMap<SecretName, Vec<Target>>,
    now: Timestamp,
) -> Result<Secrets, FolderError> {
    let mut entries: BTreeMap<SecretName, SecretEntry> = BTreeMap::new();
    let stored = match Folder::open(&roots.secrets()) {
        Ok(folder) => folder.names(MAX_NAMES)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let stored = stored.into_iter().filter_map(|name| SecretName::new(name).ok());
    for name in stored.chain(consumers.keys().cloned()) {
        entries.entry(name.clone()).or_insert_with(|| entry(roots, name, consumers));
    }
    Ok(Secrets { now, secrets: entries.into_values().collect() })
}

fn entry(roots: &Roots, name: SecretName, consumers: &BTreeMap<SecretName, Vec<Target>>) -> SecretEntry {
    let path = roots.secrets().join(name.as_str());
    let set_at = std::fs::symlink_metadata(&path).ok().map(|metadata| Timestamp(metadata.mtime() * 1000));
    let problem = secret::read(&path).err().map(|error| chain(&error));
    let used_by = consumers.get(&name).cloned().unwrap_or_default();
    SecretEntry { needed: !used_by.is_empty(), used_by, name, set_at, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    #[test]
    fn a_secret_is_private_replaced_whole_and_never_listed_with_its_content() {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        std::fs::create_dir_all(&roots.config).unwrap();
        set(&roots, &name("spark-key"), "first\n").unwrap();
        set(&roots, &name("spark-key"), "second").unwrap();
        let path = roots.secrets().join("spark-key");
        assert_eq!(secret::read(&path).unwrap().expose(), "second");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(roots.secrets()).unwrap().mode() & 0o777, 0o700);
        let spark = vec![Target::spark()];
        let consumers = BTreeMap::from([(name("spark-key"), spark.clone()), (name("ha-token"), spark.clone())]);
        let listed = list(&roots, &consumers, Timestamp(1)).unwrap();
        assert!(!format!("{listed:?}").contains("second"));
        let entry = |wanted: &str| listed.secrets.iter().find(|entry| entry.name.as_str() == wanted).unwrap();
        assert!(entry("spark-key").set_at.is_some() && entry("spark-key").problem.is_none());
        assert_eq!(entry("spark-key").used_by, spark);
        assert!(entry("ha-token").set_at.is_none() && entry("ha-token").problem.is_some());
        assert_eq!(std::fs::read_dir(roots.secrets()).unwrap().count(), 1);
    }

    #[test]
    fn each_secret_goes_to_whom_it_is_for() {
        let needed = needed(&crate::example::config());
        let expect = |profile: &str| (name(&format!("backup-{profile}")), vec![Target::backup()]);
        assert_eq!(needed, BTreeMap::from([expect("ops"), expect("personal")]));
    }

    #[test]
    fn only_one_line_is_a_secret() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(value(text).ok().as_deref(), expect, "{text:?}");
        check("key\n", Some("key"));
        check("key\r\n", Some("key"));
        check("key", Some("key"));
        check("", None);
        check("\n", None);
        check("a\nb\n", None);
        check("a\u{1b}b", None);
        check(&"x".repeat(20_000), None);
        let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\r\nbnNz\naA==\n-----END OPENSSH PRIVATE KEY-----\n";
        check(key, Some("b3BlbnNzaA=="));
        check(&key.replace("END", "FIN"), None);
        check("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n", None);
    }
}
