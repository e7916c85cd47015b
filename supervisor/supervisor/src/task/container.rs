//! The specifications of the task containers: one profile and one purpose each, with what that needs and no network.

use std::collections::BTreeMap;
use std::time::Duration;

use platform_types::layout::{RunDir, inside};
use platform_types::role::{LABEL_INSTALL, LABEL_PROFILE, LABEL_RELEASE, LABEL_ROLE};
use platform_types::{ProfileName, Role};
use supervisor_config::config::Keep;
use supervisor_docker::Task;
use supervisor_plan::ledger::Ids;
use supervisor_plan::spec::{ContainerSpec, Mount, MountSource};
use supervisor_plan::topology::{Topology, base, id_name, staging_name};

use crate::host::secrets::repository_key;

/// The index of a repository and packs in the making are held in memory.
const MEMORY_BYTES: u64 = 512 * 1024 * 1024;

/// Why a task cannot be described: an id was never allocated.
#[derive(Debug, thiserror::Error)]
#[error("no uid is allocated for {0}; is the profile applied?")]
pub struct Unallocated(String);

/// Makes task containers for one profile.
#[derive(Debug)]
pub struct Tasks<'a> {
    pub topology: &'a Topology,
    pub ids: &'a Ids,
    pub profile: &'a ProfileName,
    pub timeout: Duration,
}

/// Who a task runs as.
#[derive(Debug, Clone, Copy)]
enum As {
    Backup,
    Agent,
}

impl Tasks<'_> {
    /// Puts a staged copy into the repository. As backup, which reads `staging/` through its group.
    pub fn snapshot(&self, staged: &str, reason: &str) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Backup)?;
        spec.user.groups.insert(self.id(&staging_name(self.profile))?);
        spec.command = words(&["snapshot", "--source", &format!("{}/{staged}", inside::STAGING), "--reason", reason]);
        self.with_repository(&mut spec);
        self.with_state(&mut spec, true);
        Ok(self.task("snapshot", spec))
    }

    /// Looks the repository over. As backup.
    pub fn check(&self, all_data: bool) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Backup)?;
        spec.command = words(if all_data { &["check", "--read-data"] } else { &["check"] });
        self.with_repository(&mut spec);
        Ok(self.task("check", spec))
    }

    /// Forgets what need not be kept. As backup.
    pub fn prune(&self, keep: Keep, zone: &str) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Backup)?;
        let [daily, weekly, monthly] = [keep.daily, keep.weekly, keep.monthly].map(|count| count.to_string());
        spec.command = words(&["prune", "--daily", &daily, "--weekly", &weekly, "--monthly", &monthly, "--zone", zone]);
        self.with_repository(&mut spec);
        Ok(self.task("prune", spec))
    }

    /// Restores into a folder of the state volume that was made for backup. As backup, which alone reads repository and
    /// key; the folder is given to the agent afterwards.
    pub fn restore_into_state(&self, snapshot: &str, name: &str) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Backup)?;
        let into = format!("{}/{name}", inside::STATE);
        spec.command = words(&["restore", "--snapshot", snapshot, "--into", &into]);
        self.with_repository(&mut spec);
        self.with_state(&mut spec, false);
        Ok(self.task("restore", spec))
    }

    /// Restores into a folder of the host. As backup; the folder is given away afterwards.
    pub fn restore_into_folder(&self, snapshot: &str, folder: &str) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Backup)?;
        spec.command = words(&["restore", "--snapshot", snapshot, "--into", inside::TARGET]);
        self.with_repository(&mut spec);
        spec.mounts.insert(inside::TARGET.to_owned(), bind(folder.to_owned(), false));
        Ok(self.task("restore", spec))
    }

    /// Lets a restored folder and `current` change places. As the agent.
    pub fn swap(&self, restored: &str) -> Result<Task, Unallocated> {
        let mut spec = self.spec(As::Agent)?;
        spec.command = words(&["swap", "--state", inside::STATE, "--restored", restored]);
        self.with_state(&mut spec, false);
        Ok(self.task("swap", spec))
    }

    fn id(&self, name: &str) -> Result<u32, Unallocated> {
        self.ids.get(name).ok_or_else(|| Unallocated(name.to_owned()))
    }

    fn spec(&self, who: As) -> Result<ContainerSpec, Unallocated> {
        let uid = match who {
            As::Backup => self.id("backup")?,
            As::Agent => self.id(&id_name(Role::Agent, self.profile))?,
        };
        let mut spec = base(&self.topology.images.backup, uid);
        spec.limits.memory_bytes = MEMORY_BYTES;
        Ok(spec)
    }

    fn with_repository(&self, spec: &mut ContainerSpec) {
        let repository = format!("{}/{}", inside::REPOSITORIES, self.profile);
        let key = repository_key(self.profile);
        let key_file = format!("{}/{key}", inside::SECRETS);
        let arguments = ["--profile", self.profile.as_str(), "--repository", &repository, "--key-file", &key_file];
        spec.command.extend(words(&arguments));
        let source = format!("{}/{}", self.topology.repositories, self.profile);
        spec.mounts.insert(repository, bind(source, false));
        let secret = self.topology.roots.run_dir(&RunDir::BackupSecrets).join(&key);
        spec.mounts.insert(key_file, bind(secret.display().to_string(), true));
    }

    fn with_state(&self, spec: &mut ContainerSpec, read_only: bool) {
        let name = state_volume(self.topology, self.profile);
        spec.mounts.insert(inside::STATE.to_owned(), Mount { source: MountSource::Volume { name }, read_only });
    }

    fn task(&self, what: &str, spec: ContainerSpec) -> Task {
        let labels = BTreeMap::from([
            (LABEL_INSTALL.to_owned(), self.topology.install.clone()),
            (LABEL_ROLE.to_owned(), Role::Task.to_string()),
            (LABEL_PROFILE.to_owned(), self.profile.to_string()),
            (LABEL_RELEASE.to_owned(), self.topology.images.backup.release.clone()),
        ]);
        let name = format!("{}-{}-{what}", self.topology.name, self.profile);
        Task { name, spec, labels, timeout: self.timeout }
    }
}

/// The name of a profile's state volume.
pub fn state_volume(topology: &Topology, profile: &ProfileName) -> String {
    format!("{}-{profile}-state", topology.name)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn bind(path: String, read_only: bool) -> Mount {
    Mount { source: MountSource::Bind { path }, read_only }
}
