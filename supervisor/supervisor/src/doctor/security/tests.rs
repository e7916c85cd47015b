//! Each check with the evidence of a sound installation, and with what it is there to find.

use std::collections::BTreeMap;

use platform_types::confinement::{Outcome, Report};
use platform_types::layout::Roots;
use supervisor_docker::Stranger;
use supervisor_plan::Target;
use supervisor_plan::observed::ObservedContainer;
use supervisor_plan::spec::{Mount, MountSource, Network, Seccomp};
use supervisor_plan::topology::run_dirs;

use super::directory::{Directory, Kind};
use super::evidence::{Evidence, PrivateFile};
use super::examine;
use crate::api::wire::findings::{Check, Verdict};
use crate::doctor::host;
use crate::doctor::tests::expect;
use crate::example::{self, profile};

fn report(outcome: Outcome) -> Report {
    let (name, what) = ("netlink-socket".to_owned(), "talk to the kernel".to_owned());
    Report { name, what, outcome, detail: "EPERM".to_owned() }
}

fn sound() -> Evidence {
    let roots = Roots::system();
    let world = example::world(&roots);
    let mut ids = world.ledger.ids.clone();
    let dirs = run_dirs(world.config.profiles.keys(), &mut ids);
    let directory = |owned: &supervisor_plan::topology::OwnedRunDir| Directory {
        path: roots.run_dir(&owned.dir),
        kind: Kind::Sockets,
        want_uid: owned.owner,
        uid: owned.owner,
        mode: 0o755,
        odd: Vec::new(),
    };
    let directories: Vec<Directory> = dirs.iter().map(directory).collect();
    let options = "rw,nosuid,nodev,noexec,size=256k,nr_inodes=64";
    let mount = |point: &std::path::Path| host::Mount {
        point: point.to_path_buf(),
        fs_type: "tmpfs".to_owned(),
        options: options.to_owned(),
    };
    let file = |path, mode, is_public| PrivateFile { path, uid: 0, mode, is_public };
    Evidence {
        desired: world.desired.clone(),
        engine: world.engine.clone(),
        containers: Ok(world.observed.containers.clone()),
        strangers: Ok(vec![Stranger { name: "web".to_owned(), ..Stranger::default() }]),
        mounts: directories.iter().map(|dir| mount(&dir.path)).collect(),
        directories,
        files: vec![file(roots.ledger(), 0o600, false), file(roots.platform_toml(), 0o644, true)],
        inside: BTreeMap::from(["personal", "ops"].map(|name| (profile(name), Ok(vec![report(Outcome::Blocked)])))),
        roots,
    }
}

fn check(change: impl FnOnce(&mut Evidence), name: &str, verdict: Verdict, says: &str) {
    let mut evidence = sound();
    change(&mut evidence);
    expect(&examine(&evidence), name, verdict, says);
}

/// Changes the agent of ops.
fn in_agent(change: impl FnOnce(&mut ObservedContainer)) -> impl FnOnce(&mut Evidence) {
    |evidence| {
        let agent = Some(Target::agent(&profile("ops")));
        let containers = evidence.containers.as_mut().unwrap();
        change(containers.iter_mut().find(|found| found.labels.target == agent).unwrap());
    }
}

fn bind(path: &str) -> Mount {
    Mount { source: MountSource::Bind { path: path.to_owned() }, read_only: true }
}

#[test]
fn a_sound_installation() {
    let checks = examine(&sound());
    let open: Vec<&Check> = checks.iter().filter(|check| check.verdict != Verdict::Ok).collect();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].check.as_str(), open[0].verdict), ("not-enforced", Verdict::Advice));
    assert_eq!(open[0].details.len(), 3);
}

#[test]
fn what_a_container_may_do() {
    let confinement = |change: fn(&mut supervisor_plan::spec::Confinement), says: &str| {
        check(in_agent(|agent| change(&mut agent.spec.confinement)), "confinement", Verdict::Problem, says);
        check(in_agent(|agent| change(&mut agent.spec.confinement)), "as-planned", Verdict::Problem, "bot-ops-agent");
    };
    confinement(|found| found.privileged = true, "privileged");
    confinement(|found| found.cap_drop.clear(), "keeps capabilities");
    confinement(|found| found.cap_add = ["SYS_ADMIN".to_owned()].into(), "given capabilities");
    confinement(|found| found.no_new_privileges = false, "gain privileges");
    confinement(|found| found.seccomp = Seccomp::Unconfined, "no filter");
    confinement(|found| found.seccomp = Seccomp::Default, "Docker's own filter");
    confinement(|found| found.read_only_root = false, "root can be written");
    confinement(|found| found.host_namespaces = ["pid".to_owned()].into(), "namespace with the host");
    confinement(|found| found.devices = ["/dev/vda".to_owned()].into(), "device");
    check(in_agent(|agent| agent.spec.limits.pids = 0), "confinement", Verdict::Problem, "not limited");
    check(in_agent(|agent| agent.spec.image.0 = "sha256:x".to_owned()), "as-planned", Verdict::Problem, "image");
    check(
        in_agent(|agent| drop(agent.spec.environment.insert("TOKEN".to_owned(), "x".to_owned()))),
        "as-planned",
        Verdict::Problem,
        "variable TOKEN",
    );
    check(in_agent(|agent| agent.spec.user.uid = 0), "users", Verdict::Problem, "runs as root");
    check(
        |evidence| {
            let uid = evidence.desired.services[&Target::spark()].spec.user.uid;
            in_agent(|agent| agent.spec.user.uid = uid)(evidence);
        },
        "users",
        Verdict::Problem,
        "same user as",
    );
}

