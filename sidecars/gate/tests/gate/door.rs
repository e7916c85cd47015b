//! The held door, and what may lie where the agent's socket should be.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use gate::limits::{DoorLimits, Limits};
use serde_json::json;

use crate::support::agent::Call;
use crate::support::rig::bearer;
use crate::support::{Agent, Rig, TestDevice};

fn impatient() -> Limits {
    let door = DoorLimits { patience: Duration::from_millis(100), ..DoorLimits::default() };
    Limits { door, ..Limits::default() }
}

#[tokio::test]
async fn many_wait_at_a_held_door_and_none_is_lost() {
    let rig = Rig::with_token(Limits::default()).await;
    rig.hold().await;
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];
    let requests = (0..100).map(|n| {
        let (rig, fields) = (&rig, &fields);
        async move {
            if n % 2 == 0 {
                rig.ask("GET", "/v1/models", fields, "").await.status
            } else {
                rig.ask("POST", "/v1/chat/completions", fields, "{\"messages\":[]}").await.status
            }
        }
    });
    let open = async {
        rig.until(|status| status.waiting == 100).await;
        let agent = Agent::echo(&rig.agent_socket(2));
        rig.open(2).await;
        agent
    };
    let (statuses, _agent) = tokio::join!(futures_util::future::join_all(requests), open);
    assert_eq!(statuses, vec![200; 100]);
    rig.until(|status| status.waiting == 0).await;
}

#[tokio::test]
async fn an_open_door_waits_for_an_agent_that_restarts() {
    let rig = Rig::with_token(Limits::default()).await;
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];
    drop(Agent::echo(&rig.agent_socket(1)));
    let restart = async {
        rig.until(|status| status.waiting == 1).await;
        Agent::echo(&rig.agent_socket(1))
    };
    let (answer, _agent) = tokio::join!(rig.ask("GET", "/v1/models", &fields, ""), restart);
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn an_agent_in_standby_is_waited_for() {
    let rig = Rig::with_token(Limits::default()).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let standby = Agent::start(&rig.agent_socket(1), |call| async move {
        call.answer("503 Service Unavailable", "content-type: application/json\r\n", "{}").await;
    });
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];
    let activate = async {
        rig.until(|status| status.waiting == 2).await;
        drop(standby);
        Agent::echo(&rig.agent_socket(1))
    };
    let (answer, (_, ready), _agent) =
        tokio::join!(rig.ask("GET", "/v1/models", &fields, ""), rig.connect(&device), activate);
    assert_eq!((answer.status, ready["type"].as_str()), (200, Some("ready")));
}

#[tokio::test]
async fn waiting_is_bounded_in_time_and_number() {
    let rig = Rig::with_token(impatient()).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];
    for held in [false, true] {
        if held {
            rig.hold().await;
        }
        let answer = rig.ask("GET", "/v1/models", &fields, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "agent_unavailable"));
        assert_eq!(answer.header("retry-after"), "2");
        assert_eq!(rig.enter(&device).await.refused().await, ("agent_unavailable".to_owned(), 4503));
    }

    let door = DoorLimits { waiting: 1, ..DoorLimits::default() };
    let rig = Rig::with_token(Limits { door, ..Limits::default() }).await;
    rig.hold().await;
    let second = async {
        rig.until(|status| status.waiting == 1).await;
        let answer = rig.ask("GET", "/v1/models", &fields, "").await;
        let agent = Agent::echo(&rig.agent_socket(1));
        rig.open(1).await;
        (answer, agent)
    };
    let (first, (second, _agent)) = tokio::join!(rig.ask("GET", "/v1/models", &fields, ""), second);
    assert_eq!((first.status, second.status), (200, 503));
}

#[tokio::test]
async fn who_leaves_does_not_wait() {
    let rig = Rig::with_token(Limits::default()).await;
    rig.hold().await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let mut stream = rig.tcp().await;
    let request = format!("GET /v1/models HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n", rig.host(), bearer());
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let socket = rig.enter(&device).await;
    rig.until(|status| status.waiting == 2).await;
    drop(stream);
    rig.until(|status| status.waiting == 1).await;
    drop(socket);
    rig.until(|status| status.waiting == 0).await;
}

#[tokio::test]
async fn hostile_names_are_not_connected_to() {
    let rig = Rig::with_token(impatient()).await;
    let bearer = bearer();
    let fields = [("authorization", bearer.as_str())];
    // A socket of somebody else, which must not hear a byte.
    let treasure = rig.directory.path().join("docker.sock");
    let mut docker = Agent::echo(&treasure);
    let place: [fn(&Path, &Path); 5] = [
        |name, treasure| symlink(treasure, name).unwrap(),
        |name, _| std::fs::write(name, "text").unwrap(),
        |name, _| std::fs::create_dir(name).unwrap(),
        |name, _| nix::unistd::mkfifo(name, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        |name, _| symlink(name, name).unwrap(),
    ];
    for (generation, place) in (10..).zip(place) {
        place(&rig.agent_socket(generation), &treasure);
        rig.open(generation).await;
        let answer = rig.ask("GET", "/v1/models", &fields, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "agent_unavailable"), "{generation}");
    }
    // A socket of another uid.
    let _other = Agent::echo(&rig.agent_socket(20));
    rig.push(|config| config.agent_uid += 1).await;
    rig.open(20).await;
    assert_eq!(rig.ask("GET", "/v1/models", &fields, "").await.status, 503);
    assert!(docker.heads.try_recv().is_err());
}

#[tokio::test]
async fn an_agent_that_accepts_and_says_nothing() {
    let mut limits = impatient();
    limits.socket.agent_time = Duration::from_millis(50);
    limits.forward.head_time = Duration::from_millis(50);
    let rig = Rig::with_token(limits).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let _agent = Agent::start(&rig.agent_socket(1), Call::gone);
    let bearer = bearer();
    let answer = rig.ask("GET", "/v1/models", &[("authorization", &bearer)], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "agent_unavailable"));
    assert_eq!(rig.enter(&device).await.refused().await, ("agent_unavailable".to_owned(), 4503));
}

#[tokio::test]
async fn a_switch_of_generations_keeps_open_sockets_until_the_old_agent_goes() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let old = Agent::echo(&rig.agent_socket(1));
    let (mut socket, _) = rig.connect(&device).await;
    rig.hold().await;
    socket.say(&json!({"n": 1})).await;
    assert_eq!(socket.hear().await["n"], 1);
    drop(old);
    assert_eq!(socket.closed().await, 1012);
    let mut socket = rig.enter(&device).await;
    let mut new = Agent::echo(&rig.agent_socket(2));
    rig.open(2).await;
    assert_eq!(socket.hear().await["type"], "ready");
    assert!(new.head().await.starts_with("GET /ws "));
}
