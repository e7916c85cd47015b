//! What has to be remembered between passes. [`Ledger::begin`] and [`Ledger::finish`] are the only ways in which an
//! action changes it; the daemon persists the result, the simulator just keeps it.
//!
//! **Invariants.** Revisions, generations and leases only grow. An id once allocated is never given to another name.

use std::collections::BTreeMap;

use platform_types::gate::Door;
use platform_types::{Generation, ProfileName, Revision, Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::{Action, Outcome, Push, Step};
use crate::observed::{ContainerId, Observed};
use crate::target::Target;
use crate::words;

/// First uid and gid that is given away; the range above is free on ordinary hosts.
pub const FIRST_ID: u32 = 210_000;
/// Failures remembered for each target: more than the threshold of quarantine, so that evidence survives.
const MAX_FAILURES: usize = 16;
/// Quarantines remembered for each target: the release that was tried, the one before, and some room.
const MAX_QUARANTINES: usize = 4;

/// The planner's part of the ledger. What a document lacks is empty: an older release wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Id of the installation, the value of its label.
    pub install: String,
    pub ids: Ids,
    /// The highest revision ever pushed to anybody.
    pub revision: Revision,
    /// The highest generation ever given to an agent container.
    pub generations: BTreeMap<ProfileName, Generation>,
    /// Who was last told to open the state.
    pub leases: BTreeMap<ProfileName, Lease>,
    /// What was last pushed to whom.
    pub pushed: BTreeMap<Target, Pushed>,
    /// What went wrong, oldest first, bounded.
    pub failures: BTreeMap<Target, Vec<Failure>>,
    /// At most a few for each target: one a fingerprint.
    pub quarantines: BTreeMap<Target, Vec<Quarantine>>,
    /// What was stopped on purpose: its exit is no failure.
    pub stops: BTreeMap<Target, Stopped>,
    /// Profiles whose agent has to stay down: a restore is under way.
    pub holds: BTreeMap<ProfileName, Hold>,
}

/// uids and gids by name (`agent-personal`, `gate-ops`, `spark`, `staging-personal`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ids(pub BTreeMap<String, u32>);

/// The right to open a profile's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub generation: Generation,
    pub container: ContainerId,
    pub at: Timestamp,
}

/// A configuration that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    pub container: ContainerId,
    pub revision: Revision,
    pub config_digest: String,
    pub door: Option<Door>,
    pub at: Timestamp,
}

/// Something that went wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub at: Timestamp,
    /// The process that failed, so that it is counted once; `None` when an action failed.
    pub run: Option<Run>,
    /// What it belongs to: with another specification or configuration it no longer counts.
    pub fingerprint: String,
    /// One clear half sentence: `exit code 137, out of memory`.
    pub evidence: String,
}

/// One life of a process: a container from a start to an exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub container: ContainerId,
    pub started_at: Option<Timestamp>,
}

/// A container that was stopped on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    pub container: ContainerId,
    pub at: Timestamp,
}

/// A target that is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub at: Timestamp,
    /// Newest last.
    pub evidence: Vec<String>,
    pub fingerprint: String,
}

/// An operation that needs the agent to be down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub at: Timestamp,
    /// For the report: `a restore is under way`.
    pub reason: String,
}

