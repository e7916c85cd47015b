//! The world for everybody else, and what happened: one event in the log and in the ledger for each change.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform_types::{ProfileName, Role};
use supervisor_plan::report::Condition;
use supervisor_plan::{Action, Ledger, Observed, Outcome, Plan, Step, Target};
use supervisor_store::NewEvent;

use super::Reconciler;
use crate::audit::own::{self, Deed, SUPERVISOR};
use crate::desired::{Accepted, Wanted};
use crate::state::World;
use crate::words::chain;

/// The world before anything was seen.
pub(super) fn first(accepted: &Accepted, wanted: &Wanted, ledger: &Ledger, observed: &Observed, plan: &Plan) -> World {
    World {
        config: Arc::new(accepted.config.clone()),
        instructions: Arc::new(accepted.files.instructions.clone()),
        findings: Arc::default(),
        unapplied: false,
        desired: Arc::new(wanted.desired.clone()),
        observed: Arc::new(observed.clone()),
        ledger: Arc::new(ledger.clone()),
        report: Arc::new(plan.report.clone()),
        under_way: Arc::default(),
        engine: None,
        probes: Arc::default(),
        operations: Arc::default(),
        upkeep: Arc::default(),
        problems: Arc::default(),
        passes: 0,
        last_pass_micros: 0,
        sequence: 0,
    }
}

impl Reconciler {
    pub(super) fn publish(&mut self) {
        self.tell_conditions();
        let problems = self.intent.host_problems.iter().chain(&self.telling.troubles).cloned().collect();
        self.telling.world.send_modify(|world| {
            // What did not change is not copied again: readers hold the same values.
            keep(&mut world.config, &self.intent.accepted.config);
            keep(&mut world.instructions, &self.intent.accepted.files.instructions);
            keep(&mut world.desired, &self.intent.wanted.desired);
            keep(&mut world.observed, &self.sight.observed);
            keep(&mut world.ledger, &self.ledger);
            keep(&mut world.report, &self.plan.report);
            keep(&mut world.under_way, &self.affairs.under_way);
            keep(&mut world.probes, &self.sight.schedule.details());
            keep(&mut world.operations, &self.affairs.operations);
            keep(&mut world.upkeep, &self.affairs.upkeep);
            keep(&mut world.problems, &problems);
            world.findings.clone_from(&self.intent.findings);
            world.unapplied = self.intent.unapplied;
            world.engine.clone_from(&self.sight.engine);
            world.passes = self.telling.passes;
            world.last_pass_micros = self.telling.last_pass_micros;
            world.sequence += 1;
        });
    }

    /// Every transition of a target is one event.
    fn tell_conditions(&mut self) {
        let services = self.plan.report.targets.iter().filter(|(target, _)| target.role() != Role::Task);
        let now: BTreeMap<Target, Condition> =
            services.map(|(target, line)| (target.clone(), line.condition)).collect();
        if !self.sight.synced {
            return;
        }
        let before = std::mem::replace(&mut self.telling.conditions, now.clone());
        for (target, condition) in &now {
            let was = before.get(target);
            if was == Some(condition) {
                continue;
            }
            let was = was.map_or("unknown".to_owned(), ToString::to_string);
            tracing::info!(subject = %target, from = was, to = %condition, "target changed");
            self.record("condition", Some(target.to_string()), format!("{target}: {was} → {condition}"));
        }
        for target in before.keys().filter(|target| !now.contains_key(*target)) {
            self.record("condition", Some(target.to_string()), format!("{target}: gone"));
        }
    }

    pub(super) fn tell_begin(&mut self, action: &Action) {
        let Action { target, because, .. } = action;
        tracing::info!(subject = %target, action = action.verb(), because, "action begins");
        let kind = if action.verb() == "restart" { "restart" } else { "action" };
        self.record(kind, Some(target.to_string()), format!("{} {target}: {because}", action.verb()));
        let (kind, words) = match &action.step {
            Step::Launch(launch) => match launch.generation {
                Some(generation) => ("rollout.began", format!("generation {generation}: {because}")),
                None => ("container.launched", format!("{target}: {because}")),
            },
            Step::Quarantine { .. } => ("container.quarantined", format!("{target}: {because}")),
            _ => return,
        };
        self.did(kind, target.profile().cloned(), words);
    }

    pub(super) fn tell_outcome(&mut self, action: &Action, outcome: &Outcome) {
        let target = &action.target;
        if let Some((kind, words)) = rollout(action, outcome) {
            self.did(kind, target.profile().cloned(), words);
        }
        match outcome {
            Outcome::Done => tracing::info!(subject = %target, action = action.verb(), "action done"),
            Outcome::Stale { found } => {
                tracing::info!(subject = %target, action = action.verb(), found, "action was overtaken");
            }
            Outcome::EngineLost { error } => {
                tracing::warn!(subject = %target, action = action.verb(), error, "action lost the engine");
            }
            Outcome::Failed { error } => {
                tracing::warn!(subject = %target, action = action.verb(), error, "action failed");
                let message = format!("{} {target} failed: {error}", action.verb());
                self.record("action_failed", Some(target.to_string()), message);
            }
        }
    }

    /// Adds to the audit what nobody asked for. A record that cannot be written stops nothing.
    pub(super) fn did(&mut self, kind: &'static str, profile: Option<ProfileName>, words: String) {
        let deed = Deed { kind, by: SUPERVISOR.to_owned(), profile, words };
        if let Err(error) = own::append(&self.store, self.now(), &deed) {
            tracing::warn!(error = %chain(&error), "what was done could not be recorded");
        }
    }

    /// Adds to the event log. A log that cannot be written stops nothing.
    pub(super) fn record(&mut self, kind: &str, subject: Option<String>, message: String) {
        let event = NewEvent { at: self.now(), kind: kind.to_owned(), subject, message };
        if let Err(error) = self.store.record_event(&event) {
            tracing::warn!(error = %chain(&error), "an event could not be recorded");
        }
    }
}

/// What the audit says about the outcome of a step in the replacement of an agent: it began when the next generation was
/// made, and ends when that has the state, or is not going to have it.
fn rollout(action: &Action, outcome: &Outcome) -> Option<(&'static str, String)> {
    let generation = match &action.step {
        Step::Launch(launch) => launch.generation?,
        Step::Activate { generation, .. } => *generation,
        _ => return None,
    };
    match (&action.step, outcome) {
        (Step::Activate { .. }, Outcome::Done) => {
            Some(("rollout.done", format!("generation {generation} has the state")))
        }
        (_, Outcome::Failed { error }) => {
            let words = format!("generation {generation}: {} failed: {error}", action.verb());
            Some(("rollout.failed", words))
        }
        _ => None,
    }
}

fn keep<T: PartialEq + Clone>(shared: &mut Arc<T>, value: &T) {
    if **shared != *value {
        *shared = Arc::new(value.clone());
    }
}
