//! One pass: plan, check, begin in the ledger, start the effects.

use std::collections::BTreeSet;
use std::time::Instant;

use platform_types::{Port, Role};
use supervisor_docker::Removal;
use supervisor_plan::observed::State;
use supervisor_plan::report::Blocked;
use supervisor_plan::{Action, Desired, Outcome, Screened, Step, Target, plan, screen};

use super::event::Event;
use super::execute::{self, Order};
use super::{FILES_MILLIS, Reconciler};
use crate::host::port;
use crate::probe;
use crate::state::UnderWay;
use crate::words::chain;

/// A taken port is tried again so often.
const PORT_MILLIS: i64 = 5000;
const REFUSED: &str = "the check refused the next step of";
/// Passes in a row without a wait in between: ledger-only steps change what is planned next.
const MAX_ROUNDS: u32 = 8;

impl Reconciler {
    /// Decides and starts. Ends with the world published.
    pub(super) fn pass(&mut self) {
        let began = Instant::now();
        let now = self.now();
        self.affairs.resting.retain(|_, until| *until > now);
        self.look_at_files();
        self.start_copy();
        self.start_sync();
        self.start_probes();
        for container in &mut self.sight.observed.containers {
            container.probe = self.sight.schedule.probe(&container.id);
        }
        self.sight.observed.ports_taken = self.taken_ports(&self.intent.wanted.desired);
        for _ in 0..MAX_ROUNDS {
            if !self.round() {
                break;
            }
        }
        self.keep_up();
        self.telling.passes += 1;
        self.telling.last_pass_micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.answer_waiting();
        self.publish();
    }

    /// `true` when another round may decide more.
    fn round(&mut self) -> bool {
        let now = self.now();
        self.sight.observed.in_flight = self.in_flight();
        self.plan = plan(&self.intent.wanted.desired, &self.sight.observed, &self.ledger, now);
        if !self.sight.observed.ports_taken.is_empty() {
            let again = now.plus_millis(PORT_MILLIS);
            self.plan.wake_at = Some(self.plan.wake_at.map_or(again, |wake| wake.min(again)));
        }
        let notes = self.restored_notes();
        self.plan.report.notes.extend(notes);
        if !self.sight.synced || !self.sight.swept {
            return false;
        }
        let actions = self.screened();
        if actions.is_empty() {
            return false;
        }
        if actions.iter().any(|action| matches!(action.step, Step::Launch(_) | Step::Start { .. })) {
            // What is mounted has to be there before, whatever happened to it meanwhile.
            self.provide();
            self.sweep_sockets(&actions);
        }
        let before = self.ledger.clone();
        for action in &actions {
            self.ledger.begin(action, now);
        }
        if !self.save_ledger() {
            self.ledger = before;
            return false;
        }
        let mut again = false;
        for action in actions {
            again |= self.start(action);
        }
        again
    }

    /// What the check lets pass. What it refuses is shown, and is planned again with the next pass.
    fn screened(&mut self) -> Vec<Action> {
        let Screened { lawful, refused } = screen(&self.plan, &self.sight.observed, &self.ledger);
        let mut troubles = BTreeSet::new();
        for (target, violations) in refused {
            let words: Vec<_> = violations.iter().map(ToString::to_string).collect();
            let words = words.join("; ");
            if let Some(line) = self.plan.report.targets.get_mut(&target) {
                line.doing = None;
                let remedy = "this is a fault of the supervisor: please report it with `botctl events`".to_owned();
                line.blocked.push(Blocked { problem: format!("the check refused the next step: {words}"), remedy });
            }
            let trouble = format!("{REFUSED} {target}: {words}");
            if !self.telling.troubles.contains(&trouble) {
                tracing::error!(subject = %target, violations = words, "a plan was refused by the check");
            }
            troubles.insert(trouble);
        }
        self.untrouble(REFUSED);
        self.telling.troubles.extend(troubles);
        lawful
    }

    /// Starts one action; `true` when it was over at once.
    fn start(&mut self, action: Action) -> bool {
        let now = self.now();
        self.tell_begin(&action);
        if action.is_ledger_only() {
            self.ledger.finish(&action, &Outcome::Done, now);
            self.save_ledger();
            return true;
        }
        let target = action.target.clone();
        self.sight.activity += 1;
        self.sight.touched.insert(target.clone(), self.sight.activity);
        let under_way = UnderWay { verb: action.verb().to_owned(), because: action.because.clone(), since: now };
        self.affairs.under_way.insert(target.clone(), under_way);
        let generation = action
            .container()
            .and_then(|id| self.sight.observed.container(id))
            .and_then(|container| container.labels.generation);
        let order = Order {
            payload: self.intent.wanted.payloads.get(&target).cloned(),
            door: probe::door(&self.hands.roots, &self.ledger.ids, &target, generation),
            action,
        };
        let hands = self.hands.clone();
        self.effects.spawn(async move { Event::Performed(Box::new(execute::perform(hands, order).await)) });
        false
    }

