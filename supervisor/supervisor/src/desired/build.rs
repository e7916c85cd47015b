//! Accepted files and the ledger's allocations, as what should exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use platform_types::layout::{Roots, RunDir};
use platform_types::{ProfileName, Role, SecretName, Timestamp};
use supervisor_config::{Config, documents};
use supervisor_plan::ledger::Ids;
use supervisor_plan::topology::{ProfileTopology, Topology, id_name, run_dirs, topology};
use supervisor_plan::{Desired, Target};
use supervisor_store::{Store, StoreError};

use super::accepted::Accepted;
use crate::host::{self, Provision, SecretCopies};
use crate::push::{self, Payload, Sources};
use crate::settings::secrets;
use crate::state::ApplyError;

/// Everything that follows from accepted files.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub desired: Desired,
    pub payloads: BTreeMap<Target, Payload>,
    pub provision: Provision,
    pub topology: Topology,
    /// Profiles that no device has access to.
    pub unpaired: Vec<ProfileName>,
}

/// What does not come from the files.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    pub roots: &'a Roots,
    pub store: &'a Store,
    pub install: &'a str,
    pub now: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Files(#[from] ApplyError),
    #[error("the ledger cannot be read")]
    Store(#[from] StoreError),
}

/// Builds what is wanted. Ids that are needed for the first time are allocated: save the ledger before using them.
pub fn build(accepted: &Accepted, ground: Ground<'_>, ids: &mut Ids) -> Result<Wanted, BuildError> {
    let Accepted { files, config, findings: _ } = accepted;
    let profiles: Vec<&ProfileName> = config.profiles.keys().collect();
    let dirs = run_dirs(profiles.iter().copied(), ids);
    let mut registries = BTreeMap::new();
    let mut agent_uids = BTreeMap::new();
    for profile in &profiles {
        registries.insert((*profile).clone(), ground.store.gate_registry(profile, ground.now)?);
        agent_uids.insert((*profile).clone(), ids.of(&id_name(Role::Agent, profile)));
    }
    let unpaired = registries.iter().filter(|(_, registry)| registry.devices.is_empty());
    let unpaired = unpaired.map(|(profile, _)| profile.clone()).collect();
    let secrets = secrets::by_consumer(config);
    let stamp = |name: &SecretName| host::secrets::stamp(&ground.roots.secrets(), name);
    let stamps = secrets.iter().map(|(target, names)| (target.clone(), names.iter().map(stamp).collect()));
    let payloads = push::compose(&Sources {
        config,
        instructions: &files.instructions,
        certificates: &files.certificates,
        registries: &registries,
        agent_uids: &agent_uids,
        secret_stamps: &stamps.collect(),
        botctl: ground.roots.botctl().as_deref(),
    });
    let topology_of = Topology {
        install: ground.install.to_owned(),
        name: config.name.to_string(),
        profiles: config.profiles.iter().map(|(name, profile)| (name.clone(), profile_topology(profile))).collect(),
        images: files.images(ground.roots)?,
        agent_seccomp: files.agent_seccomp.clone(),
        roots: ground.roots.clone(),
        repositories: repositories(config, ground.roots).display().to_string(),
        config_digests: payloads.iter().map(|(target, payload)| (target.clone(), payload.digest.clone())).collect(),
    };
    let desired = topology(&topology_of, ids);
    let provision = Provision {
        dirs,
        profiles: config.profiles.keys().cloned().collect(),
        repositories: repositories(config, ground.roots),
        secrets: secrets.into_iter().filter_map(|(target, names)| copies(&target, names, ids)).collect(),
        backup_uid: ids.of("backup"),
    };
    Ok(Wanted { desired, payloads, provision, topology: topology_of, unpaired })
}

/// Where a container that is told of changes finds its secrets.
fn copies(target: &Target, names: BTreeSet<SecretName>, ids: &mut Ids) -> Option<SecretCopies> {
    let (dir, owner) = match (target.role(), target.profile()) {
        (Role::Spark, _) => (RunDir::SparkSecrets, Role::Spark.to_string()),
        (Role::Gate, Some(profile)) => (RunDir::GateSecrets(profile.clone()), id_name(Role::Gate, profile)),
        _ => return None,
    };
    Some(SecretCopies { dir, names, uid: ids.of(&owner) })
}

fn profile_topology(profile: &supervisor_config::config::Profile) -> ProfileTopology {
    ProfileTopology {
        port: profile.port,
        memory_bytes: profile.limits.memory_bytes,
        cpu_milli: u64::from(profile.limits.milli_cpus),
        pids: u64::from(profile.limits.pids),
        documents: documents::mounts(profile),
    }
}

/// The folder with one repository a profile.
pub fn repositories(config: &Config, roots: &Roots) -> PathBuf {
    config.backup.repository.as_ref().map_or_else(|| roots.backups(), PathBuf::from)
}
