//! What the topology promises: who can reach what, what each container may do, and that a change says what it will do.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::layout::{Roots, inside};
use platform_types::{Generation, Port, ProfileName};
use supervisor_plan::ledger::{FIRST_ID, Ids};
use supervisor_plan::spec::{ContainerSpec, ImageId, Mount, MountSource, Network, Seccomp};
use supervisor_plan::topology::{Image, Images, ProfileTopology, Topology, run_dirs, topology};
use supervisor_plan::{Change, Desired, Service, Target, impact};

fn image(role: &str) -> Image {
    Image { id: ImageId(format!("sha256:{role}")), release: format!("{role}-1") }
}

fn profile(port: u16) -> ProfileTopology {
    ProfileTopology {
        port: Port::new(port).expect("a port"),
        memory_bytes: 256 << 20,
        cpu_milli: 1000,
        pids: 128,
        documents: BTreeMap::new(),
    }
}

fn name(text: &str) -> ProfileName {
    ProfileName::new(text).expect("a profile name")
}

fn two_profiles() -> Topology {
    let targets = ["personal/agent", "personal/gate", "ops/agent", "ops/gate", "spark"];
    Topology {
        install: "i-1".to_owned(),
        name: "bot".to_owned(),
        profiles: BTreeMap::from([(name("personal"), profile(18789)), (name("ops"), profile(18790))]),
        images: Images { agent: image("agent"), gate: image("gate"), spark: image("spark"), backup: image("backup") },
        agent_seccomp: "{}".to_owned(),
        roots: Roots::system(),
        repositories: "/var/lib/bot-platform/backups".to_owned(),
        config_digests: targets.map(|target| (target.parse().expect("a target"), "config-1".to_owned())).into(),
    }
}

fn desired(input: &Topology) -> Desired {
    topology(input, &mut Ids::default())
}

fn service<'a>(desired: &'a Desired, target: &str) -> &'a Service {
    &desired.services[&target.parse::<Target>().expect("a target")]
}

/// `path source rw|ro`, one a line.
fn mounts(spec: &ContainerSpec) -> Vec<String> {
    let lines = spec.mounts.iter().map(|(path, mount)| {
        let source = match &mount.source {
            MountSource::Volume { name } => format!("volume:{name}"),
            MountSource::Bind { path } => path.clone(),
            MountSource::Tmpfs { bytes } => format!("tmpfs:{bytes}"),
        };
        format!("{path} {source} {}", if mount.read_only { "ro" } else { "rw" })
    });
    lines.collect()
}

#[test]
fn an_agent_gets_the_sockets_of_its_own_profile_and_no_network() {
    let desired = desired(&two_profiles());
    let agent = service(&desired, "personal/agent");
    assert_eq!(agent.container_name, "bot-personal-agent");
    assert_eq!(agent.next_name(), "bot-personal-agent-next");
    assert_eq!(agent.spec.network, Network::None);
    assert_eq!(agent.spec.confinement.seccomp, Seccomp::Custom { json: "{}".to_owned() });
    assert_eq!(
        mounts(&agent.spec),
        [
            "/run/bot/admin /run/bot-platform/run/personal/agent-admin rw",
            "/run/bot/egress /run/bot-platform/run/personal/egress ro",
            "/run/bot/http /run/bot-platform/run/personal/http rw",
            "/run/bot/llm /run/bot-platform/run/spark/personal ro",
            "/state volume:bot-personal-state rw",
            "/tmp tmpfs:16777216 rw",
        ]
    );
}

#[test]
fn a_gate_publishes_on_loopback_and_may_not_write_where_its_agent_binds() {
    let desired = desired(&two_profiles());
    let gate = service(&desired, "ops/gate");
    let Network::Bridge { name, publish: Some(publish) } = &gate.spec.network else { panic!("a bridge") };
    assert_eq!(
        (name.as_str(), publish.host_ip.as_str(), publish.host_port.get()),
        ("bot-ops-gate", "127.0.0.1", 18790)
    );
    assert_eq!(
        mounts(&gate.spec),
        [
            "/run/bot/admin /run/bot-platform/run/ops/gate-admin rw",
            "/run/bot/egress /run/bot-platform/run/ops/egress rw",
            "/run/bot/http /run/bot-platform/run/ops/http ro",
            "/run/bot/tailnet /run/bot-platform/run/ops/tailnet rw",
            "/run/secrets /run/bot-platform/run/ops/gate-secrets ro",
            "/state volume:bot-ops-gate rw",
            "/tmp tmpfs:16777216 rw",
        ]
    );
}

