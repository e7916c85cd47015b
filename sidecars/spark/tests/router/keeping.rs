//! Connections to the box that carry one request after another, and what happens when the box ends one.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_util::future::join_all;
use platform_types::spark::Progress;
use spark::place::Limits;

use crate::limits::{PATIENT, hasty, limited};
use crate::reading::Reading;
use crate::running::{Running, chat};
use crate::scripted::*;

const STREAM: &str = r#","stream":true"#;

fn connections(seen: &[Seen]) -> Vec<usize> {
    seen.iter().map(|seen| seen.connection).collect()
}

/// A stream with its length said, so that the connection stays.
fn stream_that_stays() -> Vec<Step> {
    let body = [chunk("a"), ending()].concat();
    whole(200, "content-type: text/event-stream\r\n", &body)
}

#[tokio::test]
async fn one_after_another_on_one_connection() {
    let scripted = ScriptedBox::start(listing(stream_that_stays())).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    for profile in ["personal", "ops", "personal"] {
        let answer = running.lane(profile).ask(chat(MODEL, "hi", STREAM)).await;
        assert_eq!((answer.status, answer.text), (200, [chunk("a"), ending()].concat()));
    }
    assert_eq!(connections(&scripted.chats()), [0, 0, 0]);
    // And not for ever.
    scripted.until_idle().await;
}

#[tokio::test]
async fn a_connection_whose_answer_was_left_carries_nothing_more() {
    let steps = vec![stream_head(), send(&chunk("a")), Step::UntilGone];
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = limited(scripted.backend(), PATIENT, hasty()).await;
    for left in 1..=2 {
        let mut reading = Reading::open(&running.lane("personal"), MODEL).await;
        while !reading.event().await.unwrap().contains("data: ") {}
        drop(reading);
        scripted.until_gone(left).await;
    }
    let chats = connections(&scripted.chats());
    assert_ne!(chats[0], chats[1]);
}

#[tokio::test]
async fn no_request_trips_over_a_kept_connection() {
    // A server that keeps connections, and closes each when the next request comes on it.
    let used = Mutex::new(BTreeSet::new());
    let scripted =
        ScriptedBox::start(move |seen| match (used.lock().unwrap().insert(seen.connection), seen.is_list()) {
            (false, _) => vec![],
            (true, true) => list(),
            (true, false) => whole(200, "", &plain(MODEL)),
        })
        .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    for _ in 0..3 {
        let answers = join_all((0..4).map(|_| lane.ask(chat(MODEL, "hi", "")))).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    }
    let chats = connections(&scripted.chats());
    assert!(chats.len() > 12, "some came on a kept one: {chats:?}");
    assert_eq!(chats.iter().collect::<BTreeSet<_>>().len() - 12, (chats.len() - 12).min(1), "{chats:?}");
}

#[tokio::test]
async fn what_comes_to_nothing_is_sent_once_more_only_from_a_kept_connection() {
    for (end, kept) in [(vec![], true), (vec![Step::Reset], true), (vec![], false), (vec![Step::Reset], false)] {
        let scripted = if kept {
            ScriptedBox::start(listing(end)).await
        } else {
            ScriptedBox::start(listing_and_closing(end)).await
        };
        let running = Running::with(scripted.backend(), Limits::default()).await;
        let (code, message) = running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal();
        assert_eq!(code, "upstream_unreachable", "{message}");
        assert!(message.contains("closed before an answer"), "{message}");
        let chats = connections(&scripted.chats());
        assert_eq!(chats.len(), if kept { 2 } else { 1 });
        assert_eq!(chats.iter().collect::<BTreeSet<_>>().len(), chats.len(), "the second one has its own");
    }
}

#[tokio::test]
async fn whoever_ends_a_kept_connection_late_had_read_the_request() {
    let scripted = ScriptedBox::start(listing(vec![Step::Hold, Step::Reset])).await;
    let running = limited(scripted.backend(), PATIENT, hasty()).await;
    let mut reading = Reading::open(&running.lane("personal"), MODEL).await;
    reading.until(|progress| matches!(progress, Progress::Waiting { waited_millis: 1_100.. })).await;
    scripted.go();
    assert!(reading.rest().await.contains("upstream_unreachable"));
    assert_eq!(connections(&scripted.chats()), [0]);
}

#[tokio::test]
async fn half_an_answer_is_never_asked_for_again() {
    let half = Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"id\":".to_vec());
    let scripted = ScriptedBox::start(listing(vec![half])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(running.lane("personal").ask(chat(MODEL, "hi", "")).await.refusal().0, "upstream_incomplete");
    assert_eq!(connections(&scripted.chats()), [0]);
}
