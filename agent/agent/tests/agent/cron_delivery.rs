//! What runs say, delivered to a chat: once, or known not to be.

use std::time::Duration;

use platform_types::Revision;
use platform_types::UpstreamName;
use platform_types::agent::AgentConfig;
use platform_types::channel::ChatId;
use platform_types::chat::{Author, ToPage};
use platform_types::cron::{CronJob, Deliver, Delivery, Outcome};
use serde_json::json;

use crate::cron::job;
use crate::support::house::{CHAT, House, away, channel, denied};
use crate::support::inside::{Room, at, with_jobs};
use crate::support::model::prompt;

const NIGHT: &str = "2026-11-23T18:30";
const DUE: &str = "2026-11-23T19:00";

fn delivered_job() -> CronJob {
    let deliver = Deliver { channel: UpstreamName::new(CHAT).unwrap(), chat: ChatId(7) };
    CronJob { deliver: Some(deliver), ..job("recap", "0 20 * * *") }
}

fn with_chat() -> AgentConfig {
    AgentConfig { channels: vec![channel()], ..with_jobs(vec![delivered_job()]) }
}

async fn room() -> (Room, House) {
    let mut house = None;
    let room = Room::with(NIGHT, with_chat(), |root| house = Some(House::start(root))).await;
    (room, house.unwrap())
}

#[tokio::test]
async fn a_chat_gets_it_once_and_its_person_can_go_on() {
    let (room, house) = room().await;
    room.be(DUE);
    room.model.says("Two things happened.").await;
    assert_eq!(house.sent_so_many(1).await, [(7, "Two things happened.".to_owned())]);
    let run = room.run_when("recap", |run| run.delivery == Some(Delivery::Delivered)).await;
    assert_eq!((run.outcome, run.delivered_at), (Some(Outcome::Completed), Some(at(DUE))));
    let delivered = room.audit("cron.delivered").await;
    assert_eq!((delivered.len(), &delivered[0].data["channel"]), (1, &json!(CHAT)));

    // The chat's session has it too; what its person says about it is understood.
    house.writes(1, 7, "What was the second?");
    let body = room.model.says("The dishes.").await;
    let texts: Vec<String> = prompt(&body).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts[1..], ["(by the clock)", "Two things happened.", "What was the second?"]);
    house.sent_so_many(2).await;
    let mut page = room.page().await;
    let titles: Vec<String> = page.sessions.iter().map(|session| session.title.clone()).collect();
    assert_eq!(titles.len(), 2, "{titles:?}");

    let room = room.restart(10).await;
    assert_eq!(house.sent().len(), 2, "a restart sends nothing again");
    assert_eq!(room.audit("cron.delivered").await.len(), 1);
    page = room.page().await;
    let chat = page.sessions.iter().find(|session| session.title != "recap").unwrap().id.clone();
    let (messages, ..) = page.open(&chat).await;
    assert_eq!(messages[0].author, Author::Bot);
    room.be("2026-11-24T19:00");
    room.model.says("Nothing new.").await;
    let shown = page.expect("the message in the open chat", |message| match message {
        ToPage::Message { message, .. } if message.author == Author::Bot => Some(message.text.clone()),
        _ => None,
    });
    assert_eq!(shown.await, "Nothing new.");
}

#[tokio::test]
async fn a_chat_that_the_gate_does_not_know_is_a_trouble() {
    let (room, house) = room().await;
    house.fault(Some(denied()));
    room.be(DUE);
    room.model.says("Two things happened.").await;
    let status = room.job_when("recap", |status| status.trouble.is_some() && status.running.is_none()).await;
    let run = status.last.unwrap();
    assert_eq!((run.outcome, run.delivery), (Some(Outcome::Completed), Some(Delivery::Failed)));
    assert_eq!(run.delivery_detail.as_deref(), Some("the gate does not know the chat"));
    let words = "what the run of 2026-11-23T19:00:00Z said was not delivered: the gate does not know the chat";
    assert_eq!(room.notes().await, [format!("job assistant/recap: {words}")]);
    let status: serde_json::Value = room.agent.admin.get("/status").await.unwrap();
    assert_eq!((&status["cron"]["undelivered_total"], &status["cron"]["troubled"]), (&json!(1), &json!(1)));
    assert_eq!(house.sent(), []);
}

#[tokio::test]
async fn what_waits_for_its_server_is_delivered_after_a_restart_or_given_up() {
    let (room, house) = room().await;
    house.fault(Some(away()));
    room.be(DUE);
    room.model.says("Two things happened.").await;
    room.run_when("recap", |run| run.delivery == Some(Delivery::Pending)).await;
    let room = room.restart(5).await;
    assert_eq!(room.run_when("recap", |_| true).await.delivery, Some(Delivery::Pending));
    house.fault(None);
    let mut room = room.restart(5).await;
    house.sent_so_many(1).await;
    room.run_when("recap", |run| run.delivery == Some(Delivery::Delivered)).await;
    assert_eq!(house.sent().len(), 1);

    // Its chat deleted before it went out: known, and not silent.
    house.fault(Some(away()));
    room.command("recap", "run").await.unwrap();
    room.model.says("And again.").await;
    room.run_when("recap", |run| run.delivery == Some(Delivery::Pending)).await;
    let mut page = room.page().await;
    let chat = page.sessions.iter().find(|session| session.title != "recap").unwrap().id.clone();
    page.say(&platform_types::chat::ToAgent::DeleteSession { session: chat }).await;
    page.expect("the list", |message| {
        matches!(message, ToPage::Sessions { sessions } if sessions.len() == 1).then_some(())
    })
    .await;
    room.pass(Duration::from_secs(1));
    let config = AgentConfig { revision: Revision(2), ..room.config.clone() };
    room.configure(config).await;
    let run = room.run_when("recap", |run| run.delivery == Some(Delivery::Failed)).await;
    assert!(run.delivery_detail.is_some_and(|detail| detail.starts_with("the chat was deleted")));
}

#[tokio::test]
async fn a_run_that_failed_says_so_in_the_chat() {
    let (room, house) = room().await;
    room.be(DUE);
    let error = json!({"message": "no model today", "code": "upstream_error", "type": "server_error"});
    room.model.next().await.error(502, &error);
    let sent = house.sent_so_many(1).await;
    assert!(sent[0].1.contains("no model today") || sent[0].1.contains("failed"), "{sent:?}");
    let run = room.run_when("recap", |run| run.delivery == Some(Delivery::Delivered)).await;
    assert_eq!(run.outcome, Some(Outcome::Failed));
}
