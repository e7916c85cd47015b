//! The files of desired state, as they are on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use platform_kit::secret;
use platform_types::SecretName;
use platform_types::layout::Roots;
use serde::{Deserialize, Serialize};
use supervisor_config::Surroundings;
use supervisor_plan::spec::ImageId;
use supervisor_plan::topology::{Image, Images};

use super::folders;
use crate::state::ApplyError;

/// Longest file that is read; the longest in use is the seccomp profile with 5 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Files in `bots/` and `secrets/` that are looked at.
const MAX_FILES: usize = 1000;
/// The tools that agents of this release have.
const TOOLS: [&str; 29] = [
    "clock.now",
    "doc.list",
    "doc.read",
    "doc.search",
    "home.read",
    "home.scene",
    "home.set",
    "home.status",
    "http.get",
    "http.request",
    "jobs.list",
    "jobs.requeue",
    "jobs.show",
    "memory.forget",
    "memory.remember",
    "memory.search",
    "note.edit",
    "note.list",
    "note.search",
    "note.show",
    "note.write",
    "plan.list",
    "plan.show",
    "plan.write",
    "platform.health",
    "platform.logs",
    "spark.health",
    "spark.models",
    "spark.switch",
];

/// Everything that is read, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// `platform.toml`.
    pub platform: String,
    /// `bots/<name>.md` to its text.
    pub instructions: BTreeMap<String, String>,
    /// `certs/<name>.pem` to its text.
    #[serde(default)]
    pub certificates: BTreeMap<String, String>,
    /// `release.json`.
    pub release: String,
    /// The seccomp profile of agents.
    pub agent_seccomp: String,
}

impl Files {
    pub fn read(roots: &Roots) -> Result<Self, ApplyError> {
        let platform = read_text(&roots.platform_toml(), "write one, or copy deploy/platform.example.toml")?;
        let release = read_text(&roots.release(), "build the images: ./deploy/up")?;
        let agent_seccomp = read_text(&roots.agent_seccomp(), "install it: ./deploy/up")?;
        let instructions = read_texts(instruction_files(&roots.bots()));
        let certificates = read_texts(certificate_files(&roots.certificates()));
        Ok(Self { platform, instructions, certificates, release, agent_seccomp })
    }

    /// What the configuration is checked against.
    pub fn surroundings(&self, roots: &Roots) -> Surroundings {
        let [secrets, open_secrets] = secret_names(&roots.secrets());
        Surroundings {
            secrets,
            open_secrets,
            instructions: self.instructions.clone(),
            certificates: self.certificates.clone(),
            folders: Some(folders::look(&self.platform)),
            own_directories: folders::own(roots),
            tools: TOOLS.map(str::to_owned).into(),
        }
    }

    /// The images of the desired release.
    pub fn images(&self, roots: &Roots) -> Result<Images, ApplyError> {
        let unreadable = |error: serde_json::Error| ApplyError::File {
            path: roots.release(),
            reason: format!("{error}; build the images again: ./deploy/up"),
        };
        let release: ReleaseFile = serde_json::from_str(&self.release).map_err(unreadable)?;
        let image = |entry: ReleaseEntry| Image { id: ImageId(entry.image), release: entry.release };
        let ReleaseFile { agent, gate, spark, backup } = release;
        Ok(Images { agent: image(agent), gate: image(gate), spark: image(spark), backup: image(backup) })
    }
}

/// `release.json`: written by `images/build`.
#[derive(Debug, Deserialize)]
struct ReleaseFile {
    agent: ReleaseEntry,
    gate: ReleaseEntry,
    spark: ReleaseEntry,
    backup: ReleaseEntry,
}

#[derive(Debug, Deserialize)]
struct ReleaseEntry {
    /// `sha256:…`.
    image: String,
    /// Digest of the content.
    release: String,
}

