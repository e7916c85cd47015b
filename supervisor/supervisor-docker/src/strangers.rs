//! Containers that are not ours, and what they have of the host.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, MountPoint};
use bollard::query_parameters::ListContainersOptionsBuilder;
use platform_types::role::LABEL_INSTALL;

use crate::engine::Engine;
use crate::error::{EngineError, Operation};

/// A container without the label of this installation, running or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stranger {
    pub name: String,
    /// Networks that it is attached to, by name.
    pub networks: BTreeSet<String>,
    /// Names of volumes and paths of the host that it has mounted.
    pub sources: BTreeSet<String>,
}

impl Engine {
    /// Every container that is not ours.
    pub async fn strangers(&self, install: &str) -> Result<Vec<Stranger>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).build();
        let containers = self.timed(Operation::List, "containers", self.api()?.list_containers(Some(options))).await?;
        let is_ours = |found: &ContainerSummary| {
            found.labels.as_ref().and_then(|labels| labels.get(LABEL_INSTALL)).is_some_and(|value| value == install)
        };
        Ok(containers.into_iter().filter(|found| !is_ours(found)).map(stranger).collect())
    }
}

fn stranger(found: ContainerSummary) -> Stranger {
    let name = found.names.into_iter().flatten().next().unwrap_or_default();
    let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    Stranger {
        name: name.strip_prefix('/').unwrap_or(&name).to_owned(),
        networks: networks.into_keys().collect(),
        sources: found.mounts.into_iter().flatten().filter_map(source).collect(),
    }
}

/// A volume by its name, anything else by its path.
fn source(mount: MountPoint) -> Option<String> {
    mount.name.filter(|name| !name.is_empty()).or(mount.source).filter(|source| !source.is_empty())
}
