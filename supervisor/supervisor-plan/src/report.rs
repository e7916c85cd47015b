//! Why it is not better. One value, printed in the same words by the command line, the API and the golden scripts.

use std::collections::BTreeMap;
use std::fmt;

use platform_types::{Generation, Port, Timestamp};
use serde::{Deserialize, Serialize};

use crate::observed::{ContainerId, Engine};
use crate::target::Target;
use crate::words;

/// What the planner has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub engine: Engine,
    /// Everything desired, and everything of ours that is no longer desired.
    pub targets: BTreeMap<Target, TargetReport>,
    /// What lies outside of any target: kept volumes, containers of ours that nobody knows.
    pub notes: Vec<String>,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReport {
    pub condition: Condition,
    /// When the condition began, as far as it is known.
    pub since: Option<Timestamp>,
    /// The container that serves it now.
    pub container: Option<ContainerId>,
    pub generation: Option<Generation>,
    /// The action of this plan, or that one is under way.
    pub doing: Option<Doing>,
    /// What is awaited before anything else is done.
    pub waiting: Vec<Waiting>,
    /// What only a person can change.
    pub blocked: Vec<Blocked>,
    /// What is worth knowing. Texts of containers are neutralised and marked as reported.
    pub notes: Vec<String>,
}

/// How a target is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// All probes well.
    Ready,
    /// Running, and its first answer or its configuration is still to come.
    Starting,
    /// An agent that runs without the lease.
    Standby,
    /// It answers that it is not ready.
    Unready,
    /// It runs and does not answer.
    Silent,
    Paused,
    Exited,
    /// There is no container.
    Missing,
    /// Left alone after repeated failures.
    Quarantined,
    /// Kept down on purpose.
    Held,
    /// No longer desired.
    Orphaned,
}

/// What happens now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    /// This plan does it.
    Action { verb: String, because: String },
    /// An earlier plan's action, or a task.
    UnderWay,
}

/// What is awaited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "waiting", rename_all = "snake_case")]
pub enum Waiting {
    /// The next attempt is due.
    BackOff { until: Timestamp, attempt: u32, evidence: String },
    /// The first answer of a process.
    FirstAnswer,
    /// A silent process is given until then.
    Silence { until: Timestamp, error: String },
    /// An unready process is given until then.
    Unready { until: Timestamp, reasons: Vec<String> },
    /// The gate has to hold its door first.
    Door,
    /// The agent that serves is about to be given the lease that it held before.
    Lease { generation: Generation },
    /// An answer newer than the last push.
    Confirmation,
    /// The next generation runs in standby and is waited for.
    NextGeneration { generation: Generation },
    /// An older container has to stop first.
    Predecessor { container: String },
    /// Another of our containers still publishes the port.
    Port { port: Port, held_by: Target },
    /// A hold in the ledger.
    Hold { reason: String },
}

/// What a person has to do something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    pub problem: String,
    pub remedy: String,
}

impl Report {
    /// The report as lines for people. `time` writes a moment in their time zone.
    pub fn lines(&self, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        if let Engine::Unreachable { since, error } = &self.engine {
            let error = words::reported(error);
            lines.push(format!("Docker does not answer since {}: {error}", time(*since)));
            lines.push("    blocked: nothing can be done until it does; run `systemctl status docker`".to_owned());
        }
        let width = self.targets.keys().map(|target| target.to_string().len()).max().unwrap_or_default();
        for (target, line) in &self.targets {
            let TargetReport { condition, since, generation, .. } = line;
            let since = since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
            let generation = generation.map(|generation| format!(", generation {generation}")).unwrap_or_default();
            lines.push(format!("{:width$}  {condition}{since}{generation}", target.to_string()));
            lines.extend(line.details(time).into_iter().map(|detail| format!("    {detail}")));
        }
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }
}

impl TargetReport {
    /// What is done, awaited, blocked and worth knowing, one line each.
    pub fn details(&self, time: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let doing = self.doing.iter().map(|doing| match doing {
            Doing::Action { verb, because } => format!("doing: {verb} ({because})"),
            Doing::UnderWay => "doing: an action is under way".to_owned(),
        });
        let waiting = self.waiting.iter().map(|waiting| format!("waiting on: {}", waiting.words(time)));
        let blocked = self.blocked.iter().map(|blocked| format!("blocked: {blocked}"));
        let notes = self.notes.iter().map(|note| format!("note: {note}"));
        doing.chain(waiting).chain(blocked).chain(notes).collect()
    }
}

impl Waiting {
    pub fn words(&self, time: &dyn Fn(Timestamp) -> String) -> String {
        match self {
            Self::BackOff { until, attempt, evidence } => {
                format!("back-off until {} ({} failure: {evidence})", time(*until), words::ordinal(*attempt))
            }
            Self::FirstAnswer => "its first answer".to_owned(),
            Self::Silence { until, error } => format!("an answer until {} ({error})", time(*until)),
            Self::Unready { until, reasons } if reasons.is_empty() => format!("being ready until {}", time(*until)),
            Self::Unready { until, reasons } => {
                format!("being ready until {} (it reports: {})", time(*until), reasons.join("; "))
            }
            Self::Door => "the gate to hold its door".to_owned(),
            Self::Lease { generation } => format!("generation {generation} to be given the state"),
            Self::Confirmation => "an answer newer than what was sent".to_owned(),
            Self::NextGeneration { generation } => format!("generation {generation} to stand by"),
            Self::Predecessor { container } => format!("container {container} to be gone or stopped"),
            Self::Port { port, held_by } => format!("port {port}, which {held_by} still publishes"),
            Self::Hold { reason } => reason.clone(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Standby => "standby",
            Self::Unready => "unready",
            Self::Silent => "silent",
            Self::Paused => "paused",
            Self::Exited => "exited",
            Self::Missing => "missing",
            Self::Quarantined => "quarantined",
            Self::Held => "held",
            Self::Orphaned => "orphaned",
        })
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}
