//! Questions and answers, and the chain that keeps them.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use agent_store::{Answered, Asked, Deed, NewMessage, StateDir, Store, StoreError};
use platform_kit::chain;
use platform_types::agent::ApprovalState;
use platform_types::audit::{GENESIS, MAX_PAGE};
use platform_types::{BotName, Timestamp};
use serde_json::json;
use tempfile::TempDir;

fn bot() -> BotName {
    BotName::new("home").unwrap()
}

/// A store with one running turn.
fn running() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    store.create_session("s", &bot(), Timestamp(1)).unwrap();
    let (session, turn) = ("s".into(), "t".into());
    let new = NewMessage {
        session,
        id: "m".into(),
        text: "x".into(),
        at: Timestamp(2),
        turn,
        start: true,
        history_bytes: 0,
        wrote: None,
    };
    store.accept(&new, drop).unwrap();
    (directory, store)
}

fn asked(id: &str, expires_at: i64) -> Asked {
    Asked {
        id: id.into(),
        turn: "t".into(),
        session: "s".into(),
        bot: bot(),
        call: format!("call-{id}"),
        tool: "door.open".into(),
        arguments: "{}".into(),
        why: "a rule".into(),
        digest: format!("digest-{id}"),
        created_at: Timestamp(10),
        expires_at: Timestamp(expires_at),
    }
}

fn answer(id: &str, allow: bool, at: i64) -> Answered {
    Answered { id: id.into(), digest: format!("digest-{id}"), allow, by: "operator anna".into(), at: Timestamp(at) }
}

fn kinds(store: &Store) -> Vec<String> {
    store.audit_page(0).unwrap().entries.into_iter().map(|entry| entry.kind).collect()
}

#[test]
fn an_answer_counts_once_in_time_and_about_what_was_asked() {
    let (_directory, mut store) = running();
    store.ask(&asked("a", 100)).unwrap();
    assert!(store.ask(&asked("a", 100)).is_err(), "one call, one question");
    let wrong = Answered { digest: "digest-b".into(), ..answer("a", true, 20) };
    assert!(matches!(store.answer(&wrong), Err(StoreError::Conflict(_))));
    assert!(matches!(store.answer(&answer("b", true, 20)), Err(StoreError::NotFound(_))));
    assert!(matches!(store.answer(&answer("a", true, 100)), Err(StoreError::Conflict(_))), "at its end it is over");
    let (approval, place) = store.answer(&answer("a", true, 99)).unwrap();
    assert_eq!((approval.state, place.call.as_str()), (ApprovalState::Allowed, "call-a"));
    assert_eq!(store.approvals().unwrap(), [approval]);
    assert!(matches!(store.answer(&answer("a", false, 99)), Err(StoreError::Conflict(_))));
    assert_eq!(
        kinds(&store),
        ["turn.started", "approval.asked", "approval.decided"],
        "what did not count left no line"
    );
}

#[test]
fn time_and_restarts_end_what_nobody_answered() {
    let (directory, mut store) = running();
    for (id, expires_at) in [("a", 50), ("b", 60), ("c", 100)] {
        store.ask(&asked(id, expires_at)).unwrap();
    }
    store.answer(&answer("a", false, 20)).unwrap();
    let lapsed: Vec<String> = store.expire(Timestamp(60)).unwrap().into_iter().map(|place| place.call).collect();
    assert_eq!(lapsed, ["call-b"]);
    assert!(store.expire(Timestamp(60)).unwrap().is_empty());
    let before = store.audit_page(0).unwrap().entries;
    drop(store);

    let store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(70)).unwrap().store;
    let states: Vec<(String, ApprovalState)> =
        store.approvals().unwrap().into_iter().map(|a| (a.id, a.state)).collect();
    let expect = [("a", ApprovalState::Denied), ("b", ApprovalState::Expired), ("c", ApprovalState::Cancelled)];
    assert_eq!(states, expect.map(|(id, state)| (id.to_owned(), state)));
    let after = store.audit_page(0).unwrap().entries;
    assert_eq!(after[..before.len()], before);
    assert_eq!(kinds(&store)[before.len()..], ["approval.cancelled", "turn.ended"]);
}

#[test]
fn the_chain_is_read_in_pages_and_holds() {
    let (_directory, mut store) = running();
    assert_eq!(store.audit_page(0).unwrap().head.unwrap().n, 1, "the turn's start");
    let total = MAX_PAGE as u64 + 7;
    for n in 2..=total {
        let data = json!({"n": n, "b": "ü"});
        store.append_audit(&Deed { at: Timestamp(5), kind: "tool.ran", actor: "bot home".into(), data }).unwrap();
    }
    let first = store.audit_page(0).unwrap();
    assert_eq!((first.entries.len(), first.more), (MAX_PAGE, true));
    let rest = store.audit_page(MAX_PAGE as u64).unwrap();
    assert_eq!((rest.entries.len(), rest.more), (7, false));
    assert!(store.audit_page(u64::MAX).unwrap().entries.is_empty());
    let mut before = GENESIS.to_owned();
    for entry in first.entries.iter().chain(&rest.entries) {
        assert_eq!(chain::hash(&before, entry), entry.hash);
        before.clone_from(&entry.hash);
    }
    assert_eq!(first.head.unwrap(), chain::head(rest.entries.last().unwrap()));
}

#[test]
fn a_deleted_chat_leaves_a_closing_line_for_its_open_question() {
    let (_directory, mut store) = running();
    store.ask(&asked("a", 100)).unwrap();
    store.delete_session("s", Timestamp(20)).unwrap();
    let entries = store.audit_page(0).unwrap().entries;
    let last = entries.last().unwrap();
    assert_eq!(
        (last.kind.as_str(), last.actor.as_str(), last.at),
        ("approval.cancelled", "the chat was deleted", Timestamp(20))
    );
    assert_eq!(last.data["approval"], "a");
    assert!(store.approvals().unwrap().is_empty());
    let count = entries.len();
    store.delete_session("s", Timestamp(21)).unwrap();
    assert_eq!(store.audit_page(0).unwrap().entries.len(), count);
}
