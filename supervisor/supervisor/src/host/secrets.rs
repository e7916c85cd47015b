//! Copies of secrets for the one process that needs each, and the keys of the repositories.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data_encoding::BASE64URL_NOPAD;
use platform_kit::secret::{self, SecretError};
use platform_types::{ProfileName, SecretName};

use super::folder::{Access, Folder, FolderError};

/// More files than secrets can be.
const MAX_NAMES: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(
        "the key of the repository {} is missing: put the file {} back from your copy, \
         or move the repository away to begin a new one",
        repository.display(), key.display()
    )]
    KeyLost { repository: PathBuf, key: PathBuf },
}

/// The name of the file with a profile's repository key, under `secrets/` and inside containers.
pub fn repository_key(profile: &ProfileName) -> String {
    format!("backup-{profile}")
}

/// Makes `target` hold exactly these secrets, each readable by `uid` alone. One that is missing keeps none of the others
/// back; what was copied of it before stays.
pub fn copy(source: &Path, target: &Folder, names: &BTreeSet<String>, uid: u32) -> Result<(), CopyError> {
    for stale in target.names(MAX_NAMES)?.iter().filter(|name| !name.starts_with('.') && !names.contains(*name)) {
        target.remove_file(stale)?;
    }
    let mut result = Ok(());
    for name in names {
        match secret::read(&source.join(name)) {
            Ok(value) => target.write(name, value.expose().as_bytes(), Access::of(uid, 0o400))?,
            Err(error) => result = result.and(Err(error.into())),
        }
    }
    result
}

/// Makes sure that a profile's repository has a key. One is drawn only when there is no repository yet.
pub fn ensure_repository_key(secrets: &Folder, repositories: &Path, profile: &ProfileName) -> Result<(), CopyError> {
    let name = repository_key(profile);
    let key = secrets.path().join(&name);
    match std::fs::symlink_metadata(&key) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(SecretError::Read { path: key, source }.into()),
    }
    let repository = repositories.join(profile.as_str());
    if repository.join("config").exists() {
        return Err(CopyError::KeyLost { repository, key });
    }
    let text = BASE64URL_NOPAD.encode(&platform_kit::random::bytes::<32>());
    secrets.write(&name, format!("{text}\n").as_bytes(), Access::root(0o600))?;
    Ok(())
}

/// What tells that a secret file was replaced, without telling its content: size and time of the last change.
pub fn stamp(source: &Path, name: &SecretName) -> String {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::symlink_metadata(source.join(name.as_str())) {
        Ok(metadata) => format!("{}:{}.{}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()),
        Err(_) => "missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn a_copy_holds_what_is_needed_and_nothing_else() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secrets = Folder::open(source.path()).unwrap();
        secrets.write("spark-key", b"k\n", Access::root(0o600)).unwrap();
        std::fs::write(target.path().join("old"), "x").unwrap();
        std::fs::write(target.path().join(".canary"), "x").unwrap();
        let folder = Folder::open(target.path()).unwrap();
        copy(source.path(), &folder, &BTreeSet::from(["spark-key".to_owned()]), 4242).unwrap();
        let mut names = folder.names(10).unwrap();
        names.sort();
        assert_eq!(names, [".canary", "spark-key"]);
        let metadata = std::fs::metadata(target.path().join("spark-key")).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (4242, 0o400));

        std::os::unix::fs::chown(source.path().join("spark-key"), Some(0), None).unwrap();
        std::fs::set_permissions(source.path().join("spark-key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
        let error = copy(source.path(), &folder, &BTreeSet::from(["spark-key".to_owned()]), 4242).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_missing_secret_keeps_none_of_the_others_back() {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Folder::open(source.path()).unwrap().write("there", b"k\n", Access::root(0o600)).unwrap();
        let folder = Folder::open(target.path()).unwrap();
        let names = BTreeSet::from(["gone".to_owned(), "there".to_owned()]);
        let error = copy(source.path(), &folder, &names, 4242).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
        assert_eq!(folder.names(10).unwrap(), ["there"]);
    }

    #[test]
    fn a_lost_key_is_not_replaced_under_an_existing_repository() {
        let (source, repositories) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secrets = Folder::open(source.path()).unwrap();
        let profile = ProfileName::new("ops").unwrap();
        ensure_repository_key(&secrets, repositories.path(), &profile).unwrap();
        let key = source.path().join("backup-ops");
        let first = std::fs::read(&key).unwrap();
        ensure_repository_key(&secrets, repositories.path(), &profile).unwrap();
        assert_eq!(std::fs::read(&key).unwrap(), first);
        std::fs::remove_file(&key).unwrap();
        std::fs::create_dir(repositories.path().join("ops")).unwrap();
        std::fs::write(repositories.path().join("ops/config"), "x").unwrap();
        assert!(matches!(
            ensure_repository_key(&secrets, repositories.path(), &profile),
            Err(CopyError::KeyLost { .. })
        ));
    }
}
