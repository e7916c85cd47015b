//! `spark.switch`, `spark.health` and `spark.models` over the model socket.

use http::StatusCode;
use platform_types::ModelId;
use platform_types::agent::{AgentConfig, Effect, PolicyRule};
use platform_types::chat::ToolState;
use platform_types::egress::Outcome;
use serde_json::{Value, json};

use crate::support::agent::{World, bot, config};
use crate::support::model::results;
use crate::support::page::Page;

const CALL: (&str, &str) = ("spark_switch", r#"{"model":"big/model","reason":"the long document"}"#);

/// A bot that may ask without being asked about it in the chat.
fn switching() -> AgentConfig {
    let rule = PolicyRule {
        effect: Effect::Allow,
        bot: None,
        session: None,
        tool: "spark.switch".into(),
        when: [].into(),
        why: None,
    };
    AgentConfig {
        bots: vec![bot("assistant", &["spark.switch", "spark.health", "spark.models"])],
        policy: vec![rule],
        switch_models: ["demo/echo", "big/model"].map(|id| ModelId::new(id).unwrap()).into(),
        ..config(1)
    }
}

async fn world() -> (World, Page, String) {
    let world = World::with(switching()).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    (world, page, session)
}

fn report(outcome: &str) -> Value {
    json!({
        "id": "x", "from": "demo/echo", "to": "big/model", "by": "profile personal", "outcome": outcome, "message": "it was seen",
        "way_back": "demo/echo", "began_at": 0, "ended_at": 1,
    })
}

#[tokio::test]
async fn a_switch_is_asked_for_once_waited_for_and_its_outcome_told() {
    let (world, mut page, session) = world().await;
    let mut n = 10;
    let mut confirm = async |outcome: Option<Outcome>, words: &str| {
        n += 1;
        page.send(&session, n, "Take the big model").await;
        world.model.switching.confirmation(Some(Outcome::Running));
        let body = world.model.calls(&[CALL]).await;
        assert!(body["tools"].to_string().contains("Models: demo/echo, big/model."), "{body}");
        page.tool(ToolState::Confirming).await;
        world.model.switching.confirmation(outcome);
        let result = results(&world.model.says("Well.").await).pop().unwrap();
        assert!(result.contains(words), "{result}");
        page.answer().await;
    };
    let done = |status, outcome| Some(Outcome::Done { status, body: Some(report(outcome)) });
    confirm(done(200, "done"), r#""outcome":"done""#).await;
    confirm(done(502, "failed"), "the switch is failed: it was seen; the way back is demo/echo").await;
    confirm(Some(Outcome::Denied), "a person denied it").await;
    confirm(Some(Outcome::Expired), "nobody confirmed it in time").await;
    confirm(Some(Outcome::Superseded), "another switch").await;
    confirm(Some(Outcome::Failed { message: "the host key".into() }), "nothing was done on the box: the host key")
        .await;
    confirm(Some(Outcome::Unknown), "not known").await;
    confirm(None, "not known").await;
    let asked = world.model.switching.asked();
    assert_eq!(asked.len(), 8, "each is asked once");
    assert_eq!(asked[0], json!({"model": "big/model", "reason": "the long document"}));
}

#[tokio::test]
async fn what_spark_refuses_is_told() {
    let (world, mut page, session) = world().await;
    world.model.switching.refuse(StatusCode::CONFLICT, "conflict", "the box has big/model already");
    page.send(&session, 10, "Take the big model").await;
    world.model.calls(&[CALL, ("spark_switch", r#"{"model":"big/model","host":"elsewhere"}"#)]).await;
    let results = results(&world.model.says("It is there.").await);
    assert!(results.iter().any(|result| result.contains("conflict: the box has big/model already")), "{results:?}");
    assert!(results.iter().any(|result| result.contains("do not fit spark.switch")), "{results:?}");
    assert!(world.model.switching.asked().is_empty());
}

#[tokio::test]
async fn how_the_box_is_and_what_it_has_are_told() {
    let (world, mut page, session) = world().await;
    page.send(&session, 10, "How is the box?").await;
    world.model.calls(&[("spark_health", "{}"), ("spark_models", "{}")]).await;
    let told = results(&world.model.says("Well.").await);
    let [health, models]: [Value; 2] = [0, 1].map(|n| serde_json::from_str(&told[n]).unwrap());
    assert_eq!((&health["reachable"], &health["answering"]), (&json!(true), &json!(true)));
    assert_eq!(health.get("models"), None);
    assert_eq!(models["models"][1], json!({"id": "big/model", "context_window": 8192}));
    assert_eq!(models["switch_to"], json!(["demo/echo", "big/model"]));
    page.answer().await;
}

#[tokio::test]
async fn a_profile_that_may_not_ask_has_no_such_tool() {
    let world = World::with(AgentConfig { switch_models: Vec::new(), ..switching() }).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Take the big model").await;
    let body = world.model.calls(&[CALL]).await;
    let tools = body["tools"].to_string();
    assert!(!tools.contains("spark_switch") && tools.contains("spark_health"), "{tools}");
    let results = results(&world.model.says("No.").await);
    assert!(results[0].starts_with("denied: there is no tool"), "{results:?}");
    assert!(world.model.switching.asked().is_empty());
}

#[tokio::test]
async fn without_a_rule_the_chat_is_asked_first() {
    let world = World::with(AgentConfig { policy: Vec::new(), ..switching() }).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Take the big model").await;
    world.model.calls(&[CALL]).await;
    page.tool(ToolState::Asking).await;
    assert!(world.model.switching.asked().is_empty());
}

#[tokio::test]
async fn killed_while_a_person_is_asked_it_does_not_ask_again() {
    let (mut world, mut page, session) = world().await;
    page.send(&session, 10, "Take the big model").await;
    world.model.calls(&[CALL]).await;
    page.tool(ToolState::Confirming).await;
    world.crash().await;
    let mut page = world.agent.page().await;
    let (messages, _, turn) = page.open(&session).await;
    assert_eq!((messages[1].tools[0].state, turn), (ToolState::Unknown, None));
    page.send(&session, 11, "And?").await;
    world.model.says("It may still be decided.").await;
    page.answer().await;
    assert_eq!(world.model.switching.asked().len(), 1);
}
