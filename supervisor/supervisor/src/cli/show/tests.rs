//! What is printed, as snapshots: read them as an operator would.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform_types::backup::Snapshot;
use platform_types::gate::Scope;
use platform_types::layout::Roots;
use platform_types::spark::{BackendKind, Model, ModelList, SparkHealth};
use platform_types::{Generation, ModelId, Timestamp};
use supervisor_plan::report::{Blocked, Condition, Doing, Waiting};
use supervisor_plan::{Impact, Target, impact, observed};

use super::{backups, checkup, health, journal, planning, registry, settings, spark, status};
use crate::api::view::{self, Tally};
use crate::api::wire::backups::{JobStatus, Snapshots, UpkeepStatus};
use crate::api::wire::findings::{Check, Checkup, Verdict};
use crate::api::wire::journal::{Event, LogLine};
use crate::api::wire::planning::{Open, Plan, Step};
use crate::api::wire::registry::{Device, Devices, Link, PairingRequest, TokenCreated};
use crate::api::wire::settings::{ConfigDiff, Override};
use crate::cli::screen::Screen;
use crate::example::{self, NOW, profile};
use crate::registry::code;
use crate::state::{Operation, OperationKind, UnderWay, World};

fn printed(show: impl FnOnce(&mut Screen)) -> String {
    let mut screen = Screen::plain(NOW);
    show(&mut screen);
    screen.into_text()
}

fn ago(millis: i64) -> Timestamp {
    NOW.plus_millis(-millis)
}

fn tallies() -> BTreeMap<platform_types::ProfileName, Tally> {
    let personal = Tally { devices: 2, requests: 1, tokens: 1, last_snapshot_at: Some(ago(9 * 3_600_000)) };
    BTreeMap::from([(profile("personal"), personal), (profile("ops"), Tally::default())])
}

fn well() -> World {
    example::world(&Roots::system())
}

/// A crash loop, a rollout, a port that is taken, a Docker that went away, a file that is not applied.
fn troubled() -> World {
    let mut world = well();
    let (personal, ops) = (Target::agent(&profile("personal")), Target::agent(&profile("ops")));
    let mut report = (*world.report).clone();
    let set = |report: &mut supervisor_plan::Report, target: &Target, condition, waiting| {
        let found = report.targets.get_mut(target).unwrap();
        (found.condition, found.waiting) = (condition, waiting);
    };
    let waiting =
        vec![Waiting::BackOff { until: NOW.plus_millis(8_000), attempt: 3, evidence: "exit code 101".to_owned() }];
    set(&mut report, &personal, Condition::Exited, waiting);
    set(&mut report, &ops, Condition::Standby, vec![Waiting::NextGeneration { generation: Generation(3) }]);
    let gate = report.targets.get_mut(&Target::gate(&profile("ops"))).unwrap();
    gate.condition = Condition::Missing;
    gate.container = None;
    gate.blocked = vec![Blocked {
        problem: "port 18790 is taken by another program".to_owned(),
        remedy: "stop it (ss -ltnp), or change profile.ops.port".to_owned(),
    }];
    let spark = report.targets.get_mut(&Target::spark()).unwrap();
    spark.doing = Some(Doing::Action { verb: "restart".to_owned(), because: "silent for 12 s".to_owned() });
    spark.notes = vec!["it reports: \\u{1b}[2Jall is well".to_owned()];
    report.notes = vec!["volume bot-old-state is kept".to_owned()];
    world.report = Arc::new(report);
    let mut observed = (*world.observed).clone();
    observed.engine = observed::Engine::Unreachable { since: ago(30_000), error: "connection refused".to_owned() };
    world.observed = Arc::new(observed);
    let under_way = UnderWay { verb: "launch".to_owned(), because: "the image changed".to_owned(), since: ago(900) };
    world.under_way = Arc::new(BTreeMap::from([(ops, under_way)]));
    let operation =
        Operation { kind: OperationKind::Snapshot, since: ago(4_000), progress: "120 of 300 files".to_owned() };
    world.operations = Arc::new(BTreeMap::from([(profile("personal"), operation)]));
    world.problems = Arc::new(vec!["/var/lib/bot-platform is full".to_owned()]);
    world.unapplied = true;
    let text = "[profile.personal]\nport = 18789\nprot = 1\n";
    world.findings = Arc::new(supervisor_config::read(text, &supervisor_config::Surroundings::default()).findings);
    world
}

