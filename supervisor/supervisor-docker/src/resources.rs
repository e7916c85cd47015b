//! Networks and volumes.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};
use platform_types::role::LABEL_INSTALL;
use supervisor_plan::observed::Owner;
use supervisor_plan::spec::NetworkSpec;

use crate::engine::Engine;
use crate::error::{EngineError, Operation};

/// Containers on the bridge cannot reach one another when it is `false`.
const OPTION_ICC: &str = "com.docker.network.bridge.enable_icc";

impl Engine {
    /// Creates a bridge. Docker takes a second network of the same name unless it is told to check.
    pub async fn create_network(
        &self,
        spec: &NetworkSpec,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), EngineError> {
        let NetworkSpec { name } = spec;
        let subject = format!("network {name}");
        if self.network_exists(name).await? {
            let message = "the name is taken".to_owned();
            return Err(EngineError::Conflict { operation: Operation::Create, subject, message });
        }
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".into()),
            options: Some(HashMap::from([(OPTION_ICC.to_owned(), "false".to_owned())])),
            labels: Some(labels.clone().into_iter().collect()),
            ..NetworkCreateRequest::default()
        };
        self.timed(Operation::Create, &subject, self.api()?.create_network(request)).await.map(|_| ())
    }

    /// Removes a network by id. One that is gone already is fine.
    pub async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        match self.timed(Operation::Remove, &format!("network {id}"), self.api()?.remove_network(id)).await {
            Err(EngineError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    async fn network_exists(&self, name: &str) -> Result<bool, EngineError> {
        match self.timed(Operation::Inspect, &format!("network {name}"), self.api()?.inspect_network(name, None)).await
        {
            // Docker also finds networks by the beginning of their id.
            Ok(network) => Ok(network.name.as_deref() == Some(name)),
            Err(EngineError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Every network of the engine by name, and whether it carries the label of `install`.
    pub async fn networks(&self, install: &str) -> Result<BTreeMap<String, Owner>, EngineError> {
        let networks = self.timed(Operation::List, "networks", self.api()?.list_networks(None)).await?;
        let named = networks.into_iter().filter_map(|network| Some((network.name?, network.labels)));
        Ok(named.map(|(name, labels)| (name, owner(labels.as_ref(), install))).collect())
    }

    /// How many containers are attached to a network.
    pub async fn network_users(&self, name: &str) -> Result<usize, EngineError> {
        let inspection = self.api()?.inspect_network(name, None);
        let network = self.timed(Operation::Inspect, &format!("network {name}"), inspection).await?;
        Ok(network.containers.map_or(0, |containers| containers.len()))
    }

    /// Every volume of the engine by name, and whether it carries the label of `install`.
    pub async fn volumes(&self, install: &str) -> Result<BTreeMap<String, Owner>, EngineError> {
        let listed =
            self.timed(Operation::List, "volumes", self.api()?.list_volumes(None::<ListVolumesOptions>)).await?;
        let volumes = listed.volumes.unwrap_or_default().into_iter();
        Ok(volumes.map(|volume| (volume.name, owner(Some(&volume.labels), install))).collect())
    }

    /// Creates a volume and returns where it lies on the host. Docker returns an existing one as it is.
    pub async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<PathBuf, EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some("local".into()),
            labels: Some(labels.clone().into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        let subject = format!("volume {name}");
        let volume = self.timed(Operation::Create, &subject, self.api()?.create_volume(request)).await?;
        Ok(volume.mountpoint.into())
    }

    /// Where a volume lies on the host.
    pub async fn volume_mountpoint(&self, name: &str) -> Result<PathBuf, EngineError> {
        let subject = format!("volume {name}");
        let volume = self.timed(Operation::Inspect, &subject, self.api()?.inspect_volume(name)).await?;
        Ok(volume.mountpoint.into())
    }

    /// Removes a volume. One that is gone already is fine.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let subject = format!("volume {name}");
        match self
            .timed(Operation::Remove, &subject, self.api()?.remove_volume(name, None::<RemoveVolumeOptions>))
            .await
        {
            Err(EngineError::NotFound { .. }) => Ok(()),
            other => other,
        }
    }
}

fn owner(labels: Option<&HashMap<String, String>>, install: &str) -> Owner {
    let ours = labels.and_then(|labels| labels.get(LABEL_INSTALL)).is_some_and(|value| value == install);
    if ours { Owner::Ours } else { Owner::Foreign }
}
