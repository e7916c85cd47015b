//! From one moment to numbers. Pure.

use platform_types::agent::{AgentStatus, CronStatus};
use platform_types::gate::GateStatus;
use platform_types::{ProfileName, Role};
use supervisor_plan::Target;
use supervisor_plan::observed::Engine;
use supervisor_plan::report::{Condition, TargetReport};
use supervisor_plan::upkeep::JobKind;

use super::catalogue::{self as is, Metric};
use super::scrape::Scrape;
use super::spark::spark;
use crate::api::view::is_well;

/// One number of one metric; its labels are in the order of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub metric: &'static Metric,
    pub labels: Vec<String>,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Number(f64),
    /// How many values there are up to each bound and above the one before; the last bound is infinity.
    Distribution {
        sum: f64,
        count: u64,
        buckets: Vec<(f64, u64)>,
    },
}

#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

impl Samples {
    pub fn add<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: f64) {
        self.push(metric, labels, Value::Number(value));
    }

    pub fn push<const N: usize>(&mut self, metric: &'static Metric, labels: [&str; N], value: Value) {
        debug_assert_eq!(metric.labels.len(), N, "{}", metric.name);
        self.0.push(Sample { metric, labels: labels.map(str::to_owned).into(), value });
    }
}

/// Every number that is known.
pub fn samples(scrape: &Scrape) -> Vec<Sample> {
    let mut samples = Samples::default();
    supervisor(&mut samples, scrape);
    for target in scrape.world.desired.services.keys() {
        of_target(&mut samples, scrape, target);
    }
    for profile in scrape.world.config.profiles.keys() {
        of_profile(&mut samples, scrape, profile);
    }
    if let Some(status) = &scrape.spark {
        spark(&mut samples, status);
    }
    samples.0
}

fn supervisor(samples: &mut Samples, scrape: &Scrape) {
    let world = &scrape.world;
    samples.add(&is::BUILD_INFO, [env!("CARGO_PKG_VERSION")], 1.0);
    samples.add(&is::UP_SECONDS, [], seconds(scrape.now.millis_since(scrape.started_at)));
    samples.add(&is::WELL, [], truth(is_well(world)));
    samples.add(&is::ENGINE_UP, [], truth(matches!(world.observed.engine, Engine::Reachable)));
    samples.add(&is::UNAPPLIED, [], truth(world.unapplied));
    samples.add(&is::PASSES, [], number(world.passes));
    samples.add(&is::PASS_SECONDS, [], number(world.last_pass_micros) / 1e6);
    for event in &scrape.events {
        let (profile, role) = split(&event.subject);
        samples.add(&is::EVENTS, [&event.kind, profile, role], number(event.count));
    }
}

fn of_target(samples: &mut Samples, scrape: &Scrape, target: &Target) {
    let world = &scrape.world;
    let (profile, role) = (target.profile().map_or("", ProfileName::as_str), target.role().as_str());
    let labels = [profile, role];
    let report = world.report.targets.get(target);
    let condition = report.map_or(Condition::Missing, |report| report.condition);
    samples.add(&is::READY, labels, truth(condition == Condition::Ready));
    samples.add(&is::CONDITION, [profile, role, &condition.to_string()], 1.0);
    let failures = world.ledger.failures.get(target).map_or(0, Vec::len);
    samples.add(&is::FAILURES, labels, number(u64::try_from(failures).unwrap_or(u64::MAX)));
    samples.add(&is::QUARANTINED, labels, truth(condition == Condition::Quarantined));
    if let Some(started) = report.and_then(|report| started(scrape, report)) {
        samples.add(&is::STARTED, labels, started);
    }
    if let Some(probe) = world.probes.get(target) {
        samples.add(&is::PROBE_SECONDS, labels, number(probe.latency_micros) / 1e6);
    }
    let told = match (target.role(), target.profile()) {
        (Role::Agent, Some(profile)) => scrape.agents.contains_key(profile),
        (Role::Gate, Some(profile)) => scrape.gates.contains_key(profile),
        (Role::Spark, _) => scrape.spark.is_some(),
        _ => return,
    };
    samples.add(&is::SCRAPED, labels, truth(told));
}

fn started(scrape: &Scrape, report: &TargetReport) -> Option<f64> {
    let container = scrape.world.observed.container(report.container.as_ref()?)?;
    Some(seconds(container.started_at?.as_millis()))
}