    /// Before an agent starts, its socket directories hold nothing but the sockets of agents that run.
    fn sweep_sockets(&self, actions: &[Action]) {
        let starting = actions.iter().filter(|action| matches!(action.step, Step::Launch(_) | Step::Start { .. }));
        for target in starting.map(|action| &action.target).filter(|target| target.role() == Role::Agent) {
            let Some(profile) = target.profile() else { continue };
            let running = self.sight.observed.containers.iter().filter(|container| {
                container.labels.target.as_ref() == Some(target)
                    && matches!(container.state, State::Running | State::Paused)
            });
            let live: Vec<_> = running.filter_map(|container| container.labels.generation).collect();
            if let Err(error) = self.hands.host.sweep_sockets(profile, &live) {
                tracing::warn!(subject = %target, error = chain(&error), "the socket directories could not be swept");
            }
        }
    }

    fn in_flight(&self) -> BTreeSet<Target> {
        let tasks = self.affairs.operations.keys().map(Target::task);
        self.affairs.under_way.keys().chain(self.affairs.resting.keys()).cloned().chain(tasks).collect()
    }

    /// Ports of gates that none of our running containers publishes, and somebody listens on.
    pub(super) fn taken_ports(&self, desired: &Desired) -> BTreeSet<Port> {
        let ours: BTreeSet<Port> = self
            .sight
            .observed
            .containers
            .iter()
            .filter(|container| matches!(container.state, State::Running | State::Paused))
            .filter_map(|container| container.spec.host_port())
            .collect();
        let gates = desired.services.iter().filter(|(target, _)| !self.affairs.under_way.contains_key(*target));
        let wanted = gates.filter_map(|(_, service)| service.spec.host_port());
        wanted.filter(|wanted| !ours.contains(wanted) && port::is_taken(*wanted)).collect()
    }

    /// Notices that the files are no longer those in force.
    fn look_at_files(&mut self) {
        let now = self.now();
        if now < self.intent.files_due {
            return;
        }
        self.intent.files_due = now.plus_millis(FILES_MILLIS);
        let stamp = crate::desired::files::stamp(&self.hands.roots);
        if stamp == self.intent.files_stamp {
            return;
        }
        self.intent.files_stamp = stamp;
        self.compare_files();
        if !self.intent.host_problems.is_empty() {
            self.provide();
        }
    }

    /// Cleans up after a predecessor that was killed in the middle of an operation, once, before anything is planned:
    /// its tasks are ended, its volumes put in order, its holds taken back.
    pub(super) fn sweep(&mut self) {
        if self.sight.swept {
            return;
        }
        self.notice_older_ledger();
        let is_task = |target: &Target| target.role() == Role::Task;
        let tasks: Vec<_> = self
            .sight
            .observed
            .containers
            .iter()
            .filter(|container| container.labels.target.as_ref().is_some_and(is_task))
            .map(|container| container.id.clone())
            .collect();
        let volumes: Vec<_> = self
            .intent
            .wanted
            .desired
            .services
            .values()
            .filter_map(|service| service.volume.clone())
            .filter(|volume| {
                self.sight.observed.volumes.get(&volume.name) == Some(&supervisor_plan::observed::Owner::Ours)
            })
            .collect();
        let hands = self.hands.clone();
        self.effects.spawn(async move {
            let mut problems = Vec::new();
            for task in tasks {
                let removed = hands.engine.remove_container(&task.0, Removal::Forced).await;
                problems.extend(removed.err().map(|error| chain(&error)));
            }
            for volume in volumes {
                let result = match hands.engine.volume_mountpoint(&volume.name).await {
                    Ok(mountpoint) => hands.host.sweep_volume(&mountpoint, &volume).map_err(|error| chain(&error)),
                    Err(error) => Err(chain(&error)),
                };
                problems.extend(result.err());
            }
            Event::Swept { problems }
        });
    }

    pub(super) fn finish_sweep(&mut self, problems: &[String]) {
        if self.sight.swept {
            return;
        }
        for problem in problems {
            tracing::warn!(problem, "something was left behind by an earlier run");
        }
        self.sight.swept = true;
        let holds: Vec<_> = self.ledger.holds.keys().cloned().collect();
        for profile in holds {
            tracing::info!(%profile, "an operation was cut short; the agent runs again");
            self.ledger.release(&profile);
        }
        self.save_ledger();
        self.sync_within(0);
    }
}
