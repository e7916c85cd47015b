//! A tool call waits for a person: who may answer, what about, how often, how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use agent::{Paths, Settings};
use platform_kit::client::{CallError, Client};
use platform_kit::clock::Clock;
use platform_kit::socket::Peer;
use platform_types::agent::{
    Activate, AgentConfig, Approval, ApprovalDecision, ApprovalList, ApprovalState, Effect, PolicyRule, SessionKind,
};
use platform_types::chat::{Asking, ToAgent, ToolState};
use platform_types::health::Readiness;
use platform_types::{Generation, ProfileName, Timestamp, UpstreamName};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::agent::{DEVICE, World, bot, config};
use crate::support::gate::Gate;
use crate::support::model::{Model, results};
use crate::support::page::Page;
use crate::support::{until, within};

const CALL: (&str, &str) =
    ("http_request", r#"{"upstream":"jobs","path":"/jobs/7","method":"PATCH","body":{"done":true}}"#);

/// A bot that may reach the upstream `jobs`.
pub fn outward() -> AgentConfig {
    AgentConfig {
        bots: vec![bot("assistant", &["clock.now", "http.get", "http.request"])],
        upstreams: vec![UpstreamName::new("jobs").unwrap()],
        ..config(1)
    }
}

/// A world whose model has just asked to change something.
async fn asked() -> (World, Gate, Page, String, Asking) {
    let world = World::with(outward()).await;
    let gate = Gate::start(world.directory.path());
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Finish job 7").await;
    world.model.calls(&[CALL]).await;
    let (card, asking) = page.asked().await;
    assert_eq!((card.name.as_str(), card.state), ("http.request", ToolState::Asking));
    assert_eq!(card.arguments, r#"{"body":{"done":true},"method":"PATCH","path":"/jobs/7","upstream":"jobs"}"#);
    assert_eq!(asking.why, "it changes something, and no rule allows it");
    (world, gate, page, session, asking)
}

async fn approvals(world: &World) -> Vec<Approval> {
    world.agent.admin.get::<ApprovalList>("/approvals").await.unwrap().approvals
}

#[tokio::test]
async fn allowed_once_it_runs_once_and_asks_again() {
    let (world, gate, mut page, _, asking) = asked().await;
    assert!(gate.seen().is_empty(), "nothing goes out before the answer");
    page.decide(&asking, true).await;
    let body = world.model.calls(&[CALL]).await;
    assert_eq!(results(&body), [r#"{"status":200,"body":{"ok":true}}"#]);
    let again = page.expect("another question", |message| match message {
        platform_types::chat::ToPage::Turn { turn, .. } => turn.tools.get(1).and_then(|card| card.asking.clone()),
        _ => None,
    });
    let again = again.await;
    assert_ne!(
        (&again.approval, &again.digest),
        (&asking.approval, &asking.digest),
        "the same call is another question"
    );
    assert_eq!(gate.seen().len(), 1);
    page.decide(&asking, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    page.decide(&Asking { digest: asking.digest, ..again.clone() }, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    page.decide(&again, false).await;
    let body = world.model.says("Fine.").await;
    assert!(results(&body)[1].contains("a person said no"), "{:?}", results(&body));
    let states: Vec<ToolState> = page.answer().await.tools.iter().map(|tool| tool.state).collect();
    assert_eq!(states, [ToolState::Done, ToolState::Denied]);
    let seen = gate.seen();
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].target.as_str()), (1, "PATCH", "/jobs/7"));
    assert_eq!((seen[0].header("host"), seen[0].body.as_str()), ("jobs", r#"{"done":true}"#));
    assert_eq!(seen[0].header("x-bot-turn").len(), 32);
}

#[tokio::test]
async fn who_may_not_answer_and_what_does_not_count() {
    let (world, gate, mut page, _, asking) = asked().await;
    let mut other = Page::connect_as(&world.agent.http, &DEVICE.replace("d1", "d2"), "chat").await;
    other.decide(&asking, true).await;
    assert_eq!(other.failed().await.0, "forbidden");
    let mut odd = Page::connect_as(&world.agent.http, DEVICE, "chat approve,disapprove,approvex").await;
    odd.decide(&asking, true).await;
    assert_eq!(odd.failed().await.0, "forbidden");
    page.decide(&Asking { digest: "0".repeat(64), ..asking.clone() }, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    page.decide(&Asking { approval: "0".repeat(32), ..asking.clone() }, true).await;
    assert_eq!(page.failed().await.0, "not_found");
    assert_eq!(approvals(&world).await[0].state, ApprovalState::Pending);
    page.decide(&asking, false).await;
    page.decide(&asking, true).await;
    assert_eq!(page.failed().await.0, "conflict", "the first answer counts");
    world.model.says("I may not.").await;
    page.answer().await;
    assert!(gate.seen().is_empty());
    let known = approvals(&world).await.remove(0);
    assert_eq!(known.state, ApprovalState::Denied);
    assert_eq!(known.decided_by.unwrap(), format!("device {DEVICE}"));
}

#[tokio::test]
async fn the_operator_answers() {
    let (world, gate, mut page, session, asking) = asked().await;
    let pending = approvals(&world).await.remove(0);
    assert_eq!(
        (pending.id.as_str(), pending.session, pending.tool.as_str()),
        (asking.approval.as_str(), session, "http.request")
    );
    let target = format!("/approvals/{}", pending.id);
    let post = async |allow, digest: &str| {
        let decision = ApprovalDecision { allow, digest: digest.to_owned(), user: "anna\u{1b}".into() };
        world.agent.admin.post::<_, Approval>(&target, &decision).await
    };
    assert!(matches!(post(true, "x").await, Err(CallError::Refused { status, .. }) if status == 409));
    let decided = post(true, &pending.digest).await.unwrap();
    assert_eq!((decided.state, decided.decided_by.unwrap().as_str()), (ApprovalState::Allowed, "operator anna"));
    assert!(matches!(post(false, &pending.digest).await, Err(CallError::Refused { status, .. }) if status == 409));
    world.model.says("Done.").await;
    assert_eq!(page.answer().await.tools[0].state, ToolState::Done);
    assert_eq!(gate.seen().len(), 1);
}

#[tokio::test]
async fn cancelled_with_its_turn() {
    let (world, gate, mut page, session, asking) = asked().await;
    page.say(&ToAgent::Stop { session }).await;
    let card = page.answer().await.tools.remove(0);
    assert_eq!((card.state, card.asking), (ToolState::Denied, None));
    page.decide(&asking, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    assert_eq!(approvals(&world).await[0].state, ApprovalState::Cancelled);
    assert!(gate.seen().is_empty());
}

#[tokio::test]
async fn a_restart_ends_the_turn_and_what_it_asked() {
    let (mut world, gate, _, session, asking) = asked().await;
    world.crash().await;
    let known = approvals(&world).await.remove(0);
    assert_eq!((known.state, known.decided_by.as_deref()), (ApprovalState::Cancelled, Some("the agent was restarted")));
    let mut page = world.agent.page().await;
    page.decide(&asking, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    let (messages, _, turn) = page.open(&session).await;
    assert_eq!(turn, None);
    for card in &messages[1].tools {
        assert_eq!((card.state, card.asking.as_ref()), (ToolState::Denied, None));
    }
    assert!(gate.seen().is_empty());
}

#[tokio::test]
async fn nobody_to_ask_in_a_script() {
    let world = World::with(outward()).await;
    let gate = Gate::start(world.directory.path());
    let body = json!({"model": "assistant", "messages": [{"role": "user", "content": "Finish job 7"}]});
    let script = world.agent.post("/v1/chat/completions", &[("x-bot-token", "nightly")], &body);
    let model = async {
        world.model.calls(&[CALL]).await;
        results(&world.model.says("No.").await)
    };
    let ((status, _, _), results) = tokio::join!(script, model);
    assert_eq!(status, 200);
    assert!(results[0].contains("nobody to ask in a script's session"), "{results:?}");
    assert!(gate.seen().is_empty() && approvals(&world).await.is_empty());
}

#[tokio::test]
async fn rules_allow_and_deny_what_they_name() {
    let rule = |effect, tool: &str, when: Value| PolicyRule {
        effect,
        bot: None,
        session: Some(SessionKind::Chat),
        tool: tool.into(),
        when: serde_json::from_value(when).unwrap(),
        why: Some("as configured".into()),
    };
    let policy = vec![
        rule(Effect::Allow, "http.request", json!({"path": ["/jobs/7"]})),
        rule(Effect::Deny, "http.*", json!({"method": ["DELETE"]})),
    ];
    let world = World::with(AgentConfig { policy, ..outward() }).await;
    let gate = Gate::start(world.directory.path());
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Go").await;
    let delete = r#"{"upstream":"jobs","path":"/jobs/7","method":"DELETE"}"#;
    world.model.calls(&[CALL, ("http_request", delete)]).await;
    let body = world.model.says("Done.").await;
    let results = results(&body);
    assert!(results.iter().any(|text| text.contains("\"status\":200")), "{results:?}");
    assert!(results.iter().any(|text| text.contains("a rule denies http.* by method: as configured")), "{results:?}");
    page.answer().await;
    assert_eq!(gate.seen().len(), 1);
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let world = World::standby().await;
    let rule: PolicyRule = serde_json::from_value(json!({"effect": "deny", "tool": "http*"})).unwrap();
    let refused = world.agent.activate_with(AgentConfig { policy: vec![rule], ..config(1) }).await;
    assert!(matches!(refused, Err(CallError::Refused { message, .. }) if message.contains("http*")));
}

#[derive(Debug)]
struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn nobody_answers_in_time() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for place in ["state", "run/bot/http", "run/bot/admin", "run/bot/llm", "run/bot/egress"] {
        std::fs::create_dir_all(root.join(place)).unwrap();
    }
    let (model, gate) = (Model::start(&root.join("run/bot/llm/llm.sock")), Gate::start(root));
    let (http_socket, admin_socket) = (root.join("run/bot/http/1.sock"), root.join("run/bot/admin/1.sock"));
    let settings = Settings {
        profile: ProfileName::new("personal").unwrap(),
        generation: Generation(1),
        http_socket: http_socket.clone(),
        admin_socket: admin_socket.clone(),
        paths: Paths::below(root),
    };
    let (clock, stop) = (Arc::new(Hands(AtomicI64::new(1_000_000))), CancellationToken::new());
    let running = platform_kit::task::spawn("agent", agent::run(settings, clock.clone(), stop.clone()));
    let admin = Client::new(&admin_socket, Peer::Trusted, Duration::from_secs(20));
    until("the admin socket", || async { admin.get::<Value>("/healthz").await.ok() }).await;
    let activate = Activate { generation: Generation(1), config: outward() };
    admin.post::<_, Readiness>("/activate", &activate).await.unwrap();

    let mut page = Page::connect(&http_socket, DEVICE).await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Finish job 7").await;
    model.calls(&[CALL]).await;
    let (_, asking) = page.asked().await;
    assert_eq!(asking.expires_at, Timestamp(1_000_000 + agent::approvals::MAX_WAIT_MILLIS));
    clock.0.fetch_add(agent::approvals::MAX_WAIT_MILLIS, Ordering::SeqCst);
    let body = model.says("Nobody answered.").await;
    assert!(results(&body)[0].contains("nobody answered within 10 minutes"), "{:?}", results(&body));
    page.decide(&asking, true).await;
    assert_eq!(page.failed().await.0, "conflict");
    let known = admin.get::<ApprovalList>("/approvals").await.unwrap().approvals.remove(0);
    assert_eq!(known.state, ApprovalState::Expired);
    assert!(gate.seen().is_empty());
    stop.cancel();
    within("the agent to stop", running).await.unwrap().unwrap();
}
