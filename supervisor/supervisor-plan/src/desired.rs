//! The topology of an installation: what should exist.

use std::collections::BTreeMap;

use platform_types::Generation;
use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSpec, NetworkSpec, Target, VolumeSpec};

/// What should exist. Built from `platform.toml`, the release and the ledger's allocations by [`crate::desired`]'s
/// constructors; a profile that is gone from the file is gone from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Id of the installation, the value of its label.
    pub install: String,
    /// Prefix of every name.
    pub name: String,
    pub networks: Vec<NetworkSpec>,
    pub volumes: Vec<VolumeSpec>,
    /// Ordered: gates and sidecars before agents never matters, everything starts at once.
    pub services: BTreeMap<Target, Service>,
}

/// One container that should be running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub container_name: String,
    /// Without the variables and socket names that carry a generation: those are added when the container is made.
    pub spec: ContainerSpec,
    /// Digest over `spec`, the value of the label.
    pub spec_digest: String,
    /// Content digest of the image.
    pub release: String,
    /// Digest of what is pushed over the admin socket.
    pub config_digest: String,
    /// Agents only: the generation that the ledger says is current.
    pub generation: Option<Generation>,
}
