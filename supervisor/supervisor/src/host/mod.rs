//! The host's side of an installation: directories, mounts, owners, canaries, copies of secrets.
//!
//! **Invariants.** Everything is idempotent: run at start, before each launch, and after each change of the
//! configuration. What containers hold is never covered or moved. In directories that a container may write no name is
//! trusted.
//!
//! | module | what |
//! |---|---|
//! | [`folder`] | an opened directory; every step by descriptor |
//! | [`lock`] | one supervisor an installation |
//! | [`tmpfs`] | small file systems in memory |
//! | [`canary`] | a text that proves that a mount is there |
//! | [`secrets`] | copies for the one consumer; keys of repositories |
//! | [`volume`] | owners of a volume's top directories |
//! | [`port`] | whether a port is free |

pub mod canary;
pub mod folder;
pub mod lock;
pub mod port;
pub mod secrets;
pub mod tmpfs;
pub mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use platform_types::layout::{CANARY_FILE, Roots, RunDir, socket_file};
use platform_types::{Generation, ProfileName, SecretName};
use supervisor_plan::spec::{ContainerSpec, MountSource, VolumeSpec};
use supervisor_plan::topology::OwnedRunDir;
use supervisor_store::{Store, StoreError};

use folder::{Access, Folder, FolderError};
use secrets::CopyError;
use tmpfs::{Size, TmpfsError};

