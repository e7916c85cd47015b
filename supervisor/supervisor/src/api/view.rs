//! The world as answers. Pure: everything comes in as an argument.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::backup::Snapshot;
use platform_types::spark::{Backend, BackendKind, DEMO_MODEL, SparkHealth};
use platform_types::text::neutral;
use platform_types::{ModelId, ProfileName, Timestamp};
use supervisor_plan::impact::Change;
use supervisor_plan::ledger::Failure;
use supervisor_plan::observed::{Engine, ObservedContainer};
use supervisor_plan::plan::FAILURE_WINDOW_MILLIS;
use supervisor_plan::report::{Condition, Doing, TargetReport};
use supervisor_plan::upkeep::Job;
use supervisor_plan::{Action, Report, Target};
use supervisor_store::{Store, StoreError};

use super::wire::backups::{JobStatus, UpkeepStatus};
use super::wire::planning::{Applied, Open, Plan, Step};
use super::wire::status::{
    ContainerStatus, EngineStatus, Health, ModelStatus, OperationStatus, ProfileStatus, Status, TargetHealth,
    TargetStatus,
};
use crate::state::{self, OperationKind, World};

/// What the ledger says about a profile, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub devices: u32,
    pub requests: u32,
    pub tokens: u32,
    pub last_snapshot_at: Option<Timestamp>,
}

impl Tally {
    /// One for each profile.
    pub fn read(
        store: &Store,
        profiles: &[ProfileName],
        now: Timestamp,
    ) -> Result<BTreeMap<ProfileName, Self>, StoreError> {
        let snapshots = store.latest_snapshots()?;
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        profiles
            .iter()
            .map(|profile| {
                let registry = store.gate_registry(profile, now)?;
                let tally = Self {
                    devices: count(registry.devices.len()),
                    tokens: count(registry.tokens.len()),
                    requests: count(store.pending_pairings(profile, now)?.len()),
                    last_snapshot_at: snapshots.iter().find(|found| found.profile == *profile).map(|found| found.at),
                };
                Ok((profile.clone(), tally))
            })
            .collect()
    }
}

/// Ready, and nothing keeps it from being as the files say: what runs may be what was wanted before.
pub fn is_fine(found: &TargetReport) -> bool {
    found.condition == Condition::Ready && found.blocked.is_empty()
}

/// Everything desired is ready as it is desired, nothing is under way, and the supervisor itself has no problem.
pub fn is_well(world: &World) -> bool {
    let ready =
        |target: &Target| world.report.targets.get(target).is_some_and(|found| is_fine(found) && found.doing.is_none());
    matches!(world.observed.engine, Engine::Reachable)
        && world.problems.is_empty()
        && !world.desired.services.is_empty()
        && world.desired.services.keys().all(|target| ready(target) && !world.under_way.contains_key(target))
}

/// Why chats are not answered although everything that runs is ready: the model box, as spark saw it last.
pub fn degraded(world: &World) -> Vec<String> {
    if matches!(world.config.backend(), Backend::Demo) {
        return Vec::new();
    }
    let spark = world.report.targets.get(&Target::spark()).and_then(|report| serving(world, report));
    let notes = spark.and_then(ObservedContainer::answer).map(|answer| answer.notes.as_slice()).unwrap_or_default();
    notes.iter().map(|note| neutral(note)).collect()
}

/// The same from a fresh look at the box.
fn degraded_now(spark: &SparkHealth) -> Vec<String> {
    let SparkHealth { backend, reachable, answering, model_listed, problem, .. } = spark;
    let fine = *reachable && *answering && *model_listed && problem.is_none();
    if *backend == BackendKind::Demo || fine {
        return Vec::new();
    }
    vec![problem.clone().unwrap_or_else(|| "the model box does not serve the configured model".to_owned())]
}

pub fn status(world: &World, tallies: &BTreeMap<ProfileName, Tally>, now: Timestamp, started_at: Timestamp) -> Status {
    Status {
        name: world.desired.name.clone(),
        install: world.desired.install.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now,
        started_at,
        well: is_well(world),
        degraded: degraded(world),
        unapplied: world.unapplied,
        engine: engine(world),
        model: model(world),
        profiles: profiles(world, tallies),
        targets: targets(world, now),
        findings: world.findings.to_vec(),
        problems: world.problems.to_vec(),
        notes: world.report.notes.iter().cloned().chain(uncopied(world)).collect(),
    }
}