/// Changes whenever a file may have changed: size and time of each, and which secrets there are. Cheap enough to ask every few seconds.
pub fn stamp(roots: &Roots) -> String {
    let mut paths = vec![roots.platform_toml(), roots.release(), roots.agent_seccomp()];
    let named = instruction_files(&roots.bots()).into_iter().chain(certificate_files(&roots.certificates()));
    paths.extend(named.map(|(_, path)| path));
    let stamps = paths.iter().map(|path| match std::fs::metadata(path) {
        Ok(metadata) => format!("{}:{}:{}.{}", path.display(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()),
        Err(_) => format!("{}:missing", path.display()),
    });
    let [secrets, open_secrets] = secret_names(&roots.secrets());
    let secrets = secrets.into_iter().map(|name| format!("secret {name}"));
    let open_secrets = open_secrets.into_iter().map(|name| format!("open secret {name}"));
    stamps.chain(secrets).chain(open_secrets).collect::<Vec<_>>().join("\n")
}

/// Why `platform.toml` could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {reason}", path.display())]
pub struct Unread {
    pub path: PathBuf,
    /// The caller may not.
    pub denied: bool,
    pub reason: String,
}

/// Only what `platform.toml` is checked with, release or not: its text and what exists around it.
pub fn configuration(roots: &Roots) -> Result<(String, Surroundings), Unread> {
    let path = roots.platform_toml();
    let unread = |denied, reason| Unread { path: path.clone(), denied, reason };
    let denied = |result: std::io::Error| result.kind() == std::io::ErrorKind::PermissionDenied;
    if std::fs::File::open(&path).is_err_and(denied) || std::fs::read_dir(roots.secrets()).is_err_and(denied) {
        return Err(unread(true, "permission denied".to_owned()));
    }
    let text = read_text(&path, "write one, or copy deploy/platform.example.toml").map_err(|error| match error {
        ApplyError::File { reason, .. } => unread(false, reason),
        other => unread(false, other.to_string()),
    })?;
    let [secrets, open_secrets] = secret_names(&roots.secrets());
    let surroundings = Surroundings {
        secrets,
        open_secrets,
        instructions: read_texts(instruction_files(&roots.bots())),
        certificates: read_texts(certificate_files(&roots.certificates())),
        folders: Some(folders::look(&text)),
        own_directories: folders::own(roots),
        tools: TOOLS.map(str::to_owned).into(),
    };
    Ok((text, surroundings))
}

fn read_text(path: &Path, remedy: &str) -> Result<String, ApplyError> {
    let refuse = |reason: String| ApplyError::File { path: path.to_path_buf(), reason };
    let length = std::fs::metadata(path).map_err(|error| refuse(format!("{error}; {remedy}")))?.len();
    if length > MAX_FILE_BYTES {
        return Err(refuse(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

/// A file that cannot be read is as good as missing: whoever needs it is told so.
fn read_texts(files: Vec<(String, PathBuf)>) -> BTreeMap<String, String> {
    files.into_iter().filter_map(|(name, path)| Some((name, read_text(&path, "").ok()?))).collect()
}

fn instruction_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let named = names_in(folder).into_iter().map(|name| (format!("bots/{name}"), folder.join(&name)));
    named.filter(|(name, _)| supervisor_config::instructions::is_file_name(name)).collect()
}

fn certificate_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let named = names_in(folder).into_iter().map(|name| (format!("certs/{name}"), folder.join(&name)));
    named.filter(|(name, _)| supervisor_config::certificates::is_file_name(name)).collect()
}

/// Those that only their owner can read, and the others.
fn secret_names(folder: &Path) -> [BTreeSet<SecretName>; 2] {
    let names = names_in(folder).into_iter().filter_map(|name| SecretName::new(name).ok());
    let (private, open) = names.partition(|name| secret::is_private(&folder.join(name.as_str())));
    [private, open]
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().take(MAX_FILES);
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode) in [("mine", 0o600), ("ours", 0o640), ("everybodys", 0o604)] {
            let path = directory.path().join(name);
            std::fs::write(&path, "x").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let names = |names: BTreeSet<SecretName>| names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let [private, open] = secret_names(directory.path()).map(names);
        assert_eq!((private, open), (vec!["mine".to_owned()], vec!["everybodys".to_owned(), "ours".to_owned()]));
    }

    #[test]
    fn what_is_missing_is_named_with_a_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        let error = Files::read(&roots).unwrap_err().to_string();
        assert!(error.contains("platform.toml") && error.contains("example"), "{error}");
        std::fs::create_dir_all(&roots.config).unwrap();
        std::fs::write(roots.platform_toml(), "name = \"x\"").unwrap();
        assert!(Files::read(&roots).unwrap_err().to_string().contains("release.json"));
    }

    #[test]
    fn a_broken_release_says_what_to_do() {
        let files = Files {
            platform: String::new(),
            instructions: BTreeMap::new(),
            certificates: BTreeMap::new(),
            release: "{\"agent\":{}}".into(),
            agent_seccomp: String::new(),
        };
        let error = files.images(&Roots::system()).unwrap_err().to_string();
        assert!(error.contains("release.json") && error.contains("./deploy/up"), "{error}");
    }

    #[test]
    fn the_stamp_follows_the_files() {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        std::fs::create_dir_all(roots.bots()).unwrap();
        let empty = stamp(&roots);
        std::fs::write(roots.bots().join("home.md"), "a").unwrap();
        let one = stamp(&roots);
        assert_ne!(empty, one);
        std::fs::write(roots.bots().join("home.md"), "ab").unwrap();
        let other = stamp(&roots);
        assert_ne!(one, other);
        std::fs::create_dir_all(roots.secrets()).unwrap();
        std::fs::write(roots.secrets().join("spark-key"), "k").unwrap();
        let stored = stamp(&roots);
        assert_ne!(other, stored, "a secret that comes or goes");
        std::fs::create_dir_all(roots.certificates()).unwrap();
        std::fs::write(roots.certificates().join("house.pem"), "x").unwrap();
        assert_ne!(stored, stamp(&roots), "a certificate");
    }
}
