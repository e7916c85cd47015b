//! The switch against a real OpenSSH server whose forced command (`deploy/spark/spark-switch`) really restarts the llama.cpp
//! server with the other model.

#[cfg(test)]
#[path = "router/client.rs"]
mod client;
#[cfg(test)]
#[path = "switching/device.rs"]
mod device;
#[cfg(test)]
#[path = "switching/forging.rs"]
mod forging;
#[cfg(test)]
#[path = "switching/model_box.rs"]
mod model_box;

#[path = "router/plain.rs"]
mod plain;
#[cfg(test)]
#[path = "switching/rig.rs"]
mod rig;

use client::{Lane, chat, within};
use device::Device;
use model_box::public;
use platform_kit::client::CallError;
use platform_types::ModelId;
use platform_types::egress::{Outcome, Verdict};
use platform_types::switch::{SwitchCheck, SwitchOutcome, SwitchPhase, SwitchStatus};
use rig::{ALPHA, BETA, Rig, limits};
use spark::switch::SwitchLimits;

use serde_json::{Value, json};

fn refused<T: std::fmt::Debug>(result: Result<T, CallError>) -> (u16, String, String) {
    match result.expect_err("a refusal") {
        CallError::Refused { status, code, message } => (status.as_u16(), code, message),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_agent_asks_a_device_allows_and_the_other_model_answers() {
    let rig = Rig::start().await;
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    assert_eq!(card.words, format!("Switch the model box from {ALPHA} to {BETA}"));
    assert!(card.request.ends_with(&format!("\n\nswitch {BETA}")) && card.request.contains("host key SHA256:"));
    assert_eq!(card.reason.as_deref(), Some("the long document"));
    assert_eq!((rig.starts(), rig.status().await.running), (1, None), "nothing happens before somebody allows it");
    let meters = rig.meters().await;
    let waits = (meters.pending.iter().map(|(profile, count)| (profile.as_str(), *count)), meters.pending_operator);
    assert_eq!((waits.0.collect::<Vec<_>>(), waits.1, meters.running), (vec![("ops", 1)], 0, false));

    rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await.unwrap();
    let Outcome::Done { status: 200, body: Some(report) } = rig.outcome(&asked.id).await else { panic!("not done") };
    assert_eq!(
        (&report["outcome"], &report["to"], &report["by"]),
        (&json!("done"), &json!(BETA), &json!("profile ops"))
    );

    let lane = Lane(rig.agent("personal"));
    let answer = lane.ask(chat(BETA, "hi", r#","temperature":0"#)).await;
    let plain: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(plain["choices"][0]["message"]["content"], "Greetings from model beta, which was loaded by a switch.");
    assert_eq!(lane.ask(chat(ALPHA, "hi", "")).await.refusal().0, "model_not_found");
    assert_eq!(rig.starts(), 2);

    // A decision is used once.
    let again = rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await;
    assert_eq!(refused(again).0, 409);
    assert_eq!(rig.starts(), 2);
}

#[tokio::test]
async fn answers_that_run_are_not_cut_off_and_others_wait_or_are_told_to_come_again() {
    let rig = Rig::start().await;
    let lane = Lane(rig.agent("personal"));
    // One that runs for a while: the switch waits for its end.
    let endless = r#","temperature":0,"stream":true,"logit_bias":{"2":-100},"max_tokens":1500"#;
    let long = lane.open(chat(ALPHA, "hi", endless)).await;
    let id = rig.switch(BETA).await;
    let status = rig.until("it drains", |status| status.running.is_some()).await;
    assert_eq!(status.running.unwrap().phase, SwitchPhase::Draining);

    let refusal = lane.ask(chat(ALPHA, "hi", "")).await;
    assert_eq!(refusal.refusal().0, "switch_in_progress");
    assert!(refusal.retry_after.unwrap().parse::<u32>().unwrap() >= 5);
    let progress = [("x-bot-progress", "1")];
    let waits = lane.open_with(chat(BETA, "hi", r#","temperature":0,"stream":true"#), &progress).await;

    let text = within("the long answer", http_body_util::BodyExt::collect(long.into_body())).await.unwrap().to_bytes();
    let end = String::from_utf8_lossy(&text[text.len().saturating_sub(300)..]);
    assert!(end.ends_with("data: [DONE]\n\n"), "it came to its end: {end}");
    let text = within("the new model's answer", http_body_util::BodyExt::collect(waits.into_body())).await.unwrap();
    let text = String::from_utf8(text.to_bytes().to_vec()).unwrap();
    assert!(text.contains(r#""phase":"switching""#) && text.contains("Greetings"), "{text}");
    let report = rig.over().await;
    assert_eq!((report.id, report.outcome), (id, SwitchOutcome::Done));
}

#[tokio::test]
async fn a_drain_that_takes_too_long_gives_the_switch_up() {
    let mut rig = Rig::start().await;
    rig.config.drain_seconds = 5;
    rig.push().await.unwrap();
    let lane = Lane(rig.agent("ops"));
    let long = lane.open(chat(ALPHA, "hi", r#","stream":true,"logit_bias":{"2":-100},"max_tokens":4000"#)).await;
    // Its body is not read, so it runs for as long as this test wants.
    rig.switch(BETA).await;
    let report = rig.over().await;
    assert_eq!((report.outcome, rig.starts()), (SwitchOutcome::NothingDone, 1), "{}", report.message);
    assert_eq!(rig.answers_as().await.as_deref(), Some(ALPHA));
    drop(long);
    assert_eq!(lane.ask(chat(ALPHA, "hi", "")).await.status, 200, "the door is open again");
}

/// A switch to beta that is not done: how it ended, and what is said.
async fn fails(rig: &Rig) -> (SwitchOutcome, String, Option<ModelId>) {
    rig.switch(BETA).await;
    let report = rig.over().await;
    assert!(rig.status().await.running.is_none());
    (report.outcome, report.message, report.way_back)
}

#[tokio::test]
async fn what_never_reaches_the_command_changes_nothing() {
    let mut rig = Rig::start().await;
    let check = async |rig: &Rig, words: &str| {
        let (outcome, message, way_back) = fails(rig).await;
        assert_eq!((outcome, way_back), (SwitchOutcome::NothingDone, None), "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!((rig.starts(), rig.answers_as().await.as_deref()), (1, Some(ALPHA)));
        let checked: SwitchCheck = rig.admin().post("/switch/check", &()).await.unwrap();
        assert!(!checked.well && checked.message.contains(words), "{checked:?}");
    };

    let pinned = std::mem::replace(&mut rig.config.host_key, public(&rig.root.join("stranger_ed25519.pub")));
    rig.push().await.unwrap();
    check(&rig, "and not the pinned").await;

    rig.config.host_key = pinned;
    rig.push().await.unwrap();
    rig.restart_sshd("rsa").await;
    check(&rig, "no SSH connection").await;
    rig.restart_sshd("ed25519 rsa").await;

    rig.give_key("stranger_ed25519");
    check(&rig, "does not let").await;
    rig.give_key("host_rsa");
    check(&rig, "not an ed25519 key").await;
    rig.give_key("client_ed25519");

    rig.stop_sshd();
    check(&rig, "Connection refused").await;
}

#[tokio::test]
async fn a_check_changes_nothing_and_says_what_is_there() {
    let rig = Rig::start().await;
    let checked: SwitchCheck = rig.admin().post("/switch/check", &()).await.unwrap();
    assert_eq!((checked.well, checked.message.as_str()), (true, "idle"));
    assert_eq!(rig.starts(), 1);
}

#[tokio::test]
async fn a_hook_that_fails() {
    let rig = Rig::start().await;
    rig.behave("fail");
    let (outcome, message, way_back) = fails(&rig).await;
    assert_eq!((outcome, way_back), (SwitchOutcome::Failed, Some(ModelId::new(ALPHA).unwrap())), "{message}");
    assert!(message.contains("status 72") && message.contains("start-model failed"), "{message}");
    // The way back: nothing answers, and a switch starts what was there.
    rig.behave("well");
    rig.switch(ALPHA).await;
    let done = rig.over().await;
    assert_eq!(done.outcome, SwitchOutcome::Done);
    assert_eq!(rig.answers_as().await.as_deref(), Some(ALPHA));
    let meters = rig.meters().await;
    let counted: Vec<_> = meters.ended.iter().map(|(outcome, took)| (outcome.as_str(), took.total())).collect();
    assert_eq!(counted, [("done", 1), ("failed", 1)]);
    let took = u64::try_from(done.ended_at.millis_since(done.began_at)).unwrap();
    assert_eq!(meters.ended["done"].sum, took * 1000);
    assert!(meters.pending.is_empty() && meters.pending_operator == 0 && !meters.running, "{meters:?}");
}

#[tokio::test]
async fn the_old_model_comes_back() {
    let rig = Rig::start().await;
    rig.behave("old");
    let (outcome, message, way_back) = fails(&rig).await;
    assert_eq!((outcome, way_back.is_some()), (SwitchOutcome::Failed, true), "{message}");
    assert!(message.contains(&format!("the box has {ALPHA}")), "{message}");
}

#[tokio::test]
async fn the_box_never_comes_back() {
    let rig = Rig::start().await;
    rig.behave("never");
    let (outcome, message, way_back) = fails(&rig).await;
    assert_eq!((outcome, way_back.is_some()), (SwitchOutcome::Failed, true), "{message}");
    assert!(message.contains("does not answer yet") && message.contains("the command went well"), "{message}");
}

#[tokio::test]
async fn a_command_that_hangs_has_an_unknown_end() {
    let mut rig = Rig::start().await;
    rig.config.wait_seconds = 10;
    rig.push().await.unwrap();
    rig.behave("hang");
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await.unwrap();
    assert_eq!(rig.outcome(&asked.id).await, Outcome::Unknown);
    let report = rig.over().await;
    assert!(report.message.contains("did not end in time") && report.way_back.is_some(), "{}", report.message);
    // It still has the lock: the next one is told so by the box itself.
    let (outcome, message, _) = fails(&rig).await;
    assert!(outcome == SwitchOutcome::Failed && message.contains("another switch runs"), "{outcome:?} {message}");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_judged_by_the_box() {
    let rig = Rig::start().await;
    rig.behave("slow");
    let id = rig.switch(BETA).await;
    rig.until("the command starts the model", |status| {
        status.running.as_ref().is_some_and(|run| run.progress.starts_with("starting"))
    })
    .await;
    assert!(rig.meters().await.running);
    rig.cut();
    rig.until("the end is lost", |status| status.running.as_ref().is_some_and(|run| run.phase == SwitchPhase::Waiting))
        .await;
    std::fs::remove_file(rig.root.join("box/behaviour")).unwrap();
    let report = rig.over().await;
    assert_eq!((report.id, report.outcome), (id, SwitchOutcome::Done), "{}", report.message);
    assert!(report.message.contains("is not known"), "{}", report.message);
    assert_eq!(rig.answers_as().await.as_deref(), Some(BETA));
}

#[tokio::test]
async fn a_connection_that_freezes_is_noticed_and_the_box_is_watched() {
    let keep_alive = std::time::Duration::from_secs(1);
    let mut rig = Rig::with(SwitchLimits { keep_alive, ..limits() }).await;
    rig.config.wait_seconds = 900;
    rig.push().await.unwrap();
    rig.behave("slow");
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await.unwrap();
    rig.until("the command starts the model", |status| {
        status.running.as_ref().is_some_and(|run| run.progress.starts_with("starting"))
    })
    .await;
    rig.freeze();
    // Nothing is closed: only silence tells. The command's time is far from over, and the switch goes on.
    let lost = rig
        .until("the end is lost", |status| status.running.as_ref().is_none_or(|run| run.phase == SwitchPhase::Waiting))
        .await;
    assert!(lost.running.is_some_and(|run| run.id == asked.id), "it is watched");
    std::fs::remove_file(rig.root.join("box/behaviour")).unwrap();
    let Outcome::Done { status: 200, body: Some(report) } = rig.outcome(&asked.id).await else { panic!("not done") };
    let message = report["message"].as_str().unwrap();
    assert!(message.contains("answered; how the command ended is not known: the connection to"), "{message}");
    assert_eq!((rig.answers_as().await.as_deref(), rig.starts()), (Some(BETA), 2));
}

#[tokio::test]
async fn a_frozen_connection_and_a_box_that_does_not_come_back_are_unknown() {
    let keep_alive = std::time::Duration::from_millis(500);
    let mut rig = Rig::with(SwitchLimits { keep_alive, ..limits() }).await;
    rig.behave("hang");
    let id = rig.switch(BETA).await;
    rig.until("the command starts the model", |status| {
        status.running.as_ref().is_some_and(|run| run.progress.starts_with("starting"))
    })
    .await;
    rig.freeze();
    let report = rig.over().await;
    assert_eq!((report.id, report.outcome), (id, SwitchOutcome::Unknown), "{}", report.message);
    assert!(report.message.contains("the connection to") && report.way_back.is_some(), "{}", report.message);
}

#[tokio::test]
async fn a_server_that_is_frozen_before_the_command_changes_nothing() {
    let mut rig = Rig::start().await;
    rig.freeze_sshd();
    let (outcome, message, way_back) = fails(&rig).await;
    assert_eq!((outcome, way_back, rig.starts()), (SwitchOutcome::NothingDone, None, 1), "{message}");
    assert!(message.contains("did not answer in time"), "{message}");
}

#[tokio::test]
async fn a_restart_of_spark_goes_on_watching() {
    let mut rig = Rig::start().await;
    rig.behave("slow");
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    let allow = Device::new(1).decision("ops", &card, Verdict::Allow);
    rig.decide(&asked.id, &allow).await.unwrap();
    rig.until("the command runs", |status| {
        status.running.as_ref().is_some_and(|run| run.progress.starts_with("starting"))
    })
    .await;
    rig.start_spark(limits()).await;
    let run = rig.status().await.running.unwrap();
    assert_eq!((run.id.as_str(), run.phase), (asked.id.as_str(), SwitchPhase::Waiting));
    let refusal = Lane(rig.agent("personal")).ask(chat(ALPHA, "hi", "")).await;
    assert_eq!(refusal.refusal().0, "switch_in_progress");
    assert_eq!(refused(rig.decide(&asked.id, &allow).await).0, 409, "it is used");

    std::fs::remove_file(rig.root.join("box/behaviour")).unwrap();
    let Outcome::Done { status: 200, body } = rig.outcome(&asked.id).await else { panic!("not done") };
    assert!(body.unwrap()["message"].as_str().unwrap().contains("restarted"));
    assert_eq!(rig.starts(), 2, "it was commanded once");
}

#[tokio::test]
async fn one_at_a_time_and_the_others_are_over() {
    let rig = Rig::start().await;
    rig.behave("slow");
    let other = rig.ask(BETA).await.unwrap();
    rig.switch(BETA).await;
    assert_eq!(rig.outcome(&other.id).await, Outcome::Superseded);
    assert_eq!(refused(rig.ask(ALPHA).await), (503, "switch_in_progress".to_owned(), rig_message(&rig).await));
    std::fs::remove_file(rig.root.join("box/behaviour")).unwrap();
    assert_eq!(rig.over().await.outcome, SwitchOutcome::Done);
    let (status, _, message) = refused(rig.ask(BETA).await);
    assert!(status == 409 && message.contains("already"), "{message}");
}

async fn rig_message(rig: &Rig) -> String {
    let SwitchStatus { running, .. } = rig.status().await;
    let run = running.expect("a switch runs");
    format!("the model box is being switched to {}: {}", run.to, run.progress)
}

#[tokio::test]
async fn an_undecided_one_expires() {
    let rig = Rig::with(SwitchLimits { expiry_millis: 300, ..limits() }).await;
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    assert_eq!(rig.outcome(&asked.id).await, Outcome::Expired);
    let (status, _, message) =
        refused(rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await);
    assert!(status == 409 && message.contains("expired"), "{message}");
}

#[tokio::test]
async fn another_switch_behind_our_back_is_noticed() {
    let rig = Rig::start().await;
    let asked = rig.ask(BETA).await.unwrap();
    let card = rig.card(&asked.id).await;
    // Somebody at the box does it by hand.
    let mut command = std::process::Command::new(rig.root.join("box/stop-model"));
    assert!(command.status().unwrap().success());
    let mut command = std::process::Command::new(rig.root.join("box/start-model"));
    assert!(command.arg(BETA).status().unwrap().success());
    within("beta answers", async { while rig.answers_as().await.as_deref() != Some(BETA) {} }).await;
    rig.decide(&asked.id, &Device::new(1).decision("ops", &card, Verdict::Allow)).await.unwrap();
    let Outcome::Failed { message } = rig.outcome(&asked.id).await else { panic!("it was done") };
    assert!(message.contains(&format!("the box has {BETA} now")), "{message}");
    assert_eq!(rig.starts(), 2);
}
