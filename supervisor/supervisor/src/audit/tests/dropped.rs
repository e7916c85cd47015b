//! Chains without their oldest entries, and chains that take their time.

use platform_types::audit::{AGENT_BLOCK, AGENT_KEEPS, GATE_KEEPS};

use super::*;
use crate::audit::anchors::Rounds;

/// Where a chain ends that has dropped one block.
const LONG: u64 = AGENT_BLOCK + AGENT_KEEPS;

/// A chain that says that it has dropped its first block, and whose entries are all its own invention.
fn invented() -> Vec<Entry> {
    let before = Anchor { n: AGENT_BLOCK - 1, hash: "f".repeat(64) };
    let mut entries = vec![chain::next(&before, NOW, "tool.done", "bot assistant", json!({}))];
    grow(&mut entries, AGENT_KEEPS, "invented");
    entries
}

fn heads(world: &World) -> Vec<u64> {
    world.shared.store.anchors(&ops(), Chain::Agent).unwrap().iter().map(|kept| kept.head.n).collect()
}

#[tokio::test]
async fn a_past_that_was_seen_is_not_dropped_by_a_beginning_that_was_not() {
    let world = world();
    world.agent_says(|entries| grow(entries, 100, "x"));
    look(&world.shared, &ops(), Chain::Agent).await.unwrap();
    world.agent_says(|entries| *entries = invented());
    let Look::Broken(why) = look(&world.shared, &ops(), Chain::Agent).await.unwrap() else { panic!("believed") };
    assert!(why.contains("entries 101 to 5000 were dropped before anybody saw them"), "{why}");
    assert_eq!(heads(&world), [100]);
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(false));
    assert_eq!(problem(&trail, Chain::Agent), why);
    // Said by the gate, whom the agent tells what it likes, it is no better.
    let head = chain::head(world.agent.lock().unwrap().0.last().unwrap());
    world.gate.lock().unwrap().1.push(KeptAnchor { chain: Chain::Agent, profile: None, at: NOW, head });
    assert_eq!(problem(&world.verify().await, Chain::Agent), why);
    // An event, once. A supervisor that was away for so long says the same of an honest agent: it cannot tell.
    let mut rounds = Rounds::default();
    for _ in 0..2 {
        rounds.next(&world.shared, Duration::from_mins(1)).await;
    }
    let events = world.shared.store.events_after(0, 100).unwrap();
    let told: Vec<_> = events.iter().map(|record| &record.event).filter(|event| event.kind == "audit_broken").collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].message.contains(&why), "{}", told[0].message);
}

#[tokio::test]
async fn an_agent_drops_what_was_seen_and_a_chain_may_be_long_when_it_is_first_seen() {
    let world = world();
    world.agent_says(|entries| grow(entries, LONG - 1000, "x"));
    look(&world.shared, &ops(), Chain::Agent).await.unwrap();
    world.agent_says(|entries| {
        grow(entries, 1000, "x");
        entries.drain(..usize::try_from(AGENT_BLOCK).unwrap() - 1);
    });
    assert!(matches!(look(&world.shared, &ops(), Chain::Agent).await.unwrap(), Look::Kept(_)));
    assert_eq!(heads(&world), [LONG - 1000, LONG]);
    let trail = world.verify().await;
    assert_eq!(trail.verified, Some(true), "{trail:?}");

    let new = super::world();
    new.agent_says(|entries| entries.clone_from(&world.agent.lock().unwrap().0));
    assert!(matches!(look(&new.shared, &ops(), Chain::Agent).await.unwrap(), Look::Kept(_)));
    assert_eq!((heads(&new), new.verify().await.verified), (vec![LONG], Some(true)));
}

#[test]
fn a_chain_begins_late_only_where_it_is_long_enough_to_have_dropped_something() {
    let verdict = |chain: Chain, dropped: u64, count: u64| {
        let mut entries = Vec::new();
        grow(&mut entries, dropped + count, "x");
        let rest = entries.split_off(usize::try_from(dropped).unwrap());
        let anchors = [rest.last().unwrap(), &rest[0]].map(|entry| KeptAnchor {
            chain,
            profile: None,
            at: NOW,
            head: chain::head(entry),
        });
        let mut check = crate::audit::verify::Check::new(chain, entries.last().map(chain::head), &anchors, None);
        assert!(rest.iter().all(|entry| check.push(entry)));
        check.finish().broken.map(|broken| broken.to_string())
    };
    for chain in [Chain::Agent, Chain::Gate, Chain::Supervisor] {
        assert_eq!(verdict(chain, 0, 30), None);
        for dropped in [1, 7, 29] {
            let found = verdict(chain, dropped, 30).unwrap_or_default();
            assert!(found.contains(&format!("its first {dropped} entries are missing")), "{chain:?}: {found:?}");
        }
    }
    assert_eq!(verdict(Chain::Agent, AGENT_BLOCK, AGENT_KEEPS), None);
    assert!(verdict(Chain::Agent, AGENT_BLOCK + 1, AGENT_KEEPS).is_some(), "an agent drops whole blocks");
    assert_eq!(verdict(Chain::Gate, 100, GATE_KEEPS), None);
    assert!(verdict(Chain::Supervisor, 1, AGENT_KEEPS).is_some(), "the ledger drops nothing");
}

/// One true entry a page, for ever.
async fn trickle(
    State(last): State<Arc<Mutex<Anchor>>>,
    Query(query): Query<std::collections::BTreeMap<String, u64>>,
) -> Json<Page> {
    let mut last = last.lock().unwrap();
    if query["after"] == 0 {
        *last = chain::genesis();
    }
    let entry = chain::next(&last, NOW, "tool.done", "bot assistant", json!({}));
    *last = chain::head(&entry);
    let head = Some(Anchor { n: u64::from(u32::MAX), hash: "f".repeat(64) });
    Json(Page { entries: vec![entry], more: true, head, base: None, anchors: Vec::new() })
}

#[tokio::test]
async fn an_agent_that_takes_its_time_holds_nobody_else_up() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = example::daemon(directory.path());
    let shared = &daemon.shared;
    let slow = shared.roots.agent_admin(&ops(), Generation(2));
    std::fs::create_dir_all(slow.parent().unwrap()).unwrap();
    let router = Router::new().route("/audit", get(trickle)).with_state(Arc::new(Mutex::new(chain::genesis())));
    let served =
        platform_kit::serve::unix(bind(&slow, 0o600).unwrap(), router, CancellationToken::new(), Duration::ZERO);
    platform_kit::task::spawn("test trickle", served);
    let personal = profile("personal");
    let other = serve(&shared.roots.agent_admin(&personal, Generation(4)));
    grow(&mut other.lock().unwrap().0, 3, "x");
    Rounds::default().next(shared, Duration::from_secs(2)).await;
    assert_eq!(shared.store.anchors(&ops(), Chain::Agent).unwrap(), []);
    let kept = shared.store.anchors(&personal, Chain::Agent).unwrap();
    assert_eq!(kept.iter().map(|kept| kept.head.n).collect::<Vec<_>>(), [3]);
}
