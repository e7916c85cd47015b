//! A container, network or volume as it should be.
//!
//! [`ContainerSpec`] is both what we ask for and the shape into which an inspected container is read back, so that
//! drift is a field-by-field comparison (`ContainerSpec::drift`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use platform_types::Port;
use serde::{Deserialize, Serialize};

/// An image by its id (`sha256:…`), never by a floating tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImageId(pub String);

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that makes a container what it is, except its name and labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub image: ImageId,
    /// Arguments to the image's entrypoint; empty for services.
    pub command: Vec<String>,
    pub user: User,
    pub environment: BTreeMap<String, String>,
    pub network: Network,
    /// Keyed by the path inside the container.
    pub mounts: BTreeMap<String, Mount>,
    pub limits: Limits,
    pub confinement: Confinement,
    pub log: LogLimits,
}

/// `uid:gid` and supplementary groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub groups: BTreeSet<u32>,
}

/// What a container is connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Network {
    /// Docker's mode `none`.
    None,
    /// A bridge of its own, by name.
    Bridge { name: String, publish: Option<Publish> },
    /// Anything else that an inspection found; never desired.
    Other { described: String },
}

/// `<host_ip>:<host_port> -> <container_port>/tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    pub host_ip: String,
    pub host_port: Port,
    pub container_port: Port,
}

/// What lies at a path inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub source: MountSource,
    pub read_only: bool,
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MountSource {
    Volume {
        name: String,
    },
    /// A directory of the host that the supervisor made.
    Bind {
        path: String,
    },
    Tmpfs {
        bytes: u64,
    },
}

/// What a container may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory and swap together, so there is no swap.
    pub memory_bytes: u64,
    /// Thousandths of a core.
    pub cpu_milli: u64,
    pub pids: u64,
    /// Open files, soft and hard.
    pub open_files: u64,
}

/// What a container may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are Docker's flags, each by itself")]
pub struct Confinement {
    pub read_only_root: bool,
    /// Capabilities dropped, without the prefix `CAP_`; always `ALL`.
    pub cap_drop: BTreeSet<String>,
    pub cap_add: BTreeSet<String>,
    pub no_new_privileges: bool,
    pub privileged: bool,
    pub seccomp: Seccomp,
    /// Docker's init reaps zombies; ours need none.
    pub init: bool,
    /// Namespaces of the host that are shared (`pid`, `ipc`, `uts`, `userns`): always empty.
    pub host_namespaces: BTreeSet<String>,
    /// Devices passed in: always empty.
    pub devices: BTreeSet<String>,
    /// Docker's restart policy: always `no`, the supervisor restarts.
    pub restart_policy: String,
}

impl Confinement {
    /// Nothing that is not needed: what every container of ours has.
    pub fn strict(seccomp: Seccomp) -> Self {
        Self {
            read_only_root: true,
            cap_drop: BTreeSet::from(["ALL".to_owned()]),
            cap_add: BTreeSet::new(),
            no_new_privileges: true,
            privileged: false,
            seccomp,
            init: false,
            host_namespaces: BTreeSet::new(),
            devices: BTreeSet::new(),
            restart_policy: "no".to_owned(),
        }
    }
}

/// The filter on system calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "lowercase")]
pub enum Seccomp {
    /// Docker's own profile.
    Default,
    /// Ours, as the JSON text that is sent to Docker (Docker inlines and reports it so).
    Custom {
        json: String,
    },
    Unconfined,
}

/// How much of a container's output is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// Docker's `json-file` unless an inspection found another.
    pub driver: String,
    pub max_bytes: u64,
    pub files: u32,
}

/// A bridge that belongs to one sidecar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    pub name: String,
}

/// A named volume and who owns its top directories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSpec {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Group of `staging/`, set on agents' volumes.
    pub staging_gid: Option<u32>,
}

impl ContainerSpec {
    /// The port of the host that this container publishes.
    pub fn host_port(&self) -> Option<Port> {
        match &self.network {
            Network::Bridge { publish: Some(publish), .. } => Some(publish.host_port),
            _ => None,
        }
    }

    /// Names of the volumes that this container may write.
    pub fn writable_volumes(&self) -> impl Iterator<Item = &str> {
        self.mounts.values().filter_map(|mount| match &mount.source {
            MountSource::Volume { name } if !mount.read_only => Some(name.as_str()),
            _ => None,
        })
    }
}
