//! What the security checks look at, and looking.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform_types::ProfileName;
use platform_types::confinement::Report;
use platform_types::layout::Roots;
use supervisor_docker::{EngineInfo, Stranger};
use supervisor_plan::Desired;
use supervisor_plan::observed::ObservedContainer;
use supervisor_plan::topology::run_dirs;

use super::directory::{self, Directory};
use super::inside;
use crate::doctor::host::{Mount, mounts};
use crate::state::{Shared, World};
use crate::words::chain;

/// Everything that the checks look at.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub roots: Roots,
    pub desired: Arc<Desired>,
    pub engine: Option<Arc<EngineInfo>>,
    /// Inspected now; or why not.
    pub containers: Result<Vec<ObservedContainer>, String>,
    pub strangers: Result<Vec<Stranger>, String>,
    pub directories: Vec<Directory>,
    pub files: Vec<PrivateFile>,
    pub mounts: Vec<Mount>,
    /// What the attempts from inside came to; or why they were not made.
    pub inside: BTreeMap<ProfileName, Result<Vec<Report>, String>>,
}

/// A file of the host that is root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateFile {
    pub path: PathBuf,
    pub uid: u32,
    pub mode: u32,
    /// Everybody may read it; nobody but root may write.
    pub is_public: bool,
}

/// Looks at everything. Takes seconds: containers are run.
pub async fn gather(shared: &Shared) -> Evidence {
    let world = shared.world.borrow().clone();
    let install = world.desired.install.clone();
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Evidence {
        roots: shared.roots.clone(),
        desired: world.desired.clone(),
        engine: world.engine.clone(),
        containers: containers(shared, &install).await,
        strangers: shared.engine.strangers(&install).await.map_err(|error| chain(&error)),
        directories: directories(&shared.roots, &world),
        files: files(&shared.roots),
        mounts: mounts(&table),
        inside: inside::attempts(shared, &world).await,
    }
}

async fn containers(shared: &Shared, install: &str) -> Result<Vec<ObservedContainer>, String> {
    let listed = shared.engine.list_containers(install).await.map_err(|error| chain(&error))?;
    let mut found = Vec::new();
    for container in listed.ours {
        let seen = shared.engine.observe_container(&container.id, install).await;
        found.extend(seen.map_err(|error| chain(&error))?);
    }
    Ok(found)
}

fn directories(roots: &Roots, world: &World) -> Vec<Directory> {
    let mut ids = world.ledger.ids.clone();
    let wanted = run_dirs(world.config.profiles.keys(), &mut ids);
    wanted.iter().filter_map(|owned| directory::look(roots, owned)).collect()
}

/// What only root may write, and mostly only root may read.
fn files(roots: &Roots) -> Vec<PrivateFile> {
    let below = |folder: &Path, begin: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let named = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(begin.as_bytes()));
        named.map(|entry| entry.path()).collect()
    };
    let private = below(&roots.state, "supervisor.").into_iter().chain(below(&roots.secrets(), ""));
    let private = private.chain([roots.secrets(), roots.run()]).map(|path| (path, false));
    let public = [roots.platform_toml(), roots.bots(), roots.release(), roots.agent_seccomp()];
    let roots = [roots.config.clone(), roots.state.clone(), roots.runtime.clone()];
    let public = public.into_iter().chain(roots).map(|path| (path, true));
    private.chain(public).filter_map(|(path, is_public)| file(path, is_public)).collect()
}

fn file(path: PathBuf, is_public: bool) -> Option<PrivateFile> {
    let metadata = std::fs::symlink_metadata(&path).ok()?;
    Some(PrivateFile { path, uid: metadata.uid(), mode: metadata.mode() & 0o7777, is_public })
}
