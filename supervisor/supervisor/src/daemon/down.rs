//! The end of an installation: containers and networks go, volumes only on request.
//!
//! **Invariant.** Only what carries the label of this installation is removed, and only while no supervisor runs it.

use std::time::Duration;

use futures_util::future::join_all;
use platform_kit::{Clock as _, SystemClock};
use platform_types::layout::Roots;
use supervisor_docker::{Engine, EngineError, Removal};
use supervisor_plan::observed::Owner;

use super::ground::{self, Foundation, GroundError};
use crate::host::tmpfs::{self, TmpfsError};
use crate::words::chain;

/// An agent drains in 20 s.
const GRACE: Duration = Duration::from_secs(22);

#[derive(Debug, thiserror::Error)]
pub enum DownError {
    #[error(transparent)]
    Ground(#[from] GroundError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the ledger cannot be read")]
    Store(#[from] supervisor_store::StoreError),
    #[error(transparent)]
    Tmpfs(#[from] TmpfsError),
    #[error("not everything could be removed: {0}")]
    Left(String),
}

/// Stops and removes everything of the installation.
pub async fn down(requested: Roots, purge: bool) -> Result<(), DownError> {
    let Foundation { roots, lock: _lock, store, engine } = ground::lay(&requested, SystemClock.now())?;
    let install = store.install_id()?;
    let listing = engine.list_containers(&install).await?;
    let ends = listing.ours.iter().map(|listed| end(&engine, &listed.id.0));
    let mut left: Vec<String> = join_all(ends).await.into_iter().filter_map(Result::err).map(|e| chain(&e)).collect();
    for name in ours(engine.networks(&install).await?) {
        left.extend(engine.remove_network(&name).await.err().map(|error| chain(&error)));
    }
    if purge {
        for name in ours(engine.volumes(&install).await?) {
            left.extend(engine.remove_volume(&name).await.err().map(|error| chain(&error)));
        }
    }
    tmpfs::remove_below(&roots.run())?;
    if left.is_empty() { Ok(()) } else { Err(DownError::Left(left.join("; "))) }
}

async fn end(engine: &Engine, id: &str) -> Result<(), EngineError> {
    match engine.stop_container(id, GRACE).await {
        Ok(()) | Err(EngineError::NotFound { .. }) => {}
        Err(error) if error.is_gone() => return Err(error),
        // A paused container cannot be stopped; it is removed by force.
        Err(error) => tracing::debug!(container = id, error = %chain(&error), "a container did not stop"),
    }
    engine.remove_container(id, Removal::Forced).await
}

fn ours(owned: std::collections::BTreeMap<String, Owner>) -> impl Iterator<Item = String> {
    owned.into_iter().filter(|(_, owner)| *owner == Owner::Ours).map(|(name, _)| name)
}