fn failing_upkeep() -> UpkeepStatus {
    let job = JobStatus {
        began_at: ago(70_000),
        ended_at: Some(ago(60_000)),
        failures: 2,
        error: Some("no space is left in the repository".to_owned()),
        done_at: None,
        outcome: None,
    };
    let jobs = [("snapshot".to_owned(), job)].into();
    UpkeepStatus { stale: true, next_at: Some(NOW.plus_millis(3_600_000)), jobs }
}

fn started() -> Timestamp {
    ago(3 * 3_600_000)
}

#[test]
fn status_when_all_is_well() {
    let status = view::status(&well(), &tallies(), NOW, started());
    insta::assert_snapshot!(printed(|screen| status::show(screen, &status)));
}

#[test]
fn status_in_trouble() {
    let status = view::status(&troubled(), &tallies(), NOW, started());
    insta::assert_snapshot!(printed(|screen| status::show(screen, &status)));
}

/// A box that lists another model.
fn another_model() -> SparkHealth {
    let problem = Some("the box lists tiny/other; set [spark] model to one of them".to_owned());
    SparkHealth {
        backend: BackendKind::Box,
        url: Some("https://spark.example.ts.net/v1".to_owned()),
        model: ModelId::new("openai/gpt-oss-120b").unwrap(),
        reachable: true,
        answering: true,
        model_listed: false,
        problem,
        checked_at: NOW,
        latency_millis: 18,
    }
}

#[test]
fn what_was_not_asked_is_no_no() {
    let facts = |reachable, answering, model_listed| {
        let health = SparkHealth { reachable, answering, model_listed, ..another_model() };
        let shown = printed(|screen| spark::health(screen, &health));
        let words = |fact: &str| {
            shown.lines().find_map(|line| line.trim().strip_prefix(fact)).map(str::trim).unwrap().to_owned()
        };
        ["reachable", "answering", "model listed"].map(words)
    };
    assert_eq!(facts(true, true, true), ["yes", "yes", "yes"]);
    assert_eq!(facts(true, false, false), ["yes", "no", "not asked"]);
    assert_eq!(facts(false, false, false), ["no", "not asked", "not asked"]);
}

#[test]
fn health_in_trouble() {
    let found = view::health(&troubled(), Some(another_model()), NOW);
    insta::assert_snapshot!(printed(|screen| health::show(screen, &found)));
}

#[test]
fn a_model_box_that_cannot_be_used_is_in_the_headline() {
    let headline = |show: &dyn Fn(&mut Screen)| printed(show).lines().next().unwrap_or_default().to_owned();
    let of_status = |world: &World| {
        let found = view::status(world, &tallies(), NOW, started());
        assert!(found.well, "what runs here is well: nobody waits for a box");
        headline(&|screen| status::show(screen, &found))
    };
    let of_health = |world: &World, spark: Option<SparkHealth>| {
        let found = view::health(world, spark, NOW);
        assert!(found.well);
        headline(&|screen| health::show(screen, &found))
    };
    let degraded = "degraded: everything that runs here is well, the model box is not";

    let mut world = well();
    // Without [spark] a note says that the demo model answers.
    note_of_spark(&mut world, "no model box is configured");
    assert_eq!((of_status(&world), of_health(&world, None)), ("bot: all is well".to_owned(), "all is well".to_owned()));
    let mut config = (*world.config).clone();
    let url = "http://192.168.1.20:8000/v1".to_owned();
    config.spark = Some(supervisor_config::config::Spark {
        url,
        model: ModelId::new("m").unwrap(),
        key: None,
        limits: platform_types::spark::SparkLimits::default(),
        switch: None,
    });
    world.config = Arc::new(config);
    assert_eq!(of_status(&world), format!("bot: {degraded}"));
    assert_eq!(of_health(&world, None), degraded, "spark's last word counts while it cannot be asked");
    let fine = SparkHealth { model_listed: true, problem: None, ..another_model() };
    assert_eq!(of_health(&world, Some(fine)), "all is well", "a fresh answer counts more");
    assert_eq!(of_health(&well(), Some(another_model())), degraded);
}