#[test]
fn nothing_of_one_profile_is_mounted_into_the_other() {
    let desired = desired(&two_profiles());
    for (target, service) in &desired.services {
        let other = match target.profile().map(ProfileName::as_str) {
            Some("personal") => "ops",
            Some(_) => "personal",
            None => continue,
        };
        for mount in mounts(&service.spec) {
            assert!(!mount.contains(other), "{target}: {mount}");
        }
    }
}

#[test]
fn each_socket_directory_is_writable_in_one_container() {
    let desired = desired(&two_profiles());
    let mut writers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (target, service) in &desired.services {
        for mount in service.spec.mounts.values().filter(|mount| !mount.read_only) {
            if let MountSource::Bind { path } = &mount.source {
                writers.entry(path.clone()).or_default().push(target.to_string());
            }
        }
    }
    for (path, writers) in writers {
        assert_eq!(writers.len(), 1, "{path}: {writers:?}");
    }
}

#[test]
fn secrets_are_read_by_one_container_each_and_never_by_an_agent() {
    let desired = desired(&two_profiles());
    let secrets = |target: &str| {
        let mount = service(&desired, target).spec.mounts.get(inside::SECRETS)?;
        assert!(mount.read_only, "{target}");
        let MountSource::Bind { path } = &mount.source else { panic!("{target}: {mount:?}") };
        Some(path.clone())
    };
    let targets: Vec<String> = desired.services.keys().map(ToString::to_string).collect();
    let readers: Vec<_> = targets.iter().filter_map(|target| secrets(target)).collect();
    assert_eq!(readers.iter().collect::<BTreeSet<_>>().len(), readers.len(), "{readers:?}");
    let without: Vec<_> = targets.iter().filter(|target| secrets(target).is_none()).collect();
    assert_eq!(without, ["ops/agent", "personal/agent"]);
}

#[test]
fn documents_are_read_by_their_own_profile_and_written_by_nobody() {
    let mut input = two_profiles();
    let documents = BTreeMap::from([("/documents/project/plans".to_owned(), "/srv/plans".to_owned())]);
    input.profiles.get_mut(&name("personal")).expect("a profile").documents = documents;
    let desired = desired(&input);
    let bound = |mount: &Mount| matches!(&mount.source, MountSource::Bind { path } if path == "/srv/plans");
    let holders = desired.services.iter().filter(|(_, service)| service.spec.mounts.values().any(bound));
    assert_eq!(holders.map(|(target, _)| target.to_string()).collect::<Vec<_>>(), ["personal/agent"]);
    assert!(service(&desired, "personal/agent").spec.mounts["/documents/project/plans"].read_only);
}

#[test]
fn everything_is_confined_and_bounded() {
    for (target, service) in &desired(&two_profiles()).services {
        let ContainerSpec { user, limits, confinement, log, mounts, .. } = &service.spec;
        assert!(user.uid >= FIRST_ID && user.gid >= FIRST_ID, "{target} does not run as root");
        assert!(
            limits.memory_bytes > 0 && limits.cpu_milli > 0 && limits.pids > 0 && limits.open_files > 0,
            "{target}"
        );
        assert!(confinement.read_only_root && confinement.no_new_privileges && !confinement.privileged, "{target}");
        assert_eq!(confinement.cap_drop, BTreeSet::from(["ALL".to_owned()]), "{target}");
        assert!(confinement.cap_add.is_empty() && confinement.devices.is_empty(), "{target}");
        assert!(confinement.host_namespaces.is_empty(), "{target}");
        assert_ne!(confinement.seccomp, Seccomp::Unconfined, "{target}");
        assert_eq!(confinement.restart_policy, "no", "{target}: the supervisor restarts");
        assert!(log.max_bytes > 0 && log.files > 0, "{target}: logs rotate");
        let docker = |mount: &supervisor_plan::spec::Mount| format!("{mount:?}").contains("docker.sock");
        assert!(!mounts.values().any(docker), "{target}");
    }
}