/// Until somebody says otherwise, what takes the host takes the repositories too.
fn uncopied(world: &World) -> Option<String> {
    let words = "no copy of the repositories is known off this host; see botctl doctor";
    (!world.config.backup.copied_off_host).then(|| words.to_owned())
}

pub fn health(world: &World, spark: Option<SparkHealth>, now: Timestamp) -> Health {
    let targets = world.desired.services.keys().map(|target| target_health(world, target)).collect();
    Health {
        now,
        well: is_well(world),
        degraded: spark.as_ref().map_or_else(|| degraded(world), degraded_now),
        engine: engine(world),
        targets,
        spark,
        problems: world.problems.to_vec(),
    }
}

pub fn plan(preview: &state::Preview) -> Plan {
    let state::Preview { findings, changed, impacts, actions, report } = preview;
    Plan {
        changed: *changed,
        impacts: impacts.iter().filter(|impact| impact.change != Change::Unchanged).cloned().collect(),
        actions: actions.iter().map(step).collect(),
        open: open(report),
        findings: findings.clone(),
    }
}

pub fn applied(applied: &state::Applied, retried: Vec<Target>) -> Applied {
    let state::Applied { findings, actions, report } = applied;
    Applied { actions: actions.iter().map(step).collect(), retried, open: open(report), findings: findings.clone() }
}

/// Spark's words come from a container, and its problem quotes the model box.
pub fn neutral_spark(health: SparkHealth) -> SparkHealth {
    SparkHealth {
        url: health.url.map(|url| neutral(&url)),
        problem: health.problem.map(|problem| neutral(&problem)),
        ..health
    }
}

/// A repository holds what a container wrote.
pub fn neutral_snapshot(snapshot: Snapshot) -> Snapshot {
    Snapshot { id: neutral(&snapshot.id), reason: neutral(&snapshot.reason), ..snapshot }
}

fn engine(world: &World) -> EngineStatus {
    let info = world.engine.as_deref();
    let (unreachable_since, error) = match &world.observed.engine {
        Engine::Reachable => (None, None),
        Engine::Unreachable { since, error } => (Some(*since), Some(neutral(error))),
    };
    EngineStatus {
        reachable: error.is_none(),
        version: info.map(|info| neutral(&info.version)),
        api_version: info.map(|info| neutral(&info.api_version)),
        unreachable_since,
        error,
    }
}

fn model(world: &World) -> ModelStatus {
    match world.config.backend() {
        Backend::Box { url, model, .. } => ModelStatus { backend: BackendKind::Box, url: Some(url), model },
        Backend::Demo => ModelStatus {
            backend: BackendKind::Demo,
            url: None,
            model: ModelId::new(DEMO_MODEL).expect("the demo model's id is an id"),
        },
    }
}

fn profiles(world: &World, tallies: &BTreeMap<ProfileName, Tally>) -> Vec<ProfileStatus> {
    let profile = |(name, profile): (&ProfileName, &supervisor_config::config::Profile)| {
        let Tally { devices, requests, tokens, last_snapshot_at } = tallies.get(name).copied().unwrap_or_default();
        ProfileStatus {
            profile: name.clone(),
            address: profile.origin(),
            unserved: world.unserved(name),
            devices,
            requests,
            tokens,
            last_snapshot_at,
            snapshots: upkeep(world, name),
            operation: world.operations.get(name).map(operation),
        }
    };
    world.config.profiles.iter().map(profile).collect()
}

/// How a profile's snapshots are.
pub fn upkeep(world: &World, profile: &ProfileName) -> UpkeepStatus {
    let Some(state::Upkeep { newest: _, stale, next, jobs }) = world.upkeep.get(profile) else {
        return UpkeepStatus::default();
    };
    UpkeepStatus {
        stale: *stale,
        next_at: *next,
        jobs: jobs.iter().map(|(kind, found)| (kind.as_str().to_owned(), job(found))).collect(),
    }
}

fn job(Job { began_at, ended_at, failures, cuts, error, done_at, outcome }: &Job) -> JobStatus {
    JobStatus {
        began_at: *began_at,
        ended_at: *ended_at,
        failures: failures + cuts,
        error: error.as_deref().map(neutral),
        done_at: *done_at,
        outcome: outcome.as_deref().map(neutral),
    }
}

