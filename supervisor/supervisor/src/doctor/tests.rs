//! Each check with the facts of a sound installation, and with what it is there to find.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use platform_types::layout::Roots;
use platform_types::{Port, Role, SecretName};
use supervisor_plan::observed::{self, ObservedContainer};
use supervisor_plan::report::Condition;
use supervisor_plan::spec::{MountSource, Network};
use supervisor_plan::upkeep::{Job, JobKind};
use supervisor_plan::{Report, Target};

use super::examine;
use super::facts::{Daemon, Disk, Facts, Inodes, SocketFile, Unseen};
use super::host::{Listener, Mount};
use super::tailscale::{Serve, Tailscale};
use crate::api::wire::findings::{Check, Verdict};
use crate::api::wire::settings::{ConfigCheck, SecretEntry, Secrets};
use crate::example::{self, NOW, profile};
use crate::state::{Upkeep, World};

const GIB: u64 = 1 << 30;

fn sound() -> Facts {
    let roots = Roots::system();
    let mut world = example::world(&roots);
    Arc::make_mut(&mut world.config).backup.copied_off_host = true;
    let mut mounts = vec![mount("/", "ext4", "rw"), mount("/var/lib/docker", "xfs", "rw,prjquota")];
    let sources = world.desired.services.values().flat_map(|service| service.spec.mounts.values());
    mounts.extend(sources.filter_map(|found| match &found.source {
        MountSource::Bind { path } if path.starts_with("/run/") => {
            Some(mount(path, "tmpfs", "rw,size=1024k,nr_inodes=64"))
        }
        _ => None,
    }));
    let daemon = Daemon { world, started_at: NOW.plus_millis(-7_200_000), switch: None };
    Facts {
        roots,
        now: NOW,
        daemon: Some(daemon),
        silence: None,
        config: Ok(ConfigCheck { path: "platform.toml".to_owned(), valid: true, findings: Vec::new() }),
        secrets: Some(Secrets { now: NOW, secrets: Vec::new() }),
        mounts,
        listeners: Some(vec![Listener { address: Some([127, 0, 0, 1].into()), port: 18789 }]),
        disks: vec![disk(40 * GIB)],
        run_inodes: [].into(),
        admin_group: true,
        socket: Some(SocketFile { mode: 0o660, uid: 0, gid: 990, admin_gid: Some(990) }),
        run_mode: Some(0o700),
        clock_sign: Some("/run/systemd/timesync/synchronized".to_owned()),
        tailscale: served("vm102.example.ts.net:443", "http://127.0.0.1:18789", false),
    }
}

fn mount(point: &str, fs_type: &str, options: &str) -> Mount {
    Mount { point: point.into(), fs_type: fs_type.to_owned(), options: options.to_owned() }
}

fn disk(free_bytes: u64) -> Disk {
    Disk {
        holds: "the ledger and backups".to_owned(),
        path: PathBuf::from("/var/lib/bot-platform"),
        free_bytes,
        total_bytes: 100 * GIB,
        free_inodes: 1_000_000,
        total_inodes: 6_000_000,
    }
}

fn unseen(why: &str, denied: bool) -> Unseen {
    Unseen { why: why.to_owned(), denied }
}

fn served(host: &str, proxy: &str, funnel: bool) -> Tailscale {
    Tailscale::Answered(Serve {
        proxies: [(host.to_owned(), proxy.to_owned())].into(),
        funnels: if funnel { vec![host.to_owned()] } else { Vec::new() },
    })
}

/// Changes the daemon's world.
fn in_world(change: impl FnOnce(&mut World)) -> impl FnOnce(&mut Facts) {
    |facts| change(&mut facts.daemon.as_mut().unwrap().world)
}

fn in_report(change: impl FnOnce(&mut Report)) -> impl FnOnce(&mut Facts) {
    in_world(|world| change(Arc::make_mut(&mut world.report)))
}

fn in_container(change: impl FnOnce(&mut ObservedContainer)) -> impl FnOnce(&mut Facts) {
    in_world(|world| {
        let containers = &mut Arc::make_mut(&mut world.observed).containers;
        let gate = Some(Target::gate(&profile("personal")));
        change(containers.iter_mut().find(|found| found.labels.target == gate).unwrap());
    })
}

fn of<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.check == name).unwrap()
}