impl Ids {
    /// The id of `name`, allocated on first use. The caller persists the ledger before it uses the id.
    pub fn of(&mut self, name: &str) -> u32 {
        let next = self.0.values().max().map_or(FIRST_ID, |highest| highest.saturating_add(1));
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    pub fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

impl Ledger {
    pub fn new(install: impl Into<String>) -> Self {
        Self { install: install.into(), ..Self::default() }
    }

    /// Records the intent. Durable before the step is carried out.
    pub fn begin(&mut self, action: &Action, now: Timestamp) {
        let target = &action.target;
        if let Some(failure) = &action.failure {
            self.record(target, failure.clone());
        }
        match &action.step {
            Step::Launch(launch) => {
                if let (Some(generation), Some(profile)) = (launch.generation, target.profile()) {
                    let highest = self.generations.entry(profile.clone()).or_default();
                    *highest = generation.max(*highest);
                }
            }
            Step::Activate { container, generation, push } => {
                if let Some(profile) = target.profile() {
                    self.lend(profile, Lease { generation: *generation, container: container.clone(), at: now });
                }
                self.push(target, container, push, now);
            }
            Step::Adopt { container, generation } => {
                if let Some(profile) = target.profile() {
                    let highest = self.generations.entry(profile.clone()).or_default();
                    *highest = (*highest).max(*generation);
                    self.lend(profile, Lease { generation: *generation, container: container.clone(), at: now });
                }
            }
            Step::Configure { container, push } => self.push(target, container, push, now),
            Step::Quarantine { evidence } => {
                let fingerprint = action.fingerprint.clone();
                self.isolate(target, Quarantine { at: now, evidence: evidence.clone(), fingerprint });
            }
            Step::Stop { container, .. } | Step::Kill { container } if action.failure.is_none() => {
                self.stops.insert(target.clone(), Stopped { container: container.clone(), at: now });
            }
            Step::Start { .. }
            | Step::Stop { .. }
            | Step::Kill { .. }
            | Step::Remove { .. }
            | Step::Rename { .. }
            | Step::RemoveNetwork { .. } => {}
        }
    }

    /// Records how it ended.
    pub fn finish(&mut self, action: &Action, outcome: &Outcome, now: Timestamp) {
        let Outcome::Failed { error } = outcome else { return };
        let fingerprint = action.fingerprint.clone();
        let evidence = format!("{} failed: {}", action.verb(), words::reported(error));
        self.record(&action.target, Failure { at: now, run: None, fingerprint, evidence });
    }

    /// What went wrong with a target, oldest first.
    pub fn failures_of(&self, target: &Target) -> &[Failure] {
        self.failures.get(target).map_or(&[], Vec::as_slice)
    }

    /// The quarantine of a target under this specification and configuration.
    pub fn quarantine(&self, target: &Target, fingerprint: &str) -> Option<&Quarantine> {
        self.quarantines.get(target)?.iter().find(|quarantine| quarantine.fingerprint == fingerprint)
    }

    /// An operator's word: forget what went wrong with a target. `false` when there was nothing to forget.
    pub fn clear(&mut self, target: &Target) -> bool {
        let quarantined = self.quarantines.remove(target).is_some();
        let failed = self.failures.remove(target).is_some();
        quarantined || failed
    }

    /// Takes note of generations that exist and were never given away: this ledger is an older copy. Only labels count,
    /// for no container can change its own. Gives the profiles and their highest generations.
    pub fn catch_up(&mut self, observed: &Observed) -> BTreeMap<ProfileName, Generation> {
        let mut unknown = BTreeMap::new();
        for container in &observed.containers {
            let agent = container.labels.target.as_ref().filter(|target| target.role() == Role::Agent);
            let (Some(profile), Some(generation)) = (agent.and_then(Target::profile), container.labels.generation)
            else {
                continue;
            };
            let highest = self.generations.entry(profile.clone()).or_default();
            if generation > *highest {
                *highest = generation;
                unknown.insert(profile.clone(), generation);
            }
        }
        unknown
    }

    /// Keeps the agent of a profile down until [`Ledger::release`].
    pub fn hold(&mut self, profile: &ProfileName, reason: impl Into<String>, now: Timestamp) {
        self.holds.insert(profile.clone(), Hold { at: now, reason: reason.into() });
    }

    pub fn release(&mut self, profile: &ProfileName) -> bool {
        self.holds.remove(profile).is_some()
    }

    fn isolate(&mut self, target: &Target, quarantine: Quarantine) {
        let known = self.quarantines.entry(target.clone()).or_default();
        known.retain(|other| other.fingerprint != quarantine.fingerprint);
        known.push(quarantine);
        let excess = known.len().saturating_sub(MAX_QUARANTINES);
        known.drain(..excess);
    }

    fn record(&mut self, target: &Target, failure: Failure) {
        let failures = self.failures.entry(target.clone()).or_default();
        if failure.run.is_some() && failures.iter().any(|known| known.run == failure.run) {
            return;
        }
        failures.push(failure);
        let excess = failures.len().saturating_sub(MAX_FAILURES);
        failures.drain(..excess);
    }

    /// A lease never goes back to a lower generation.
    fn lend(&mut self, profile: &ProfileName, lease: Lease) {
        let held = self.leases.get(profile).map_or(Generation::default(), |held| held.generation);
        if lease.generation >= held {
            self.leases.insert(profile.clone(), lease);
        }
    }

    fn push(&mut self, target: &Target, container: &ContainerId, push: &Push, now: Timestamp) {
        let Push { revision, config_digest, door, port: _ } = push;
        self.revision = self.revision.max(*revision);
        let pushed = Pushed {
            container: container.clone(),
            revision: *revision,
            config_digest: config_digest.clone(),
            door: *door,
            at: now,
        };
        self.pushed.insert(target.clone(), pushed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn profile() -> ProfileName {
        ProfileName::new("personal").expect("a profile name")
    }

    fn action(step: Step, failure: Option<Failure>) -> Action {
        let (because, fingerprint) = ("a test".to_owned(), "f1".to_owned());
        Action { target: Target::agent(&profile()), step, because, failure, fingerprint }
    }

    fn id(text: &str) -> ContainerId {
        ContainerId(text.to_owned())
    }

    fn activate(generation: u64, revision: u64) -> Action {
        let push = Push { revision: Revision(revision), config_digest: "c".to_owned(), door: None, port: None };
        action(Step::Activate { container: id("a"), generation: Generation(generation), push }, None)
    }

    fn crash(started_at: i64) -> Failure {
        let run = Run { container: id("a"), started_at: Some(Timestamp(started_at)) };
        Failure { at: NOW, run: Some(run), fingerprint: "f1".to_owned(), evidence: "exit code 1".to_owned() }
    }

    #[test]
    fn leases_and_revisions_only_grow() {
        let mut ledger = Ledger::new("i");
        ledger.begin(&activate(3, 9), NOW);
        ledger.begin(&activate(2, 4), NOW);
        assert_eq!(ledger.leases[&profile()].generation, Generation(3));
        assert_eq!(ledger.revision, Revision(9));
    }

    #[test]
    fn one_life_fails_once() {
        let mut ledger = Ledger::new("i");
        let target = Target::agent(&profile());
        for _ in 0..3 {
            ledger.begin(&action(Step::Kill { container: id("a") }, Some(crash(1))), NOW);
        }
        ledger.begin(&action(Step::Start { container: id("a") }, Some(crash(2))), NOW);
        assert_eq!(ledger.failures_of(&target).len(), 2);
    }

    #[test]
    fn only_a_failed_action_counts() {
        let mut ledger = Ledger::new("i");
        let target = Target::agent(&profile());
        let start = action(Step::Start { container: id("a") }, None);
        for outcome in [
            Outcome::Done,
            Outcome::Stale { found: "it is running".to_owned() },
            Outcome::EngineLost { error: "connection refused".to_owned() },
        ] {
            ledger.finish(&start, &outcome, NOW);
        }
        assert_eq!(ledger.failures_of(&target), []);
        ledger.finish(&start, &Outcome::Failed { error: "no \u{1b}[31mspace".to_owned() }, NOW);
        let [failure] = ledger.failures_of(&target) else { panic!("one failure") };
        assert_eq!(failure.evidence, "start failed: no  [31mspace");
        assert_eq!(failure.fingerprint, "f1");
    }

    #[test]
    fn failures_and_quarantines_are_bounded_and_cleared() {
        let mut ledger = Ledger::new("i");
        let target = Target::agent(&profile());
        for number in 0..100 {
            ledger.begin(&action(Step::Start { container: id("a") }, Some(crash(number))), NOW);
            let mut quarantine = action(Step::Quarantine { evidence: Vec::new() }, None);
            quarantine.fingerprint = format!("f{number}");
            ledger.begin(&quarantine, NOW);
        }
        assert_eq!(ledger.failures_of(&target).len(), MAX_FAILURES);
        assert_eq!(ledger.quarantines[&target].len(), MAX_QUARANTINES);
        assert!(ledger.quarantine(&target, "f99").is_some() && ledger.quarantine(&target, "f1").is_none());
        assert!(ledger.clear(&target));
        assert!(!ledger.clear(&target), "there is nothing left to forget");
    }

    #[test]
    fn what_an_older_release_did_not_write_is_empty() {
        let ledger: Ledger = serde_json::from_str(r#"{"install":"i","ids":{"spark":210000}}"#).expect("reads");
        assert_eq!((ledger.install.as_str(), ledger.ids.get("spark")), ("i", Some(FIRST_ID)));
        assert_eq!(ledger.revision, Revision::default());
    }

    #[test]
    fn it_survives_being_written_and_read() {
        let mut ledger = Ledger::new("i");
        ledger.ids.of("agent-personal");
        ledger.begin(&activate(1, 1), NOW);
        ledger.begin(&action(Step::Stop { container: id("a"), grace_seconds: 25 }, None), NOW);
        ledger.hold(&profile(), "a restore is under way", NOW);
        let text = serde_json::to_string(&ledger).expect("writes");
        assert_eq!(serde_json::from_str::<Ledger>(&text).expect("reads"), ledger);
    }
}
