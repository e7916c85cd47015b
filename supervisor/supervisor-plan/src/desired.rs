//! What should exist: one [`Service`] a target. Built by [`crate::topology`].

use std::collections::BTreeMap;

use platform_types::{Generation, layout};
use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSpec, NetworkSpec, VolumeSpec};
use crate::target::Target;

/// What should exist. A profile that is gone from `platform.toml` is gone from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Id of the installation, the value of its label.
    pub install: String,
    /// Prefix of every name.
    pub name: String,
    pub services: BTreeMap<Target, Service>,
}

/// One container that should be running, and what it needs before it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The name it has unless it is the next generation in a replacement ([`Service::next_name`]).
    pub container_name: String,
    /// Without the variables that carry a generation: [`Service::spec_for`] adds them.
    pub spec: ContainerSpec,
    /// Digest over `spec`, the value of the label `io.bot-platform.spec`.
    pub spec_digest: String,
    /// Content digest of the image, the value of the label `io.bot-platform.release`.
    pub release: String,
    /// Digest of what is pushed over the admin socket, without revision and door; `None` for a role that is not configured.
    pub config_digest: Option<String>,
    /// The bridge that is its own.
    pub network: Option<NetworkSpec>,
    /// The volume that is its own.
    pub volume: Option<VolumeSpec>,
}

impl Service {
    /// The specification of a container of this generation. Agents carry it in their environment, others have none.
    pub fn spec_for(&self, generation: Option<Generation>) -> ContainerSpec {
        let mut spec = self.spec.clone();
        if let Some(generation) = generation {
            let file = layout::socket_file(generation);
            let mut set = |name: &str, value: String| spec.environment.insert(name.to_owned(), value);
            set(layout::env::GENERATION, generation.to_string());
            set(layout::env::HTTP_SOCKET, format!("{}/{file}", layout::inside::HTTP));
            set(layout::env::ADMIN_SOCKET, format!("{}/{file}", layout::inside::ADMIN));
        }
        spec
    }

    /// The name of the next generation while its predecessor still has [`Service::container_name`].
    pub fn next_name(&self) -> String {
        format!("{}-next", self.container_name)
    }

    /// What a failure belongs to: a change of the specification or of the configuration gives a fresh start.
    pub fn fingerprint(&self) -> String {
        format!("{}+{}", self.spec_digest, self.config_digest.as_deref().unwrap_or("none"))
    }
}
