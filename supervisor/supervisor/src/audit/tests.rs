//! Three chains over real sockets, honest and not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::chain;
use platform_kit::socket::bind;
use platform_types::audit::{Anchor, Chain, Entry, KeptAnchor, MAX_PAGE, Page};
use platform_types::{Generation, ProfileName, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::anchors::{Look, give, look};
use super::own::{self, Deed, SUPERVISOR};
use super::timeline::{Question, merged, read};
use crate::api::wire::audit::Trail;
use crate::example::{self, Daemon, NOW, profile};
use crate::state::Shared;

mod dropped;

/// What an agent or a gate says its chain is.
type Said = Arc<Mutex<(Vec<Entry>, Vec<KeptAnchor>)>>;

fn grow(entries: &mut Vec<Entry>, count: u64, word: &str) {
    for _ in 0..count {
        let head = entries.last().map_or_else(chain::genesis, chain::head);
        let at = Timestamp(NOW.as_millis() + i64::try_from(head.n).unwrap());
        entries.push(chain::next(&head, at, "tool.done", "bot assistant", json!({ "word": word })));
    }
}

async fn page(State(said): State<Said>, Query(query): Query<std::collections::BTreeMap<String, u64>>) -> Json<Page> {
    let said = said.lock().unwrap();
    let (entries, anchors) = (&said.0, said.1.clone());
    let head = entries.last().map(chain::head);
    // What a chain begins with, when it is not the first entry ever, is the last one that was dropped.
    let base = entries.first().filter(|first| first.n > 1).map(chain::head);
    let after = query["after"].max(base.as_ref().map_or(0, |base| base.n));
    let mut rest: Vec<Entry> = entries.iter().filter(|entry| entry.n > after).take(MAX_PAGE + 1).cloned().collect();
    let more = rest.len() > MAX_PAGE;
    rest.truncate(MAX_PAGE);
    let (base, anchors) = if query["after"] == 0 { (base, anchors) } else { (None, Vec::new()) };
    Json(Page { entries: rest, more, head, base, anchors })
}

/// Keeps the head of the supervisor's chain, as a gate does.
async fn anchor(State(said): State<Said>, Json(head): Json<Anchor>) -> Json<serde_json::Value> {
    let kept = KeptAnchor { chain: Chain::Supervisor, profile: Some(ops()), at: NOW, head };
    said.lock().unwrap().1.push(kept);
    Json(json!({}))
}

fn serve(path: &std::path::Path) -> Said {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let said = Said::default();
    let router = Router::new().route("/audit", get(page)).route("/anchor", post(anchor)).with_state(said.clone());
    let listener = bind(path, 0o600).unwrap();
    let stop = CancellationToken::new();
    platform_kit::task::spawn("test chain", platform_kit::serve::unix(listener, router, stop, Duration::ZERO));
    said
}

struct World {
    shared: Shared,
    agent: Said,
    gate: Said,
    _daemon: Daemon,
    _directory: tempfile::TempDir,
}

fn ops() -> ProfileName {
    profile("ops")
}

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let daemon = example::daemon(directory.path());
    let shared = daemon.shared.clone();
    let agent = serve(&shared.roots.agent_admin(&ops(), Generation(2)));
    let gate = serve(&shared.roots.gate_admin(&ops()));
    World { shared, agent, gate, _daemon: daemon, _directory: directory }
}

impl World {
    async fn verify(&self) -> Trail {
        read(&self.shared, &ops(), Question { limit: 10, verify: true }).await.unwrap()
    }

    fn agent_says(&self, work: impl FnOnce(&mut Vec<Entry>)) {
        work(&mut self.agent.lock().unwrap().0);
    }

    fn did(&self, kind: &'static str, at: Timestamp) {
        let deed = Deed { kind, by: SUPERVISOR.to_owned(), profile: Some(ops()), words: "done".to_owned() };
        own::append(&self.shared.store, at, &deed).unwrap();
    }
}

fn problem(trail: &Trail, chain: Chain) -> String {
    let state = trail.chains.iter().find(|state| state.chain == chain).unwrap();
    state.problem.clone().unwrap_or_default()
}

