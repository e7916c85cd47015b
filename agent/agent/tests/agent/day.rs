//! A day in seconds: jobs by the clock, a chat at the page, a chat of a channel, a house. Every due time is accounted for, and
//! memory is bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform_types::agent::{AgentConfig, AgentStatus};
use platform_types::audit::{Entry, Page as AuditPage};
use platform_types::channel::ChatId;
use platform_types::cron::{CronJob, CronList, Deliver};
use platform_types::schedule::{Interval, When};
use platform_types::{Timestamp, UpstreamName};
use serde_json::{Value, json};

use crate::cron::job;
use crate::support::house::{CHAT, HOUSE, House, channel};
use crate::support::inside::{Room, at, with_jobs};
use crate::support::model::{Exchange, Model};
use crate::support::until;

const BEGIN: &str = "2026-10-24T22:00";
/// So far the clock is moved at once.
const STEP: Duration = Duration::from_mins(5);
/// The night in which clocks are put back: the day has 25 hours in Berlin, and 24 here.
const STEPS: u32 = 24 * 12;
/// Bytes by which the process may grow from the third hour to the last.
const MAX_GROWTH: u64 = 24 * 1024 * 1024;

fn day() -> AgentConfig {
    let every = |text: &str| When::EverySeconds(Interval::new(text).unwrap());
    let deliver = Deliver { channel: UpstreamName::new(CHAT).unwrap(), chat: ChatId(7) };
    let jobs = vec![
        CronJob { when: every("10m"), ..job("often", "* * * * *") },
        CronJob { deliver: Some(deliver), ..job("hourly", "15 * * * *") },
        CronJob { retries: 1, ..job("broken", "45 */2 * * *") },
        CronJob { when: every("30m"), ..job("house", "* * * * *") },
        job("recap", "30 2 * * *"),
    ];
    let mut config = AgentConfig { channels: vec![channel()], ..with_jobs(jobs) };
    config.upstreams = vec![UpstreamName::new(HOUSE).unwrap()];
    config.bots[0].tools = vec!["clock.now".into(), "http.get".into()];
    let rule = json!({"effect": "allow", "tool": "http.get", "session": "cron", "when": {"upstream": [HOUSE]}});
    config.policy = vec![serde_json::from_value(rule).unwrap()];
    config
}

/// Answers everything that is asked, for ever.
async fn answer(model: &Model) {
    loop {
        let exchange = model.next().await;
        let (role, text) = exchange.prompt().pop().unwrap();
        match (role.as_str(), text.as_str()) {
            ("user", "Do broken.") => {
                exchange.error(502, &json!({"message": "broken", "code": "upstream_error", "type": "server_error"}));
            }
            ("user", "Do house.") => look(exchange).await,
            _ => {
                let stream = exchange.stream();
                stream.text(&format!("{role} said {text}")).await;
                stream.finish("stop").await;
            }
        }
    }
}

async fn look(exchange: Exchange) {
    let stream = exchange.stream();
    stream.call(0, "http_get", &json!({"upstream": HOUSE, "path": "/api/states"}).to_string()).await;
    stream.finish("tool_calls").await;
}

fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Waits until nothing that is due by now is left to do.
async fn quiet(room: &Room, now: Timestamp) {
    until("the agent to be done", async || {
        let list: CronList = room.agent.admin.get("/cron").await.ok()?;
        let busy = list.jobs.iter().any(|status| {
            let waits = status.running.as_ref().is_some_and(|run| run.retry_at.is_none_or(|at| at <= now));
            waits || status.next.is_none_or(|next| next <= now)
        });
        let status: AgentStatus = room.agent.admin.get("/status").await.ok()?;
        (!busy && status.turns_running == 0).then_some(())
    })
    .await;
}

/// Everything on record.
async fn whole_audit(room: &Room) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.n);
        let page: AuditPage = room.agent.admin.get(&format!("/audit?after={after}")).await.unwrap();
        entries.extend(page.entries);
        if !page.more {
            return entries;
        }
    }
}

async fn live_through(room: &Room, house: &House) -> u64 {
    let mut page = room.page().await;
    let session = page.session(1, "plain").await;
    let (mut now, mut early) = (at(BEGIN), 0);
    for step in 1..=STEPS {
        room.pass(STEP);
        now = now.plus_millis(i64::try_from(STEP.as_millis()).unwrap());
        if step % 12 == 0 {
            page.send(&session, 100 + step, "How is it?").await;
            page.answer().await;
            house.writes(step.into(), 8, "And you?");
        }
        quiet(room, now).await;
        if step == 36 {
            early = resident_bytes();
        }
    }
    early
}

/// Due times that runs and what was passed over stand for, by job.
fn ticks(entries: &[Entry], kinds: &[&str]) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in entries.iter().filter(|entry| kinds.contains(&entry.kind.as_str())) {
        let job = entry.data["job"].as_str().unwrap().to_owned();
        *found.entry(job).or_default() += entry.data["ticks"].as_u64().unwrap();
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_accounted_for_and_memory_is_bounded() {
    let mut house = None;
    let room = Room::with(BEGIN, day(), |root| house = Some(House::start(root))).await;
    let house = house.unwrap();
    let early = tokio::select! {
        early = live_through(&room, &house) => early,
        () = answer(&room.model) => 0,
    };
    let grown = resident_bytes().saturating_sub(early);
    assert!(early > 0 && grown < MAX_GROWTH, "from {early} by {grown} bytes");

    // A chat takes one message a second, however fast the day goes by.
    let entries = until("every delivery", async || {
        let entries = whole_audit(&room).await;
        let count = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).count();
        (count("cron.delivered") >= count("cron.fired")).then_some(entries)
    })
    .await;
    let job = |name: &str| format!("assistant/{name}");
    // 25 hours of Berlin's clock have passed in them: two o'clock comes twice, and half past two counts once.
    let expect: BTreeMap<String, u64> = [("often", 144), ("hourly", 24), ("broken", 12), ("house", 48), ("recap", 1)]
        .map(|(name, n)| (job(name), n))
        .into();
    let due = ticks(&entries, &["cron.fired", "cron.passed_over"]);
    assert_eq!(due, expect, "every due time is on record, once");
    let of_kind = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).collect::<Vec<_>>();
    let fired = of_kind("cron.fired");
    for kind in ["cron.finished", "cron.delivered"] {
        let entries = of_kind(kind);
        let runs: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.data["run"].as_str()).collect();
        assert_eq!((runs.len(), entries.len()), (fired.len(), fired.len()), "each run has one {kind}");
    }
    let failed = of_kind("cron.finished").into_iter().filter(|entry| entry.data["outcome"] == "failed");
    let failed: Vec<(&Value, &Value)> = failed.map(|entry| (&entry.data["job"], &entry.data["attempts"])).collect();
    assert_eq!(failed.len(), 12);
    assert!(failed.iter().all(|failed| *failed == (&json!(job("broken")), &json!(2))), "{failed:?}");

    assert_eq!(house.looks(), 48, "the house was looked at by each of its runs");
    let sent = house.sent_so_many(48).await;
    let to = |chat: i64| sent.iter().filter(|(to, _)| *to == chat).count();
    assert_eq!((to(7), to(8), sent.len()), (24, 24, 48), "none lost, none doubled");
    let status: AgentStatus = room.agent.admin.get("/status").await.unwrap();
    assert_eq!((status.cron.fired_total, status.cron.missed_total, status.cron.troubled), (fired.len() as u64, 0, 1));
    let list: CronList = room.agent.admin.get("/cron").await.unwrap();
    assert!(list.jobs.iter().all(|status| status.running.is_none()));
}
