//! Accepted files and the ledger's allocations, as what should exist.

use std::collections::BTreeMap;
use std::path::PathBuf;

use platform_types::layout::Roots;
use platform_types::{ProfileName, Role, Timestamp};
use supervisor_config::Config;
use supervisor_plan::ledger::Ids;
use supervisor_plan::topology::{ProfileTopology, Topology, id_name, run_dirs, topology};
use supervisor_plan::{Desired, Target};
use supervisor_store::{Store, StoreError};

use super::accepted::Accepted;
use crate::host::Provision;
use crate::host::secrets;
use crate::push::{self, Payload, Sources};
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
    let spark_secrets = config.secrets_in_force();
    let stamps: Vec<_> = spark_secrets.iter().map(|name| secrets::stamp(&ground.roots.secrets(), name)).collect();
    let payloads = push::compose(&Sources {
        config,
        instructions: &files.instructions,
        registries: &registries,
        agent_uids: &agent_uids,
        spark_secret_stamp: &stamps.join(","),
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
        spark_secrets,
        spark_uid: ids.of("spark"),
        backup_uid: ids.of("backup"),
    };
    Ok(Wanted { desired, payloads, provision, topology: topology_of, unpaired })
}

fn profile_topology(profile: &supervisor_config::config::Profile) -> ProfileTopology {
    ProfileTopology {
        port: profile.port,
        memory_bytes: profile.limits.memory_bytes,
        cpu_milli: u64::from(profile.limits.milli_cpus),
        pids: u64::from(profile.limits.pids),
    }
}

/// The folder with one repository a profile.
pub fn repositories(config: &Config, roots: &Roots) -> PathBuf {
    config.backup.repository.as_ref().map_or_else(|| roots.backups(), PathBuf::from)
}
