//! What the supervisor would have seen by now, and what must never be seen.

use std::collections::BTreeMap;

use platform_types::Timestamp;
use supervisor_plan::observed::{Answer, Engine as EngineState, ObservedContainer, Probe, State};
use supervisor_plan::{Observed, Target};

use crate::build::INSTALL;
use crate::engine::Container;
use crate::process::Process;
use crate::simulation::Simulation;
use crate::time::clock_millis;

impl Simulation {
    /// What the daemon would have seen by now.
    pub fn observe(&self) -> Observed {
        let mut observed = Observed::empty();
        if let Some(outage) = self.down {
            observed.engine = EngineState::Unreachable { since: outage.since, error: "connection refused".to_owned() };
        }
        for container in self.engine.containers.values() {
            if container.install() != Some(INSTALL) {
                observed.foreign_containers.insert(container.name.clone());
                continue;
            }
            observed.containers.push(ObservedContainer {
                id: container.id.clone(),
                name: container.name.clone(),
                labels: container.labels(),
                state: container.state.clone(),
                started_at: container.started_at,
                spec: container.spec.clone(),
                probe: self.probes.get(&container.id).cloned().unwrap_or(Probe::Never),
            });
        }
        observed.networks.clone_from(&self.engine.networks);
        observed.volumes.clone_from(&self.engine.volumes);
        observed.images.clone_from(&self.engine.images);
        observed.ports_taken.clone_from(&self.engine.listeners);
        observed.in_flight = self.under_way.iter().map(|job| job.action.target.clone()).collect();
        observed
    }

    /// Asks the containers of some targets how they are.
    pub(crate) fn probe(&mut self, of: impl Fn(&Option<Target>) -> bool) {
        let now = self.now;
        let engine = &self.engine;
        self.probes.retain(|id, _| engine.containers.get(id).is_some_and(Container::is_alive));
        for container in engine.containers.values() {
            let Some(process) = &container.process else { continue };
            if container.install() != Some(INSTALL) || !of(&container.labels().target) {
                continue;
            }
            let before = self.probes.get(&container.id).filter(|_| container.started_at < Some(now));
            let paused = container.state == State::Paused;
            let probe =
                if paused || !process.answers(now) { silent(before, now) } else { answer(process, before, now) };
            self.probes.insert(container.id.clone(), probe);
        }
    }

    /// At most one process has a profile's state open.
    pub(crate) fn watch(&mut self) {
        let mut writers: BTreeMap<Target, u32> = BTreeMap::new();
        for container in self.engine.containers.values().filter(|container| container.is_alive()) {
            let active = container.process.as_ref().is_some_and(|process| process.active.is_some());
            if let Some(target) = container.labels().target.filter(|_| active) {
                *writers.entry(target).or_default() += 1;
            }
        }
        for (target, count) in writers.into_iter().filter(|(_, count)| *count > 1) {
            self.violations.push(format!("{}: {count} writers for {target}", clock_millis(self.now)));
        }
    }
}

fn answer(process: &Process, before: Option<&Probe>, now: Timestamp) -> Probe {
    let reasons = process.reasons();
    let ready = reasons.is_empty();
    let since = match before {
        Some(Probe::Answering(answer)) if answer.ready == ready => answer.since,
        _ => now,
    };
    Probe::Answering(Answer {
        at: now,
        ready,
        since,
        reasons,
        notes: Vec::new(),
        revision: process.revision,
        generation: process.active,
        lost_mounts: process.lost_mounts.clone(),
    })
}

fn silent(before: Option<&Probe>, now: Timestamp) -> Probe {
    let (since, failures) = match before {
        Some(Probe::Silent { since, failures, .. }) => (*since, failures + 1),
        _ => (now, 1),
    };
    Probe::Silent { since, failures, error: "no answer within 2 s".to_owned() }
}
