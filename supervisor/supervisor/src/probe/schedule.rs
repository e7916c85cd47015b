//! When which container is asked, and what came of it so far. Pure: time comes in.
//!
//! A process that was just started is asked after 10, 20, 40, … ms, so that it is known to be ready soon after it is;
//! one that is not ready every 250 ms; one that is well every 3 s, all of them together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform_types::health::Release;
use platform_types::{Generation, Role, Timestamp};
use supervisor_plan::Target;
use supervisor_plan::observed::{ContainerId, ObservedContainer, Probe, State};

use super::{Reading, answer};
use crate::state::ProbeDetail;

/// After a start, doubled up to [`UNREADY_MILLIS`].
const FIRST_MILLIS: i64 = 10;
const UNREADY_MILLIS: i64 = 250;
const READY_MILLIS: i64 = 3000;
/// One that has not been well for a minute is not asked as often any more.
const PATIENCE_MILLIS: i64 = 60_000;
const LONG_UNREADY_MILLIS: i64 = 1000;

/// What is known about the containers that run.
#[derive(Debug, Default)]
pub struct Schedule {
    lives: BTreeMap<ContainerId, Life>,
}

/// One life of a process.
#[derive(Debug)]
struct Life {
    target: Target,
    generation: Option<Generation>,
    started_at: Option<Timestamp>,
    seen_at: Timestamp,
    probe: Probe,
    asks: u32,
    due: Timestamp,
    asking: bool,
    release: Option<Release>,
    latency: Duration,
}

/// A probe to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub life: LifeId,
    pub target: Target,
    pub generation: Option<Generation>,
    pub with_release: bool,
}

/// Which life of which container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeId {
    pub container: ContainerId,
    pub started_at: Option<Timestamp>,
}

/// How an agent's note about a job in trouble begins.
const TROUBLE: &str = "job ";

impl Schedule {
    /// Learns which containers have a process now; forgets the others. A new life is due at once.
    pub fn follow(&mut self, containers: &[ObservedContainer], now: Timestamp) {
        // A paused process is silent, and has to be seen to be.
        let running = |container: &&ObservedContainer| matches!(container.state, State::Running | State::Paused);
        let mut lives = BTreeMap::new();
        for container in containers.iter().filter(running) {
            // A task has no socket: it says how it is by its end.
            let target = container.labels.target.clone().filter(|target| target.role() != Role::Task);
            let Some(target) = target else { continue };
            let known = self.lives.remove(&container.id).filter(|life| life.started_at == container.started_at);
            let life = known.unwrap_or(Life {
                target,
                generation: container.labels.generation,
                started_at: container.started_at,
                seen_at: now,
                probe: Probe::Never,
                asks: 0,
                due: now,
                asking: false,
                release: None,
                latency: Duration::ZERO,
            });
            lives.insert(container.id.clone(), life);
        }
        self.lives = lives;
    }

    /// Probes to send now. Each is under way until [`Schedule::learn`].
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Due> {
        let due = self.lives.iter_mut().filter(|(_, life)| !life.asking && life.due <= now);
        due.map(|(container, life)| {
            life.asking = true;
            Due {
                life: LifeId { container: container.clone(), started_at: life.started_at },
                target: life.target.clone(),
                generation: life.generation,
                with_release: life.release.is_none(),
            }
        })
        .collect()
    }