fn note_of_spark(world: &mut World, note: &str) {
    let mut observed = (*world.observed).clone();
    let spark = observed.containers.iter_mut().find(|found| found.labels.target == Some(Target::spark())).unwrap();
    let observed::Probe::Answering(answer) = &mut spark.probe else { panic!("spark does not answer") };
    answer.notes = vec![note.to_owned()];
    world.observed = Arc::new(observed);
}

#[test]
fn usage_is_listed() {
    use platform_types::BotName;
    use platform_types::meters::{UsageReport, UsageRow, Used};

    let used = Used {
        requests: 1_204,
        input_tokens: 3_180_441,
        output_tokens: 92_117,
        cached_tokens: 2_700_000,
        estimated: 3,
        last: ago(60_000),
    };
    let row = |bot: Option<&str>, used| UsageRow {
        profile: profile("ops"),
        bot: bot.map(|bot| BotName::new(bot).unwrap()),
        used,
    };
    let usage = UsageReport {
        since: ago(86_400_000),
        rows: vec![row(None, Used { last: ago(5_000), ..Used::default() }), row(Some("home"), used)],
    };
    insta::assert_snapshot!(printed(|screen| spark::usage(screen, &usage)));
    let nothing = UsageReport { rows: Vec::new(), ..usage };
    assert!(printed(|screen| spark::usage(screen, &nothing)).starts_with("nothing was asked of the model since 20"));
}

#[test]
fn models_are_listed() {
    let model = |id: &str, window: Option<u32>, loaded: Option<bool>| Model {
        id: ModelId::new(id).unwrap(),
        object: "model".to_owned(),
        created: 0,
        owned_by: "vllm".to_owned(),
        context_window: window,
        loaded,
    };
    let data = vec![model("openai/gpt-oss-120b", Some(131_072), Some(true)), model("tiny", None, None)];
    let list = ModelList { object: "list".to_owned(), data };
    insta::assert_snapshot!(printed(|screen| spark::models(screen, &list)));
}

#[test]
fn a_plan() {
    let (agent, gate) = (Target::agent(&profile("ops")), Target::gate(&profile("personal")));
    let fields = vec!["memory is 256 MiB, becomes 512 MiB".to_owned()];
    let plan = Plan {
        changed: true,
        impacts: vec![
            Impact { target: agent.clone(), change: impact::Change::Rollout { fields } },
            Impact { target: gate.clone(), change: impact::Change::Pushed },
        ],
        actions: vec![Step { target: gate, verb: "restart".to_owned(), because: "exit code 137".to_owned() }],
        open: vec![Open {
            target: agent,
            waiting: vec![Waiting::Door, Waiting::Hold { reason: "a restore is under way".to_owned() }],
            blocked: Vec::new(),
        }],
        findings: Vec::new(),
    };
    insta::assert_snapshot!(printed(|screen| planning::show(screen, &plan)));
}

#[test]
fn what_went_wrong_is_said_while_it_counts() {
    let gate = Target::gate(&profile("ops"));
    let failure = |at| supervisor_plan::ledger::Failure {
        at,
        run: None,
        fingerprint: String::new(),
        evidence: "memory is 64 MiB, should be 256 MiB".to_owned(),
    };
    let said = |failures: Vec<supervisor_plan::ledger::Failure>| {
        let mut world = well();
        let mut ledger = (*world.ledger).clone();
        ledger.failures.insert(gate.clone(), failures);
        world.ledger = Arc::new(ledger);
        printed(|screen| status::show(screen, &view::status(&world, &tallies(), NOW, started())))
    };
    let text = said(vec![failure(ago(3_600_000)), failure(ago(60_000)), failure(ago(1_000))]);
    let expect = "went wrong 2 times in 10 min, the last time: memory is 64 MiB, should be 256 MiB";
    assert!(text.contains(expect), "{text}");
    assert!(!said(vec![failure(ago(3_600_000))]).contains("went wrong"));
}

