//! From a validated configuration to what should exist: names, labels, mounts, networks, limits.
//!
//! The same for `up`, for `botctl plan` and for `botctl export compose`. What a container may reach is decided here and
//! nowhere else: an agent gets the sockets of its own profile, and nothing that leads to another.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use platform_types::layout::{Roots, RunDir, env, inside};
use platform_types::{Port, ProfileName, Role};
use sha2::{Digest as _, Sha256};

use crate::desired::{Desired, Service};
use crate::ledger::Ids;
use crate::spec::{
    Confinement, ContainerSpec, ImageId, Limits, LogLimits, Mount, MountSource, Network, NetworkSpec, Publish, Seccomp,
    User, VolumeSpec,
};
use crate::target::Target;

const MIB: u64 = 1 << 20;
/// The gate listens here inside its container.
const GATE_PORT: u16 = 8080;
/// Scratch space; nothing of ours needs much, SQLite sorts in memory.
const TMP_BYTES: u64 = 16 * MIB;
/// Log kept for each container: `max_bytes` a file.
const LOG_BYTES: u64 = 10 * MIB;
const LOG_FILES: u32 = 3;
/// A gate holds hundreds of connections, each with two sockets.
const OPEN_FILES: u64 = 4096;
const SIDECAR_MEMORY_BYTES: u64 = 128 * MIB;
/// The index of a repository is held in memory while it is listed or pruned.
const BACKUP_MEMORY_BYTES: u64 = 512 * MIB;
const SIDECAR_CPU_MILLI: u64 = 1000;
const SIDECAR_PIDS: u64 = 64;

/// What the topology is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    pub install: String,
    pub name: String,
    pub profiles: BTreeMap<ProfileName, ProfileTopology>,
    pub images: Images,
    /// The AF_UNIX-only profile of agents, as JSON text.
    pub agent_seccomp: String,
    pub roots: Roots,
    /// The host's directory with one repository a profile.
    pub repositories: String,
    /// Digest of what is pushed to each target, without revision and door. A target that is not here is not configured.
    pub config_digests: BTreeMap<Target, String>,
}

/// What a profile decides about its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileTopology {
    pub port: Port,
    pub memory_bytes: u64,
    pub cpu_milli: u64,
    pub pids: u64,
    /// Path inside the agent's container to folder of the host, which it may read.
    pub documents: BTreeMap<String, String>,
}

/// The desired release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    pub agent: Image,
    pub gate: Image,
    pub spark: Image,
    pub backup: Image,
}

/// An image, and the digest of what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub id: ImageId,
    pub release: String,
}

/// A directory under `run/` and who may write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRunDir {
    pub dir: RunDir,
    /// uid and gid of the binder, or of the reader of secrets.
    pub owner: u32,
}

/// What should exist. Ids that are needed for the first time are allocated.
pub fn topology(topology: &Topology, ids: &mut Ids) -> Desired {
    let mut services = BTreeMap::new();
    services.insert(Target::spark(), spark(topology, ids));
    services.insert(Target::backup(), backup(topology, ids));
    for (name, profile) in &topology.profiles {
        services.insert(Target::agent(name), agent(topology, ids, name, profile));
        services.insert(Target::gate(name), gate(topology, ids, name, profile));
    }
    for (target, service) in &mut services {
        service.config_digest = topology.config_digests.get(target).cloned();
        service.spec_digest = digest(&service.spec);
    }
    Desired { install: topology.install.clone(), name: topology.name.clone(), services }
}

/// The directories under `run/` that these profiles need, parents first.
pub fn run_dirs<'a>(profiles: impl IntoIterator<Item = &'a ProfileName>, ids: &mut Ids) -> Vec<OwnedRunDir> {
    let (spark, backup) = (ids.of("spark"), ids.of("backup"));
    let owned = |dir, owner| OwnedRunDir { dir, owner };
    let mut dirs = vec![
        owned(RunDir::Spark, spark),
        owned(RunDir::SparkAdmin, spark),
        owned(RunDir::SparkSecrets, spark),
        owned(RunDir::BackupAdmin, backup),
        owned(RunDir::BackupSecrets, backup),
    ];
    for profile in profiles {
        let (agent, gate) = (ids.of(&id_name(Role::Agent, profile)), ids.of(&id_name(Role::Gate, profile)));
        dirs.push(owned(RunDir::AgentHttp(profile.clone()), agent));
        dirs.push(owned(RunDir::AgentAdmin(profile.clone()), agent));
        dirs.push(owned(RunDir::Egress(profile.clone()), gate));
        dirs.push(owned(RunDir::GateAdmin(profile.clone()), gate));
        dirs.push(owned(RunDir::Tailnet(profile.clone()), gate));
        dirs.push(owned(RunDir::GateSecrets(profile.clone()), gate));
        dirs.push(owned(RunDir::SparkProfile(profile.clone()), spark));
    }
    dirs
}

