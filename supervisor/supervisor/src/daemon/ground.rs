//! What stands before anything else: directories, the lock, the ledger, a handle to the engine.

use std::path::{Path, PathBuf};

use platform_types::Timestamp;
use platform_types::layout::Roots;
use supervisor_docker::{DEFAULT_SOCKET, Engine};
use supervisor_store::{OpenError, Opened, Store, StoreError};

use crate::audit::own::{self, Deed, SUPERVISOR};
use crate::host::folder::{Access, Folder, FolderError};
use crate::host::lock::{InstanceLock, LockError};

/// Where Docker listens, when it is not the usual place: `unix:///path`.
const DOCKER_HOST: &str = "DOCKER_HOST";

/// An installation that is ours to run.
#[derive(Debug)]
pub struct Foundation {
    /// Without links in them, as the kernel reports mounts.
    pub roots: Roots,
    pub lock: InstanceLock,
    pub store: Store,
    pub engine: Engine,
}

#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    #[error("the supervisor needs to be root: it owns directories and mounts of other users")]
    NotRoot,
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{} cannot be resolved", path.display())]
    Resolve { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("the ledger cannot be written")]
    Ledger(#[from] StoreError),
}

/// Makes the roots, takes the lock, opens the ledger, or recovers it.
pub fn lay(roots: &Roots, now: Timestamp) -> Result<Foundation, GroundError> {
    if !nix::unistd::geteuid().is_root() {
        return Err(GroundError::NotRoot);
    }
    for root in [&roots.config, &roots.state, &roots.runtime] {
        // An administrator may have given them another mode.
        if !root.is_dir() {
            Folder::make(root, Access::root(0o755))?;
        }
    }
    let roots =
        Roots { config: resolve(&roots.config)?, state: resolve(&roots.state)?, runtime: resolve(&roots.runtime)? };
    let lock = InstanceLock::take(&roots.lock())?;
    let Opened { store, recovered } = Store::open_guarded(&roots.ledger(), now)?;
    if let Some(recovered) = recovered {
        tracing::warn!(reason = recovered.message, "the ledger was recovered");
        let deed =
            Deed { kind: own::RECOVERED, by: SUPERVISOR.to_owned(), profile: None, words: recovered.message.clone() };
        own::append(&store, now, &deed)?;
    }
    let engine = Engine::at(&docker_socket());
    Ok(Foundation { roots, lock, store, engine })
}

fn resolve(path: &Path) -> Result<PathBuf, GroundError> {
    path.canonicalize().map_err(|source| GroundError::Resolve { path: path.to_path_buf(), source })
}

fn docker_socket() -> PathBuf {
    let host = platform_kit::environment::optional(DOCKER_HOST);
    let path = host.as_deref().and_then(|host| host.strip_prefix("unix://"));
    path.unwrap_or(DEFAULT_SOCKET).into()
}
