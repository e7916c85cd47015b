//! The daily recap: a note and a message out of the workspace alone, which the audit proves.

use std::collections::BTreeSet;

use platform_types::UpstreamName;
use platform_types::agent::AgentConfig;
use platform_types::channel::ChatId;
use platform_types::cron::{CronJob, Deliver, Delivery, Outcome};
use serde_json::json;

use crate::cron::job;
use crate::support::agent::bot;
use crate::support::house::{CHAT, HOUSE, House, channel};
use crate::support::inside::{Room, with_jobs};
use crate::support::model::results;

const TOOLS: [&str; 7] =
    ["note.write", "note.search", "note.list", "memory.remember", "memory.search", "clock.now", "http.get"];

#[tokio::test]
async fn the_daily_recap_is_a_note_and_a_message_and_uses_nothing_outside() {
    let deliver = Deliver { channel: UpstreamName::new(CHAT).unwrap(), chat: ChatId(7) };
    let recap = CronJob { bot: bot("learning", &[]).name, deliver: Some(deliver), ..job("recap", "0 20 * * *") };
    let mut config = AgentConfig { channels: vec![channel()], ..with_jobs(vec![recap]) };
    config.bots.insert(0, bot("learning", &TOOLS));
    config.upstreams = vec![UpstreamName::new(HOUSE).unwrap()];
    // What is allowed with somebody there is not allowed with nobody there.
    config.policy = vec![serde_json::from_value(json!({"effect": "allow", "tool": "http.*"})).unwrap()];
    let mut house = None;
    let room = Room::with("2026-11-23T18:30", config, |root| house = Some(House::start(root))).await;
    let house = house.unwrap();

    room.be("2026-11-23T19:00");
    room.model.calls(&[("clock_now", "{}"), ("note_list", "{}")]).await;
    let get = json!({"upstream": HOUSE, "path": "/api/states"}).to_string();
    let note = json!({"title": "Recap 23 November", "facts": ["Green tea steeps for two minutes."]}).to_string();
    let body = room.model.calls(&[("http_get", &get), ("note_write", &note)]).await;
    assert_eq!(results(&body).len(), 2);
    let body = room.model.says("One thing was learned today.").await;
    assert!(results(&body).iter().any(|result| result.contains("it reaches out of the workspace")), "{body}");

    assert_eq!(house.sent_so_many(1).await, [(7, "One thing was learned today.".to_owned())]);
    let run = room.run_when("recap", |run| run.delivery == Some(Delivery::Delivered)).await;
    assert_eq!(run.outcome, Some(Outcome::Completed));
    let note = room.directory.path().join("state/current/workspace/notes/recap-23-november.md");
    assert!(std::fs::read_to_string(note).unwrap().contains("- Green tea steeps for two minutes."));
    assert_eq!(house.looks(), 0, "nothing went out");

    let of_run = |entry: &platform_types::audit::Entry| entry.data["turn"] == json!(run.turn);
    let decided: Vec<_> = room.audit("tool.decided").await.into_iter().filter(of_run).collect();
    let allowed: BTreeSet<&str> = decided
        .iter()
        .filter(|entry| entry.data["effect"] == "allow")
        .map(|entry| entry.data["tool"].as_str().unwrap())
        .collect();
    assert_eq!(allowed, ["clock.now", "note.list", "note.write"].into(), "within the workspace");
    let denied: Vec<&str> = decided
        .iter()
        .filter(|entry| entry.data["effect"] == "deny")
        .filter_map(|entry| entry.data["tool"].as_str())
        .collect();
    assert_eq!(denied, ["http.get"]);
    let ran: Vec<_> = room.audit("tool.ran").await.into_iter().filter(of_run).collect();
    assert_eq!(ran.len(), 3);
}
