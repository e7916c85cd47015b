//! What was seen, taken in without losing what is newer.
//!
//! A look takes time. Whatever began or ended for a target meanwhile makes what the look brought about it old: it is
//! dropped, and somebody looks again.

use std::collections::BTreeSet;

use supervisor_docker::{EngineError, EngineEvent};
use supervisor_plan::observed::{ContainerId, Engine, ObservedContainer};
use supervisor_plan::spec::ImageId;
use supervisor_plan::{Outcome, Step, Target};

use super::event::{EngineSignal, Event, Performed};
use super::sync::{self, Sync};
use super::{Reconciler, SYNC_MILLIS};
use crate::probe::Reading;
use crate::probe::schedule::{LifeId, Schedule};
use crate::words::chain;

/// Resources change in bunches; one look afterwards is enough.
const SETTLE_MILLIS: i64 = 200;
/// A target whose action came to nothing is left alone for so long.
const REST_MILLIS: i64 = 500;

impl Reconciler {
    pub(super) fn engine_signal(&mut self, signal: EngineSignal) {
        match signal {
            EngineSignal::Connected(info) => {
                tracing::info!(version = info.version, api = info.api_version, "docker answers");
                self.sight.engine = Some(info.into());
                self.sight.sync_due = self.now();
                self.sight.syncing = false;
                self.sight.activity += 1;
            }
            EngineSignal::Changed(EngineEvent::Container { id, .. }) => self.inspect(ContainerId(id)),
            EngineSignal::Changed(EngineEvent::Resource { .. }) => self.sync_within(SETTLE_MILLIS),
            EngineSignal::Lost(error) => self.lost(error),
        }
    }

    pub(super) fn sync_within(&mut self, millis: i64) {
        let due = self.now().plus_millis(millis);
        self.sight.sync_due = self.sight.sync_due.min(due);
    }

    fn lost(&mut self, error: String) {
        self.sight.synced = false;
        let since = match &self.sight.observed.engine {
            Engine::Unreachable { since, .. } => *since,
            Engine::Reachable => {
                tracing::warn!(error, "docker went away");
                self.record("engine_lost", None, format!("Docker does not answer: {error}"));
                self.now()
            }
        };
        self.sight.observed.engine = Engine::Unreachable { since, error };
    }

    /// Starts a full look when one is due.
    pub(super) fn start_sync(&mut self) {
        if self.sight.syncing || self.sight.engine.is_none() || self.now() < self.sight.sync_due {
            return;
        }
        self.sight.syncing = true;
        self.sight.sync_due = self.now().plus_millis(SYNC_MILLIS);
        let (hands, began, images) = (self.hands.clone(), self.sight.activity, self.desired_images());
        self.effects.spawn(async move {
            let result = Box::new(sync::everything(&hands, &images).await);
            Event::Synced { began, result }
        });
    }

    pub(super) fn desired_images(&self) -> BTreeSet<ImageId> {
        self.intent.wanted.desired.services.values().map(|service| service.spec.image.clone()).collect()
    }

    pub(super) fn synced(&mut self, began: u64, result: Result<Sync, EngineError>) {
        self.sight.syncing = false;
        let sync = match result {
            Ok(sync) => sync,
            Err(error) => {
                tracing::debug!(error = %chain(&error), "the look at everything failed");
                if error.is_gone() {
                    self.lost(chain(&error));
                }
                return self.sync_within(REST_MILLIS);
            }
        };
        let Sync { containers, foreign_containers, networks, volumes, images } = sync;
        let is_old = |target: Option<&Target>| {
            target.is_some_and(|target| {
                self.affairs.under_way.contains_key(target)
                    || self.sight.touched.get(target).is_some_and(|at| *at > began)
            })
        };
        let target_of = |container: &ObservedContainer| container.labels.target.clone();
        let kept = self.sight.observed.containers.iter().filter(|known| is_old(target_of(known).as_ref())).cloned();
        let seen = containers.into_iter().filter(|seen| !is_old(target_of(seen).as_ref()));
        let merged: Vec<_> = kept.chain(seen).collect();
        let behind = self.sight.activity > began;
        self.sight.observed.containers = merged;
        self.sight.observed.foreign_containers = foreign_containers;
        self.sight.observed.networks = networks;
        self.sight.observed.volumes = volumes;
        self.sight.observed.images = images;
        if behind {
            self.sync_within(REST_MILLIS);
        }
        if !self.sight.synced {
            self.sight.synced = true;
            if matches!(self.sight.observed.engine, Engine::Unreachable { .. }) && self.telling.passes > 0 {
                self.record("engine_answers", None, "Docker answers".to_owned());
            }
        }
        self.sight.observed.engine = Engine::Reachable;
        self.sweep();
    }

    /// Looks at one container soon.
    pub(super) fn inspect(&mut self, id: ContainerId) {
        if let Some(again) = self.sight.inspecting.get_mut(&id) {
            *again = true;
            return;
        }
        self.sight.inspecting.insert(id.clone(), false);
        let (hands, began) = (self.hands.clone(), self.sight.activity);
        self.effects.spawn(async move {
            let result = Box::new(hands.engine.observe_container(&id, &hands.install).await);
            Event::Inspected { began, id, result }
        });
    }