fn of_profile(samples: &mut Samples, scrape: &Scrape, profile: &ProfileName) {
    let name = profile.as_str();
    if let Some(generation) = scrape.world.ledger.generations.get(profile) {
        samples.add(&is::GENERATION, [name], number(generation.0));
    }
    if let Some(tally) = scrape.tallies.get(profile) {
        samples.add(&is::DEVICES, [name], f64::from(tally.devices));
        samples.add(&is::PAIRING_REQUESTS, [name], f64::from(tally.requests));
        samples.add(&is::TOKENS, [name], f64::from(tally.tokens));
    }
    if let Some(snapshot) = scrape.snapshots.iter().find(|snapshot| snapshot.profile == *profile) {
        samples.add(&is::SNAPSHOT_TIME, [name], seconds(snapshot.at.as_millis()));
        samples.add(&is::SNAPSHOT_AGE, [name], seconds(scrape.now.millis_since(snapshot.at)));
        samples.add(&is::SNAPSHOT_BYTES, [name], number(snapshot.bytes));
    }
    if let Some(upkeep) = scrape.world.upkeep.get(profile) {
        let failures = upkeep.jobs.get(&JobKind::Snapshot).map_or(0, |job| job.failures + job.cuts);
        samples.add(&is::SNAPSHOT_STALE, [name], truth(upkeep.stale));
        samples.add(&is::SNAPSHOT_FAILURES, [name], f64::from(failures));
    }
    if let Some(status) = scrape.agents.get(profile) {
        agent(samples, name, status);
    }
    if let Some(status) = scrape.gates.get(profile) {
        gate(samples, name, status);
    }
}

fn agent(samples: &mut Samples, name: &str, status: &AgentStatus) {
    samples.add(&is::SESSIONS, [name], number(status.sessions));
    samples.add(&is::MESSAGES, [name], number(status.messages));
    samples.add(&is::DATABASE_BYTES, [name], number(status.database_bytes));
    samples.add(&is::TURNS_RUNNING, [name], number(status.turns_running));
    let outcomes = [
        ("completed", status.turns_completed_total),
        ("failed", status.turns_failed_total),
        ("stopped", status.turns_cancelled_total),
        ("interrupted", status.turns_interrupted_total),
    ];
    for (outcome, count) in outcomes {
        samples.add(&is::TURNS, [name, outcome], number(count));
    }
    samples.add(&is::FIRST_TOKENS, [name], number(status.first_token_count));
    samples.add(&is::FIRST_TOKEN_SECONDS, [name], number(status.first_token_millis_sum) / 1e3);
    samples.add(&is::AGENT_TOKENS, [name, "input"], number(status.input_tokens_total));
    samples.add(&is::AGENT_TOKENS, [name, "output"], number(status.output_tokens_total));
    let allowed = status.tool_calls_total.saturating_sub(status.tool_calls_denied_total);
    samples.add(&is::TOOL_CALLS, [name, "allowed"], number(allowed));
    samples.add(&is::TOOL_CALLS, [name, "denied"], number(status.tool_calls_denied_total));
    cron(samples, name, &status.cron);
}

fn cron(samples: &mut Samples, name: &str, status: &CronStatus) {
    samples.add(&is::CRON_JOBS, [name, "active"], number(status.jobs.saturating_sub(status.paused)));
    samples.add(&is::CRON_JOBS, [name, "paused"], number(status.paused));
    samples.add(&is::CRON_TROUBLED, [name], number(status.troubled));
    samples.add(&is::CRON_FIRED, [name], number(status.fired_total));
    samples.add(&is::CRON_FINISHED, [name, "completed"], number(status.completed_total));
    samples.add(&is::CRON_FINISHED, [name, "failed"], number(status.failed_total));
    samples.add(&is::CRON_DELIVERED, [name, "delivered"], number(status.delivered_total));
    samples.add(&is::CRON_DELIVERED, [name, "failed"], number(status.undelivered_total));
    samples.add(&is::CRON_PASSED_OVER, [name, "missed"], number(status.missed_total));
    samples.add(&is::CRON_PASSED_OVER, [name, "skipped"], number(status.skipped_total));
}

fn gate(samples: &mut Samples, name: &str, status: &GateStatus) {
    samples.add(&is::CONNECTIONS, [name], number(status.connections));
    samples.add(&is::WEBSOCKETS, [name], number(status.websockets));
    samples.add(&is::WAITING, [name], number(status.waiting));
    samples.add(&is::REQUESTS, [name], number(status.requests_total));
    samples.add(&is::REFUSED, [name], number(status.refused_total));
    samples.add(&is::DENIED, [name], number(status.denied_total));
}

/// `personal/agent`, `spark` and `personal` as profile and role.
fn split(subject: &str) -> (&str, &str) {
    match subject.split_once('/') {
        Some((profile, role)) => (profile, role),
        None if subject.parse::<Role>().is_ok() => ("", subject),
        None => (subject, ""),
    }
}

