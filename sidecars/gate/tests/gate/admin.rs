//! The admin socket, the egress socket, and stopping.

use std::time::Duration;

use gate::limits::Limits;
use http::Method;
use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::gate::{Device, ScriptToken, SetupLink};
use platform_types::health::{Readiness, Release};
use platform_types::{Revision, Timestamp};
use tokio::io::AsyncReadExt as _;

use crate::support::agent::Call;
use crate::support::rig::TOKEN;
use crate::support::{Agent, Rig, TestDevice, within};

#[tokio::test]
async fn an_older_revision_changes_nothing() {
    let rig = Rig::start().await;
    let mut config = rig.config();
    rig.put(&config).await.expect("the same one again");
    config.revision = Revision(0);
    config.address = None;
    let refused = rig.put(&config).await;
    assert!(matches!(&refused, Err(CallError::Refused { status, .. }) if *status == 409), "{refused:?}");
    assert_eq!(rig.ask("GET", "/", &[("host", "vm102.example.ts.net")], "").await.status, 200);
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_whole() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1).paired();
    let good = rig.config();
    let wrong = |change: &dyn Fn(&mut platform_types::gate::GateConfig)| {
        let mut config = good.clone();
        config.revision.0 += 1;
        change(&mut config);
        config
    };
    let other_id = Device { id: TestDevice::new(2).id, ..device };
    let cases = [
        wrong(&|config| config.address = Some("vm102".into())),
        wrong(&|config| config.devices = vec![other_id.clone()]),
        wrong(&|config| {
            config.setup_links = vec![SetupLink { code_sha256: "x".into(), expires_at: Timestamp::ZERO }];
        }),
        wrong(&|config| config.tokens = vec![ScriptToken { name: "a".into(), token_sha256: "AB".repeat(32) }]),
    ];
    for config in cases {
        let refused = rig.put(&config).await;
        assert!(matches!(&refused, Err(CallError::Refused { status, .. }) if *status == 400), "{refused:?}");
    }
    let readiness: Readiness = rig.admin.get("/readyz").await.unwrap();
    assert_eq!(readiness.revision, Some(good.revision));
    let nonsense: Result<(), _> = rig.admin.put("/config", &serde_json::json!({"revision": 9, "surprise": 1})).await;
    assert!(matches!(&nonsense, Err(CallError::Refused { status, .. }) if *status == 400), "{nonsense:?}");
}

#[tokio::test]
async fn readiness_tells_canaries_and_revision() {
    let rig = Rig::bare(Limits::default()).await;
    for (name, text) in
        [("state", "one"), ("http", "two"), ("egress", "three"), ("secrets", "four"), ("tailnet", "five")]
    {
        std::fs::write(rig.directory.path().join(name).join(".canary"), text).unwrap();
    }
    let (status, body) = rig.admin.exchange::<()>(Method::GET, "/readyz", None).await.unwrap();
    let readiness: Readiness = serde_json::from_slice(&body).unwrap();
    assert_eq!((status.as_u16(), readiness.ready, readiness.reasons.len()), (503, false, 1));
    rig.push(|_| {}).await;
    let readiness: Readiness = rig.admin.get("/readyz").await.unwrap();
    assert!(readiness.ready);
    assert_eq!(readiness.revision, Some(Revision(1)));
    let canaries: Vec<_> = readiness.canaries.iter().map(|(mount, text)| (mount.as_str(), text.as_str())).collect();
    assert_eq!(
        canaries,
        [
            ("/run/bot/admin", ""),
            ("/run/bot/egress", "three"),
            ("/run/bot/http", "two"),
            ("/run/bot/tailnet", "five"),
            ("/run/secrets", "four"),
            ("/state", "one")
        ]
    );
    let release: Release = rig.admin.get("/release").await.unwrap();
    assert_eq!(release.version, env!("CARGO_PKG_VERSION"));
    platform_kit::admin::healthcheck(rig.admin.path()).await.unwrap();
}

#[tokio::test]
async fn the_way_out_is_closed() {
    let rig = Rig::start().await;
    let agent = Client::new(rig.egress_socket(), Peer::Trusted, Duration::from_secs(5));
    for method in [Method::GET, Method::POST] {
        let refused = agent.call::<(), ()>(method, "/api/states", None).await;
        match refused {
            Err(CallError::Refused { status, code, message }) => {
                assert_eq!((status.as_u16(), code.as_str()), (403, "egress_denied"));
                assert_eq!(message, "there is no upstream of this name");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_agent_cannot_flood_the_way_out() {
    let rig = Rig::start().await;
    let mut open = Vec::new();
    for _ in 0..gate::limits::MAX_EGRESS_CONNECTIONS * 4 {
        open.push(tokio::net::UnixStream::connect(rig.egress_socket()).await.unwrap());
    }
    // The rest of the gate does not notice.
    assert_eq!(rig.get("/").await.status, 200);
    drop(open);
    let agent = Client::new(rig.egress_socket(), Peer::Trusted, Duration::from_secs(10));
    assert!(matches!(agent.get::<()>("/").await, Err(CallError::Refused { .. })));
}

#[tokio::test]
async fn stopping_lets_a_running_answer_finish() {
    let rig = Rig::start().await;
    rig.token().await;
    let (finish, finished) = tokio::sync::watch::channel(false);
    let mut agent = Agent::start(&rig.agent_socket(1), move |call| {
        let mut finished = finished.clone();
        async move {
            finished.wait_for(|finished| *finished).await.unwrap();
            call.answer("200 OK", "content-type: application/json\r\n", "{}").await;
        }
    });
    let bearer = format!("Bearer {TOKEN}");
    let fields = [("authorization", bearer.as_str())];
    let idle = rig.tcp().await;
    rig.until(|status| status.connections == 1).await;
    let stop = async {
        agent.head().await;
        rig.stop.cancel();
        // Nobody new comes in, the idle connection is closed.
        let mut idle = idle;
        within(idle.read_to_end(&mut Vec::new())).await.unwrap();
        finish.send_replace(true);
    };
    let (answer, ()) = tokio::join!(rig.ask("GET", "/v1/models", &fields, ""), stop);
    assert_eq!(answer.status, 200);
    within(rig.serving).await.unwrap();
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let mut limits = Limits::default();
    limits.stop.drain = Duration::from_millis(50);
    let rig = Rig::start_with(limits).await;
    rig.token().await;
    let mut agent = Agent::start(&rig.agent_socket(1), Call::gone);
    let bearer = format!("Bearer {TOKEN}");
    let mut client = rig.tcp().await;
    let request = format!("GET /v1/models HTTP/1.1\r\nHost: {}\r\nAuthorization: {bearer}\r\n\r\n", rig.host());
    tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes()).await.unwrap();
    agent.head().await;
    rig.stop.cancel();
    within(rig.serving).await.unwrap();
}
