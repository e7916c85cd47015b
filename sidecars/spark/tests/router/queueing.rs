//! Who gets to the box, and in which order.

use futures_util::future::join_all;
use platform_kit::task;
use platform_types::spark::{PRIORITY_HEADER, SparkLimits};
use spark::place::Limits;
use tokio::task::JoinHandle;

use crate::client::Answer;
use crate::limits::{PATIENT, limited, queue_of};
use crate::running::{Lane, Running, chat};
use crate::scripted::*;

const CRON: (&str, &str) = (PRIORITY_HEADER, "cron");

/// Holds each chat until the test says go.
fn holding() -> Vec<Step> {
    let body = plain(MODEL);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    vec![Step::Hold, send(&answer), Step::Again]
}

fn later(lane: &Lane, words: &str, headers: &'static [(&str, &str)]) -> JoinHandle<Answer> {
    let (lane, body) = (lane.clone(), chat(MODEL, words, ""));
    task::spawn("a client", async move { lane.ask_with(body, headers).await })
}

/// The words of the chats in the order in which they reached the box.
fn words(scripted: &ScriptedBox) -> Vec<String> {
    let word = |seen: &Seen| {
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        body["messages"][0]["content"].as_str().unwrap().to_owned()
    };
    scripted.chats().iter().map(word).collect()
}

async fn waiting(running: &Running, profile: &str, count: u64) {
    let what = format!("{count} of {profile} wait");
    running
        .counted(&what, |status| {
            let lane = queue_of(status, profile);
            lane.waiting_chat + lane.waiting_cron == count
        })
        .await;
}

#[tokio::test]
async fn as_many_as_configured_are_at_the_box() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let given = SparkLimits { concurrency: 3, ..PATIENT };
    let running = limited(scripted.backend(), given, Limits::default()).await;
    let lane = running.lane("personal");
    let clients: Vec<_> = (0..7).map(|_| later(&lane, "hi", &[])).collect();
    scripted.until_chats(3).await;
    waiting(&running, "personal", 4).await;
    for done in 1..=7 {
        let status =
            running.counted("three run", |status| queue_of(status, "personal").running == 3.min(8 - done)).await;
        assert!(scripted.chats().len() <= 2 + usize::try_from(done).unwrap(), "{status:?}");
        scripted.go();
        running
            .counted("one is done", |status| {
                queue_of(status, "personal").admitted_total - status.inflight.min(3) >= done.min(4)
            })
            .await;
    }
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
    let lane = queue_of(&running.counted("all ended", |status| status.inflight == 0).await, "personal");
    assert_eq!((lane.running, lane.admitted_total, lane.queue_full_total, lane.waiting_chat), (0, 7, 0, 0));
}

#[tokio::test]
async fn a_crowd_of_one_profile_delays_another_by_what_runs() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let given = SparkLimits { concurrency: 1, ..PATIENT };
    let running = limited(scripted.backend(), given, Limits::default()).await;
    let (crowd, quiet) = (running.lane("personal"), running.lane("ops"));
    let mut clients = vec![later(&crowd, "crowd 0", &[])];
    scripted.until_chats(1).await;
    for count in 1..6 {
        clients.push(later(&crowd, "crowd", &[]));
        waiting(&running, "personal", count).await;
    }
    // Whatever it says of itself.
    clients.push(later(&quiet, "quiet", &[CRON]));
    waiting(&running, "ops", 1).await;
    scripted.go();
    scripted.until_chats(2).await;
    assert_eq!(words(&scripted), ["crowd 0", "quiet"]);
    (0..6).for_each(|_| scripted.go());
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
}

#[tokio::test]
async fn chats_go_before_cron_and_cron_does_not_starve() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let given = SparkLimits { concurrency: 1, ..PATIENT };
    let running = limited(scripted.backend(), given, Limits::default()).await;
    let lane = running.lane("personal");
    let mut clients = vec![later(&lane, "first", &[])];
    scripted.until_chats(1).await;
    let words_of = ["cron", "a", "b", "c", "d", "e", "f"];
    for (count, word) in (1..).zip(words_of) {
        clients.push(later(&lane, word, if word == "cron" { &[CRON] } else { &[] }));
        waiting(&running, "personal", count).await;
    }
    (0..8).for_each(|_| scripted.go());
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
    assert_eq!(words(&scripted), ["first", "a", "b", "c", "d", "cron", "e", "f"]);
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_again() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let given = SparkLimits { concurrency: 1, queue: 2, ..PATIENT };
    let running = limited(scripted.backend(), given, Limits::default()).await;
    let (lane, other) = (running.lane("personal"), running.lane("ops"));
    let mut clients = vec![later(&lane, "runs", &[])];
    scripted.until_chats(1).await;
    clients.push(later(&lane, "waits", &[]));
    waiting(&running, "personal", 1).await;
    let refused = lane.ask(chat(MODEL, "too many", "")).await;
    let (code, message) = refused.refusal();
    assert_eq!((code.as_str(), refused.origin.as_deref()), ("queue_full", Some("router")));
    assert!(message.starts_with("1 requests of this profile wait"), "{message}");
    let seconds: u32 = refused.retry_after.unwrap().parse().unwrap();
    assert!((1..=20).contains(&seconds), "{seconds}");
    // The other profile has its own share.
    clients.push(later(&other, "welcome", &[]));
    waiting(&running, "ops", 1).await;
    (0..3).for_each(|_| scripted.go());
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
    let status = running.counted("all ended", |status| status.inflight == 0).await;
    assert_eq!((queue_of(&status, "personal").queue_full_total, queue_of(&status, "ops").queue_full_total), (1, 0));
}

#[tokio::test]
async fn long_bodies_that_wait_are_bounded() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let running = limited(scripted.backend(), PATIENT, Limits::default()).await;
    let lane = running.lane("personal");
    let long = "w".repeat(3 * 1024 * 1024);
    let clients: Vec<_> = (0..5).map(|_| later(&lane, &long, &[])).collect();
    scripted.until_chats(4).await;
    waiting(&running, "personal", 1).await;
    let (code, message) = lane.ask(chat(MODEL, &long, "")).await.refusal();
    assert_eq!(code, "queue_full");
    assert!(message.contains("bytes together"), "{message}");
    (0..5).for_each(|_| scripted.go());
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
    let again = later(&lane, &long, &[]);
    scripted.until_chats(6).await;
    scripted.go();
    assert_eq!(again.await.unwrap().status, 200);
}

#[tokio::test]
async fn limits_out_of_range_are_refused_and_new_ones_count_at_once() {
    let scripted = ScriptedBox::start(listing(holding())).await;
    let given = SparkLimits { concurrency: 1, ..PATIENT };
    let mut running = limited(scripted.backend(), given, Limits::default()).await;
    let lane = running.lane("personal");
    let clients: Vec<_> = (0..3).map(|_| later(&lane, "hi", &[])).collect();
    scripted.until_chats(1).await;
    waiting(&running, "personal", 2).await;
    running.given = SparkLimits { concurrency: 0, ..PATIENT };
    let refused = running.push(2, scripted.backend(), &["personal", "ops"]).await.unwrap_err();
    assert!(refused.to_string().contains("limits.concurrency"), "{refused}");
    running.given = SparkLimits { concurrency: 3, ..PATIENT };
    running.push(2, scripted.backend(), &["personal", "ops"]).await.unwrap();
    scripted.until_chats(3).await;
    (0..3).for_each(|_| scripted.go());
    assert!(join_all(clients).await.into_iter().all(|answer| answer.unwrap().status == 200));
}
