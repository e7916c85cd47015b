//! `http.get` and `http.request` over the gate.

use platform_types::agent::{AgentConfig, Effect, PolicyRule};
use platform_types::chat::{ToAgent, ToolState};
use platform_types::egress::Outcome;
use serde_json::{Value, json};

use crate::approvals::outward;
use crate::support::agent::World;
use crate::support::gate::Gate;
use crate::support::model::results;
use crate::support::page::Page;

/// The upstream may be changed without asking.
fn trusting() -> AgentConfig {
    let rule = PolicyRule {
        effect: Effect::Allow,
        bot: None,
        session: None,
        tool: "http.*".into(),
        when: [].into(),
        why: None,
    };
    AgentConfig { policy: vec![rule], ..outward() }
}

async fn world() -> (World, Gate, Page, String) {
    let world = World::with(trusting()).await;
    let gate = Gate::start(world.directory.path());
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    (world, gate, page, session)
}

#[tokio::test]
async fn the_gate_gets_what_was_asked_for_and_the_model_what_came_back() {
    let (world, gate, mut page, session) = world().await;
    page.send(&session, 10, "Look").await;
    let get = |path: &str, query: Value| json!({"upstream": "jobs", "path": path, "query": query}).to_string();
    let calls = [
        get("/jobs", json!({"a b": "x&y=ü", "b": "1"})),
        get("/denied", json!({})),
        get("/text", json!({})),
        get("/accepted", json!({})),
    ];
    let calls: Vec<(&str, &str)> = calls.iter().map(|arguments| ("http_get", arguments.as_str())).collect();
    let body = world.model.calls(&calls).await;
    let tools = body["tools"].to_string();
    assert!(tools.contains("Upstreams: jobs."), "{tools}");
    let mut results = results(&world.model.says("Seen.").await);
    results.sort();
    let expect = [
        "error: egress_denied: no rule allows it",
        r#"{"status":200,"body":"plain words"}"#,
        r#"{"status":200,"body":{"ok":true}}"#,
        r#"{"status":202,"body":{"job":7}}"#,
    ];
    assert_eq!(results, expect);
    page.answer().await;
    let seen = gate.seen();
    let first = seen.iter().find(|seen| seen.target.starts_with("/jobs")).unwrap();
    assert_eq!((first.method.as_str(), first.target.as_str()), ("GET", "/jobs?a%20b=x%26y%3D%C3%BC&b=1"));
}

#[tokio::test]
async fn without_upstreams_there_is_no_way_out() {
    let world = World::with(AgentConfig { upstreams: Vec::new(), ..trusting() }).await;
    let gate = Gate::start(world.directory.path());
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Look").await;
    let body = world.model.calls(&[("http_get", r#"{"upstream":"jobs","path":"/"}"#)]).await;
    assert!(!body["tools"].to_string().contains("http_get"));
    let results = results(&world.model.says("No.").await);
    assert!(results[0].starts_with("denied: there is no tool"), "{results:?}");
    page.answer().await;
    assert!(gate.seen().is_empty());
}

#[tokio::test]
async fn a_confirmation_is_waited_for_and_its_outcome_told() {
    let (world, gate, mut page, session) = world().await;
    let mut n = 10;
    let mut confirm = async |outcome: Option<Outcome>, words: &str| {
        n += 1;
        page.send(&session, n, "Open the door").await;
        gate.confirmation(Some(Outcome::Running));
        let reason = "because\r\nx-evil: 1 ü";
        let call = json!({"upstream": "jobs", "method": "POST", "path": "/confirm", "reason": reason}).to_string();
        world.model.calls(&[("http_request", &call)]).await;
        page.tool(ToolState::Confirming).await;
        gate.confirmation(outcome);
        let body = world.model.says("Well.").await;
        let result = results(&body).pop().unwrap();
        assert!(result.contains(words), "{result}");
        page.answer().await;
    };
    confirm(Some(Outcome::Done { status: 200, body: Some(json!({"open": true})) }), r#"{"open":true}"#).await;
    confirm(Some(Outcome::Denied), "a person denied it").await;
    confirm(Some(Outcome::Expired), "nobody confirmed it in time").await;
    confirm(Some(Outcome::Superseded), "rule changed").await;
    confirm(Some(Outcome::Failed { message: "no route".into() }), "not reached: no route").await;
    confirm(Some(Outcome::Unknown), "not known").await;
    confirm(None, "not known").await;
    let seen = gate.seen();
    assert_eq!(seen.len(), 7, "each is sent once");
    assert_eq!(seen[0].header("x-bot-reason"), "because  x-evil: 1 ü");
    assert_eq!(seen[0].header("x-evil"), "");
}

#[tokio::test]
async fn a_turn_that_is_stopped_waits_no_longer() {
    let (world, _gate, mut page, session) = world().await;
    page.send(&session, 10, "Open the door").await;
    let call = r#"{"upstream":"jobs","method":"POST","path":"/confirm"}"#;
    world.model.calls(&[("http_request", call)]).await;
    page.tool(ToolState::Confirming).await;
    page.say(&ToAgent::Stop { session }).await;
    assert_eq!(page.answer().await.tools[0].state, ToolState::Unknown);
}

#[tokio::test]
async fn a_gate_that_is_not_there_is_told_to_the_model() {
    let world = World::with(trusting()).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Look").await;
    world.model.calls(&[("http_get", r#"{"upstream":"jobs","path":"/jobs"}"#)]).await;
    let results = results(&world.model.says("No.").await);
    assert!(results[0].contains("the gate gave no answer"), "{results:?}");
    assert!(!results[0].contains("effect"), "{results:?}");
}