pub(super) fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no interest")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay below 2^53 for 285,000 years")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use platform_types::layout::Roots;
    use supervisor_store::EventCount;

    use super::*;
    use crate::api::view::Tally;
    use crate::example::{self, NOW, profile};
    use crate::metrics::{catalogue, encode};

    fn scrape() -> Scrape {
        let name = profile("personal");
        let count = |kind: &str, subject: &str| EventCount { kind: kind.into(), subject: subject.into(), count: 3 };
        Scrape {
            now: NOW,
            started_at: NOW.plus_millis(-60_000),
            world: example::world(&Roots::system()),
            tallies: BTreeMap::from([(name.clone(), Tally { devices: 2, ..Tally::default() })]),
            snapshots: vec![platform_types::backup::Snapshot {
                id: "1".repeat(64),
                profile: name.clone(),
                at: NOW.plus_millis(-90_500),
                reason: "manual".to_owned(),
                files: 3,
                bytes: 4_096,
                added_bytes: None,
                complete: true,
            }],
            events: vec![count("restart", "personal/agent"), count("applied", ""), count("device_paired", "ops")],
            agents: BTreeMap::from([(
                name.clone(),
                AgentStatus {
                    tool_calls_total: 5,
                    tool_calls_denied_total: 2,
                    first_token_millis_sum: 2_500,
                    ..AgentStatus::default()
                },
            )]),
            gates: BTreeMap::from([(name, GateStatus { requests_total: 7, ..GateStatus::default() })]),
            spark: Some(crate::metrics::spark::example()),
        }
    }

    #[test]
    fn every_metric_has_a_number() {
        let samples = samples(&scrape());
        for metric in catalogue::ALL {
            assert!(samples.iter().any(|sample| sample.metric == metric), "{} is never told", metric.name);
        }
    }

    #[test]
    fn the_numbers() {
        let text = encode::encode(samples(&scrape())).unwrap();
        for line in [
            "bot_well 1.0",
            "bot_target_ready{profile=\"personal\",role=\"agent\"} 1.0",
            "bot_target_condition{profile=\"\",role=\"spark\",condition=\"ready\"} 1.0",
            "bot_events_total{kind=\"restart\",profile=\"personal\",role=\"agent\"} 3.0",
            "bot_events_total{kind=\"applied\",profile=\"\",role=\"\"} 3.0",
            "bot_events_total{kind=\"device_paired\",profile=\"ops\",role=\"\"} 3.0",
            "bot_probe_latency_seconds{profile=\"ops\",role=\"gate\"} 0.00064",
            "bot_reconcile_duration_seconds 0.00125",
            "bot_snapshot_age_seconds{profile=\"personal\"} 90.5",
            "bot_agent_tool_calls_total{profile=\"personal\",decision=\"allowed\"} 3.0",
            "bot_agent_first_token_wait_seconds_total{profile=\"personal\"} 2.5",
            "bot_gate_requests_total{profile=\"personal\"} 7.0",
            "bot_spark_tokens_total{direction=\"input\"} 11.0",
            "bot_spark_queue_depth{profile=\"personal\",priority=\"cron\"} 2.0",
            "bot_spark_breaker_open 1.0",
            "bot_spark_cancels_total{phase=\"waiting\"} 4.0",
            "bot_spark_switches_total{outcome=\"done\"} 1.0",
            "bot_spark_switches_total{outcome=\"failed\"} 0.0",
            "bot_spark_switch_duration_seconds_sum{outcome=\"done\"} 250.0",
            "bot_spark_switch_duration_seconds_bucket{le=\"300.0\",outcome=\"done\"} 1",
            "bot_spark_switch_running 1.0",
            "bot_spark_switch_confirmations_pending{profile=\"\"} 1.0",
            "bot_spark_switch_confirmations_pending{profile=\"personal\"} 2.0",
            "bot_spark_refused_total{profile=\"personal\",code=\"queue_full\"} 5.0",
            "bot_spark_refused_total{profile=\"personal\",code=\"other\"} 1.0",
            "gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"openai/gpt-oss-120b\",error_type=\"\",profile=\"personal\"} 1",
            "gen_ai_client_operation_duration_seconds_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"openai/gpt-oss-120b\",error_type=\"\",profile=\"personal\"} 2.5",
            "gen_ai_client_operation_time_per_output_chunk_seconds_bucket{le=\"0.02\",gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"openai/gpt-oss-120b\",error_type=\"\",profile=\"personal\"} 1",
            "gen_ai_client_token_usage_sum{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"openai/gpt-oss-120b\",gen_ai_token_type=\"input\",profile=\"personal\"} 900.0",
            "gen_ai_client_inference_usage_cache_read_input_tokens_total{gen_ai_provider_name=\"vllm\",gen_ai_request_model=\"openai/gpt-oss-120b\",profile=\"personal\"} 800.0",
            "bot_status_up{profile=\"ops\",role=\"agent\"} 0.0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