/// The one check gives this verdict and says this; every finding has a remedy.
pub(in crate::doctor) fn expect(checks: &[Check], name: &str, verdict: Verdict, says: &str) {
    let found = of(checks, name);
    let said = format!("{} {}", found.summary, found.details.join(" "));
    assert!(said.contains(says), "{name} says {said:?}, not {says:?}");
    assert_eq!(found.verdict, verdict, "{name}: {said}");
    if matches!(verdict, Verdict::Advice | Verdict::Warning | Verdict::Problem) {
        assert!(found.remedy.is_some(), "{name} has no remedy");
    }
}

fn check(change: impl FnOnce(&mut Facts), name: &str, verdict: Verdict, says: &str) {
    let mut facts = sound();
    change(&mut facts);
    expect(&examine(&facts), name, verdict, says);
}

#[test]
fn a_sound_installation() {
    let checks = examine(&sound());
    assert!(checks.len() >= 10);
    let open: Vec<&str> =
        checks.iter().filter(|check| check.verdict != Verdict::Ok).map(|check| check.check.as_str()).collect();
    // The example's engine has live-restore off, and no file system bounds a single volume.
    assert_eq!(open, ["quotas", "live-restore"]);
}

#[test]
fn without_the_supervisor_the_host_is_still_looked_at() {
    let mut facts = sound();
    (facts.daemon, facts.silence) = (None, Some(unseen("connection refused", false)));
    let checks = examine(&facts);
    assert_eq!(of(&checks, "supervisor").verdict, Verdict::Problem);
    assert!(of(&checks, "supervisor").summary.contains("connection refused"));
    assert_eq!(of(&checks, "containers").verdict, Verdict::Unknown);
    assert_eq!(of(&checks, "config").verdict, Verdict::Ok);
    assert_eq!(of(&checks, "disk-space").verdict, Verdict::Ok);
}

#[test]
fn who_may_not_look_is_told_how_to_be_allowed() {
    let mut facts = sound();
    (facts.daemon, facts.silence) = (None, Some(unseen("you may not use it", true)));
    facts.config = Err(unseen("platform.toml cannot be read: permission denied", true));
    let checks = examine(&facts);
    for name in ["supervisor", "config"] {
        let found = of(&checks, name);
        assert_eq!(found.verdict, Verdict::Unknown, "{name}");
        assert!(found.remedy.as_ref().unwrap().contains("bot-admin"), "{found:?}");
    }
}

#[test]
fn another_installation_has_other_commands() {
    let mut facts = sound();
    facts.roots = Roots::under(std::path::Path::new("/srv/x"));
    facts.daemon = None;
    let remedy = of(&examine(&facts), "supervisor").remedy.clone().unwrap();
    assert!(remedy.contains("./deploy/up --root /srv/x") && !remedy.contains("systemctl"), "{remedy}");
}

#[test]
fn docker_and_its_engine() {
    let engine = |change: fn(&mut supervisor_docker::EngineInfo)| {
        in_world(move |world| change(Arc::make_mut(world.engine.as_mut().unwrap())))
    };
    check(engine(|info| info.api_version = "1.40".to_owned()), "docker", Verdict::Problem, "too old");
    check(engine(|info| info.seccomp = false), "docker", Verdict::Problem, "seccomp");
    check(engine(|info| info.version = "28.1.0".to_owned()), "docker", Verdict::Advice, "the tests run on 20.10");
    check(engine(|info| info.live_restore = true), "live-restore", Verdict::Ok, "survive");
    check(
        in_world(|world| {
            let since = NOW.plus_millis(-1_000);
            let error = "connection refused".to_owned();
            Arc::make_mut(&mut world.observed).engine = observed::Engine::Unreachable { since, error };
        }),
        "docker",
        Verdict::Problem,
        "connection refused",
    );
}