#[test]
fn what_a_container_can_reach() {
    let bridge = |name: &str, ip: &str| Network::Bridge {
        name: name.to_owned(),
        publish: Some(supervisor_plan::spec::Publish {
            host_ip: ip.to_owned(),
            host_port: platform_types::Port::new(1).unwrap(),
            container_port: platform_types::Port::new(2).unwrap(),
        }),
    };
    let network = |network: Network| in_agent(|agent| agent.spec.network = network);
    check(network(bridge("bot-ops-gate", "127.0.0.1")), "networks", Verdict::Problem, "should have none");
    let host = Network::Other { described: "mode host".to_owned() };
    check(network(host), "networks", Verdict::Problem, "not one of ours: mode host");
    check(
        |evidence| {
            let gate = Some(Target::gate(&profile("ops")));
            let containers = evidence.containers.as_mut().unwrap();
            let found = containers.iter_mut().find(|found| found.labels.target == gate).unwrap();
            found.spec.network = bridge("bot-spark", "0.0.0.0");
        },
        "networks",
        Verdict::Problem,
        "bot-spark is not its own network",
    );
    let mount =
        |at: &'static str, mount: Mount| in_agent(move |agent| drop(agent.spec.mounts.insert(at.to_owned(), mount)));
    check(mount("/d.sock", bind("/var/run/docker.sock")), "mounts", Verdict::Problem, "/var/run/docker.sock");
    check(
        mount("/x", bind("/run/bot-platform/run/personal/egress")),
        "mounts",
        Verdict::Problem,
        "of the profile personal",
    );
    check(
        mount("/x", bind("/run/bot-platform/run/spark/personal")),
        "mounts",
        Verdict::Problem,
        "of the profile personal",
    );
    let volume = MountSource::Volume { name: "bot-personal-state".to_owned() };
    let other = Mount { source: volume, read_only: true };
    check(mount("/other", other), "mounts", Verdict::Problem, "volume of personal/agent");
    check(|evidence| evidence.containers = Err("gone".to_owned()), "mounts", Verdict::Unknown, "gone");
}

#[test]
fn who_else_has_something_of_ours() {
    let stranger = |networks: &[&str], sources: &[&str]| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let stranger = Stranger { name: "web".to_owned(), networks: owned(networks), sources: owned(sources) };
        move |evidence: &mut Evidence| evidence.strangers = Ok(vec![stranger])
    };
    check(stranger(&["bot-spark"], &[]), "strangers", Verdict::Problem, "web: is in the network bot-spark");
    check(stranger(&[], &["bot-ops-state"]), "strangers", Verdict::Problem, "has the volume bot-ops-state");
    check(stranger(&[], &["/run/bot-platform/run/ops"]), "strangers", Verdict::Problem, "web: has /run");
    check(stranger(&[], &["/"]), "strangers", Verdict::Problem, "web: has / of the host");
    check(stranger(&["bridge"], &["/srv/web"]), "strangers", Verdict::Ok, "1 other containers");
}

#[test]
fn directories_and_files() {
    let dir = |change: fn(&mut Directory)| move |evidence: &mut Evidence| change(&mut evidence.directories[5]);
    check(dir(|dir| dir.uid = 0), "directories", Verdict::Problem, "belongs to user 0");
    check(dir(|dir| dir.mode = 0o777), "directories", Verdict::Problem, "others can write");
    check(|evidence| evidence.mounts.clear(), "directories", Verdict::Problem, "file system of its own");
    let options = |evidence: &mut Evidence| evidence.mounts[5].options = "rw,nosuid,nodev,size=1k".to_owned();
    check(options, "directories", Verdict::Problem, "not noexec");
    check(options, "directories", Verdict::Problem, "no nr_inodes");
    check(dir(|dir| dir.odd = vec!["5.sock: a symbolic link".to_owned()]), "names", Verdict::Problem, "symbolic link");
    let file = |change: fn(&mut PrivateFile)| move |evidence: &mut Evidence| change(&mut evidence.files[0]);
    check(file(|file| file.mode = 0o640), "private-files", Verdict::Problem, "mode 0640");
    check(file(|file| file.uid = 1000), "private-files", Verdict::Problem, "user 1000");
    check(|evidence| evidence.files[1].mode = 0o664, "private-files", Verdict::Problem, "mode 0664");
}

#[test]
fn from_inside_and_what_is_not_enforced() {
    let inside = |result: Result<Vec<Report>, String>| {
        move |evidence: &mut Evidence| drop(evidence.inside.insert(profile("ops"), result))
    };
    check(inside(Ok(vec![report(Outcome::Succeeded)])), "from-inside", Verdict::Problem, "ops: netlink-socket");
    check(inside(Err("no image".to_owned())), "from-inside", Verdict::Unknown, "ops: no image");
    let engine = |change: fn(&mut supervisor_docker::EngineInfo)| {
        move |evidence: &mut Evidence| change(std::sync::Arc::make_mut(evidence.engine.as_mut().unwrap()))
    };
    check(engine(|engine| engine.user_namespaces = true), "not-enforced", Verdict::Advice, "2 things");
    check(engine(|engine| engine.live_restore = true), "not-enforced", Verdict::Advice, "2 things");
}
