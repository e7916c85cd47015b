//! What runs in a simulated container: not much more than what its probes and its admin socket show.

use std::collections::BTreeSet;

use platform_types::gate::Door;
use platform_types::{Generation, Revision, Role, Timestamp};

/// Time from a process's start to its first answer.
const START_MILLIS: i64 = 30;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub role: Role,
    pub started_at: Timestamp,
    /// It was stopped by a signal or is stuck: it does not answer, and does not heed SIGTERM.
    pub wedged: bool,
    /// Something that keeps it from being ready.
    pub trouble: Option<String>,
    /// Mounts that are not there.
    pub lost_mounts: BTreeSet<String>,
    /// What was pushed to it.
    pub revision: Option<Revision>,
    pub door: Option<Door>,
    /// Agents: the state is open.
    pub active: Option<Generation>,
    /// It dies then, with this exit code.
    pub dies: Option<(Timestamp, i64)>,
}

impl Process {
    pub fn new(role: Role, now: Timestamp) -> Self {
        Self {
            role,
            started_at: now,
            wedged: false,
            trouble: None,
            lost_mounts: BTreeSet::new(),
            revision: None,
            door: None,
            active: None,
            dies: None,
        }
    }

    pub fn answers(&self, now: Timestamp) -> bool {
        !self.wedged && now >= self.answers_from()
    }

    pub fn answers_from(&self) -> Timestamp {
        self.started_at.plus_millis(START_MILLIS)
    }

    /// Why it is not ready; empty when it is.
    pub fn reasons(&self) -> Vec<String> {
        let standby = self.role == Role::Agent && self.active.is_none();
        let unconfigured = matches!(self.role, Role::Gate | Role::Spark) && self.revision.is_none();
        let mut reasons = Vec::new();
        if standby {
            reasons.push("in standby".to_owned());
        }
        if unconfigured {
            reasons.push("not configured yet".to_owned());
        }
        reasons.extend(self.trouble.clone());
        reasons
    }
}