#[test]
fn files_and_secrets() {
    check(|facts| facts.config = Err(unseen("it is not there", false)), "config", Verdict::Problem, "not there");
    check(
        |facts| {
            let findings = supervisor_config::read("prot = 1", &supervisor_config::Surroundings::default()).findings;
            facts.config = Ok(ConfigCheck { path: String::new(), valid: false, findings });
        },
        "config",
        Verdict::Problem,
        "platform.toml:1",
    );
    check(in_world(|world| world.unapplied = true), "config", Verdict::Advice, "differ");
    let entry = |problem: Option<&str>| SecretEntry {
        name: SecretName::new("spark-key").unwrap(),
        set_at: Some(NOW),
        needed: true,
        used_by: Vec::new(),
        problem: problem.map(str::to_owned),
    };
    let with = |problem: Option<&'static str>| {
        move |facts: &mut Facts| facts.secrets = Some(Secrets { now: NOW, secrets: vec![entry(problem)] })
    };
    check(with(Some("it has mode 0644")), "secrets", Verdict::Problem, "mode 0644");
    let mut facts = sound();
    with(Some("it has mode 0644"))(&mut facts);
    let remedy = of(&examine(&facts), "secrets").remedy.clone();
    assert_eq!(remedy.as_deref(), Some("store it again: botctl secret set spark-key"));
    check(with(None), "secrets", Verdict::Ok, "1 stored");
    check(|facts| facts.secrets = None, "secrets", Verdict::Unknown, "not allowed");
}

#[test]
fn one_missing_secret_is_one_problem() {
    let problem = "/etc/bot-platform/secrets/ha-token cannot be read: No such file or directory".to_owned();
    let mut facts = sound();
    let name = SecretName::new("ha-token").unwrap();
    let entry = SecretEntry { name, set_at: None, needed: true, used_by: Vec::new(), problem: Some(problem.clone()) };
    facts.secrets = Some(Secrets { now: NOW, secrets: vec![entry] });
    facts.daemon.as_mut().unwrap().world.problems = Arc::new(vec![problem]);
    let text = "[profile.personal]\nport = 18789\n[profile.personal.upstream.house]\nurl = \"http://192.0.2.1\"\n\
                bearer = { secret = \"ha-token\" }\n[[profile.personal.upstream.house.rule]]\nmethod = \"GET\"\npath = \"/\"\n";
    let findings = supervisor_config::read(text, &supervisor_config::Surroundings::default()).findings;
    assert!(findings.iter().any(|finding| finding.message.starts_with("there is no secret ha-token")), "{findings:?}");
    facts.config = Ok(ConfigCheck { path: String::new(), valid: true, findings });
    let checks = examine(&facts);
    let found = of(&checks, "secrets");
    assert_eq!((found.verdict, found.summary.as_str()), (Verdict::Problem, "there is no secret ha-token"));
    assert_eq!(found.remedy.as_deref(), Some("store it: botctl secret set ha-token"));
    for other in ["supervisor", "config"] {
        assert_eq!(of(&checks, other).verdict, Verdict::Ok, "{:?}", of(&checks, other));
    }
}

#[test]
fn without_a_supervisor_nobody_knows_what_is_in_force() {
    let mut facts = sound();
    (facts.daemon, facts.silence) = (None, Some(unseen("nobody answers", false)));
    assert!(of(&examine(&facts), "config").summary.contains("whether it is in force is not known"));
}

#[test]
fn what_is_blocked_is_found_although_it_runs() {
    let blocked = supervisor_plan::report::Blocked { problem: "port 1 is taken".into(), remedy: "stop it".into() };
    check(
        in_report(move |report| report.targets.get_mut(&Target::spark()).unwrap().blocked = vec![blocked]),
        "containers",
        Verdict::Problem,
        "spark is ready: port 1 is taken; stop it",
    );
}

#[test]
fn a_model_that_the_box_does_not_list_is_found() {
    let with_box = |notes: &[&str]| {
        let notes: Vec<String> = notes.iter().map(|note| (*note).to_owned()).collect();
        in_world(move |world| {
            let mut config = (*world.config).clone();
            config.spark = Some(supervisor_config::config::Spark {
                url: "http://192.168.1.20:8000/v1".to_owned(),
                model: platform_types::ModelId::new("m").unwrap(),
                key: None,
                limits: platform_types::spark::SparkLimits::default(),
                switch: None,
            });
            world.config = Arc::new(config);
            let containers = &mut Arc::make_mut(&mut world.observed).containers;
            let spark = containers.iter_mut().find(|found| found.labels.target == Some(Target::spark())).unwrap();
            let supervisor_plan::observed::Probe::Answering(answer) = &mut spark.probe else { panic!("it answers") };
            answer.notes = notes;
        })
    };
    check(|_| (), "model-box", Verdict::Ok, "the built-in demo model answers");
    check(with_box(&[]), "model-box", Verdict::Ok, "http://192.168.1.20:8000/v1 lists the configured models");
    let found = ["the model box does not list \"m\"; it lists: n", "a bot's model: the model box does not list \"o\""];
    check(with_box(&found), "model-box", Verdict::Problem, found[0]);
    check(with_box(&found), "model-box", Verdict::Problem, found[1]);
}

