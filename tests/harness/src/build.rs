//! A topology to start from: two profiles, images that exist, everything else as in a real installation.

use std::collections::BTreeMap;

use platform_types::layout::Roots;
use platform_types::{Port, ProfileName, Role};
use supervisor_plan::spec::ImageId;
use supervisor_plan::topology::{Image, Images, ProfileTopology, Topology, topology};
use supervisor_plan::{Desired, Target, ledger::Ids};

/// Id of the simulated installation.
pub const INSTALL: &str = "i-0001";

/// A configuration that a test or a script changes.
#[derive(Debug, Clone)]
pub struct Configuration {
    pub topology: Topology,
    /// Configurations pushed to each target, by version.
    versions: BTreeMap<Target, u32>,
    /// Release of each role's image.
    releases: BTreeMap<Role, u32>,
}

impl Configuration {
    /// Without profiles: spark and backup only.
    pub fn new() -> Self {
        let releases: BTreeMap<Role, u32> = Role::SERVICES.into_iter().map(|role| (role, 1)).collect();
        let topology = Topology {
            install: INSTALL.to_owned(),
            name: "bot".to_owned(),
            profiles: BTreeMap::new(),
            images: images(&releases),
            agent_seccomp: "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}".to_owned(),
            roots: Roots::system(),
            repositories: "/var/lib/bot-platform/backups".to_owned(),
            config_digests: BTreeMap::new(),
        };
        Self { topology, versions: BTreeMap::new(), releases }
    }

    /// `personal` on 18789 and `ops` on 18790.
    pub fn two_profiles() -> Self {
        let mut configuration = Self::new();
        configuration.add_profile("personal", 18789);
        configuration.add_profile("ops", 18790);
        configuration
    }

    pub fn add_profile(&mut self, name: &str, port: u16) {
        let profile = ProfileTopology {
            port: Port::new(port).expect("a port"),
            memory_bytes: 256 << 20,
            cpu_milli: 1000,
            pids: 128,
            documents: BTreeMap::new(),
        };
        self.topology.profiles.insert(profile_name(name), profile);
    }

    pub fn remove_profile(&mut self, name: &str) {
        self.topology.profiles.remove(&profile_name(name));
    }

    pub fn profile(&mut self, name: &str) -> &mut ProfileTopology {
        self.topology.profiles.get_mut(&profile_name(name)).expect("a profile of the configuration")
    }

    /// Something that is pushed to this target changes.
    pub fn change_config(&mut self, target: &Target) {
        *self.versions.entry(target.clone()).or_default() += 1;
    }

    /// The next release of a role's image.
    pub fn release(&mut self, role: Role) {
        *self.releases.entry(role).or_default() += 1;
        self.topology.images = images(&self.releases);
    }

    /// Back to an earlier release.
    pub fn release_number(&mut self, role: Role, number: u32) {
        self.releases.insert(role, number);
        self.topology.images = images(&self.releases);
    }

    pub fn image(&self, role: Role) -> ImageId {
        image(role, self.releases.get(&role).copied().unwrap_or_default()).id
    }

    /// What should exist, with every id allocated.
    pub fn desired(&self, ids: &mut Ids) -> Desired {
        let mut topology_now = self.topology.clone();
        let agents = self.topology.profiles.keys().map(Target::agent);
        let gates = self.topology.profiles.keys().map(Target::gate);
        for target in agents.chain(gates).chain([Target::spark()]) {
            let version = self.versions.get(&target).copied().unwrap_or_default();
            topology_now.config_digests.insert(target, format!("config-{version}"));
        }
        topology(&topology_now, ids)
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self::new()
    }
}

/// A profile name in a test.
pub fn profile_name(name: &str) -> ProfileName {
    ProfileName::new(name).expect("a profile name")
}

fn images(releases: &BTreeMap<Role, u32>) -> Images {
    let of = |role| image(role, releases.get(&role).copied().unwrap_or_default());
    Images { agent: of(Role::Agent), gate: of(Role::Gate), spark: of(Role::Spark), backup: of(Role::Backup) }
}

fn image(role: Role, number: u32) -> Image {
    Image { id: ImageId(format!("sha256:{role}-{number}")), release: format!("{role}-{number}") }
}
