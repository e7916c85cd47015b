//! One planning pass: each target is a [`case::Case`] that ends with at most one action, and with a line of the report
//! that says why it is not more.
//!
//! ```text
//!             ┌───────────── sidecar ─────────────┐      ┌──────────────── agent ────────────────┐
//!  missing ─▶ launch ─▶ configure ─▶ ready        │      launch (standby) ─▶ activate ─▶ ready
//!             ▲                        │ drift    │      │  drift: launch the next one beside it, in standby
//!             └─ remove ◀─ stop ◀──────┘          │      │  gate holds its door ─▶ stop the old one ─▶ observed
//!             exited ─▶ back-off ─▶ start         │      │  stopped ─▶ activate the next ─▶ door opens ─▶ remove
//!             silent, unready ─▶ kill or stop     │      │  the old one ─▶ rename
//! ```

mod agent;
mod backoff;
mod case;
mod configure;
mod door;
mod health;
mod keep;
mod launch;
mod orphan;
mod replace;
mod sidecar;
mod start;
mod world;

pub use backoff::{LIMIT as QUARANTINE_AFTER, WINDOW_MILLIS as FAILURE_WINDOW_MILLIS};
pub use health::{SILENT_MILLIS, SILENT_PROBES, STARTUP_MILLIS, UNREADY_MILLIS};

use platform_types::{Revision, Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::desired::Desired;
use crate::ledger::Ledger;
use crate::observed::{Engine, Observed};
use crate::report::{Condition, Report};
use case::Case;
use world::World;

/// What to do now, why not more, and when to look again even if nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// At most one for each target, in no order: they run concurrently.
    pub actions: Vec<Action>,
    pub report: Report,
    pub wake_at: Option<Timestamp>,
}

/// Decides. The same arguments give the same plan.
pub fn plan(desired: &Desired, observed: &Observed, ledger: &Ledger, now: Timestamp) -> Plan {
    let world = World { desired, observed, ledger, now };
    let mut plan = Plan {
        actions: Vec::new(),
        report: Report {
            engine: observed.engine.clone(),
            targets: std::collections::BTreeMap::new(),
            notes: orphan::notes(world),
        },
        wake_at: None,
    };
    let mut revision = world.highest_revision();
    for target in world.targets() {
        revision = Revision(revision.0 + 1);
        let mut case = Case::new(world, target.clone(), revision);
        decide(&mut case);
        plan.include(case);
    }
    plan
}

fn decide(case: &mut Case<'_>) {
    let world = case.world;
    if world.in_flight(&case.target) {
        case.line.condition = Condition::Starting;
        if let Some(container) = world.of(&case.target).last() {
            keep::show(case, container);
        }
        return;
    }
    let service = world.desired.services.get(&case.target);
    match (service, case.target.role()) {
        (Some(service), Role::Agent) => agent::decide(case, service),
        (Some(service), _) => sidecar::decide(case, service),
        (None, _) => orphan::decide(case),
    }
}

impl Plan {
    /// Nothing to do and nothing to wait for.
    pub fn is_settled(&self) -> bool {
        self.actions.is_empty()
            && self.report.targets.values().all(|line| line.waiting.is_empty() && line.doing.is_none())
    }

    fn include(&mut self, case: Case<'_>) {
        let Case { target, mut line, action, wake_at, .. } = case;
        let reachable = self.report.engine == Engine::Reachable;
        if !reachable {
            line.doing = None;
            line.waiting.clear();
            // What stands in the way was not looked at.
            line.blocked.clear();
        }
        self.report.targets.insert(target, line);
        if !reachable {
            return;
        }
        self.actions.extend(action);
        self.wake_at = match (self.wake_at, wake_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}
