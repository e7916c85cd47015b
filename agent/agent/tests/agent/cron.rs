//! Jobs by the clock, with a clock in the test's hands.

use std::time::Duration;

use platform_kit::client::CallError;
use platform_types::agent::AgentConfig;
use platform_types::chat::{Author, NoteCode};
use platform_types::cron::{By, Cause, CronJob, CronList, Delivery, JobStatus, Missed, Outcome};
use platform_types::schedule::{Expression, When};
use platform_types::{JobName, Revision};
use serde_json::{Value, json};

use crate::approvals::outward;
use crate::support::agent::{DEVICE, World, bot, config};
use crate::support::gate::Gate;
use crate::support::inside::{Room, at, with_jobs};
use crate::support::model::{prompt, results};
use crate::support::page::request;
use crate::support::{until, within};

/// A job of the first bot, at these times in Berlin.
pub fn job(name: &str, schedule: &str) -> CronJob {
    CronJob {
        bot: bot("assistant", &[]).name,
        name: JobName::new(name).unwrap(),
        when: When::Schedule(Expression::new(schedule).unwrap()),
        timezone: "Europe/Berlin".to_owned(),
        prompt: format!("Do {name}."),
        missed: Missed::RunOnce,
        timeout_minutes: 15,
        retries: 0,
        deliver: None,
        tools: None,
    }
}

fn is_over(status: &JobStatus) -> bool {
    status.running.is_none() && status.last.is_some()
}

#[tokio::test]
async fn a_due_time_fires_a_run_whose_three_facts_are_on_record() {
    let room = Room::start("2026-03-28T01:00", with_jobs(vec![job("recap", "30 2 * * *")])).await;
    assert_eq!(room.job("recap").await.next, Some(at("2026-03-28T01:30")));
    room.be("2026-03-28T01:30");
    let exchange = room.model.next().await;
    assert_eq!(exchange.headers["x-bot-priority"], "cron");
    let said = |role: &str, text: &str| (role.to_owned(), text.to_owned());
    assert_eq!(exchange.prompt(), [said("system", "You are assistant."), said("user", "Do recap.")]);
    let running = room.job_when("recap", |status| status.running.is_some()).await.running.unwrap();
    assert_eq!((running.fired_at, running.finished_at), (Some(at("2026-03-28T01:30")), None));
    room.pass(Duration::from_mins(1));
    let stream = exchange.stream();
    stream.text("All done.").await;
    stream.finish("stop").await;
    let status = room.job_when("recap", is_over).await;
    let run = status.last.unwrap();
    assert_eq!((run.due, run.ticks, run.cause, run.attempts), (at("2026-03-28T01:30"), 1, Cause::Schedule, 1));
    assert_eq!((run.outcome, run.finished_at), (Some(Outcome::Completed), Some(at("2026-03-28T01:31"))));
    assert_eq!((run.delivery, run.delivered_at), (Some(Delivery::Delivered), Some(at("2026-03-28T01:31"))));
    assert_eq!(status.trouble, None);
    // That night the clocks are put forward: at two it is three.
    assert_eq!(status.next, Some(at("2026-03-29T01:00")));

    let kinds: Vec<String> = room.audit("").await.into_iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, ["cron.fired", "turn.started", "turn.ended", "cron.finished", "cron.delivered"]);
    let finished = room.audit("cron.finished").await.remove(0);
    assert_eq!((&finished.data["run"], &finished.data["turn"]), (&json!(run.id), &json!(run.turn)));
    assert_eq!(room.audit("turn.started").await[0].data["job"], "assistant/recap");

    let mut page = room.page().await;
    assert_eq!(page.sessions[0].title, "recap");
    let session = status.session.unwrap();
    let (messages, ..) = page.open(&session).await;
    assert_eq!(messages.iter().map(|m| m.text.as_str()).collect::<Vec<_>>(), ["Do recap.", "All done."]);

    // The next run begins anew; a person who goes on sees all of it, in a turn like any other.
    room.be("2026-03-29T01:00");
    assert_eq!(prompt(&room.model.says("Again.").await).len(), 2);
    page.answer().await;
    page.send(&session, 7, "Tell me more").await;
    let exchange = room.model.next().await;
    assert_eq!(exchange.headers["x-bot-priority"], "chat");
    let texts: Vec<String> = exchange.prompt().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts[1..], ["Do recap.", "All done.", "Do recap.", "Again.", "Tell me more"]);
}

