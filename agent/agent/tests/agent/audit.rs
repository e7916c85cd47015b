//! What was done is on record, in a chain whose head the gate keeps.

use platform_kit::chain;
use platform_types::audit::{Entry, GENESIS, Page};

use crate::approvals::outward;
use crate::support::agent::World;
use crate::support::gate::Gate;

async fn entries(world: &World) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.n);
        let page: Page = world.agent.admin.get(&format!("/audit?after={after}")).await.unwrap();
        all.extend(page.entries);
        if !page.more {
            return all;
        }
    }
}

/// The chain holds from its first entry.
fn verify(entries: &[Entry]) {
    let mut before = GENESIS.to_owned();
    for (n, entry) in (1_u64..).zip(entries) {
        assert_eq!((entry.n, &entry.hash), (n, &chain::hash(&before, entry)), "{entry:?}");
        before.clone_from(&entry.hash);
    }
}

#[tokio::test]
async fn a_turn_with_tools_is_on_record_without_its_words() {
    let mut world = World::with(outward()).await;
    let gate = Gate::start(world.directory.path());
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "a secret wish").await;
    let request = r#"{"upstream":"jobs","path":"/private/7","method":"POST","reason":"a private reason"}"#;
    world.model.calls(&[("clock_now", "{}"), ("no_such", "{}"), ("http_request", request)]).await;
    let (_, asking) = page.asked().await;
    page.decide(&asking, true).await;
    world.model.says("a secret answer").await;
    page.answer().await;
    page.ended().await;

    let all = entries(&world).await;
    verify(&all);
    let kinds: Vec<&str> = all.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("turn.started", "turn.ended"), "{kinds:?}");
    for (kind, count) in [("tool.decided", 3), ("tool.ran", 2), ("approval.asked", 1), ("approval.decided", 1)] {
        assert_eq!(kinds.iter().filter(|known| **known == kind).count(), count, "{kind} in {kinds:?}");
    }
    let text = serde_json::to_string(&all).unwrap();
    for word in ["secret", "private"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    let decided = all.iter().find(|entry| entry.kind == "approval.decided").unwrap();
    assert!(decided.actor.starts_with("device "), "{decided:?}");
    let head = gate.anchor(all.len() as u64).await;
    assert_eq!(head, chain::head(all.last().unwrap()));

    world.restart().await;
    assert_eq!(entries(&world).await, all, "nothing is rewritten");
}

#[tokio::test]
async fn a_gate_that_does_not_answer_holds_nobody_up_and_gets_the_head_on_drain() {
    let mut world = World::with(outward()).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Hi").await;
    world.model.says("Hello").await;
    page.answer().await;
    page.ended().await;
    let all = entries(&world).await;
    let gate = Gate::start(world.directory.path());
    world.agent.terminate();
    assert!(world.agent.ended().await.success());
    assert_eq!(gate.anchor(all.len() as u64).await, chain::head(all.last().unwrap()));
}

#[tokio::test]
async fn what_a_crash_cut_off_is_on_record() {
    let mut world = World::with(outward()).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Hi").await;
    let _waiting = world.model.next().await;
    world.crash().await;
    let all = entries(&world).await;
    verify(&all);
    let last = all.last().unwrap();
    assert_eq!((last.kind.as_str(), last.data["outcome"].as_str()), ("turn.ended", Some("interrupted")));
}