#[test]
fn a_channel_that_is_not_heard_is_found() {
    let noted = |note: &str| {
        let note = note.to_owned();
        in_world(move |world| {
            let mut config = (*world.config).clone();
            let profile = config.profiles.values_mut().next().unwrap();
            let channel = supervisor_config::config::Channel {
                kind: platform_types::channel::ChannelKind::Telegram,
                bot: profile.bots[0].name.clone(),
                bots: Vec::new(),
                senders: platform_types::channel::Senders::Pairing,
                allow: Vec::new(),
                groups: Vec::new(),
            };
            profile.channels.insert(platform_types::UpstreamName::new("telegram").unwrap(), channel);
            world.config = Arc::new(config);
            let containers = &mut Arc::make_mut(&mut world.observed).containers;
            let is_agent = |found: &&mut ObservedContainer| found.labels.target.as_ref().unwrap().role() == Role::Agent;
            let agent = containers.iter_mut().find(is_agent).unwrap();
            let supervisor_plan::observed::Probe::Answering(answer) = &mut agent.probe else { panic!("it answers") };
            answer.notes = vec![note];
        })
    };
    check(|_| (), "channels", Verdict::Ok, "no channel is configured");
    check(noted("something else"), "channels", Verdict::Ok, "1 configured, and none is unheard");
    let note = "channel telegram is not heard since 3 min: somebody else asks";
    check(noted(note), "channels", Verdict::Problem, note);
}

#[test]
fn images_and_containers() {
    check(
        in_world(|world| Arc::make_mut(&mut world.observed).images = BTreeSet::new()),
        "images",
        Verdict::Problem,
        "6 of 6",
    );
    check(
        in_container(|gate| gate.spec.image.0 = "sha256:old".to_owned()),
        "images",
        Verdict::Warning,
        "personal/gate",
    );
    check(
        in_report(|report| report.targets.get_mut(&Target::spark()).unwrap().condition = Condition::Silent),
        "containers",
        Verdict::Problem,
        "spark is silent",
    );
    check(in_container(|gate| gate.spec.log.max_bytes = 0), "log-limits", Verdict::Problem, "bot-personal-gate");
}

#[test]
fn what_can_be_reached_from_where() {
    check(
        in_container(|gate| {
            if let Network::Bridge { publish: Some(publish), .. } = &mut gate.spec.network {
                publish.host_ip = "0.0.0.0".to_owned();
            }
        }),
        "ports",
        Verdict::Problem,
        "0.0.0.0:18789",
    );
    check(
        |facts| facts.listeners = Some(vec![Listener { address: Some([0, 0, 0, 0].into()), port: 18790 }]),
        "ports",
        Verdict::Problem,
        "port 18790",
    );
    check(
        in_world(|world| {
            Arc::make_mut(&mut world.observed).ports_taken.insert(Port::new(18790).unwrap());
        }),
        "listeners",
        Verdict::Problem,
        "port 18790 of ops",
    );
    let socket = |mode, gid| {
        move |facts: &mut Facts| {
            facts.socket = Some(SocketFile { mode, uid: 0, gid, admin_gid: Some(990) });
        }
    };
    check(socket(0o666, 990), "sockets", Verdict::Problem, "mode 0666");
    check(socket(0o600, 0), "sockets", Verdict::Advice, "bot-admin");
    check(|facts| facts.run_mode = Some(0o755), "sockets", Verdict::Problem, "mode 0755");
    check(|facts| facts.mounts.truncate(2), "run-tmpfs", Verdict::Problem, "not bounded");
    let inodes = |free| {
        move |facts: &mut Facts| {
            facts.run_inodes.insert("/run/bot-platform/run/ops/http".to_owned(), Inodes { free, total: 64 });
        }
    };
    check(inodes(3), "run-tmpfs", Verdict::Warning, "run/ops/http: 3 of 64 inodes free");
    check(inodes(40), "run-tmpfs", Verdict::Ok, "40 inodes or more free");
}