#[test]
fn a_port_that_is_somebody_elses_is_shown_where_the_address_is() {
    let mut status = view::status(&well(), &BTreeMap::new(), NOW, started());
    status.profiles[0].unserved = Some("port 18790 is taken by another program".to_owned());
    let text = printed(|screen| status::show(screen, &status));
    assert!(text.contains("its gate is not there: port 18790 is taken"), "{text}");
    assert!(!text.contains("botctl open ops") && text.contains("botctl open personal"), "{text}");
}

#[test]
fn files_that_cannot_come_true_are_a_failure() {
    let gate = Target::gate(&profile("ops"));
    let open = |blocked: Vec<Blocked>| Open { target: gate.clone(), waiting: vec![Waiting::Confirmation], blocked };
    assert_eq!(planning::stuck(&[open(Vec::new())]), None, "what is awaited comes by itself");
    let blocked = Blocked { problem: "port 1 is taken".to_owned(), remedy: "stop it".to_owned() };
    let said = planning::stuck(&[open(vec![blocked])]).unwrap();
    assert_eq!(said, "the files are in force, and ops/gate is not as they say: port 1 is taken; stop it");
}

#[test]
fn a_plan_with_nothing_to_do() {
    let plan = Plan { changed: false, impacts: vec![], actions: vec![], open: vec![], findings: vec![] };
    insta::assert_snapshot!(printed(|screen| planning::show(screen, &plan)));
}

fn device(digit: char, name: &str, scopes: &[Scope], revoked_at: Option<Timestamp>) -> Device {
    let id = platform_types::DeviceId::new(digit.to_string().repeat(64)).unwrap();
    let code = code::short(&id);
    let (added_at, seen_at) = (ago(86_400_000), Some(ago(61_000)));
    Device { id, code, name: name.to_owned(), scopes: scopes.to_vec(), added_at, seen_at, revoked_at }
}

#[test]
fn devices_and_requests() {
    let Device { id, code, .. } = device('7', "", &[], None);
    let request = PairingRequest {
        id,
        code,
        name: "Kitchen tablet".to_owned(),
        login: Some("anna@example.com".to_owned()),
        asked_at: ago(20_000),
        expires_at: NOW.plus_millis(580_000),
    };
    let devices = Devices {
        profile: profile("personal"),
        now: NOW,
        devices: vec![
            device('1', "Firefox on Linux", &[Scope::Chat, Scope::Approve, Scope::Admin], None),
            device('2', "Old phone", &[Scope::Chat], Some(ago(3_600_000))),
        ],
        requests: vec![request],
    };
    insta::assert_snapshot!(printed(|screen| registry::devices(screen, &devices)));
}

#[test]
fn a_link_with_its_qr_code() {
    let link = Link {
        profile: profile("personal"),
        url: "https://vm102.example.ts.net/#setup=0123456789ABCDEFGHJKMNPQRS".to_owned(),
        address: "https://vm102.example.ts.net".to_owned(),
        created_at: NOW,
        expires_at: NOW.plus_millis(900_000),
        pushed: true,
    };
    insta::assert_snapshot!(printed(|screen| registry::link(screen, &link, true)));
}

#[test]
fn a_token_is_shown() {
    let created = TokenCreated {
        profile: profile("personal"),
        name: "laptop-script".to_owned(),
        token: "bot_0123456789".to_owned(),
        base_url: "https://vm102.example.ts.net/v1".to_owned(),
        pushed: false,
    };
    insta::assert_snapshot!(printed(|screen| registry::token_created(screen, &created)));
}

