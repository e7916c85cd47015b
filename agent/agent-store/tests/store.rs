//! The store as the agent uses it, with faults.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use agent_core::prompt::{Prompt, Usage};
use agent_core::turn::{Answer, Record};
use agent_store::{Accepted, Begun, NewMessage, Opened, Partial, StateDir, Store, StoreError};
use platform_types::chat::{Author, Note, NoteCode, ToolCard, ToolState, TurnOutcome};
use platform_types::{BotName, Timestamp};
use tempfile::TempDir;

fn open(directory: &TempDir) -> Opened {
    Store::open(&StateDir::new(directory.path()), "test", Timestamp(1_000_000)).unwrap()
}

fn fresh() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open(&directory).store;
    store.create_session("s", &bot(), Timestamp(1)).unwrap();
    (directory, store)
}

fn bot() -> BotName {
    BotName::new("assistant").unwrap()
}

fn new(id: &str, text: &str, start: bool) -> NewMessage {
    NewMessage {
        session: "s".into(),
        id: id.into(),
        text: text.into(),
        at: Timestamp(2),
        turn: format!("turn-{id}"),
        start,
        history_bytes: 10_000,
        wrote: None,
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        outcome: TurnOutcome::Completed,
        text: text.into(),
        tools: vec![card(ToolState::Done)],
        note: Some(Note { code: NoteCode::Length, detail: Some("cut".into()) }),
        failure: None,
        shortened: true,
        exchange: vec![Prompt::Assistant { text: text.into(), calls: Vec::new() }],
        usage: Some(Usage { input_tokens: 5, output_tokens: 6 }),
        model_calls: 1,
        tool_calls: 1,
        denied_calls: 0,
        window: None,
    }
}

fn card(state: ToolState) -> ToolCard {
    let (id, name, arguments) = ("call00001".into(), "clock.now".into(), "{}".into());
    ToolCard { id, name, arguments, state, result: None, asking: None }
}

/// Stores a message; its turn, if it starts now.
fn accept(store: &mut Store, new: &NewMessage) -> Result<(Accepted, Option<Begun>), StoreError> {
    let mut begun = None;
    let accepted = store.accept(new, |starts| begun = Some(starts))?;
    Ok((accepted, begun))
}