#[test]
fn space_and_file_systems() {
    check(|facts| facts.disks = vec![disk(GIB)], "disk-space", Verdict::Warning, "less than");
    check(|facts| facts.disks = vec![disk(1_000)], "disk-space", Verdict::Problem, "full");
    check(|facts| facts.disks[0].free_inodes = 10, "disk-space", Verdict::Warning, "inodes");
    let docker_on =
        |fs_type: &'static str| move |facts: &mut Facts| facts.mounts[1] = mount("/var/lib/docker", fs_type, "rw");
    check(docker_on("ext4"), "quotas", Verdict::Advice, "not enforced");
    check(docker_on("nfs4"), "quotas", Verdict::Problem, "not safe");
    check(docker_on("tmpfs"), "quotas", Verdict::Warning, "reboot");
}

#[test]
fn snapshots_and_the_clock() {
    let upkeep = |change: fn(&mut Upkeep)| {
        move |facts: &mut Facts| {
            let upkeep = &mut facts.daemon.as_mut().unwrap().world.upkeep;
            Arc::make_mut(upkeep).values_mut().for_each(change);
        }
    };
    let none = |upkeep: &mut Upkeep| *upkeep = Upkeep { stale: true, ..Upkeep::default() };
    check(upkeep(none), "snapshots", Verdict::Advice, "2 profiles");
    let one = |change: fn(&mut Upkeep)| {
        move |facts: &mut Facts| {
            let daemon = facts.daemon.as_mut().unwrap();
            change(Arc::make_mut(&mut daemon.world.upkeep).get_mut(&profile("personal")).unwrap());
            let config = Arc::make_mut(&mut daemon.world.config);
            config.backup.schedule = Some("0 3 * * *".parse().unwrap());
        }
    };
    let old = |upkeep: &mut Upkeep| (upkeep.stale, upkeep.newest) = (true, Some(NOW.plus_millis(-30 * 86_400_000)));
    check(one(old), "snapshots", Verdict::Warning, "personal: the newest is 30 d old");
    let failing = |upkeep: &mut Upkeep| {
        let job = Job { failures: 2, error: Some("no space".to_owned()), ..Job::default() };
        upkeep.jobs.insert(JobKind::Snapshot, job);
    };
    check(one(failing), "snapshots", Verdict::Warning, "personal: the latest try failed: no space");
    check(|_| {}, "copies", Verdict::Ok, "seen to");
    let silent = in_world(|world| Arc::make_mut(&mut world.config).backup.copied_off_host = false);
    check(silent, "copies", Verdict::Advice, "no copy of the repositories is known off this host");
    check(|facts| facts.clock_sign = None, "clock", Verdict::Advice, "nothing that keeps the clock right");
}

#[test]
fn the_tailnet() {
    let tailscale = |found: Tailscale| move |facts: &mut Facts| facts.tailscale = found;
    check(tailscale(Tailscale::NotInstalled), "tailscale", Verdict::Warning, "not found");
    check(tailscale(Tailscale::Failed("no daemon".to_owned())), "tailscale", Verdict::Unknown, "no daemon");
    check(
        tailscale(Tailscale::Answered(Serve::default())),
        "tailscale",
        Verdict::Warning,
        "tailscale serve --bg --https=443 http://127.0.0.1:18789",
    );
    check(
        tailscale(served("vm102.example.ts.net:8443", "http://127.0.0.1:18789", false)),
        "tailscale",
        Verdict::Warning,
        "is served as vm102.example.ts.net:8443",
    );
    check(
        tailscale(served("vm102.example.ts.net:443", "http://127.0.0.1:18789", true)),
        "tailscale",
        Verdict::Problem,
        "Funnel",
    );
    let socket = "unix:/run/bot-platform/run/personal/tailnet/gate.sock";
    check(tailscale(served("vm102.example.ts.net:443", socket, true)), "tailscale", Verdict::Problem, "Funnel");
    let named = |found: Tailscale| {
        move |facts: &mut Facts| {
            let config = Arc::make_mut(&mut facts.daemon.as_mut().unwrap().world.config);
            let personal = config.profiles.get_mut(&profile("personal")).unwrap();
            personal.tailscale_users = vec!["alice@example.com".to_owned()];
            facts.tailscale = found;
        }
    };
    let by_port = served("vm102.example.ts.net:443", "http://127.0.0.1:18789", false);
    check(named(by_port), "tailscale", Verdict::Warning, socket);
    let by_socket = served("vm102.example.ts.net:443", socket, false);
    check(named(by_socket), "tailscale", Verdict::Ok, "every address is served");
}