/// The name under which a profile's role has its uid in the ledger.
pub fn id_name(role: Role, profile: &ProfileName) -> String {
    format!("{role}-{profile}")
}

/// The name under which the group of a profile's `staging/` has its gid in the ledger.
pub fn staging_name(profile: &ProfileName) -> String {
    format!("staging-{profile}")
}

fn agent(topology: &Topology, ids: &mut Ids, name: &ProfileName, profile: &ProfileTopology) -> Service {
    let uid = ids.of(&id_name(Role::Agent, name));
    let staging = ids.of(&staging_name(name));
    let volume = format!("{}-{name}-state", topology.name);
    let mut spec = base(&topology.images.agent, uid);
    spec.user.groups.insert(staging);
    spec.limits = Limits {
        memory_bytes: profile.memory_bytes,
        cpu_milli: profile.cpu_milli,
        pids: profile.pids,
        open_files: OPEN_FILES,
    };
    spec.confinement.seccomp = Seccomp::Custom { json: topology.agent_seccomp.clone() };
    spec.environment.insert(env::PROFILE.to_owned(), name.to_string());
    let run = |dir| topology.roots.run_dir(&dir).display().to_string();
    spec.mounts.extend([
        (inside::STATE.to_owned(), volume_mount(&volume)),
        (inside::HTTP.to_owned(), bind(run(RunDir::AgentHttp(name.clone())), false)),
        (inside::ADMIN.to_owned(), bind(run(RunDir::AgentAdmin(name.clone())), false)),
        (inside::EGRESS.to_owned(), bind(run(RunDir::Egress(name.clone())), true)),
        (inside::LLM.to_owned(), bind(run(RunDir::SparkProfile(name.clone())), true)),
    ]);
    spec.mounts.extend(profile.documents.iter().map(|(path, folder)| (path.clone(), bind(folder.clone(), true))));
    let volume = VolumeSpec { name: volume, uid, gid: uid, staging_gid: Some(staging) };
    service(format!("{}-{name}-agent", topology.name), spec, &topology.images.agent, Some(volume))
}

fn gate(topology: &Topology, ids: &mut Ids, name: &ProfileName, profile: &ProfileTopology) -> Service {
    let uid = ids.of(&id_name(Role::Gate, name));
    let container_name = format!("{}-{name}-gate", topology.name);
    let mut spec = base(&topology.images.gate, uid);
    let publish = Port::new(GATE_PORT).map(|container_port| Publish {
        host_ip: "127.0.0.1".to_owned(),
        host_port: profile.port,
        container_port,
    });
    spec.network = Network::Bridge { name: container_name.clone(), publish };
    spec.environment.extend([
        (env::PROFILE.to_owned(), name.to_string()),
        (env::LISTEN.to_owned(), format!("0.0.0.0:{GATE_PORT}")),
        (env::ADMIN_SOCKET.to_owned(), inside::GATE_ADMIN_SOCKET.to_owned()),
    ]);
    let run = |dir| topology.roots.run_dir(&dir).display().to_string();
    spec.mounts.extend([
        (inside::STATE.to_owned(), volume_mount(&container_name)),
        (inside::HTTP.to_owned(), bind(run(RunDir::AgentHttp(name.clone())), true)),
        (inside::EGRESS.to_owned(), bind(run(RunDir::Egress(name.clone())), false)),
        (inside::ADMIN.to_owned(), bind(run(RunDir::GateAdmin(name.clone())), false)),
        (inside::TAILNET.to_owned(), bind(run(RunDir::Tailnet(name.clone())), false)),
        (inside::SECRETS.to_owned(), bind(run(RunDir::GateSecrets(name.clone())), true)),
    ]);
    let volume = VolumeSpec { name: container_name.clone(), uid, gid: uid, staging_gid: None };
    service(container_name, spec, &topology.images.gate, Some(volume))
}