#[tokio::test]
async fn heads_are_kept_as_they_grow_and_prove_what_is_before_them() {
    let world = world();
    assert_eq!(look(&world.shared, &ops(), Chain::Agent).await.unwrap(), Look::Same);
    world.agent_says(|entries| grow(entries, 1200, "x"));
    let Look::Kept(head) = look(&world.shared, &ops(), Chain::Agent).await.unwrap() else { panic!("not kept") };
    assert_eq!(head.n, 1200);
    assert_eq!(look(&world.shared, &ops(), Chain::Agent).await.unwrap(), Look::Same);
    world.agent_says(|entries| grow(entries, 5, "x"));
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(true));
    let agent = trail.chains.iter().find(|state| state.chain == Chain::Agent).unwrap();
    assert_eq!((agent.anchored, agent.unproven), (Some(1200), Some(5)));
    assert_eq!(trail.lines.len(), 10);
    assert_eq!(trail.lines.last().unwrap().n, 1205);
    assert_eq!(trail.lines.last().unwrap().words, "word x");
}

#[tokio::test]
async fn what_an_agent_takes_back_is_found() {
    let world = world();
    world.agent_says(|entries| grow(entries, 20, "x"));
    look(&world.shared, &ops(), Chain::Agent).await.unwrap();
    let honest = world.agent.lock().unwrap().0.clone();
    let lie = |work: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = honest.clone();
        work(&mut entries);
        world.agent.lock().unwrap().0 = entries;
    };
    let check = async |expect: &str| {
        let trail = world.verify().await;
        assert_eq!(trail.verified, Some(false), "{expect}");
        let found = problem(&trail, Chain::Agent);
        assert!(found.contains(expect), "{found:?} does not say {expect:?}");
    };
    lie(&|entries| entries[6].data = json!({ "word": "y" }));
    check("entry 7 was changed").await;
    lie(&|entries| drop(entries.remove(3)));
    check("entry 4 is missing").await;
    lie(&|entries| entries.swap(3, 4));
    check("entry 4 is missing").await;
    lie(&|entries| entries.truncate(15));
    check("it was cut").await;
    lie(&|entries| entries.clear());
    check("it was cut").await;
    // Written anew from the middle, and longer than before: consistent in itself.
    lie(&|entries| {
        entries.truncate(9);
        grow(entries, 40, "y");
    });
    check("entry 20 is not the one that was anchored").await;
    let Look::Broken(why) = look(&world.shared, &ops(), Chain::Agent).await.unwrap() else { panic!("not noticed") };
    assert!(why.contains("21"), "{why}");
    assert_eq!(world.shared.store.anchors(&ops(), Chain::Agent).unwrap().len(), 1, "no head of a lie is kept");
}

#[tokio::test]
async fn the_gate_keeps_heads_of_the_agent_too() {
    let world = world();
    world.agent_says(|entries| grow(entries, 8, "x"));
    let head = chain::head(&world.agent.lock().unwrap().0[7]);
    let kept = KeptAnchor { chain: Chain::Agent, profile: None, at: NOW, head };
    world.gate.lock().unwrap().1.push(kept);
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(true), "{trail:?}");
    world.agent_says(|entries| entries.truncate(5));
    assert!(problem(&world.verify().await, Chain::Agent).contains("it was cut"));
}

#[tokio::test]
async fn a_restore_takes_an_agents_chain_back_and_that_is_no_lie() {
    let world = world();
    world.agent_says(|entries| grow(entries, 20, "x"));
    look(&world.shared, &ops(), Chain::Agent).await.unwrap();
    let head = chain::head(&world.agent.lock().unwrap().0[19]);
    world.gate.lock().unwrap().1.push(KeptAnchor { chain: Chain::Agent, profile: None, at: NOW, head });
    world.agent_says(|entries| {
        entries.truncate(12);
        grow(entries, 2, "after");
    });
    assert_eq!(world.verify().await.verified, Some(false));
    world.did(own::RESTORED, NOW);
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(true), "{trail:?}");
    let agent = trail.chains.iter().find(|state| state.chain == Chain::Agent).unwrap();
    assert_eq!((agent.anchored, agent.unproven), (Some(0), Some(14)));
}

