//! What is measured and what is kept of it: numbers in `/status`, usage in `/usage`, the error of the box in the log.

use http_body_util::BodyExt as _;
use platform_types::meters::{Cancelled, Histogram, Provider, UsageReport, Used};
use platform_types::{BotName, ModelId, ProfileName};

use crate::running::{Running, chat, within};
use crate::scripted::*;
use spark::place::{Limits, Place};

const STREAM: &str = r#","stream":true"#;

fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).unwrap()
}

/// Counts without their time, by profile and bot.
fn counted(report: &UsageReport) -> Vec<(&str, Option<&str>, Used)> {
    let row = |row: &platform_types::meters::UsageRow| Used { last: platform_types::Timestamp::default(), ..row.used };
    report.rows.iter().map(|one| (one.profile.as_str(), one.bot.as_ref().map(BotName::as_str), row(one))).collect()
}

#[tokio::test]
async fn chunks_of_a_stream_are_timed_and_a_plain_answer_has_none() {
    let rest = [chunk("b"), chunk("c"), ending()].concat();
    let steps = vec![stream_head(), send(&chunk("a")), Step::Hold, send(&rest)];
    let plain = plain(MODEL);
    let scripted = ScriptedBox::start(move |seen| match seen.is_list() {
        true => list(),
        false if seen.body.contains("plain") => whole(200, "", &plain),
        false => steps.clone(),
    })
    .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let mut body = running.lane("ops").open(chat(MODEL, "hi", STREAM)).await.into_body();
    within("the first chunk", body.frame()).await.unwrap().unwrap();
    scripted.go();
    within("the rest", body.collect()).await.unwrap();
    assert_eq!(running.lane("ops").ask(chat(MODEL, "plain", "")).await.status, 200);

    let meters = running.counted("both have ended", |status| status.inflight == 0).await.meters;
    let [operation] = meters.operations.as_slice() else { panic!("{:?}", meters.operations) };
    let totals = [&operation.duration, &operation.first_byte, &operation.per_chunk].map(Histogram::total);
    assert_eq!(totals, [2, 1, 3], "the last chunk has the reason for the end");
    assert!(operation.per_chunk.sum > 0 && operation.per_chunk.sum < operation.duration.sum, "{operation:?}");
}

#[tokio::test]
async fn requests_are_measured_where_they_belong() {
    let usage = r#"data: {"choices":[],"usage":{"prompt_tokens":90,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":64}}}"#;
    let body = format!(
        "{}data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n{usage}\n\ndata: [DONE]\n\n",
        chunk("hi")
    );
    let scripted = ScriptedBox::start(move |seen| match seen.is_list() {
        true => list(),
        false if seen.body.contains("fail") => whole(500, "", "boom"),
        false => stream(&body),
    })
    .await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("ops");
    for bot in ["home", "home", "no such name!"] {
        assert_eq!(lane.ask_with(chat(MODEL, "hi", STREAM), &[("x-bot-name", bot)]).await.status, 200);
    }
    assert_eq!(lane.ask(chat(MODEL, "fail", STREAM)).await.status, 502);
    assert_eq!(lane.ask(chat("made/Up", "hi", STREAM)).await.status, 404);

    let meters = running.counted("every request has ended", |status| status.inflight == 0).await.meters;
    let model = Some(ModelId::new(MODEL).unwrap());
    let seen: Vec<_> = meters.operations.iter().map(|one| (one.error.as_deref(), one.duration.total())).collect();
    assert_eq!(seen, [(None, 3), (Some("upstream_error"), 1)]);
    for one in &meters.operations {
        assert_eq!((&one.profile, one.provider, &one.model), (&profile("ops"), Provider::Vllm, &model));
    }
    let [tokens] = meters.tokens.as_slice() else { panic!("{:?}", meters.tokens) };
    assert_eq!((tokens.input.sum, tokens.output.sum, tokens.cached), (270, 12, 192));
    assert_eq!(meters.refused[&profile("ops")].get("model_not_found"), Some(&1));
    assert_eq!((meters.overhead.total(), meters.queue_wait[&profile("ops")].total()), (4, 4));
    assert_eq!(meters.cancelled, Cancelled::default());

    let report: UsageReport = running.admin().get("/usage").await.unwrap();
    let answered = |requests: u64| Used {
        requests,
        input_tokens: 90 * requests,
        output_tokens: 4 * requests,
        cached_tokens: 64 * requests,
        ..Used::default()
    };
    let other = Used { requests: 2, ..answered(1) };
    assert_eq!(counted(&report), [("ops", None, other), ("ops", Some("home"), answered(2))]);
}

#[tokio::test]
async fn cancels_are_counted_by_what_they_cut_off() {
    let steps = vec![stream_head(), send(&chunk("hi")), Step::UntilGone];
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    drop(running.lane("ops").open(chat(MODEL, "hi", STREAM)).await);
    let cut = |wanted: Cancelled| move |status: &platform_types::spark::SparkStatus| status.meters.cancelled == wanted;
    let one = Cancelled { streaming: 1, ..Cancelled::default() };
    running.counted("a cancel in the middle of an answer", cut(one)).await;

    let silent = ScriptedBox::start(listing(vec![Step::UntilGone])).await;
    running.push(2, silent.backend(), &["personal", "ops"]).await.unwrap();
    let lane = running.lane("ops");
    let asking = platform_kit::task::spawn("client", async move { lane.open(chat(MODEL, "hi", STREAM)).await });
    silent.until_chats(1).await;
    asking.abort();
    running.counted("a cancel before the first byte", cut(Cancelled { waiting: 1, ..one })).await;
}

#[tokio::test]
async fn usage_goes_on_after_a_restart() {
    let scripted = ScriptedBox::start(listing(whole(200, "", &plain(MODEL)))).await;
    let root = tempfile::tempdir().unwrap();
    for requests in 1..=3 {
        let running = Running::start_at(Place::under(root.path()), None, Limits::default());
        running.push(1, scripted.backend(), &["ops"]).await.unwrap();
        assert_eq!(running.lane("ops").ask_with(chat(MODEL, "hi", ""), &[("x-bot-name", "home")]).await.status, 200);
        let report: UsageReport = running.admin().get("/usage").await.unwrap();
        let expect = Used { requests, input_tokens: 5 * requests, output_tokens: 2 * requests, ..Used::default() };
        assert_eq!(counted(&report), [("ops", Some("home"), expect)]);
        within("the router has stopped", running.stopped()).await;
    }
}
