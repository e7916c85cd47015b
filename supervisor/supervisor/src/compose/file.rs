//! A compose file, as far as the topology needs it. Field names are the format's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The file format that docker-compose 1.29 reads with every limit.
pub const FORMAT: &str = "2.4";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeFile {
    pub version: String,
    pub services: BTreeMap<String, ComposeService>,
    pub networks: BTreeMap<String, ComposeNetwork>,
    pub volumes: BTreeMap<String, ComposeVolume>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposeService {
    pub container_name: String,
    pub image: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub command: Vec<String>,
    pub user: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub group_add: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub network_mode: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub networks: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub ports: Vec<String>,
    pub volumes: Vec<ComposeMount>,
    pub read_only: bool,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    /// In bytes, so that nothing is rounded.
    pub mem_limit: u64,
    pub memswap_limit: u64,
    /// Cores, with three digits.
    pub cpus: String,
    pub pids_limit: u64,
    pub ulimits: BTreeMap<String, ComposeLimit>,
    pub logging: ComposeLogging,
    pub restart: String,
    pub stop_grace_period: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeLimit {
    pub soft: u64,
    pub hard: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeLogging {
    pub driver: String,
    pub options: BTreeMap<String, String>,
}

/// The long form: unlike the short one it fails when a host directory is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeMount {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<String>,
    pub target: String,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub volume: Option<ComposeVolumeOptions>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tmpfs: Option<ComposeTmpfsOptions>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeVolumeOptions {
    pub nocopy: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeTmpfsOptions {
    pub size: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeNetwork {
    pub name: String,
    pub driver: String,
    pub driver_opts: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeVolume {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}
