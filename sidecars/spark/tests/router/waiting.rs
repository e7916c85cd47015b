//! What a client sees while it waits, how long that may take, and what happens when it goes away meanwhile.

use std::time::{Duration, Instant};

use platform_types::spark::{Backend, DEMO_MODEL, Progress, SparkLimits};
use spark::place::Limits;

use crate::limits::{PATIENT, PROGRESS, hasty, limited, queue_of};
use crate::reading::Reading;
use crate::running::{Running, chat};
use crate::scripted::*;

const STREAM: &str = r#","stream":true"#;
/// In this time a cancel reaches the box.
const CANCEL: Duration = Duration::from_millis(10);
/// Attempts of which one must be as quick: the machine does other things too.
const ATTEMPTS: usize = 20;

fn at(position: u32) -> impl Fn(&Progress) -> bool {
    move |progress| matches!(progress, Progress::Queued { position: now, .. } if *now == position)
}

fn one() -> SparkLimits {
    SparkLimits { concurrency: 1, ..PATIENT }
}

/// A stream that begins when the test says go.
fn held_stream() -> Vec<Step> {
    vec![Step::Hold, stream_head(), send(&[chunk("a"), ending()].concat())]
}

#[tokio::test]
async fn positions_are_told_as_they_change() {
    let scripted = ScriptedBox::start(listing(held_stream())).await;
    let running = limited(scripted.backend(), one(), hasty()).await;
    let lane = running.lane("personal");
    let mut first = Reading::open(&lane, MODEL).await;
    first.until(|progress| matches!(progress, Progress::Waiting { .. })).await;
    scripted.until_chats(1).await;
    let mut second = Reading::open(&lane, MODEL).await;
    second.until(at(1)).await;
    let mut third = Reading::open(&lane, MODEL).await;
    let told = third.until(at(2)).await;
    assert!(matches!(told, Progress::Queued { ahead_millis: None, .. }), "nothing is known yet: {told:?}");
    // The other profile's requests are nobody's business.
    let mut foreign = Reading::open(&running.lane("ops"), MODEL).await;
    foreign.until(at(1)).await;
    scripted.go();
    scripted.until_chats(2).await;
    foreign.until(|progress| matches!(progress, Progress::Waiting { .. })).await;
    scripted.go();
    scripted.until_chats(3).await;
    let told = third.until(at(1)).await;
    assert!(matches!(told, Progress::Queued { ahead_millis: Some(_), .. }), "the second one waited: {told:?}");
    (0..2).for_each(|_| scripted.go());
    for reading in [first, foreign, second, third] {
        assert_eq!(reading.rest().await, [chunk("a"), ending()].concat());
    }
}

#[tokio::test]
async fn progress_does_not_change_an_answer_or_a_quick_refusal() {
    let whole_stream = [":\n\n", &chunk("a"), &chunk("b"), &ending()].concat();
    let scripted = ScriptedBox::start(listing(stream(&whole_stream))).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    let answer = lane.ask_with(chat(MODEL, "hi", STREAM), &[PROGRESS]).await;
    assert_eq!((answer.status, answer.text), (200, whole_stream));
    assert_eq!(lane.ask_with(chat("other", "hi", STREAM), &[PROGRESS]).await.refusal().0, "model_not_found");
    // A plain answer has no place for comments.
    let scripted = ScriptedBox::start(listing(whole(200, "", &plain(MODEL)))).await;
    let running = Running::with(scripted.backend(), hasty()).await;
    let answer = running.lane("personal").ask_with(chat(MODEL, "hi", ""), &[PROGRESS]).await;
    assert_eq!((answer.status, answer.text), (200, plain(MODEL)));
}