/// The host's side of one installation. Clones share the canaries.
#[derive(Debug, Clone)]
pub struct Host {
    roots: Roots,
    store: Store,
    /// The mount's name on the host (a path, a volume) to the text in it.
    canaries: Arc<Mutex<BTreeMap<String, String>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Tmpfs(#[from] TmpfsError),
    #[error(transparent)]
    Secrets(#[from] CopyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the host has to provide for a configuration.
#[derive(Debug, Clone)]
pub struct Provision {
    pub dirs: Vec<OwnedRunDir>,
    pub profiles: BTreeSet<ProfileName>,
    /// The directory with one repository a profile.
    pub repositories: PathBuf,
    /// Besides the keys of repositories, which are backup's.
    pub secrets: Vec<SecretCopies>,
    pub backup_uid: u32,
}

/// The secrets of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretCopies {
    pub dir: RunDir,
    pub names: BTreeSet<SecretName>,
    /// The only one who can read them.
    pub uid: u32,
}

impl Host {
    pub fn new(roots: Roots, store: Store) -> Self {
        Self { roots, store, canaries: Arc::default() }
    }

    /// Makes everything that containers mount. Every part is tried; what failed comes back.
    pub fn provide(&self, provision: &Provision) -> Vec<HostError> {
        let mut problems = Vec::new();
        problems.extend(Folder::make(&self.roots.run(), Access::root(0o700)).err().map(HostError::from));
        for dir in &provision.dirs {
            problems.extend(self.provide_dir(dir).err());
        }
        problems.extend(self.provide_repositories(provision).err());
        problems.extend(self.provide_secrets(provision));
        problems
    }

    /// Makes room for an agent's sockets: what earlier generations, or a taken-over one, left there goes. A file system of
    /// 64 inodes would be full otherwise, and no agent could bind.
    pub fn sweep_sockets(&self, profile: &ProfileName, live: &[Generation]) -> Result<(), HostError> {
        let mut keep: BTreeSet<String> = live.iter().copied().map(socket_file).collect();
        keep.insert(CANARY_FILE.to_owned());
        for dir in [RunDir::AgentHttp(profile.clone()), RunDir::AgentAdmin(profile.clone())] {
            Folder::open(&self.roots.run_dir(&dir))?.clear_except(&keep)?;
        }
        Ok(())
    }

    fn provide_dir(&self, owned: &OwnedRunDir) -> Result<(), HostError> {
        let path = self.roots.run_dir(&owned.dir);
        let folder = match &owned.dir {
            RunDir::SparkProfile(profile) => Folder::open(&self.roots.run_dir(&RunDir::Spark))?
                .child(profile.as_str(), Access::of(owned.owner, 0o755))?,
            RunDir::Spark => tmpfs::ensure(&path, Size::SPARK, Access::of(owned.owner, 0o755))?,
            RunDir::SparkSecrets | RunDir::BackupSecrets | RunDir::GateSecrets(_) => {
                tmpfs::ensure(&path, Size::SECRETS, Access::root(0o755))?
            }
            RunDir::AgentHttp(_)
            | RunDir::AgentAdmin(_)
            | RunDir::Egress(_)
            | RunDir::GateAdmin(_)
            | RunDir::Tailnet(_)
            | RunDir::SparkAdmin
            | RunDir::BackupAdmin => tmpfs::ensure(&path, Size::SOCKETS, Access::of(owned.owner, 0o755))?,
        };
        self.place_canary(&folder, &path.display().to_string())
    }

    fn provide_repositories(&self, provision: &Provision) -> Result<(), HostError> {
        let top = Folder::make(&provision.repositories, Access::root(0o711))?;
        for profile in &provision.profiles {
            top.child(profile.as_str(), Access::of(provision.backup_uid, 0o700))?;
        }
        self.place_canary(&top, &provision.repositories.display().to_string())
    }

    fn provide_secrets(&self, provision: &Provision) -> Vec<HostError> {
        let mut problems = Vec::new();
        let source = match Folder::make(&self.roots.secrets(), Access::root(0o700)) {
            Ok(source) => source,
            Err(error) => return vec![error.into()],
        };
        let mut keys = BTreeSet::new();
        for profile in &provision.profiles {
            match secrets::ensure_repository_key(&source, &provision.repositories, profile) {
                Ok(()) => drop(keys.insert(secrets::repository_key(profile))),
                Err(error) => problems.push(error.into()),
            }
        }
        let mut copy = |dir: &RunDir, names: &BTreeSet<String>, uid: u32| {
            let result = Folder::open(&self.roots.run_dir(dir))
                .map_err(CopyError::from)
                .and_then(|target| secrets::copy(source.path(), &target, names, uid));
            problems.extend(result.err().map(HostError::from));
        };
        copy(&RunDir::BackupSecrets, &keys, provision.backup_uid);
        for SecretCopies { dir, names, uid } in &provision.secrets {
            copy(dir, &names.iter().map(ToString::to_string).collect(), *uid);
        }
        problems
    }

    /// Makes sure that a volume has its owners, directories and canary.
    pub fn provide_volume(&self, mountpoint: &Path, spec: &VolumeSpec) -> Result<(), HostError> {
        let folder = volume::ensure(mountpoint, spec)?;
        self.place_canary(&folder, &spec.name)
    }

    /// Puts a volume in order at start, before anything runs on it.
    pub fn sweep_volume(&self, mountpoint: &Path, spec: &VolumeSpec) -> Result<(), HostError> {
        volume::sweep(mountpoint)?;
        self.provide_volume(mountpoint, spec)
    }

    fn place_canary(&self, folder: &Folder, mount: &str) -> Result<(), HostError> {
        // A ledger that lost it takes up the one that containers read already: they did not lose their mount.
        let candidate = canary::existing(folder).unwrap_or_else(platform_kit::random::id);
        let text = self.store.canary(mount, &candidate)?;
        canary::ensure(folder, &text)?;
        self.known().insert(mount.to_owned(), text);
        Ok(())
    }

    /// The canaries that a container with this specification should read, by mount point. Only mounts that were
    /// provided by this daemon are in it.
    pub fn expected_canaries(&self, spec: &ContainerSpec) -> BTreeMap<String, String> {
        let known = self.known();
        let expected = spec.mounts.iter().filter_map(|(target, mount)| {
            let name = match &mount.source {
                MountSource::Volume { name } => name,
                MountSource::Bind { path } => path,
                MountSource::Tmpfs { .. } => return None,
            };
            Some((target.clone(), known.get(name)?.clone()))
        });
        expected.collect()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.canaries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
