//! Jobs by the clock in the store: what is kept is bounded, and says whose turn is whose.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use agent_core::turn::Answer;
use agent_store::cron::runs::MESSAGES_KEPT;
use agent_store::cron::{AttemptOver, Fired, NewRun};
use agent_store::{JobKey, NewMessage, Origin, StateDir, Store, StoreError};
use platform_types::chat::TurnOutcome;
use platform_types::cron::{Cause, Delivery, Outcome, RUNS_KEPT};
use platform_types::{BotName, JobName, Timestamp};
use tempfile::TempDir;

fn key() -> JobKey {
    JobKey { bot: BotName::new("learning").unwrap(), job: JobName::new("recap").unwrap() }
}

fn open() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    store.keep_jobs(&[(key(), "0 20 * * * UTC".to_owned())], Timestamp(0)).unwrap();
    (directory, store)
}

fn new(n: i64) -> NewRun {
    NewRun {
        id: format!("run-{n}"),
        message: format!("message-{n}"),
        session: format!("session-{n}"),
        due: Timestamp(n),
        ticks: 1,
        cause: Cause::Schedule,
        by: None,
        seen: Timestamp(n),
    }
}

fn answer() -> Answer {
    Answer {
        outcome: TurnOutcome::Completed,
        text: "Done.".to_owned(),
        tools: Vec::new(),
        note: None,
        failure: None,
        shortened: false,
        exchange: Vec::new(),
        usage: None,
        model_calls: 1,
        tool_calls: 0,
        denied_calls: 0,
        window: None,
    }
}

/// One whole run, as the agent carries it out.
fn run(store: &mut Store, n: i64) -> String {
    let Fired::In(session) = store.fire(&key(), &new(n), Timestamp(n)).unwrap() else { panic!("there is room") };
    let message = NewMessage {
        session: session.id.clone(),
        id: format!("message-{n}"),
        text: "Write.".to_owned(),
        at: Timestamp(n),
        turn: format!("turn-{n}"),
        start: true,
        history_bytes: 100_000,
        wrote: None,
    };
    let mut begun = None;
    store.accept(&message, |starts| begun = Some(starts)).unwrap();
    let begun = begun.unwrap();
    assert_eq!((begun.origin, begun.history.len()), (Origin::Job(key().job), 0));
    assert_eq!(store.attempt(&message.id).unwrap(), (true, None));
    store.finish(&message.turn, &answer(), &[], Timestamp(n)).unwrap();
    let (is_there, over) = store.attempt(&message.id).unwrap();
    let over = over.unwrap();
    assert_eq!((is_there, over.outcome), (true, Outcome::Completed));
    assert!(store.close_run((&key(), &format!("run-{n}")), &over, None, Timestamp(n)).unwrap().is_none());
    session.id
}

#[test]
fn what_is_kept_of_a_job_is_bounded() {
    let (_directory, mut store) = open();
    let mut session = String::new();
    for n in 1..=150 {
        session = run(&mut store, n);
    }
    assert_eq!(session, "session-1", "all of them in one session");
    let runs = store.runs(&key()).unwrap();
    assert_eq!((runs.len(), runs[0].id.as_str()), (RUNS_KEPT, "run-150"));
    assert!(runs.iter().all(|run| run.delivery == Some(Delivery::Delivered)));
    let kept = store.transcript(&session, usize::MAX).unwrap().messages;
    assert!((kept.len() as u64) <= MESSAGES_KEPT + 2, "{}", kept.len());
    assert_eq!(kept.last().unwrap().seq, 300, "their numbers go on");
    assert_eq!(store.size().unwrap().0, kept.len() as u64);
}

#[test]
fn a_restart_finds_what_was_open_and_another_timetable_begins_anew() {
    let (directory, mut store) = open();
    store.fire(&key(), &new(5), Timestamp(5)).unwrap();
    store.pause_job(&key(), true, "operator anna", Timestamp(6)).unwrap();
    drop(store);
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(7)).unwrap().store;
    let kept = store.keep_jobs(&[(key(), "0 20 * * * UTC".to_owned())], Timestamp(7)).unwrap().remove(0);
    assert_eq!((kept.seen, kept.session.as_deref()), (Timestamp(5), Some("session-5")));
    assert_eq!(kept.open.map(|open| (open.id, open.attempts)), Some(("run-5".to_owned(), 1)));
    assert_eq!(kept.paused.map(|paused| (paused.at, paused.by)), Some((Timestamp(6), "operator anna".to_owned())));
    let anew = store.keep_jobs(&[(key(), "0 21 * * * UTC".to_owned())], Timestamp(8)).unwrap().remove(0);
    assert_eq!(anew.seen, Timestamp(8));
    assert!(anew.open.is_some(), "what runs goes on");
    assert!(store.keep_jobs(&[], Timestamp(9)).unwrap().is_empty());
    let forgotten = store.fire(&key(), &new(9), Timestamp(9));
    assert!(matches!(forgotten, Err(StoreError::NotFound("job"))), "{forgotten:?}");
}

#[test]
fn without_room_for_a_session_the_run_is_fired_and_has_failed() {
    let (_directory, mut store) = open();
    let bot = BotName::new("learning").unwrap();
    for n in 0..agent_store::sessions::MAX_SESSIONS {
        store.create_session(&format!("chat-{n}"), &bot, Timestamp(1)).unwrap();
    }
    let fired = store.fire(&key(), &new(5), Timestamp(5)).unwrap();
    assert!(matches!(&fired, Fired::Failed(why) if why.contains("delete one first")), "{fired:?}");
    let run = store.runs(&key()).unwrap().remove(0);
    assert_eq!((run.outcome, run.finished_at), (Some(Outcome::Failed), Some(Timestamp(5))));
    let over = AttemptOver { turn: None, outcome: Outcome::Failed, detail: Some("no such bot".to_owned()) };
    store.delete_session("chat-0", Timestamp(6)).unwrap();
    store.fire(&key(), &new(7), Timestamp(7)).unwrap();
    store.close_run((&key(), "run-7"), &over, None, Timestamp(8)).unwrap();
    let run = store.runs(&key()).unwrap().remove(0);
    assert_eq!((run.detail.as_deref(), run.delivery), (Some("no such bot"), Some(Delivery::Failed)));
}