#[tokio::test]
async fn one_run_at_a_time_and_what_it_keeps_waiting_is_on_record() {
    let room = Room::start("2026-11-23T06:00", with_jobs(vec![job("often", "*/5 * * * *")])).await;
    room.be("2026-11-23T06:05");
    let exchange = room.model.next().await;
    room.be("2026-11-23T06:10");
    room.job_when("often", |status| status.last.is_some()).await;
    room.be("2026-11-23T06:15");
    let status = room
        .job_when("often", |status| status.last.as_ref().is_some_and(|run| run.due == at("2026-11-23T06:15")))
        .await;
    assert_eq!(status.last.unwrap().outcome, Some(Outcome::Skipped));
    assert_eq!(status.trouble, None, "it works, only slowly");
    assert_eq!(room.audit("cron.passed_over").await.len(), 2);
    let refused = room.command("often", "run").await;
    assert!(matches!(&refused, Err(CallError::Refused { code, .. }) if code == "conflict"), "{refused:?}");
    let stream = exchange.stream();
    stream.finish("stop").await;
    room.job_when("often", is_over).await;
    room.be("2026-11-23T06:20");
    room.model.says("Again").await;
    room.job_when("often", |status| {
        is_over(status) && status.last.as_ref().is_some_and(|run| run.due == at("2026-11-23T06:20"))
    })
    .await;
    let status: Value = room.agent.admin.get("/status").await.unwrap();
    assert_eq!((&status["cron"]["fired_total"], &status["cron"]["skipped_total"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_then_a_trouble() {
    let retried = CronJob { retries: 1, ..job("often", "0 * * * *") };
    let room = Room::start("2026-11-23T05:30", with_jobs(vec![retried])).await;
    room.be("2026-11-23T06:00");
    let error = json!({"message": "no model today", "code": "upstream_error", "type": "server_error"});
    room.model.next().await.error(502, &error);
    let run = room.run_when("often", |run| run.retry_at.is_some()).await;
    assert_eq!((run.attempts, run.retry_at), (1, Some(at("2026-11-23T06:00").plus_millis(30_000))));
    let waiting = room.job("often").await;
    assert!(waiting.running.is_some_and(|run| run.outcome.is_none()), "it is not over");
    // Until the pause is over nothing is asked; then once more.
    room.pass(Duration::from_secs(30));
    room.model.next().await.error(502, &error);
    let status = room.job_when("often", is_over).await;
    let run = status.last.unwrap();
    assert_eq!((run.attempts, run.outcome), (2, Some(Outcome::Failed)));
    assert_eq!(run.delivery, Some(Delivery::Delivered), "the note says why");
    assert!(run.detail.is_some(), "{run:?}");
    let trouble = status.trouble.unwrap();
    assert!(trouble.starts_with("the run of 2026-11-23T06:00:00Z failed: "), "{trouble}");
    assert_eq!(room.notes().await, [format!("job assistant/often: {trouble}")]);
    let status: Value = room.agent.admin.get("/status").await.unwrap();
    assert_eq!((&status["cron"]["troubled"], &status["cron"]["failed_total"]), (&json!(1), &json!(1)));

    room.be("2026-11-23T07:00");
    room.model.says("Well again").await;
    room.job_when("often", |status| is_over(status) && status.trouble.is_none()).await;
    assert_eq!(room.notes().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_missed_runs_once_or_not_at_all() {
    let skipping = CronJob { missed: Missed::Skip, ..job("skips", "0 * * * *") };
    let room = Room::start("2026-11-23T05:30", with_jobs(vec![job("once", "0 * * * *"), skipping])).await;
    let room = room.restart(200).await;
    let body = room.model.says("Late").await;
    assert_eq!(prompt(&body)[1].1, "Do once.");
    let once = room.job_when("once", is_over).await.last.unwrap();
    assert_eq!((once.cause, once.ticks, once.due), (Cause::CatchUp, 3, at("2026-11-23T08:00")));
    let skips = room.job("skips").await;
    let passed = skips.last.unwrap();
    assert_eq!((passed.outcome, passed.ticks, passed.fired_at), (Some(Outcome::Missed), 3, None));
    assert_eq!(skips.trouble.unwrap(), "3 due times were missed, the last at 2026-11-23T08:00:00Z");
    assert_eq!(room.runs("skips").await.len(), 1);
    // A restart without a due time in between repeats nothing.
    let room = room.restart(5).await;
    assert_eq!(room.runs("once").await.len(), 1);
    assert_eq!(room.audit("cron.fired").await.len(), 1);
}

#[tokio::test]
async fn a_run_that_a_crash_cut_off_is_closed_and_tried_again_within_its_limit() {
    for (retries, attempts) in [(0, 1), (1, 2)] {
        let retried = CronJob { retries, ..job("slow", "0 0 1 1 *") };
        let world = World::with(with_jobs(vec![retried])).await;
        let asked: JobStatus =
            world.agent.admin.post("/cron/assistant/slow/run", &By { user: "anna".into() }).await.unwrap();
        let fired = asked.running.unwrap();
        assert_eq!((fired.cause, fired.by.as_deref()), (Cause::Asked, Some("operator anna")));
        let exchange = world.model.next().await;
        // A model is asked while the message is on its way to the disk; one that never got there was not begun.
        until("the message to be durable", async || (world.agent.status().await.messages > 0).then_some(())).await;
        let room = Room::after(world, fired.fired_at.unwrap().plus_millis(1000)).await;
        drop(exchange);
        if retries > 0 {
            room.run_when("slow", |run| run.retry_at.is_some()).await;
            room.pass(Duration::from_secs(31));
            room.model.says("At last").await;
        }
        let run = room.run_when("slow", |run| run.finished_at.is_some()).await;
        let expect = if retries > 0 { Outcome::Completed } else { Outcome::Interrupted };
        assert_eq!((run.id, run.attempts, run.outcome), (fired.id, attempts, Some(expect)));
        assert_eq!(room.audit("cron.finished").await.len(), 1);
        assert_eq!(room.audit("cron.delivered").await.len(), 1);
        let mut page = room.page().await;
        let session = page.sessions[0].id.clone();
        let (messages, ..) = page.open(&session).await;
        let note = messages.iter().find(|message| message.author == Author::Bot).unwrap().note.clone();
        assert_eq!(note.map(|note| note.code), Some(NoteCode::Interrupted));
    }
}

#[tokio::test]
async fn pausing_and_running_by_hand() {
    let room = Room::start("2026-11-23T06:30", with_jobs(vec![job("often", "0 * * * *")])).await;
    let paused = room.command("often", "pause").await.unwrap();
    assert_eq!(paused.paused.map(|paused| paused.by), Some("operator anna".to_owned()));
    assert_eq!(paused.next, None);
    room.command("often", "pause").await.unwrap();
    room.be("2026-11-23T07:30");
    let room = room.restart(60).await;
    let status = room.job("often").await;
    assert!(status.paused.is_some() && status.last.is_none() && status.trouble.is_none(), "{status:?}");
    room.command("often", "run").await.unwrap();
    room.model.says("By hand").await;
    room.job_when("often", is_over).await;
    let resumed = room.command("often", "resume").await.unwrap();
    assert_eq!((resumed.paused, resumed.next), (None, Some(at("2026-11-23T09:00"))));
    room.be("2026-11-23T09:00");
    room.model.says("By the clock").await;
    let kinds: Vec<(String, String)> =
        room.audit("cron.").await.into_iter().map(|entry| (entry.kind, entry.actor)).collect();
    let entry = |kind: &str, actor: &str| (kind.to_owned(), actor.to_owned());
    assert_eq!(
        kinds[..3],
        [entry("cron.paused", "operator anna"), entry("cron.fired", "operator anna"), entry("cron.finished", "clock"),]
    );
    let unknown = room.command("nothing", "run").await;
    assert!(matches!(&unknown, Err(CallError::Refused { code, .. }) if code == "not_found"), "{unknown:?}");
}

#[tokio::test]
async fn a_page_needs_the_scope_approve_to_run_or_pause() {
    let room = Room::start("2026-11-23T06:30", with_jobs(vec![job("often", "0 * * * *")])).await;
    let call = async |method: http::Method, target: &str, scopes: &str| {
        let headers = [("x-bot-device", DEVICE), ("x-bot-scopes", scopes)];
        let headers = if scopes.is_empty() { &headers[..0] } else { &headers[..] };
        let (status, _, body) = request(&room.agent.http, method, target, headers, String::new()).await;
        (status, body)
    };
    let (status, body) = call(http::Method::GET, "/api/cron", "chat").await;
    let list: CronList = serde_json::from_str(&body).unwrap();
    assert_eq!((status, list.jobs[0].job.name.as_str()), (200, "often"));
    assert_eq!(call(http::Method::GET, "/api/cron", "").await.0, 401);
    assert_eq!(call(http::Method::POST, "/api/cron/assistant/often/run", "chat").await.0, 403);
    assert_eq!(call(http::Method::POST, "/api/cron/assistant/often/pause", "chat,admin").await.0, 403);
    assert_eq!(call(http::Method::POST, "/api/cron/assistant/often/run", "chat,approve").await.0, 200);
    room.model.says("Now").await;
    room.job_when("often", is_over).await;
    assert_eq!(room.audit("cron.fired").await[0].actor, format!("device {DEVICE}"));
    let (status, body) = call(http::Method::GET, "/api/cron/assistant/often/runs", "chat").await;
    assert_eq!(status, 200);
    assert!(body.contains("\"cause\":\"asked\""), "{body}");
    assert_eq!(call(http::Method::GET, "/api/cron/assistant/other/runs", "chat").await.0, 404);
    assert_eq!(call(http::Method::GET, "/api/cron/As%20/x/runs", "chat").await.0, 404);
}

#[tokio::test]
async fn a_run_stays_within_the_workspace_and_the_audit_says_so() {
    let own_tools = CronJob { tools: Some(vec!["clock.now".into(), "http.get".into()]), ..job("looks", "0 * * * *") };
    let mut config = outward();
    config.bots[0].tools = vec!["clock.now".into(), "http.get".into(), "http.request".into()];
    config.cron = vec![own_tools];
    let mut gate = None;
    let mut room = Room::with("2026-11-23T06:30", config, |root| gate = Some(Gate::start(root))).await;
    room.be("2026-11-23T07:00");
    let upstream = room.config.upstreams[0].to_string();
    let get = json!({"upstream": upstream, "path": "/"}).to_string();
    let body = room.model.calls(&[("clock_now", "{}"), ("http_get", &get), ("http_request", "{}")]).await;
    let offered: Vec<&str> =
        body["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].as_str().unwrap()).collect();
    assert_eq!(offered, ["clock_now", "http_get"], "narrowed to the job's own");
    let body = room.model.says("I could not look").await;
    let results = results(&body);
    for words in [
        "2026-11-23T08:00:00+01:00",
        "it reaches out of the workspace, and no rule allows it for scheduled sessions",
        "there is no tool \"http_request\"",
    ] {
        assert!(results.iter().any(|result| result.contains(words)), "{results:?}");
    }
    room.job_when("looks", is_over).await;
    assert!(gate.as_ref().unwrap().seen().is_empty(), "nothing went out");
    let run = room.runs("looks").await.remove(0);
    let decided = room.audit("tool.decided").await;
    let of_run = |tool: &str| {
        decided.iter().find(|entry| entry.data["tool"] == tool && entry.data["turn"] == json!(run.turn)).unwrap()
    };
    assert_eq!(
        (&of_run("clock.now").data["effect"], &of_run("http.get").data["effect"]),
        (&json!("allow"), &json!("deny"))
    );

    let rule = |session: Value| json!({"effect": "allow", "tool": "http.get", "session": session});
    for (revision, session, goes_out) in [(2, Value::Null, false), (3, json!("cron"), true)] {
        let policy = vec![serde_json::from_value(rule(session)).unwrap()];
        let config = AgentConfig { policy, revision: Revision(revision), ..room.config.clone() };
        room.configure(config).await;
        room.command("looks", "run").await.unwrap();
        room.model.calls(&[("http_get", &get)]).await;
        room.model.says("So").await;
        room.job_when("looks", is_over).await;
        assert_eq!(!gate.as_ref().unwrap().seen().is_empty(), goes_out);
    }
}

#[tokio::test]
async fn another_schedule_begins_anew_and_a_job_that_is_taken_away_is_forgotten() {
    let mut room = Room::start("2026-11-23T06:30", with_jobs(vec![job("a", "0 * * * *"), job("b", "0 * * * *")])).await;
    room.be("2026-11-23T06:45");
    let config = AgentConfig { revision: Revision(2), cron: vec![job("a", "40 * * * *")], ..config(1) };
    room.configure(config).await;
    let status = room.job_when("a", |status| status.job.when.to_string() == "40 * * * *").await;
    assert_eq!((status.next, status.last), (Some(at("2026-11-23T07:40")), None));
    let list: CronList = room.agent.admin.get("/cron").await.unwrap();
    assert_eq!(list.jobs.len(), 1);
    let room = room.restart(0).await;
    assert_eq!(room.job("a").await.next, Some(at("2026-11-23T07:40")));

    let bad = AgentConfig {
        revision: Revision(9),
        cron: vec![CronJob { bot: bot("ghost", &[]).name, ..job("a", "0 * * * *") }],
        ..room.config.clone()
    };
    let refused = room.agent.admin.put::<_, Value>("/config", &bad).await;
    assert!(
        matches!(&refused, Err(CallError::Refused { message, .. }) if message.contains("for a bot that there is not")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_run_has_its_time_and_a_person_stops_it_for_good() {
    let mut room =
        Room::start("2026-11-23T06:30", with_jobs(vec![CronJob { retries: 3, ..job("often", "0 * * * *") }])).await;
    room.be("2026-11-23T07:00");
    let exchange = room.model.next().await;
    let mut page = room.page().await;
    let session = room.job_when("often", |status| status.session.is_some()).await.session.unwrap();
    page.open(&session).await;
    page.say(&platform_types::chat::ToAgent::Stop { session: session.clone() }).await;
    within("the model to be given up", exchange.given_up()).await;
    let run = room.job_when("often", is_over).await.last.unwrap();
    assert_eq!((run.outcome, run.attempts, run.delivery), (Some(Outcome::Stopped), 1, None));

    // Without its session it is stopped too, and the next run has another one.
    room.be("2026-11-23T08:00");
    let exchange = room.model.next().await;
    page.say(&platform_types::chat::ToAgent::DeleteSession { session: session.clone() }).await;
    within("the model to be given up", exchange.given_up()).await;
    let is_of_eight = |status: &JobStatus| {
        is_over(status) && status.last.as_ref().is_some_and(|run| run.due == at("2026-11-23T08:00"))
    };
    let run = room.job_when("often", is_of_eight).await.last.unwrap();
    assert_eq!((run.outcome, run.detail.as_deref()), (Some(Outcome::Stopped), Some("its session was deleted")));
    room.be("2026-11-23T09:00");
    room.model.says("In a new one").await;
    room.job_when("often", |status| is_over(status) && status.session.as_ref().is_some_and(|new| *new != session))
        .await;

    // A job has its own time, and then the turn is ended.
    let quick = CronJob { timeout_minutes: 0, ..job("quick", "0 * * * *") };
    room.configure(AgentConfig { revision: Revision(2), cron: vec![quick], ..config(1) }).await;
    room.command("quick", "run").await.unwrap();
    let run = room.job_when("quick", is_over).await.last.unwrap();
    assert_eq!(run.outcome, Some(Outcome::Failed));
    assert!(run.detail.as_ref().is_some_and(|detail| detail.starts_with("The answer took too long")), "{run:?}");
}