#[test]
fn every_role_and_profile_has_an_id_of_its_own_that_stays() {
    let mut ids = Ids::default();
    let mut input = two_profiles();
    let before = topology(&input, &mut ids);
    let uids: BTreeSet<u32> = before.services.values().map(|service| service.spec.user.uid).collect();
    assert_eq!(uids.len(), before.services.len());
    input.profiles.insert(name("aaa"), profile(18800));
    input.profiles.remove(&name("ops"));
    let after = topology(&input, &mut ids);
    let personal = "personal/agent";
    assert_eq!(service(&before, personal).spec.user, service(&after, personal).spec.user);
    let taken: BTreeSet<u32> = ids.0.values().copied().collect();
    assert_eq!(taken.len(), ids.0.len(), "no id is given away twice");
}

#[test]
fn run_directories_belong_to_their_binders() {
    let mut ids = Ids::default();
    let input = two_profiles();
    let desired = topology(&input, &mut ids);
    let dirs = run_dirs(input.profiles.keys(), &mut ids);
    for (target, service) in &desired.services {
        for (path, mount) in &service.spec.mounts {
            let MountSource::Bind { path: source } = &mount.source else { continue };
            if path == inside::REPOSITORIES {
                continue;
            }
            let dir = dirs.iter().find(|dir| input.roots.run_dir(&dir.dir).display().to_string() == *source);
            let dir = dir.unwrap_or_else(|| panic!("{target}: nobody makes {source}"));
            if !mount.read_only {
                assert_eq!(dir.owner, service.spec.user.uid, "{target} binds in {source}");
            }
        }
    }
}

#[test]
fn a_generation_is_told_to_the_agent_and_is_no_drift() {
    let desired = desired(&two_profiles());
    let agent = service(&desired, "ops/agent");
    let spec = agent.spec_for(Some(Generation(7)));
    assert_eq!(spec.environment["BOT_HTTP_SOCKET"], "/run/bot/http/7.sock");
    assert_eq!(spec.environment["BOT_ADMIN_SOCKET"], "/run/bot/admin/7.sock");
    assert_eq!(spec.environment["BOT_GENERATION"], "7");
    assert_eq!(agent.spec_for(Some(Generation(7))).drift(&spec), []);
    assert_eq!(agent.spec_for(Some(Generation(8))).drift(&spec).len(), 3);
}

#[test]
fn a_change_says_what_it_will_do() {
    let old = two_profiles();
    let check = |change: &dyn Fn(&mut Topology), expect: &[&str]| {
        let mut new = old.clone();
        change(&mut new);
        let mut ids = Ids::default();
        let (old, new) = (topology(&old, &mut ids), topology(&new, &mut ids));
        let changes = impact(&old, &new).into_iter().filter(|impact| impact.change != Change::Unchanged);
        assert_eq!(changes.map(|impact| impact.to_string()).collect::<Vec<_>>(), expect);
    };
    check(&|_| {}, &[]);
    check(
        &|new| {
            new.config_digests.insert(Target::spark(), "config-2".to_owned());
        },
        &["spark: pushed live, nothing is interrupted"],
    );
    check(
        &|new| new.profiles.get_mut(&name("ops")).expect("ops").memory_bytes = 512 << 20,
        &["ops/agent: rollout, the door is held for a moment (memory is 256 MiB, becomes 512 MiB)"],
    );
    check(
        &|new| new.profiles.get_mut(&name("ops")).expect("ops").port = Port::new(20000).expect("a port"),
        &[
            "ops/gate: replaced with a short interruption (published port is 127.0.0.1:18790->8080, becomes 127.0.0.1:20000->8080)",
        ],
    );
    // A new profile: only new containers.
    check(
        &|new| {
            new.profiles.insert(name("lab"), profile(18791));
        },
        &["lab/agent: created", "lab/gate: created"],
    );
    check(
        &|new| {
            new.profiles.remove(&name("ops"));
        },
        &["ops/agent: stopped and removed, volumes are kept", "ops/gate: stopped and removed, volumes are kept"],
    );
}
