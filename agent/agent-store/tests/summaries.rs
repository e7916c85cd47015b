//! Summaries: they stand for whole exchanges, go forward only, and leave with their session.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use agent_core::prompt::Prompt;
use agent_core::turn::Answer;
use agent_store::{NewMessage, StateDir, Store, StoredSummary};
use platform_types::chat::TurnOutcome;
use platform_types::{BotName, Timestamp};
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    store.create_session("s", &BotName::new("assistant").unwrap(), Timestamp(1)).unwrap();
    (directory, store)
}

fn ask(store: &mut Store, n: u64, start: bool) -> Vec<String> {
    let mut seen = Vec::new();
    let new = NewMessage {
        session: "s".into(),
        id: format!("m{n}"),
        text: format!("question {n}"),
        at: Timestamp(2),
        turn: format!("t{n}"),
        start,
        history_bytes: 100_000,
        wrote: None,
    };
    store
        .accept(&new, |begun| {
            seen.extend(begun.summary);
            seen.extend(begun.history.iter().map(|group| match &group[0] {
                Prompt::User { text } => text.clone(),
                other => panic!("{other:?}"),
            }));
        })
        .unwrap();
    seen
}

fn answer(store: &mut Store, n: u64) {
    let exchange = vec![Prompt::Assistant { text: format!("answer {n}"), calls: Vec::new() }];
    let failure = agent_core::turn::ModelFailure { code: String::new(), message: String::new(), overflow: None };
    let answer = Answer { outcome: TurnOutcome::Completed, note: None, exchange, ..Answer::failed(failure) };
    store.finish(&format!("t{n}"), &answer, &[], Timestamp(3)).unwrap().unwrap();
}

fn summary(through: u64, text: &str) -> StoredSummary {
    StoredSummary { through, below: through + 1, at: Timestamp(4), text: text.into() }
}

#[test]
fn a_summary_stands_for_the_older_part_and_the_messages_stay() {
    let (_directory, mut store) = store();
    for n in 1..=4 {
        ask(&mut store, n, true);
        answer(&mut store, n);
    }
    let found = store.unsummarised("s", 100_000).unwrap();
    let places: Vec<(u64, u64)> = found.exchanges.iter().map(|(through, below, _)| (*through, *below)).collect();
    assert_eq!((found.so_far, places), (None, vec![(1, 2), (3, 4), (5, 6), (7, 8)]));
    let shown = store.summarise("s", &summary(3, "what was decided")).unwrap().unwrap();
    assert_eq!(shown.seq, 4);
    assert_eq!(ask(&mut store, 5, true), ["what was decided", "question 3", "question 4"]);
    let found = store.unsummarised("s", 100_000).unwrap();
    assert_eq!((found.so_far.unwrap().through, found.exchanges.len()), (3, 2), "the last has no answer yet");
    let page = store.messages("s", None, 50).unwrap();
    assert_eq!((page.messages.len(), page.summaries.len()), (9, 1));
}

#[test]
fn summaries_go_forward_only_are_bounded_and_leave_with_their_session() {
    let (_directory, mut store) = store();
    for n in 1..=30 {
        ask(&mut store, n, true);
        answer(&mut store, n);
    }
    assert!(store.summarise("s", &summary(9, "first")).unwrap().is_some());
    for late in [9, 7] {
        assert!(store.summarise("s", &summary(late, "late")).unwrap().is_none());
    }
    assert!(store.summarise("s", &summary(99, "of nothing")).unwrap().is_none());
    for through in (11..=59).step_by(2) {
        assert!(store.summarise("s", &summary(through, "more")).unwrap().is_some());
    }
    let kept = store.summaries("s").unwrap();
    assert_eq!((kept.len(), kept[19].through), (20, 59));
    store.delete_session("s", Timestamp(5)).unwrap();
    assert!(store.summaries("s").unwrap().is_empty());
    assert!(store.summarise("s", &summary(61, "late")).unwrap().is_none());
}
