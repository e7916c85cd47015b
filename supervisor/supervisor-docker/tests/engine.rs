//! Against a real engine: what is asked for is what is read back, and what goes wrong is told apart.

#[cfg(test)]
mod common;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{free_port, run, with_site};
use futures_util::StreamExt as _;
use platform_types::Port;
use supervisor_docker::{CreateError, Engine, EngineEvent, LogRange, Removal, StartError, Task, TaskError};
use supervisor_plan::observed::{ContainerId, Owner, State};
use supervisor_plan::spec::{ImageId, Mount, MountSource, Network, NetworkSpec, Publish, Seccomp};

#[tokio::test]
async fn an_untouched_container_has_no_drift() {
    with_site(|site| async move {
        let spec = site.spec();
        site.engine.create_volume(&site.volume(), &site.labels()).await.unwrap();
        let id = site.launch("gate", &spec).await;
        let seen = site.observe(&id).await;
        assert_eq!(spec.drift(&seen.spec), []);
        assert_eq!(seen.spec, spec);
        assert_eq!(seen.name, site.named("gate"));
        assert_eq!(seen.labels.target.as_ref().unwrap().to_string(), "ops/gate");
        assert_eq!(seen.labels.spec_digest.as_deref(), Some("digest"));
        assert!(seen.started_at.is_some());

        site.engine.stop_container(&id.0, Duration::from_secs(10)).await.unwrap();
        let stopped = site.observe(&id).await;
        assert!(matches!(stopped.state, State::Exited { code: 0, oom_killed: false, .. }), "{:?}", stopped.state);
        assert_eq!(stopped.spec, spec, "stopped, it still reads the same");
        site.engine.start_container(&id.0, None).await.unwrap();
        site.engine.start_container(&id.0, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_bridge_with_a_published_port_has_no_drift() {
    with_site(|site| async move {
        let name = site.named("net");
        site.engine.create_network(&NetworkSpec { name: name.clone() }, &site.labels()).await.unwrap();
        let again = site.engine.create_network(&NetworkSpec { name: name.clone() }, &site.labels()).await;
        assert!(again.is_err(), "Docker would make a second one of that name");
        let port = free_port();
        let publish =
            Publish { host_ip: "127.0.0.1".into(), host_port: port, container_port: Port::new(8080).unwrap() };
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        spec.network = Network::Bridge { name: name.clone(), publish: Some(publish) };
        spec.confinement.seccomp = Seccomp::Default;
        let id = site.launch("gate", &spec).await;
        assert_eq!(site.observe(&id).await.spec, spec);
        assert_eq!(site.engine.network_users(&name).await.unwrap(), 1);
        let networks = site.engine.networks(&site.install).await.unwrap();
        assert_eq!(networks.get(&name), Some(&Owner::Ours));
        assert_eq!(networks.get("bridge"), Some(&Owner::Foreign));
        let isolated = run(Command::new("docker").args(["network", "inspect", "--format", "{{json .Options}}", &name]));
        assert!(isolated.contains(r#""com.docker.network.bridge.enable_icc":"false""#), "{isolated}");
    })
    .await;
}

#[tokio::test]
async fn what_somebody_changed_is_drift() {
    with_site(|site| async move {
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        let id = site.launch("gate", &spec).await;
        run(Command::new("docker").args(["update", "--memory", "80m", "--memory-swap", "80m", "--cpus", "0.7", &id.0]));
        let drift: Vec<_> = spec.drift(&site.observe(&id).await.spec).into_iter().map(|drift| drift.field).collect();
        assert_eq!(drift.len(), 2, "{drift:?}");

        // Made by hand, with our label and everything else wrong.
        let label = format!("io.bot-platform.install={}", site.install);
        let loose = run(Command::new("docker")
            .args(["create", "--label", &label, "--privileged", "--network", "host"])
            .args(["--restart", "always", "--volume", "/etc:/etc-of-host", "--pid", "host", "--env", "X=1"])
            .args(["--name", &site.named("loose"), &site.image.0, "echo"]));
        let seen = site.observe(&ContainerId(loose.trim().to_owned())).await;
        let fields: Vec<_> = spec.drift(&seen.spec).into_iter().map(|drift| drift.field).collect();
        assert!(fields.len() >= 12, "{fields:?}");
        assert!(matches!(&seen.spec.network, Network::Other { described } if described.contains("host")));
        assert!(seen.spec.confinement.host_namespaces.contains("pid"));
        assert_eq!(seen.spec.command, ["echo"]);
        assert_eq!(seen.labels.target, None);
        let mount = Mount { source: MountSource::Bind { path: "/etc".into() }, read_only: false };
        assert_eq!(seen.spec.mounts.get("/etc-of-host"), Some(&mount));
    })
    .await;
}

#[tokio::test]
async fn reasons_why_a_container_cannot_be_made_are_told_apart() {
    with_site(|site| async move {
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        let (name, labels) = (site.named("gate"), site.labels());
        site.engine.create_container(&name, &spec, &labels).await.unwrap();
        let error = site.engine.create_container(&name, &spec, &labels).await.unwrap_err();
        assert!(matches!(&error, CreateError::NameTaken { name: taken } if *taken == name), "{error}");

        let mut imageless = spec.clone();
        imageless.image = ImageId(format!("sha256:{}", "0".repeat(64)));
        let error = site.engine.create_container(&site.named("b"), &imageless, &labels).await.unwrap_err();
        assert!(matches!(error, CreateError::ImageMissing { .. }), "{error}");
        assert!(!site.engine.has_image(&imageless.image).await.unwrap());
        assert!(site.engine.has_image(&spec.image).await.unwrap());

        let missing = Mount { source: MountSource::Bind { path: "/does/not/exist".into() }, read_only: true };
        spec.mounts.insert("/bind".into(), missing);
        let error = site.engine.create_container(&site.named("c"), &spec, &labels).await.unwrap_err();
        assert!(matches!(error, CreateError::MountMissing { .. }), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_taken_port_is_recognised_and_the_container_starts_once_it_is_free() {
    with_site(|site| async move {
        let name = site.named("net");
        site.engine.create_network(&NetworkSpec { name: name.clone() }, &site.labels()).await.unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = Port::new(listener.local_addr().unwrap().port()).unwrap();
        let publish =
            Publish { host_ip: "127.0.0.1".into(), host_port: port, container_port: Port::new(8080).unwrap() };
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        spec.network = Network::Bridge { name, publish: Some(publish) };
        let id = site.engine.create_container(&site.named("gate"), &spec, &site.labels()).await.unwrap();
        let error = site.engine.start_container(&id, Some(port)).await.unwrap_err();
        assert!(matches!(error, StartError::PortTaken { port: taken } if taken == port.get()), "{error}");
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        drop(listener);
        site.engine.start_container(&id, Some(port)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn states_are_read_and_stops_are_idempotent() {
    with_site(|site| async move {
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        let id = site.launch("gate", &spec).await;
        run(Command::new("docker").args(["pause", &id.0]));
        assert_eq!(site.observe(&id).await.state, State::Paused);
        let refused = site.engine.remove_container(&id.0, Removal::Stopped).await;
        assert!(refused.is_err(), "a container that is not stopped is not removed");
        site.engine.kill_container(&id.0).await.unwrap();
        let dead = site.until(&id, |seen| seen.state.is_stopped()).await;
        assert!(matches!(dead.state, State::Exited { code: 137, .. }), "{:?}", dead.state);
        site.engine.kill_container(&id.0).await.unwrap();
        site.engine.stop_container(&id.0, Duration::from_secs(1)).await.unwrap();
        site.engine.rename_container(&id.0, &site.named("renamed")).await.unwrap();
        assert_eq!(site.observe(&id).await.name, site.named("renamed"));
        site.engine.remove_container(&id.0, Removal::Stopped).await.unwrap();
        site.engine.remove_container(&id.0, Removal::Stopped).await.unwrap();
        assert!(site.engine.observe_container(&id, &site.install).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn only_ours_is_listed_as_ours() {
    with_site(|site| async move {
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        let mut foreign = site.labels();
        foreign.insert("io.bot-platform.install".into(), "somebody-else".into());
        let ours = site.launch("gate", &spec).await;
        let other = site.engine.create_container(&site.named("other"), &spec, &foreign).await.unwrap();
        let listing = site.engine.list_containers(&site.install).await.unwrap();
        assert_eq!(listing.ours.iter().map(|listed| &listed.id).collect::<Vec<_>>(), [&ours]);
        assert!(listing.foreign_names.contains(&site.named("other")));
        let other = ContainerId(other);
        assert!(site.engine.observe_container(&other, &site.install).await.unwrap().is_none());
        site.engine.remove_container(&other.0, Removal::Forced).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn events_of_ours_arrive_also_from_before_the_stream_began() {
    with_site(|site| async move {
        let now = run(Command::new("date").arg("+%s")).trim().parse::<i64>().unwrap();
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        let id = site.launch("gate", &spec).await;
        let mut events = std::pin::pin!(site.engine.events(&site.install, &site.name, now - 1));
        let mut seen = Vec::new();
        let until_start = async {
            while let Some(event) = events.next().await {
                let EngineEvent::Container { id: of, action } = event.unwrap() else { continue };
                assert_eq!(of, id.0);
                seen.push(action);
                if seen.last().is_some_and(|action| action == "start") {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until_start).await.expect("the start is told");
        assert_eq!(seen, ["create", "start"]);
    })
    .await;
}

#[tokio::test]
async fn logs_are_bounded_lines() {
    with_site(|site| async move {
        let mut spec = site.spec();
        spec.mounts.remove("/state");
        spec.command = ["echo", "one", "two", "three"].map(str::to_owned).into();
        let id = site.launch("echo", &spec).await;
        site.until(&id, |seen| seen.state.is_stopped()).await;
        let lines = |range| site.engine.logs(&id.0, range).map(|line| line.unwrap().text).collect::<Vec<_>>();
        assert_eq!(lines(LogRange::default()).await, ["one", "two", "three"]);
        assert_eq!(lines(LogRange { tail: Some(1), ..LogRange::default() }).await, ["three"]);
        assert_eq!(lines(LogRange { follow: true, ..LogRange::default() }).await.len(), 3);

        spec.command = vec!["long".to_owned()];
        let long = site.launch("long", &spec).await;
        site.until(&long, |seen| seen.state.is_stopped()).await;
        let line: Vec<_> = site.engine.logs(&long.0, LogRange::default()).collect().await;
        assert_eq!(line.len(), 1);
        assert_eq!(line[0].as_ref().unwrap().text.len(), supervisor_docker::logs::MAX_LINE_BYTES);
    })
    .await;
}

#[tokio::test]
async fn a_task_runs_to_its_end_and_leaves_nothing() {
    with_site(|site| async move {
        let task = |words: &[&str], timeout| {
            let mut spec = site.spec();
            spec.mounts.remove("/state");
            spec.command = words.iter().map(|word| (*word).to_owned()).collect();
            Task { name: site.named("task"), spec, labels: site.labels(), timeout }
        };
        let (sender, mut lines) = tokio::sync::mpsc::channel(16);
        let exit = site.engine.run_task(&task(&["echo", "a", "b"], Duration::from_mins(1)), &sender).await.unwrap();
        assert_eq!((exit.code, exit.oom_killed), (0, false));
        assert_eq!((lines.recv().await.unwrap(), lines.recv().await.unwrap()), ("a".to_owned(), "b".to_owned()));
        let exit = site.engine.run_task(&task(&["fail", "why"], Duration::from_mins(1)), &sender).await.unwrap();
        assert_eq!((exit.code, exit.stderr), (7, vec!["why".to_owned()]));
        let error = site.engine.run_task(&task(&["wait"], Duration::from_millis(300)), &sender).await.unwrap_err();
        assert!(matches!(error, TaskError::Timeout(_)), "{error}");
        assert_eq!(site.engine.list_containers(&site.install).await.unwrap().ours, []);
    })
    .await;
}

#[tokio::test]
async fn volumes_are_found_on_the_host() {
    with_site(|site| async move {
        let mountpoint = site.engine.create_volume(&site.volume(), &site.labels()).await.unwrap();
        assert!(mountpoint.is_dir());
        assert_eq!(site.engine.volume_mountpoint(&site.volume()).await.unwrap(), mountpoint);
        assert_eq!(site.engine.create_volume(&site.volume(), &site.labels()).await.unwrap(), mountpoint);
        let volumes = site.engine.volumes(&site.install).await.unwrap();
        assert_eq!(volumes.get(&site.volume()), Some(&Owner::Ours));
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_is_away_is_told_apart() {
    let engine = Engine::at(Path::new("/run/there-is-no-such.sock"));
    assert!(engine.ping().await.unwrap_err().is_gone());
    assert!(engine.handshake().await.unwrap_err().is_gone());
    let mut events = std::pin::pin!(engine.events("x", "x", 0));
    assert!(events.next().await.unwrap().unwrap_err().is_gone());

    let here = Engine::at(Path::new(supervisor_docker::DEFAULT_SOCKET));
    let info = here.handshake().await.unwrap();
    assert!(!info.version.is_empty() && info.api_version.starts_with("1."), "{info:?}");
}
