//! The socket as `botctl` meets it: real connections, the reconciler in the test's hands.

use std::time::Duration;

use platform_kit::client::{CallError, Client};
use platform_kit::socket::Peer;
use platform_types::Port;
use platform_types::layout::Roots;
use serde_json::{Value, json};
use supervisor_plan::observed::State;
use supervisor_plan::report::{Blocked, Condition};
use supervisor_plan::{Impact, Target, impact};
use tokio_util::sync::CancellationToken;

use super::wire::planning::Plan;
use super::wire::status::{Health, Status};
use super::{bind, serve};
use crate::example::{self, Daemon, profile};
use crate::state::{Applied, ApplyError, Command, Preview};

struct Running {
    client: Client,
    stop: CancellationToken,
    daemon: Daemon,
    _directory: tempfile::TempDir,
}

fn start() -> Running {
    let directory = tempfile::tempdir().unwrap();
    let daemon = example::daemon(directory.path());
    std::fs::create_dir_all(&daemon.shared.roots.runtime).unwrap();
    let listener = bind(&daemon.shared.roots).unwrap();
    let stop = CancellationToken::new();
    platform_kit::task::spawn("test socket", serve(listener, daemon.shared.clone(), stop.clone()));
    let client = Client::new(daemon.shared.roots.supervisor_socket(), Peer::Trusted, Duration::from_secs(10));
    Running { client, stop, daemon, _directory: directory }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn refused(result: Result<Value, CallError>) -> (u16, String, String) {
    match result {
        Err(CallError::Refused { status, code, message }) => (status.as_u16(), code, message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn status_tells_how_everything_is() {
    let running = start();
    let status: Status = running.client.get("/v1/status").await.unwrap();
    assert!(status.well);
    assert_eq!(status.targets.len(), 6);
    running.daemon.world.send_modify(|world| {
        let mut report = (*world.report).clone();
        report.targets.get_mut(&Target::spark()).unwrap().condition = Condition::Silent;
        world.report = report.into();
    });
    let status: Status = running.client.get("/v1/status").await.unwrap();
    assert!(!status.well);
}

/// The port of ops is somebody else's: its gate stays where it was.
fn port_taken(world: &mut crate::state::World) {
    let gate = Target::gate(&profile("ops"));
    let mut report = (*world.report).clone();
    let (problem, remedy) = ("port 28790 is taken by another program", "stop it or change profile.ops.port");
    let blocked = Blocked { problem: problem.to_owned(), remedy: remedy.to_owned() };
    report.targets.get_mut(&gate).unwrap().blocked.push(blocked);
    world.report = report.into();
    let mut config = (*world.config).clone();
    config.profiles.get_mut(&profile("ops")).unwrap().port = Port::new(28790).unwrap();
    world.config = config.into();
}

#[tokio::test]
async fn what_is_blocked_is_not_well_and_nothing_is_sent_to_whoever_has_its_port() {
    let running = start();
    running.daemon.world.send_modify(port_taken);
    let client = &running.client;
    let status: Status = client.get("/v1/status").await.unwrap();
    assert!(!status.well);
    let unserved =
        |name: &str| status.profiles.iter().find(|found| found.profile == profile(name)).unwrap().unserved.clone();
    assert_eq!(unserved("personal"), None);
    assert!(unserved("ops").unwrap().contains("port 28790 is taken"), "{:?}", unserved("ops"));
    let health: Health = client.get("/v1/health").await.unwrap();
    assert!(!health.well);
    let unwell: Vec<_> = health.targets.iter().filter(|target| !target.well).collect();
    assert!(unwell.len() == 1 && unwell[0].blocked[0].problem.contains("28790"), "{unwell:?}");
    for (route, body) in [("links", json!({})), ("tokens", json!({ "name": "script" }))] {
        let (status, code, message) = refused(client.post(&format!("/v1/profiles/ops/{route}"), &body).await);
        assert_eq!((status, code.as_str()), (409, "conflict"), "{message}");
        assert!(message.contains("port 28790 is taken by another program; stop it"), "{message}");
        assert!(!message.contains("#setup="), "{message}");
    }
}

#[tokio::test]
async fn a_gate_that_does_not_run_gets_no_links() {
    let running = start();
    running.daemon.world.send_modify(|world| {
        let gate = example::id(&Target::gate(&profile("ops")));
        let mut observed = (*world.observed).clone();
        observed.containers.iter_mut().find(|found| found.id == gate).unwrap().state = State::Dead;
        world.observed = observed.into();
    });
    let (_, _, message) = refused(running.client.post("/v1/profiles/ops/links", &json!({})).await);
    assert!(message.contains("not at port 18790 yet; look with botctl status"), "{message}");
}

#[tokio::test]
async fn errors_have_one_shape_and_say_what_to_do() {
    let running = start();
    let check = |result, status: u16, code: &str, word: &str| {
        let (found, found_code, message) = refused(result);
        assert_eq!((found, found_code.as_str()), (status, code), "{message}");
        assert!(message.contains(word), "{message}");
    };
    let client = &running.client;
    check(client.get("/v1/nonsense").await, 404, "not_found", "different releases");
    check(client.get("/v1/profiles/nobody/devices").await, 404, "not_found", "there is ops, personal");
    check(client.get("/v1/profiles/No%20Body/devices").await, 400, "bad_request", "is not a profile name");
    check(client.get("/v1/logs?who=%1b%5b2J").await, 404, "not_found", r"\\u{1b}[2J");
    check(client.get("/v1/logs?nonsense=1").await, 400, "bad_request", "unknown field");
    check(client.get("/v1/events?limit=1001").await, 400, "bad_request", "1000 at most");
    check(client.get("/v1/apply").await, 405, "method_not_allowed", "method");
    check(client.post("/v1/apply", &json!({"rety": true})).await, 400, "bad_request", "unknown field");
    check(client.get("/v1/profiles/personal/sessions").await, 503, "agent_unavailable", "personal/agent");
    check(client.get("/v1/profiles/personal/sessions/..%2Fx").await, 400, "bad_request", "32 hex digits");
    let relative = json!({"snapshot": "latest", "to": "relative"});
    check(client.post("/v1/profiles/personal/restore", &relative).await, 400, "bad_request", "absolute");
    let root = json!({"snapshot": "latest", "to": "/"});
    check(client.post("/v1/profiles/personal/restore", &root).await, 400, "bad_request", "does not exist yet");
    let approve = json!({"code": "phone"});
    check(client.post("/v1/profiles/ops/devices/approve", &approve).await, 400, "bad_request", "1a2b-3c4d");
}

#[tokio::test]
async fn plan_and_apply_go_to_the_reconciler() {
    let mut running = start();
    let client = running.client.clone();
    let asked = platform_kit::task::spawn("ask", async move { client.get::<Plan>("/v1/plan").await });
    let Some(Command::Preview { reply }) = running.daemon.commands.recv().await else { panic!("not a preview") };
    let world = running.daemon.world.borrow().clone();
    let impacts = vec![
        Impact { target: Target::spark(), change: impact::Change::Unchanged },
        Impact { target: Target::gate(&profile("ops")), change: impact::Change::Pushed },
    ];
    let report = (*world.report).clone();
    let preview = Preview { findings: Vec::new(), changed: true, impacts, actions: Vec::new(), report };
    reply.send(Ok(preview)).unwrap();
    let plan = asked.await.unwrap().unwrap();
    assert_eq!(plan.impacts.len(), 1);

    let client = running.client.clone();
    let asked = platform_kit::task::spawn("ask", async move { client.post::<_, Value>("/v1/apply", &json!({})).await });
    let Some(Command::Apply { reply }) = running.daemon.commands.recv().await else { panic!("not an apply") };
    let findings = supervisor_config::read("prot = 1\n", &supervisor_config::Surroundings::default()).findings;
    reply.send(Err(ApplyError::Config(findings))).unwrap();
    let (status, _, message) = refused(asked.await.unwrap());
    assert_eq!(status, 400);
    assert!(message.contains("platform.toml:1") && message.contains("has 2 errors;"), "{message}");
}

#[tokio::test]
async fn a_retry_clears_what_went_wrong() {
    let mut running = start();
    running.daemon.world.send_modify(|world| {
        let mut ledger = (*world.ledger).clone();
        ledger.failures.insert(Target::spark(), Vec::new());
        world.ledger = ledger.into();
    });
    let client = running.client.clone();
    let body = json!({"retry": true});
    let asked = platform_kit::task::spawn("ask", async move { client.post::<_, Value>("/v1/apply", &body).await });
    let Some(Command::Apply { reply }) = running.daemon.commands.recv().await else { panic!("not an apply") };
    let report = (*running.daemon.world.borrow().report).clone();
    reply.send(Ok(Applied { findings: Vec::new(), actions: Vec::new(), report })).unwrap();
    let Some(Command::ClearQuarantine { target, reply }) = running.daemon.commands.recv().await else {
        panic!("not a clearing")
    };
    assert_eq!(target, Target::spark());
    reply.send(true).unwrap();
    assert_eq!(asked.await.unwrap().unwrap()["retried"], json!(["spark"]));
}

#[tokio::test]
async fn a_secret_is_stored_and_delivered() {
    let mut running = start();
    std::fs::create_dir_all(&running.daemon.shared.roots.config).unwrap();
    let client = running.client.clone();
    let body = json!({"value": "s3cret"});
    let asked =
        platform_kit::task::spawn("ask", async move { client.post::<_, Value>("/v1/secrets/spark-key", &body).await });
    let Some(Command::SecretChanged { reply }) = running.daemon.commands.recv().await else { panic!("not told") };
    reply.send(()).unwrap();
    let unused = json!({"name": "spark-key", "delivered": false, "used_by": [], "waiting": []});
    assert_eq!(asked.await.unwrap().unwrap(), unused);
    let listed: Value = running.client.get("/v1/secrets").await.unwrap();
    assert!(!listed.to_string().contains("s3cret"));
    let names: Vec<&Value> = listed["secrets"].as_array().unwrap().iter().map(|entry| &entry["name"]).collect();
    assert_eq!(names, ["backup-ops", "backup-personal", "spark-key"]);
}

#[tokio::test]
async fn a_secret_is_rotated_live_and_the_answer_says_who_has_it() {
    let mut running = start();
    std::fs::create_dir_all(&running.daemon.shared.roots.config).unwrap();
    let rotate = |name: &'static str| {
        let client = running.client.clone();
        let body = json!({"value": "n3w", "replace": true});
        platform_kit::task::spawn(
            "ask",
            async move { client.post::<_, Value>(&format!("/v1/secrets/{name}"), &body).await },
        )
    };
    let (status, _, message) = refused(rotate("spark-key").await.unwrap());
    assert!(status == 404 && message.contains("botctl secret set spark-key"), "{message}");

    let surroundings = supervisor_config::Surroundings {
        secrets: [platform_types::SecretName::new("spark-key").unwrap()].into(),
        ..supervisor_config::Surroundings::default()
    };
    let text = "[spark]\nurl = \"https://s.example/v1\"\nmodel = \"m\"\nkey = { secret = \"spark-key\" }\n";
    let config = supervisor_config::Config::parse(&format!("{text}[profile.ops]\nport = 18790\n"), &surroundings);
    running.daemon.world.send_modify(|world| world.config = config.unwrap().into());
    for (confirmed, waiting) in [(true, json!([])), (false, json!(["spark"]))] {
        let name = platform_types::SecretName::new("spark-key").unwrap();
        crate::settings::secrets::set(&running.daemon.shared.roots, &name, "old").unwrap();
        let asked = rotate("spark-key");
        let Some(Command::SecretChanged { reply }) = running.daemon.commands.recv().await else { panic!("not told") };
        reply.send(()).unwrap();
        let Some(Command::Confirm { target, reply }) = running.daemon.commands.recv().await else { panic!("no wait") };
        assert_eq!(target, Target::spark());
        reply.send(confirmed).unwrap();
        let expect = json!({"name": "spark-key", "delivered": confirmed, "used_by": ["spark"], "waiting": waiting});
        assert_eq!(asked.await.unwrap().unwrap(), expect);
    }
}

#[tokio::test]
async fn no_events_are_no_events() {
    let running = start();
    let event =
        supervisor_store::NewEvent { at: example::NOW, kind: "x".to_owned(), subject: None, message: "m".to_owned() };
    running.daemon.shared.store.record_event(&event).unwrap();
    let body = |limit: u32| {
        let client = running.client.clone();
        async move { client.exchange::<()>(http::Method::GET, &format!("/v1/events?limit={limit}"), None).await.unwrap().1 }
    };
    assert!(body(0).await.is_empty());
    assert_eq!(body(1).await.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 1);
}

#[tokio::test]
async fn the_socket_is_for_root_and_its_group() {
    use std::os::unix::fs::PermissionsExt as _;
    let running = start();
    let path = running.daemon.shared.roots.supervisor_socket();
    let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let expect = if super::peer::admin_gid().is_some() { 0o660 } else { 0o600 };
    assert_eq!(mode, expect);
    let nowhere = Roots::under(std::path::Path::new("/nonexistent"));
    assert!(bind(&nowhere).is_err());
}

/// A gate with one card that waits.
fn gate_with_a_card(running: &Running) -> tokio::sync::mpsc::UnboundedReceiver<Value> {
    let card = json!({
        "id": "0".repeat(32), "upstream": "house", "rule": "unlock", "words": "unlock the door\u{1b}[2J",
        "facts": [["state", "locked"]], "request": "POST /unlock\n{}", "digest": "d".repeat(64), "reason": null,
        "created_at": 1, "expires_at": 2, "state": {"is": "pending"},
    });
    let (heard, hearing) = tokio::sync::mpsc::unbounded_channel();
    let decide = move |axum::extract::Path(id): axum::extract::Path<String>, axum::Json(body): axum::Json<Value>| {
        let heard = heard.clone();
        async move {
            if body["digest"] != json!("d".repeat(64)) {
                let failure = platform_kit::Failure::new(platform_types::ErrorCode::Conflict, "another digest");
                return axum::response::IntoResponse::into_response(failure);
            }
            heard.send(json!({ "id": id, "body": body })).unwrap();
            axum::response::IntoResponse::into_response(axum::Json(json!({})))
        }
    };
    let router = axum::Router::new()
        .route("/confirmations", axum::routing::get(move || async move { axum::Json(json!({ "cards": [card] })) }))
        .route("/confirmations/{id}", axum::routing::post(decide));
    let path = running.daemon.shared.roots.gate_admin(&profile("ops"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let listener = platform_kit::socket::bind(&path, 0o600).unwrap();
    let serving = platform_kit::serve::unix(listener, router, running.stop.clone(), Duration::ZERO);
    platform_kit::task::spawn("test gate", serving);
    hearing
}

#[tokio::test]
async fn an_operator_decides_what_was_shown_and_it_is_on_record() {
    let running = start();
    let mut hearing = gate_with_a_card(&running);
    let client = &running.client;
    let listed: Value = client.get("/v1/approvals?profile=ops").await.unwrap();
    let ops = &listed["profiles"][0];
    assert_eq!(ops["confirmations"][0]["words"], json!(r"unlock the door\u{1b}[2J"));
    assert_eq!(ops["confirmations"][0]["request"], json!("POST /unlock\n{}"));
    assert!(ops["problems"][0].as_str().unwrap().contains("ops/agent"), "{ops}");

    let target = format!("/v1/profiles/ops/approvals/{}", "0".repeat(32));
    let body = |digest: &str| json!({ "asker": "gate", "allow": true, "digest": digest.repeat(64) });
    let (status, code, _) = refused(client.post(&target, &body("e")).await);
    assert_eq!((status, code.as_str()), (409, "conflict"));
    let decided: Value = client.post(&target, &body("d")).await.unwrap();
    let user = decided["user"].as_str().unwrap();
    let heard = hearing.recv().await.unwrap();
    let expect = json!({ "verdict": "allow", "digest": "d".repeat(64), "user": user });
    assert_eq!(heard, json!({ "id": "0".repeat(32), "body": expect }));

    let trail: Value = client.get("/v1/profiles/ops/audit?limit=5").await.unwrap();
    let line = &trail["lines"][0];
    assert_eq!((&line["kind"], &line["actor"]), (&json!("confirmation.decided"), &json!(format!("operator {user}"))));
    let (status, ..) = refused(client.post("/v1/profiles/ops/approvals/x", &body("d")).await);
    assert_eq!(status, 400);
}