#[tokio::test]
async fn what_goes_wrong_behind_the_head_is_an_event() {
    for (steps, code) in [
        (vec![Step::Hold, Step::Send(b"HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\nouch".to_vec())], "upstream_error"),
        (vec![Step::Hold, stream_head(), send("data: [DONE]\n\n")], "upstream_empty_stream"),
        (vec![Step::Hold, Step::Reset], "upstream_unreachable"),
    ] {
        let scripted = ScriptedBox::start(listing_and_closing(steps)).await;
        let running = limited(scripted.backend(), PATIENT, hasty()).await;
        let mut reading = Reading::open(&running.lane("personal"), MODEL).await;
        reading.until(|progress| matches!(progress, Progress::Waiting { .. })).await;
        scripted.go();
        let rest = reading.rest().await;
        let body = rest.strip_prefix("data: ").unwrap();
        let body: platform_types::ErrorBody = serde_json::from_str(body).unwrap();
        assert_eq!(body.error.code, code);
        running.counted("one error", |status| status.errors_total == 1 && status.inflight == 0).await;
        assert_eq!(scripted.chats().len(), 1, "{code} is not tried again");
    }
}

#[tokio::test]
async fn whoever_leaves_the_queue_was_never_at_the_box() {
    let scripted = ScriptedBox::start(listing(held_stream())).await;
    let running = limited(scripted.backend(), one(), hasty()).await;
    let lane = running.lane("personal");
    let mut first = Reading::open(&lane, MODEL).await;
    first.until(|progress| matches!(progress, Progress::Waiting { .. })).await;
    let mut second = Reading::open(&lane, MODEL).await;
    second.until(at(1)).await;
    let mut third = Reading::open(&lane, MODEL).await;
    third.until(at(2)).await;
    drop(second);
    third.until(at(1)).await;
    scripted.go();
    assert_eq!(first.rest().await, [chunk("a"), ending()].concat());
    scripted.go();
    assert_eq!(third.rest().await, [chunk("a"), ending()].concat());
    assert_eq!(scripted.chats().len(), 2);
    let status = running.counted("all ended", |status| status.inflight == 0).await;
    assert_eq!((status.cancelled_total, queue_of(&status, "personal").admitted_total), (1, 2));
}

/// The best of some attempts.
async fn quickest<F: Future<Output = Duration>>(attempt: impl Fn(usize) -> F) -> Duration {
    let mut best = Duration::MAX;
    for index in 0..ATTEMPTS {
        best = best.min(attempt(index).await);
    }
    best
}

#[tokio::test]
async fn a_cancel_reaches_the_box_within_ten_milliseconds() {
    let before_first_byte = vec![Step::UntilGone];
    let in_the_middle = vec![stream_head(), send(&chunk("a")), Step::UntilGone];
    for (steps, is_streaming) in [(before_first_byte, false), (in_the_middle, true)] {
        let scripted = ScriptedBox::start(listing(steps)).await;
        let running = limited(scripted.backend(), PATIENT, hasty()).await;
        let took = quickest(async |index| {
            let mut reading = Reading::open(&running.lane("personal"), MODEL).await;
            scripted.until_chats(index + 1).await;
            if is_streaming {
                while reading.event().await.unwrap() != chunk("a") {}
            }
            let left = Instant::now();
            drop(reading);
            scripted.until_gone(index + 1).await;
            left.elapsed()
        })
        .await;
        assert!(took <= CANCEL, "streaming {is_streaming}: {took:?}");
    }
}

#[tokio::test]
async fn a_place_in_the_queue_is_free_within_ten_milliseconds() {
    let scripted = ScriptedBox::start(listing(vec![Step::UntilGone])).await;
    let running = limited(scripted.backend(), SparkLimits { concurrency: 1, queue: 2, ..PATIENT }, hasty()).await;
    let lane = running.lane("personal");
    let _at_the_box = Reading::open(&lane, MODEL).await;
    scripted.until_chats(1).await;
    let took = quickest(async |_| {
        let mut waits = Reading::open(&lane, MODEL).await;
        waits.until(at(1)).await;
        assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.refusal().0, "queue_full");
        let left = Instant::now();
        drop(waits);
        running.counted("the place is free", |status| queue_of(status, "personal").waiting_chat == 0).await;
        left.elapsed()
    })
    .await;
    assert!(took <= CANCEL, "{took:?}");
    assert_eq!(scripted.chats().len(), 1);
}