fn operation(operation: &state::Operation) -> OperationStatus {
    let kind = match operation.kind {
        OperationKind::Snapshot => "snapshot",
        OperationKind::Restore => "restore",
        OperationKind::Check => "check",
        OperationKind::Prune => "prune",
    };
    OperationStatus { kind: kind.to_owned(), since: operation.since, progress: operation.progress.clone() }
}

fn targets(world: &World, now: Timestamp) -> Vec<TargetStatus> {
    world.report.targets.iter().map(|(target, report)| target_status(world, target, report, now)).collect()
}

fn target_status(world: &World, target: &Target, report: &TargetReport, now: Timestamp) -> TargetStatus {
    TargetStatus {
        target: target.clone(),
        condition: report.condition,
        since: report.since,
        container: serving(world, report).map(|found| container(world, target, found, now)),
        doing: doing(world, target, report),
        waiting: report.waiting.clone(),
        blocked: report.blocked.clone(),
        notes: report.notes.clone(),
    }
}

fn serving<'a>(world: &'a World, report: &TargetReport) -> Option<&'a ObservedContainer> {
    world.observed.container(report.container.as_ref()?)
}

fn container(world: &World, target: &Target, found: &ObservedContainer, now: Timestamp) -> ContainerStatus {
    let recent = |failure: &&Failure| now.millis_since(failure.at) < FAILURE_WINDOW_MILLIS;
    let failures: Vec<&Failure> = world.ledger.failures_of(target).iter().filter(recent).collect();
    ContainerStatus {
        id: found.id.to_string(),
        name: neutral(&found.name),
        state: found.state.word().to_owned(),
        started_at: found.started_at,
        generation: found.labels.generation,
        release: found.labels.release.as_deref().map(neutral),
        failures: u32::try_from(failures.len()).unwrap_or(u32::MAX),
        latest_failure: failures.last().map(|failure| neutral(&failure.evidence)),
    }
}

fn doing(world: &World, target: &Target, report: &TargetReport) -> Option<String> {
    if let Some(under_way) = world.under_way.get(target) {
        return Some(format!("{}: {}", under_way.verb, under_way.because));
    }
    match report.doing.as_ref()? {
        Doing::Action { verb, because } => Some(format!("{verb}: {because}")),
        Doing::UnderWay => Some("an action is under way".to_owned()),
    }
}

fn target_health(world: &World, target: &Target) -> TargetHealth {
    let report = world.report.targets.get(target);
    let condition = report.map_or(Condition::Missing, |report| report.condition);
    let answer = report.and_then(|report| serving(world, report)).and_then(ObservedContainer::answer);
    let detail = world.probes.get(target);
    let texts = |texts: &[String]| texts.iter().map(|text| neutral(text)).collect();
    TargetHealth {
        target: target.clone(),
        condition,
        well: report.is_some_and(is_fine),
        blocked: report.map(|report| report.blocked.clone()).unwrap_or_default(),
        probed_at: answer.map(|answer| answer.at),
        latency_micros: answer.and(detail).map(|detail| detail.latency_micros),
        version: detail.and_then(|detail| detail.release.as_ref()).map(|release| neutral(&release.version)),
        revision: answer.and_then(|answer| answer.revision),
        reasons: answer.map(|answer| texts(&answer.reasons)).unwrap_or_default(),
        notes: answer.map(|answer| texts(&answer.notes)).unwrap_or_default(),
        lost_mounts: answer.map(|answer| lost(&answer.lost_mounts)).unwrap_or_default(),
    }
}

fn lost(mounts: &BTreeSet<String>) -> Vec<String> {
    mounts.iter().map(|mount| neutral(mount)).collect()
}

fn step(action: &Action) -> Step {
    Step { target: action.target.clone(), verb: action.verb().to_owned(), because: action.because.clone() }
}

fn open(report: &Report) -> Vec<Open> {
    let unsettled =
        report.targets.iter().filter(|(_, report)| !report.waiting.is_empty() || !report.blocked.is_empty());
    unsettled
        .map(|(target, report)| Open {
            target: target.clone(),
            waiting: report.waiting.clone(),
            blocked: report.blocked.clone(),
        })
        .collect()
}