    /// When the next probe is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lives.values().filter(|life| !life.asking).map(|life| life.due).min()
    }

    /// Takes a reading of one life in. One of an earlier life is dropped. `expected` are the canaries it should see.
    pub fn learn(&mut self, of: &LifeId, reading: Reading, expected: &BTreeMap<String, String>, now: Timestamp) {
        let life = self.lives.get_mut(&of.container).filter(|life| life.started_at == of.started_at);
        let Some(life) = life else { return };
        life.asking = false;
        life.asks = life.asks.saturating_add(1);
        life.probe = match reading {
            Reading::Answered { readiness, release, latency } => {
                life.latency = latency;
                life.release = release.or(life.release.take());
                let previous = match &life.probe {
                    Probe::Answering(previous) => Some(previous),
                    Probe::Never | Probe::Silent { .. } => None,
                };
                Probe::Answering(answer(&readiness, expected, previous, now))
            }
            Reading::Silent { error } => match &life.probe {
                Probe::Silent { since, failures, .. } => {
                    Probe::Silent { since: *since, failures: failures.saturating_add(1), error }
                }
                Probe::Never | Probe::Answering(_) => Probe::Silent { since: now, failures: 1, error },
            },
        };
        life.due = life.next(now);
    }

    /// Asks a container again at once, for example after it was told something.
    pub fn hurry(&mut self, container: &ContainerId, now: Timestamp) {
        if let Some(life) = self.lives.get_mut(container) {
            life.due = life.due.min(now);
        }
    }

    /// What was last learned about a container; [`Probe::Never`] for one that is not known.
    pub fn probe(&self, container: &ContainerId) -> Probe {
        self.lives.get(container).map_or(Probe::Never, |life| life.probe.clone())
    }

    /// What an agent last said of jobs by the clock that are in trouble, one sentence each.
    pub fn troubles(&self, container: &ContainerId) -> BTreeSet<String> {
        match self.lives.get(container).map(|life| (&life.probe, life.target.role())) {
            Some((Probe::Answering(answer), Role::Agent)) => {
                answer.notes.iter().filter(|note| note.starts_with(TROUBLE)).cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// For people: the newest container of each target.
    pub fn details(&self) -> BTreeMap<Target, ProbeDetail> {
        let answering = self.lives.iter().filter_map(|(container, life)| match &life.probe {
            Probe::Answering(answer) => Some((container, life, answer.at)),
            Probe::Never | Probe::Silent { .. } => None,
        });
        let mut details: BTreeMap<Target, ProbeDetail> = BTreeMap::new();
        for (container, life, at) in answering {
            let newer = details.get(&life.target).is_none_or(|known| known.generation <= life.generation);
            if newer {
                let detail = ProbeDetail {
                    container: container.clone(),
                    generation: life.generation,
                    at,
                    latency_micros: u64::try_from(life.latency.as_micros()).unwrap_or(u64::MAX),
                    release: life.release.clone(),
                };
                details.insert(life.target.clone(), detail);
            }
        }
        details
    }
}

impl Life {
    fn next(&self, now: Timestamp) -> Timestamp {
        if matches!(&self.probe, Probe::Answering(answer) if answer.ready) {
            // On the next multiple, so that all that are well are asked together and the loop turns once.
            return Timestamp((now.as_millis() / READY_MILLIS + 1) * READY_MILLIS);
        }
        let steps = FIRST_MILLIS.saturating_mul(1 << self.asks.min(16));
        let long = now.millis_since(self.seen_at) > PATIENCE_MILLIS;
        now.plus_millis(if long { LONG_UNREADY_MILLIS } else { steps.min(UNREADY_MILLIS) })
    }
}

#[cfg(test)]
mod tests {
    use platform_types::health::Readiness;
    use supervisor_plan::observed::Labels;
    use supervisor_plan::spec::ImageId;
    use supervisor_plan::topology::{Image, base};

    use super::*;

    fn container(id: &str, target: &str, started_at: i64, state: State) -> ObservedContainer {
        let image = Image { id: ImageId("sha256:0".into()), release: String::new() };
        ObservedContainer {
            id: ContainerId(id.into()),
            name: id.into(),
            labels: Labels {
                target: Some(target.parse().unwrap()),
                generation: None,
                release: None,
                spec_digest: None,
            },
            state,
            started_at: Some(Timestamp(started_at)),
            spec: base(&image, 1),
            probe: Probe::Never,
        }
    }

    fn life(id: &str, started_at: i64) -> LifeId {
        LifeId { container: ContainerId(id.into()), started_at: Some(Timestamp(started_at)) }
    }

    fn answered(ready: bool) -> Reading {
        let readiness = Readiness { ready, ..Readiness::default() };
        Reading::Answered { readiness, release: None, latency: Duration::from_millis(1) }
    }

    fn silent() -> Reading {
        Reading::Silent { error: "no answer".into() }
    }

    #[test]
    fn a_start_is_followed_closely_and_what_is_well_together() {
        let mut schedule = Schedule::default();
        let seen = [container("a", "spark", 5, State::Running)];
        let mut now = Timestamp(1000);
        schedule.follow(&seen, now);
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert_eq!(schedule.take_due(now).len(), 1);
            assert!(schedule.take_due(now).is_empty(), "one at a time");
            schedule.learn(&life("a", 5), silent(), &BTreeMap::new(), now);
            let next = schedule.next_due().unwrap();
            pauses.push(next.millis_since(now));
            now = next;
        }
        assert_eq!(pauses, [20, 40, 80, 160, 250, 250, 250]);
        schedule.take_due(now);
        schedule.learn(&life("a", 5), answered(true), &BTreeMap::new(), now);
        assert_eq!(schedule.next_due().unwrap().as_millis() % READY_MILLIS, 0);
    }

    #[test]
    fn silence_is_counted_from_its_beginning() {
        let mut schedule = Schedule::default();
        schedule.follow(&[container("a", "backup", 5, State::Running)], Timestamp(0));
        for now in [10, 20, 30] {
            schedule.learn(&life("a", 5), silent(), &BTreeMap::new(), Timestamp(now));
        }
        let probe = schedule.probe(&ContainerId("a".into()));
        assert!(matches!(probe, Probe::Silent { since: Timestamp(10), failures: 3, .. }), "{probe:?}");
    }

    #[test]
    fn an_answer_of_an_earlier_life_counts_for_nothing() {
        let mut schedule = Schedule::default();
        schedule.follow(&[container("a", "backup", 5, State::Running)], Timestamp(0));
        schedule.take_due(Timestamp(0));
        schedule.follow(&[container("a", "backup", 9, State::Running)], Timestamp(10));
        schedule.learn(&life("a", 5), answered(true), &BTreeMap::new(), Timestamp(11));
        assert_eq!(schedule.probe(&ContainerId("a".into())), Probe::Never);
        assert_eq!(schedule.take_due(Timestamp(11)).len(), 1, "the new life is asked at once");
    }

    #[test]
    fn paused_processes_are_asked_stopped_ones_and_tasks_are_not() {
        let stopped = State::Exited { code: 0, oom_killed: false, at: Timestamp(1) };
        let seen = [
            container("a", "ops/gate", 5, State::Paused),
            container("b", "ops/agent", 5, stopped),
            container("c", "ops/task", 5, State::Running),
        ];
        let mut schedule = Schedule::default();
        schedule.follow(&seen, Timestamp(0));
        let due: Vec<_> = schedule.take_due(Timestamp(0)).into_iter().map(|due| due.life.container.0).collect();
        assert_eq!(due, ["a"]);
    }
}