#[tokio::test]
async fn a_place_at_the_box_goes_to_the_next_when_a_client_leaves() {
    let scripted = ScriptedBox::start(listing(vec![Step::UntilGone])).await;
    let running = limited(scripted.backend(), one(), hasty()).await;
    let (lane, other) = (running.lane("personal"), running.lane("ops"));
    let first = Reading::open(&lane, MODEL).await;
    scripted.until_chats(1).await;
    let mut second = Reading::open(&other, MODEL).await;
    second.until(at(1)).await;
    drop(first);
    scripted.until_gone(1).await;
    scripted.until_chats(2).await;
    drop(second);
    scripted.until_gone(2).await;
    running.counted("nobody is left", |status| status.inflight == 0 && status.cancelled_total == 2).await;
}

#[tokio::test]
async fn a_request_takes_no_longer_than_a_request_may() {
    let slow = vec![stream_head(), send(&chunk("a")), Step::UntilGone];
    for (steps, code) in [(slow, "upstream_timeout_total"), (vec![Step::UntilGone], "upstream_timeout_total")] {
        let scripted = ScriptedBox::start(listing(steps)).await;
        let given =
            SparkLimits { total_seconds: 30, first_byte_seconds: 30, idle_seconds: 30, connect_seconds: 30, ..PATIENT };
        let running = limited(scripted.backend(), given, hasty()).await;
        let answer = running.lane("personal").ask(chat(MODEL, "hi", STREAM)).await;
        assert!(answer.text.contains(code) && answer.text.contains("[spark].total_seconds"), "{answer:?}");
        scripted.until_gone(1).await;
    }
}

#[tokio::test]
async fn waiting_in_vain_ends() {
    let scripted = ScriptedBox::start(listing(vec![stream_head(), send(&chunk("a")), Step::UntilGone])).await;
    let given =
        SparkLimits { total_seconds: 40, first_byte_seconds: 40, idle_seconds: 40, connect_seconds: 30, ..one() };
    let running = limited(scripted.backend(), given, hasty()).await;
    // This one began later than the one that waits for it.
    let (lane, other) = (running.lane("personal"), running.lane("ops"));
    let mut first = Reading::open(&lane, MODEL).await;
    while first.event().await.unwrap() != chunk("a") {}
    let waits = other.ask(chat(MODEL, "hi", ""));
    let (code, message) = {
        let answer = waits.await;
        (answer.refusal().0, answer.refusal().1)
    };
    // Either the first one was over a moment earlier, and this one got the little time that was left; or it never had a place.
    assert!(["queue_full", "upstream_timeout_total"].contains(&code.as_str()), "{code}: {message}");
    assert!(first.rest().await.contains("upstream_timeout_total"));
}

#[tokio::test]
async fn the_demo_model_has_a_queue_too() {
    let running = limited(Backend::Demo, one(), hasty()).await;
    let lane = running.lane("personal");
    let slow = lane.open(chat(DEMO_MODEL, "/slow 20000", STREAM)).await;
    let mut waits = Reading::open(&lane, DEMO_MODEL).await;
    waits.until(at(1)).await;
    let mut foreign = Reading::open(&running.lane("ops"), DEMO_MODEL).await;
    foreign.until(at(1)).await;
    drop(waits);
    running.counted("it left", |status| status.cancelled_total == 1).await;
    drop(slow);
    assert!(foreign.rest().await.ends_with("data: [DONE]\n\n"));
    let status = running.counted("all ended", |status| status.inflight == 0).await;
    assert!(status.cancelled_total == 2 && status.breaker.is_none(), "{status:?}");
}