fn spark(topology: &Topology, ids: &mut Ids) -> Service {
    let uid = ids.of("spark");
    let container_name = format!("{}-spark", topology.name);
    let mut spec = base(&topology.images.spark, uid);
    spec.network = Network::Bridge { name: container_name.clone(), publish: None };
    spec.environment.insert(env::ADMIN_SOCKET.to_owned(), inside::SPARK_ADMIN_SOCKET.to_owned());
    let run = |dir| topology.roots.run_dir(&dir).display().to_string();
    spec.mounts.extend([
        (inside::STATE.to_owned(), volume_mount(&container_name)),
        (inside::SPARK.to_owned(), bind(run(RunDir::Spark), false)),
        (inside::ADMIN.to_owned(), bind(run(RunDir::SparkAdmin), false)),
        (inside::SECRETS.to_owned(), bind(run(RunDir::SparkSecrets), true)),
    ]);
    let volume = VolumeSpec { name: container_name.clone(), uid, gid: uid, staging_gid: None };
    service(container_name, spec, &topology.images.spark, Some(volume))
}

fn backup(topology: &Topology, ids: &mut Ids) -> Service {
    let uid = ids.of("backup");
    let mut spec = base(&topology.images.backup, uid);
    spec.limits.memory_bytes = BACKUP_MEMORY_BYTES;
    spec.environment.insert(env::ADMIN_SOCKET.to_owned(), inside::BACKUP_ADMIN_SOCKET.to_owned());
    let run = |dir| topology.roots.run_dir(&dir).display().to_string();
    spec.mounts.extend([
        (inside::ADMIN.to_owned(), bind(run(RunDir::BackupAdmin), false)),
        (inside::SECRETS.to_owned(), bind(run(RunDir::BackupSecrets), true)),
        (inside::REPOSITORIES.to_owned(), bind(topology.repositories.clone(), false)),
    ]);
    service(format!("{}-backup", topology.name), spec, &topology.images.backup, None)
}

/// What every container has: nothing it does not need.
pub fn base(image: &Image, uid: u32) -> ContainerSpec {
    let tmp = Mount { source: MountSource::Tmpfs { bytes: TMP_BYTES }, read_only: false };
    ContainerSpec {
        image: image.id.clone(),
        command: Vec::new(),
        user: User { uid, gid: uid, groups: BTreeSet::new() },
        environment: BTreeMap::new(),
        network: Network::None,
        mounts: BTreeMap::from([("/tmp".to_owned(), tmp)]),
        limits: Limits {
            memory_bytes: SIDECAR_MEMORY_BYTES,
            cpu_milli: SIDECAR_CPU_MILLI,
            pids: SIDECAR_PIDS,
            open_files: OPEN_FILES,
        },
        confinement: Confinement::strict(Seccomp::Default),
        log: LogLimits { driver: "json-file".to_owned(), max_bytes: LOG_BYTES, files: LOG_FILES },
    }
}

fn service(container_name: String, spec: ContainerSpec, image: &Image, volume: Option<VolumeSpec>) -> Service {
    let network = match &spec.network {
        Network::Bridge { name, .. } => Some(NetworkSpec { name: name.clone() }),
        Network::None | Network::Other { .. } => None,
    };
    Service {
        container_name,
        spec,
        spec_digest: String::new(),
        release: image.release.clone(),
        config_digest: None,
        network,
        volume,
    }
}

fn volume_mount(name: &str) -> Mount {
    Mount { source: MountSource::Volume { name: name.to_owned() }, read_only: false }
}

fn bind(path: String, read_only: bool) -> Mount {
    Mount { source: MountSource::Bind { path }, read_only }
}

/// SHA-256 of the specification's JSON, whose maps are ordered.
fn digest(spec: &ContainerSpec) -> String {
    let json = serde_json::to_vec(spec).unwrap_or_default();
    HEXLOWER.encode(&Sha256::digest(json))
}