    pub(super) fn inspected(
        &mut self,
        began: u64,
        id: ContainerId,
        result: Result<Option<ObservedContainer>, EngineError>,
    ) {
        let again = self.sight.inspecting.remove(&id).unwrap_or(false);
        let seen = match result {
            Ok(seen) => seen,
            Err(error) => {
                tracing::debug!(container = %id, error = %chain(&error), "the look at a container failed");
                return self.sync_within(REST_MILLIS);
            }
        };
        let known = self.sight.observed.container(&id);
        let target = seen.as_ref().or(known).and_then(|container| container.labels.target.clone());
        let touched = target.as_ref().and_then(|target| self.sight.touched.get(target)).is_some_and(|at| *at > began);
        if target.as_ref().is_some_and(|target| self.affairs.under_way.contains_key(target)) {
            // The action's own look comes; this one is repeated after it.
            self.sight.inspecting.insert(id, true);
            return;
        }
        if again || touched {
            return self.inspect(id);
        }
        self.sight.observed.containers.retain(|container| container.id != id);
        self.sight.observed.containers.extend(seen);
    }

    pub(super) fn performed(&mut self, performed: Performed) {
        let now = self.now();
        let target = performed.target().clone();
        let Performed { action, outcome, containers, readings } = performed;
        self.affairs.under_way.remove(&target);
        self.sight.activity += 1;
        self.sight.touched.insert(target.clone(), self.sight.activity);
        if let Some(containers) = containers {
            self.sight.observed.containers.retain(|container| container.labels.target.as_ref() != Some(&target));
            self.sight.observed.containers.extend(containers);
        }
        self.sight.schedule.follow(&self.sight.observed.containers, now);
        for (life, reading) in readings {
            self.learn(&life, reading);
        }
        match (&outcome, &action.step) {
            (Outcome::Done, Step::Launch(launch)) => {
                use supervisor_plan::observed::Owner::Ours;
                self.sight.observed.networks.extend(launch.network.iter().map(|network| (network.name.clone(), Ours)));
                self.sight.observed.volumes.extend(launch.volume.iter().map(|volume| (volume.name.clone(), Ours)));
            }
            (Outcome::Done, Step::RemoveNetwork { name }) => {
                self.sight.observed.networks.remove(name);
            }
            (Outcome::Done, _) => {}
            (Outcome::Stale { .. } | Outcome::EngineLost { .. } | Outcome::Failed { .. }, _) => {
                self.affairs.resting.insert(target.clone(), now.plus_millis(REST_MILLIS));
                self.sync_within(0);
            }
        }
        self.ledger.finish(&action, &outcome, now);
        self.save_ledger();
        self.tell_outcome(&action, &outcome);
        let waiting: Vec<_> =
            self.sight.inspecting.iter().filter(|(_, again)| **again).map(|(id, _)| id.clone()).collect();
        for id in waiting {
            self.sight.inspecting.remove(&id);
            self.inspect(id);
        }
    }

    /// Sends the probes that are due.
    pub(super) fn start_probes(&mut self) {
        let now = self.now();
        self.sight.schedule.follow(&self.sight.observed.containers, now);
        for due in self.sight.schedule.take_due(now) {
            let door = crate::probe::door(&self.hands.roots, &self.ledger.ids, &due.target, due.generation);
            let (life, with_release) = (due.life, due.with_release);
            self.effects.spawn(async move {
                let reading = match door {
                    Some(door) => crate::probe::ask(&door, with_release).await,
                    None => Reading::Silent { error: "it has no admin socket".to_owned() },
                };
                Event::Probed { life, reading }
            });
        }
    }

    pub(super) fn learn(&mut self, life: &LifeId, reading: Reading) {
        let Some(container) = self.sight.observed.container(&life.container) else { return };
        let expected = self.hands.host.expected_canaries(&container.spec);
        let subject = container.labels.target.as_ref().map(ToString::to_string);
        let before = self.sight.schedule.troubles(&life.container);
        self.sight.schedule.learn(life, reading, &expected, self.hands.clock.now());
        let troubles = self.sight.schedule.troubles(&life.container);
        for trouble in troubles.difference(&before) {
            tracing::warn!(subject, trouble, "a job by the clock is in trouble");
            self.record("cron", subject.clone(), trouble.clone());
        }
    }

    /// An effect panicked: nobody knows how far it came. Everything that was under way is looked at again.
    pub(super) fn panicked(&mut self) {
        tracing::error!("an effect panicked");
        self.affairs.under_way.clear();
        self.sight.inspecting.clear();
        self.sight.schedule = Schedule::default();
        self.sight.syncing = false;
        self.safety.copying = false;
        self.sight.activity += 1;
        self.sync_within(REST_MILLIS);
    }
}
