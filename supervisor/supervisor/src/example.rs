//! An installation for tests: two profiles, everything ready, values only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use platform_kit::Clock;
use platform_types::layout::Roots;
use platform_types::{Generation, Port, ProfileName, Revision, Role, Timestamp};
use supervisor_config::{Config, Surroundings};
use supervisor_docker::{Engine, EngineInfo};
use supervisor_plan::observed::{self, Answer, ContainerId, Labels, ObservedContainer, Probe, State};
use supervisor_plan::report::{Condition, TargetReport};
use supervisor_plan::spec::ImageId;
use supervisor_plan::topology::{Image, Images, ProfileTopology, Topology, topology};
use supervisor_plan::{Desired, Ledger, Observed, Report, Target};
use supervisor_store::Store;
use tokio::sync::{mpsc, watch};

use crate::state::{COMMAND_QUEUE, Command, ProbeDetail, Shared, Upkeep, World};

/// 2027-01-15 08:00:00 UTC.
pub const NOW: Timestamp = Timestamp(1_800_000_000_000);
const PLATFORM: &str = "[profile.personal]\nport = 18789\naddress = \"https://vm102.example.ts.net\"\n\
                        [profile.ops]\nport = 18790\n";

pub fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).unwrap()
}

/// A clock that stands still.
#[derive(Debug)]
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

pub fn config() -> Config {
    let surroundings = Surroundings { tools: BTreeSet::from(["clock.now".to_owned()]), ..Surroundings::default() };
    Config::parse(PLATFORM, &surroundings).unwrap()
}

fn image(name: &str) -> Image {
    Image { id: ImageId(format!("sha256:{name}")), release: format!("release-of-{name}") }
}

pub fn desired(ledger: &mut Ledger, roots: &Roots) -> Desired {
    let profile_of = |port| ProfileTopology {
        port: Port::new(port).unwrap(),
        memory_bytes: 256 << 20,
        cpu_milli: 1000,
        pids: 128,
        documents: BTreeMap::new(),
    };
    let wanted = Topology {
        install: "0123456789abcdef0123456789abcdef".to_owned(),
        name: "bot".to_owned(),
        profiles: BTreeMap::from([(profile("personal"), profile_of(18789)), (profile("ops"), profile_of(18790))]),
        images: Images { agent: image("agent"), gate: image("gate"), spark: image("spark"), backup: image("backup") },
        agent_seccomp: "{}".to_owned(),
        roots: roots.clone(),
        repositories: roots.backups().display().to_string(),
        config_digests: BTreeMap::new(),
    };
    topology(&wanted, &mut ledger.ids)
}

/// Everything runs and is ready since five minutes.
pub fn world(roots: &Roots) -> World {
    let mut ledger = Ledger::new("0123456789abcdef0123456789abcdef");
    ledger.generations.insert(profile("personal"), Generation(4));
    ledger.generations.insert(profile("ops"), Generation(2));
    let desired = desired(&mut ledger, roots);
    let mut observed = Observed::empty();
    observed.images = ["agent", "gate", "spark", "backup"].map(|name| image(name).id).into();
    observed.containers = desired.services.keys().map(|target| container(target, &desired, &ledger)).collect();
    let report = Report {
        engine: observed::Engine::Reachable,
        targets: desired.services.keys().map(|target| (target.clone(), ready(target, &ledger))).collect(),
        notes: Vec::new(),
    };
    let probes = desired.services.keys().map(|target| (target.clone(), probe(target))).collect();
    World {
        config: Arc::new(config()),
        instructions: Arc::default(),
        findings: Arc::default(),
        unapplied: false,
        desired: Arc::new(desired),
        observed: Arc::new(observed),
        ledger: Arc::new(ledger),
        report: Arc::new(report),
        under_way: Arc::default(),
        engine: Some(Arc::new(engine())),
        probes: Arc::new(probes),
        operations: Arc::default(),
        upkeep: Arc::new(["personal", "ops"].map(|name| (profile(name), upkeep())).into()),
        problems: Arc::default(),
        passes: 42,
        last_pass_micros: 1_250,
        sequence: 7,
    }
}

fn upkeep() -> Upkeep {
    Upkeep { newest: Some(NOW.plus_millis(-3_600_000)), ..Upkeep::default() }
}

fn engine() -> EngineInfo {
    EngineInfo {
        version: "20.10.24+dfsg1".to_owned(),
        api_version: "1.41".to_owned(),
        kernel: "6.1.0-30-amd64".to_owned(),
        operating_system: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        storage_driver: "overlay2".to_owned(),
        root_directory: "/var/lib/docker".to_owned(),
        cgroup_version: "2".to_owned(),
        seccomp: true,
        user_namespaces: false,
        live_restore: false,
        warnings: Vec::new(),
    }
}

pub fn id(target: &Target) -> ContainerId {
    ContainerId(format!("id-of-{target}"))
}

fn generation(target: &Target, ledger: &Ledger) -> Option<Generation> {
    let agent = target.profile().filter(|_| target.role() == Role::Agent)?;
    ledger.generations.get(agent).copied()
}

fn container(target: &Target, desired: &Desired, ledger: &Ledger) -> ObservedContainer {
    let service = &desired.services[target];
    let generation = generation(target, ledger);
    ObservedContainer {
        id: id(target),
        name: service.container_name.clone(),
        labels: Labels {
            target: Some(target.clone()),
            generation,
            release: Some(service.release.clone()),
            spec_digest: Some(service.spec_digest.clone()),
        },
        state: State::Running,
        started_at: Some(NOW.plus_millis(-300_000)),
        spec: service.spec_for(generation),
        probe: Probe::Answering(Answer {
            at: NOW.plus_millis(-1_500),
            ready: true,
            since: NOW.plus_millis(-299_000),
            reasons: Vec::new(),
            notes: Vec::new(),
            revision: Some(Revision(12)),
            generation,
            lost_mounts: BTreeSet::new(),
        }),
    }
}

fn ready(target: &Target, ledger: &Ledger) -> TargetReport {
    TargetReport {
        condition: Condition::Ready,
        since: Some(NOW.plus_millis(-299_000)),
        container: Some(id(target)),
        generation: generation(target, ledger),
        doing: None,
        waiting: Vec::new(),
        blocked: Vec::new(),
        notes: Vec::new(),
    }
}

fn probe(target: &Target) -> ProbeDetail {
    ProbeDetail {
        container: id(target),
        generation: None,
        at: NOW.plus_millis(-1_500),
        latency_micros: 640,
        release: None,
    }
}

/// What the daemon's parts share, with the other ends in the test's hands.
pub struct Daemon {
    pub shared: Shared,
    pub world: watch::Sender<World>,
    pub commands: mpsc::Receiver<Command>,
}

/// A daemon under `root` whose containers belong to root, as everything does in tests.
pub fn daemon(root: &Path) -> Daemon {
    let roots = Roots::under(root);
    let mut now = world(&roots);
    let mut ledger = (*now.ledger).clone();
    ledger.ids.0.values_mut().for_each(|id| *id = nix::unistd::getuid().as_raw());
    now.ledger = Arc::new(ledger);
    let (world, receiver) = watch::channel(now);
    let (sender, commands) = mpsc::channel(COMMAND_QUEUE);
    let shared = Shared {
        clock: Arc::new(Stopped),
        store: Store::in_memory().unwrap(),
        engine: Engine::at(&roots.runtime.join("no-docker.sock")),
        roots,
        world: receiver,
        commands: sender,
        started_at: NOW.plus_millis(-7_200_000),
    };
    Daemon { shared, world, commands }
}