#[test]
fn snapshots_are_listed() {
    let snapshot = |id: &str, at, complete| Snapshot {
        id: id.repeat(8),
        profile: profile("personal"),
        at,
        reason: "manual".to_owned(),
        files: 18,
        bytes: 4_812_345,
        added_bytes: None,
        complete,
    };
    let snapshots = Snapshots {
        profile: profile("personal"),
        snapshots: vec![snapshot("1a2b3c4d", ago(60_000), true), snapshot("99887766", ago(90_000_000), false)],
        problems: vec!["pack 12 cannot be read".to_owned()],
        upkeep: failing_upkeep(),
    };
    insta::assert_snapshot!(printed(|screen| backups::list(screen, &snapshots)));
}

#[test]
fn one_file_is_one_file() {
    let restored = |files| platform_types::backup::Restored {
        snapshot: "1a2b3c4d".repeat(8),
        profile: profile("personal"),
        path: "/x".to_owned(),
        files,
        bytes: 49_152,
        damaged: Vec::new(),
    };
    let said = |files| printed(|screen| backups::restored(screen, &restored(files), Some("/x")));
    assert_eq!(said(1), "1a2b3c4d was restored to /x: 1 file, 49 kB\n");
    assert_eq!(said(2), "1a2b3c4d was restored to /x: 2 files, 49 kB\n");
}

#[test]
fn a_checkup() {
    let check = |name: &str, verdict, summary: &str, details: &[&str], remedy: Option<&str>| Check {
        check: name.to_owned(),
        verdict,
        summary: summary.to_owned(),
        details: details.iter().map(|detail| (*detail).to_owned()).collect(),
        remedy: remedy.map(str::to_owned),
    };
    let checks = vec![
        check("docker", Verdict::Ok, "Docker 20.10.24 (API 1.41)", &[], None),
        check(
            "containers",
            Verdict::Problem,
            "2 of 6 are not ready",
            &["spark is silent", "ops/gate is missing"],
            Some("botctl status says why"),
        ),
        check("quotas", Verdict::Advice, "not enforced: / is ext4", &[], Some("mount it with prjquota")),
        check("tailscale", Verdict::Unknown, "tailscale did not answer", &[], None),
    ];
    let found = Checkup { supervisor: true, checks };
    insta::assert_snapshot!(printed(|screen| checkup::show(screen, &found, false)));
}

#[test]
fn a_difference_of_files() {
    let parse =
        |text: &str| supervisor_config::Config::parse(text, &supervisor_config::Surroundings::default()).unwrap();
    let (old, new) = (parse("[profile.ops]\nport = 18790\n"), parse("[profile.ops]\nport = 18800\n"));
    let found = ConfigDiff {
        compared: true,
        changed: supervisor_config::diff(&old, &new),
        overrides: vec![Override {
            file: "bots/assistant.md".to_owned(),
            shipped: "You are helpful.\n".to_owned(),
            yours: "You are brief.\u{1b}[2J\n".to_owned(),
        }],
    };
    insta::assert_snapshot!(printed(|screen| settings::diff(screen, &found)));
}

#[test]
fn lines_of_streams_are_harmless() {
    let screen = Screen::plain(NOW);
    let event = Event {
        seq: 1,
        at: NOW,
        kind: "action".to_owned(),
        subject: Some("personal/agent".to_owned()),
        message: "restart\r\npersonal/agent".to_owned(),
    };
    assert_eq!(journal::event(&screen, &event), "08:00:00  personal/agent   restart\\r\\npersonal/agent  [action]\n");
    let line = LogLine { target: Target::spark(), stderr: false, text: "\u{1b}]0;owned\u{7}".to_owned() };
    assert_eq!(journal::log_line(&screen, &line, 14), "spark           \\u{1b}]0;owned\\u{7}\n");
}

/// The shape of what `--json` prints: a change here is a change of a public interface.
#[test]
fn json_is_stable() {
    let world = troubled();
    let documents = [
        crate::cli::screen::json(&view::status(&world, &tallies(), NOW, started())),
        crate::cli::screen::json(&view::health(&world, None, NOW)),
    ];
    let text: Vec<String> = documents.into_iter().map(Result::unwrap).collect();
    insta::assert_snapshot!(text.concat());
}
