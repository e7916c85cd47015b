//! A directory under `run/`: who owns it, and what lies in it. Names are read, never followed.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;

use platform_types::layout::{CANARY_FILE, Roots, RunDir};
use supervisor_plan::topology::OwnedRunDir;

/// More names than this are not looked at; a directory of sockets has room for 64.
const MAX_NAMES: usize = 1_000;

/// As it lies there, and whose it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub path: PathBuf,
    pub kind: Kind,
    pub want_uid: u32,
    pub uid: u32,
    pub mode: u32,
    /// What does not belong there, one half sentence each.
    pub odd: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sockets of one binder.
    Sockets,
    /// Directories of sockets.
    Parent,
    /// Secrets of one reader: root writes.
    Secrets,
}

/// `None`: it is not there.
pub fn look(roots: &Roots, owned: &OwnedRunDir) -> Option<Directory> {
    let path = roots.run_dir(&owned.dir);
    let metadata = std::fs::symlink_metadata(&path).ok()?;
    let kind = match owned.dir {
        RunDir::Spark => Kind::Parent,
        RunDir::SparkSecrets | RunDir::BackupSecrets | RunDir::GateSecrets(_) => Kind::Secrets,
        _ => Kind::Sockets,
    };
    let want_uid = if kind == Kind::Secrets { 0 } else { owned.owner };
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten().take(MAX_NAMES);
    let odd = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let why = odd(kind, &name, &entry.metadata().ok()?, owned.owner)?;
        Some(format!("{}/{}: {why}", path.display(), platform_types::text::neutral_cut(&name, 80)))
    });
    let odd = odd.collect();
    Some(Directory { kind, want_uid, uid: metadata.uid(), mode: metadata.mode() & 0o7777, odd, path })
}

/// Why a name does not belong into a directory of this kind.
fn odd(kind: Kind, name: &str, metadata: &std::fs::Metadata, owner: u32) -> Option<String> {
    let (uid, mode, file_type) = (metadata.uid(), metadata.mode() & 0o7777, metadata.file_type());
    if name == CANARY_FILE {
        let is_ours = uid == 0 && file_type.is_file() && mode & 0o022 == 0;
        return (!is_ours).then(|| "somebody else's canary".to_owned());
    }
    let fits = match kind {
        Kind::Sockets => file_type.is_socket(),
        Kind::Parent => file_type.is_dir(),
        Kind::Secrets => file_type.is_file(),
    };
    if !fits {
        return Some(if file_type.is_symlink() { "a symbolic link".to_owned() } else { "of another kind".to_owned() });
    }
    if uid != owner {
        return Some(format!("belongs to user {uid}, not to {owner}"));
    }
    (kind == Kind::Secrets && mode & 0o077 != 0).then(|| format!("has mode {mode:04o}: others can read it"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use platform_types::ProfileName;

    use super::*;

    /// Needs to be root, as the supervisor is.
    #[test]
    fn what_does_not_belong_there_is_seen_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        let own = nix::unistd::geteuid().as_raw();
        let dir = RunDir::AgentHttp(ProfileName::new("ops").unwrap());
        let path = roots.run_dir(&dir);
        std::fs::create_dir_all(&path).unwrap();
        let owned = OwnedRunDir { dir, owner: own };
        let _listener = std::os::unix::net::UnixListener::bind(path.join("4.sock")).unwrap();
        std::fs::write(path.join(CANARY_FILE), "x").unwrap();
        std::fs::set_permissions(path.join(CANARY_FILE), std::fs::Permissions::from_mode(0o444)).unwrap();
        assert_eq!(look(&roots, &owned).unwrap().odd, Vec::<String>::new());
        symlink("/var/run/docker.sock", path.join("5.sock")).unwrap();
        std::fs::create_dir(path.join("6.sock")).unwrap();
        let odd = look(&roots, &owned).unwrap().odd.join("\n");
        assert!(odd.contains("5.sock: a symbolic link") && odd.contains("6.sock: of another kind"), "{odd}");
        assert_eq!(odd.lines().count(), 2);
        let other = OwnedRunDir { owner: own + 1, ..owned };
        assert!(look(&roots, &other).unwrap().odd.join("\n").contains("belongs to user"));
    }

    #[test]
    fn a_secret_that_others_can_read() {
        let directory = tempfile::tempdir().unwrap();
        let roots = Roots::under(directory.path());
        let owned = OwnedRunDir { dir: RunDir::SparkSecrets, owner: nix::unistd::geteuid().as_raw() };
        let path = roots.run_dir(&owned.dir);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("key"), "x").unwrap();
        std::fs::set_permissions(path.join("key"), std::fs::Permissions::from_mode(0o440)).unwrap();
        assert!(look(&roots, &owned).unwrap().odd[0].contains("mode 0440"));
    }
}