#[test]
fn a_turn_from_message_to_answer() {
    let (directory, mut store) = fresh();
    let (accepted, begun) = accept(&mut store, &new("m1", "Hello there", true)).unwrap();
    let Accepted { message, session, known } = accepted;
    assert_eq!((message.seq, session.title.as_str(), session.messages, known), (1, "Hello there", 1, false));
    let begun = begun.unwrap();
    assert_eq!((begun.message, begun.history.len()), (Prompt::User { text: "Hello there".into() }, 0));
    let records = [(Timestamp(3), Record::Finished { outcome: TurnOutcome::Completed })];
    let finished = store.finish("turn-m1", &answer("Hi"), &records, Timestamp(4)).unwrap().unwrap();
    assert_eq!((finished.message.seq, finished.session.updated_at), (2, Timestamp(4)));
    assert_eq!(store.events("turn-m1").unwrap(), [r#"{"kind":"finished","outcome":"completed"}"#]);
    assert!(store.finish("turn-m1", &answer("again"), &[], Timestamp(5)).unwrap().is_none(), "once");

    let begun = accept(&mut store, &new("m2", "And?", true)).unwrap().1.unwrap();
    assert_eq!(
        begun.history,
        [vec![Prompt::User { text: "Hello there".into() }, Prompt::Assistant { text: "Hi".into(), calls: Vec::new() }]]
    );
    drop(store);
    let page = open(&directory).store.messages("s", None, 10).unwrap();
    assert_eq!(page.messages[1], finished.message, "the same after a restart");
    assert_eq!(page.messages[1].author, Author::Bot);
}

#[test]
fn a_known_message_is_stored_once() {
    let (_directory, mut store) = fresh();
    let (first, _) = accept(&mut store, &new("m1", "Hello", true)).unwrap();
    let other = NewMessage { turn: "other".into(), ..new("m1", "Changed", true) };
    let (again, begun) = accept(&mut store, &other).unwrap();
    assert!(again.known && begun.is_none());
    assert_eq!(again.message, first.message);
    store.create_session("t", &bot(), Timestamp(1)).unwrap();
    let elsewhere = accept(&mut store, &NewMessage { session: "t".into(), ..new("m1", "Hello", true) });
    assert!(matches!(elsewhere, Err(StoreError::Conflict(_))));
    let nowhere = accept(&mut store, &NewMessage { session: "u".into(), ..new("m2", "Hello", true) });
    assert!(matches!(nowhere, Err(StoreError::NotFound("chat"))));
    assert_eq!(store.size().unwrap().0, 1);
}

#[test]
fn what_a_crash_leaves_is_closed_or_goes_on() {
    let (directory, mut store) = fresh();
    accept(&mut store, &new("m1", "First", true)).unwrap();
    accept(&mut store, &new("m2", "Second", false)).unwrap();
    let partial = Partial {
        text: "Half".into(),
        tools: vec![card(ToolState::Done), card(ToolState::Running)],
        records: vec![(Timestamp(3), Record::ModelCalled { call: 1, messages: 1, left_out: 0 })],
    };
    store.save_partial("turn-m1", &partial, false).unwrap();
    drop(store);
    let opened = open(&directory);
    assert_eq!((opened.interrupted, opened.queued.len()), (1, 1));
    let mut store = opened.store;
    let page = store.messages("s", None, 10).unwrap();
    let closed = &page.messages[2];
    assert_eq!((closed.seq, closed.text.as_str()), (3, "Half"));
    assert_eq!(closed.note.as_ref().unwrap().code, NoteCode::Interrupted);
    assert_eq!(closed.tools.iter().map(|tool| tool.state).collect::<Vec<_>>(), [ToolState::Done, ToolState::Unknown]);
    let begun = store.begin(&opened.queued[0].turn, 10_000, Timestamp(5)).unwrap().unwrap();
    assert_eq!(
        begun.history,
        [vec![Prompt::User { text: "First".into() }, Prompt::Assistant { text: "Half".into(), calls: Vec::new() }]]
    );
    assert!(store.begin(&opened.queued[0].turn, 10_000, Timestamp(5)).unwrap().is_none(), "once");
}

#[test]
fn history_is_bounded_by_its_bytes_and_by_its_place() {
    let (_directory, mut store) = fresh();
    for n in 0..10 {
        let id = format!("m{n}");
        accept(&mut store, &new(&id, &"x".repeat(1000), true)).unwrap();
        store.finish(&format!("turn-{id}"), &answer(&"y".repeat(1000)), &[], Timestamp(3)).unwrap();
    }
    let last = NewMessage { history_bytes: 7000, ..new("last", "?", true) };
    let begun = accept(&mut store, &last).unwrap().1.unwrap();
    assert_eq!(begun.history.len(), 3);
    let page = store.messages("s", Some(5), 3).unwrap();
    assert_eq!(page.messages.iter().map(|message| message.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(page.more);
    assert!(!store.messages("s", Some(3), 10).unwrap().more);
    assert_eq!(store.messages("s", Some(u64::MAX), 100).unwrap().messages.len(), 21);
}

#[test]
fn a_deleted_session_takes_everything_with_it() {
    let (_directory, mut store) = fresh();
    accept(&mut store, &new("m1", "Hello", true)).unwrap();
    store.delete_session("s", Timestamp(4)).unwrap();
    store.delete_session("s", Timestamp(4)).unwrap();
    assert!(store.finish("turn-m1", &answer("late"), &[], Timestamp(3)).unwrap().is_none());
    assert!(store.begin("turn-m1", 10, Timestamp(5)).unwrap().is_none());
    store.save_partial("turn-m1", &Partial::default(), true).unwrap();
    assert_eq!(store.size().unwrap().0, 0);
    assert!(matches!(store.session("s"), Err(StoreError::NotFound("chat"))));
}

#[test]
fn sessions_are_bounded() {
    let (_directory, mut store) = fresh();
    for n in 1..agent_store::sessions::MAX_SESSIONS {
        store.create_session(&format!("s{n}"), &bot(), Timestamp(1)).unwrap();
    }
    let error = store.create_session("one more", &bot(), Timestamp(1)).unwrap_err();
    assert!(error.to_string().contains("delete one"), "{error}");
    store.create_session("s1", &bot(), Timestamp(1)).unwrap();
}

#[test]
fn what_was_not_synced_is_still_there_after_a_kill() {
    let (directory, mut store) = fresh();
    accept(&mut store, &new("m1", "Hello", true)).unwrap();
    store.save_partial("turn-m1", &Partial { text: "So far".into(), ..Partial::default() }, false).unwrap();
    // The files as a kill would leave them: nothing is closed, the log is not copied back.
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("current")).unwrap();
    for name in ["agent.db", "agent.db-wal"] {
        let place = std::path::Path::new("current").join(name);
        std::fs::copy(directory.path().join(&place), copy.path().join(&place)).unwrap();
    }
    let page = open(&copy).store.messages("s", None, 10).unwrap();
    assert_eq!(page.messages[1].text, "So far");
}

/// The log is longer than what was written to it, and its tail is zeros or older frames.
#[test]
fn a_log_of_full_size_is_read_up_to_its_last_commit_after_a_kill() {
    let (directory, mut store) = fresh();
    store.tidy().unwrap();
    let log = directory.path().join("current/agent.db-wal");
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 16 * 1024 * 1024);
    for n in 0..200 {
        accept(&mut store, &new(&format!("m{n}"), "hello", false)).unwrap();
        store.tidy().unwrap();
        if n % 37 == 0 {
            let killed = tempfile::tempdir().unwrap();
            std::fs::create_dir(killed.path().join("current")).unwrap();
            for file in ["agent.db", "agent.db-wal"] {
                std::fs::copy(directory.path().join("current").join(file), killed.path().join("current").join(file))
                    .unwrap();
            }
            let copy = open(&killed);
            assert_eq!(copy.store.transcript("s", 1000).unwrap().messages.len(), n + 1);
        }
    }
}

#[test]
fn two_agents_on_one_volume_find_out() {
    let (directory, _store) = fresh();
    let second = Store::open(&StateDir::new(directory.path()), "second", Timestamp(1));
    assert!(matches!(second, Err(StoreError::Locked { holder }) if holder == "test"));
}

#[test]
fn a_workspace_that_is_too_deep_leaves_no_copy_behind() {
    let (directory, _store) = fresh();
    let state = StateDir::new(directory.path());
    let deep: std::path::PathBuf = std::iter::repeat_n("d", 40).collect();
    std::fs::create_dir_all(state.workspace().join(deep)).unwrap();
    let error = agent_store::checkpoint::make(&state, "copy", Timestamp(1)).unwrap_err();
    assert!(matches!(error, StoreError::TooLarge(_)), "{error}");
    assert!(!state.staging().join("copy").exists());
}