#[tokio::test]
async fn a_chain_that_cannot_be_read_is_not_verified_and_the_others_are_shown() {
    let world = world();
    world.did("config.applied", NOW);
    std::fs::remove_file(world.shared.roots.gate_admin(&ops())).unwrap();
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(false));
    assert!(problem(&trail, Chain::Gate).contains("cannot be read"));
    assert_eq!((problem(&trail, Chain::Agent), problem(&trail, Chain::Supervisor)), (String::new(), String::new()));
    assert_eq!(trail.lines.len(), 1);
    let quick = read(&world.shared, &profile("personal"), Question { limit: 10, verify: false }).await.unwrap();
    assert_eq!((quick.verified, quick.lines.len()), (None, 0), "another profile's entries are not shown");
}

#[tokio::test]
async fn an_edit_in_the_ledger_is_found() {
    let world = world();
    for kind in ["config.applied", "device.paired", "device.revoked"] {
        world.did(kind, NOW);
    }
    assert_eq!(problem(&world.verify().await, Chain::Supervisor), "");
    let entries = world.shared.store.audit_after(0, 10).unwrap();
    let mut edited = entries.clone();
    edited[1].actor = "operator eve".to_owned();
    let verdict = |entries: &[Entry]| {
        let mut check = super::verify::Check::new(Chain::Supervisor, None, &[], None);
        assert!(entries.iter().filter(|entry| check.push(entry)).count() > 0);
        check.finish()
    };
    assert_eq!(verdict(&entries).broken, None);
    assert!(verdict(&edited).broken.unwrap().to_string().contains("entry 2"));
}

#[tokio::test]
async fn the_gates_keep_the_supervisors_head_and_a_cut_ledger_is_found() {
    let world = world();
    let mut given = std::collections::BTreeMap::new();
    give(&world.shared, &ops(), &mut given).await;
    assert!(world.gate.lock().unwrap().1.is_empty(), "there is nothing to keep");
    for kind in ["config.applied", "secret.set"] {
        world.did(kind, NOW);
    }
    for _ in 0..2 {
        give(&world.shared, &ops(), &mut given).await;
    }
    assert_eq!(world.gate.lock().unwrap().1.len(), 1, "the same head is given once");
    world.did("snapshot.taken", NOW);
    let trail = world.verify().await;
    let supervisor = trail.chains.iter().find(|state| state.chain == Chain::Supervisor).unwrap();
    assert_eq!((trail.verified, supervisor.anchored, supervisor.unproven), (Some(true), Some(2), Some(1)), "{trail:?}");

    // A ledger that ends before what the gate keeps, and one that was written anew.
    let honest = world.gate.lock().unwrap().1.clone();
    let keep = |n: u64| {
        let head = Anchor { n, hash: "b".repeat(64) };
        let mut kept = honest.clone();
        kept.push(KeptAnchor { chain: Chain::Supervisor, profile: Some(ops()), at: NOW, head });
        world.gate.lock().unwrap().1 = kept;
    };
    keep(9);
    assert!(problem(&world.verify().await, Chain::Supervisor).contains("it was cut"));
    keep(2);
    assert!(problem(&world.verify().await, Chain::Supervisor).contains("not the one that was anchored"));
    keep(9);
    world.did(own::RECOVERED, NOW);
    assert_eq!(problem(&world.verify().await, Chain::Supervisor), "", "the recovery is on record itself");
}

#[test]
fn lines_are_in_the_order_of_time_and_each_chain_in_its_own() {
    let entry = |n: u64, at: i64| {
        chain::next(&Anchor { n: n - 1, hash: String::new() }, Timestamp(at), "a.b", "x\u{1b}[2J", json!({}))
    };
    let lines = merged(
        vec![
            (Chain::Supervisor, vec![entry(1, 10), entry(2, 5), entry(3, 30)]),
            (Chain::Gate, vec![entry(1, 7), entry(2, 20)]),
        ],
        4,
    );
    let order: Vec<(Chain, u64)> = lines.iter().map(|line| (line.chain, line.n)).collect();
    assert_eq!(order, [(Chain::Supervisor, 1), (Chain::Supervisor, 2), (Chain::Gate, 2), (Chain::Supervisor, 3)]);
    assert!(!lines[0].actor.contains('\u{1b}'));
}
