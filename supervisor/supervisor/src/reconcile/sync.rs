//! Looking at everything, or at one target.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use supervisor_docker::{EngineError, Listed, Listing};
use supervisor_plan::Target;
use supervisor_plan::observed::{ObservedContainer, Owner};
use supervisor_plan::spec::ImageId;

use super::hands::Hands;

/// Inspections at the same time.
const CONCURRENT: usize = 8;

/// Everything that the engine has of ours, and the names of the rest.
#[derive(Debug)]
pub struct Sync {
    pub containers: Vec<ObservedContainer>,
    pub foreign_containers: BTreeSet<String>,
    pub networks: BTreeMap<String, Owner>,
    pub volumes: BTreeMap<String, Owner>,
    pub images: BTreeSet<ImageId>,
}

/// Looks at everything.
pub async fn everything(hands: &Hands, images: &BTreeSet<ImageId>) -> Result<Sync, EngineError> {
    let Listing { ours, foreign_names } = hands.engine.list_containers(&hands.install).await?;
    let (containers, networks, volumes, images) = tokio::try_join!(
        inspect(hands, ours),
        hands.engine.networks(&hands.install),
        hands.engine.volumes(&hands.install),
        present(hands, images),
    )?;
    Ok(Sync { containers, foreign_containers: foreign_names, networks, volumes, images })
}

/// Looks at the containers of one target.
pub async fn target(hands: &Hands, target: &Target) -> Result<Vec<ObservedContainer>, EngineError> {
    let Listing { mut ours, .. } = hands.engine.list_containers(&hands.install).await?;
    ours.retain(|listed| listed.target.as_ref() == Some(target));
    inspect(hands, ours).await
}

/// Which of these images are there.
pub async fn present(hands: &Hands, images: &BTreeSet<ImageId>) -> Result<BTreeSet<ImageId>, EngineError> {
    let checks = stream::iter(images.clone()).map(|image| async move {
        let there = hands.engine.has_image(&image).await?;
        Ok(there.then_some(image))
    });
    let found: Vec<Option<ImageId>> = checks.buffer_unordered(CONCURRENT).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn inspect(hands: &Hands, listed: Vec<Listed>) -> Result<Vec<ObservedContainer>, EngineError> {
    let inspections = stream::iter(listed)
        .map(|listed| async move { hands.engine.observe_container(&listed.id, &hands.install).await });
    let mut found: Vec<ObservedContainer> =
        inspections.buffer_unordered(CONCURRENT).try_filter_map(|found| async { Ok(found) }).try_collect().await?;
    found.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(found)
}
