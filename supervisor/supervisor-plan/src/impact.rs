//! What a change of the desired state will do, before it is applied: for `botctl plan`.

use std::fmt;

use platform_types::Role;
use serde::{Deserialize, Serialize};

use crate::desired::{Desired, Service};
use crate::target::Target;

/// What happens to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    pub target: Target,
    #[serde(flatten)]
    pub change: Change,
}

/// The kinds of change, mildest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    Unchanged,
    /// A new configuration goes over the admin socket; nothing is interrupted.
    Pushed,
    Created,
    /// An agent: the next generation takes over while the gate holds its door.
    Rollout {
        fields: Vec<String>,
    },
    /// A sidecar: stopped, removed, made again; clients reconnect.
    Replaced {
        fields: Vec<String>,
    },
    /// Stopped and removed; its volumes are kept.
    Removed,
}

/// Every target of either, in order.
pub fn impact(old: &Desired, new: &Desired) -> Vec<Impact> {
    let targets: std::collections::BTreeSet<&Target> = old.services.keys().chain(new.services.keys()).collect();
    let changes = targets.into_iter().map(|target| {
        let change = match (old.services.get(target), new.services.get(target)) {
            (Some(old), Some(new)) => compare(target, old, new),
            (None, _) => Change::Created,
            (Some(_), None) => Change::Removed,
        };
        Impact { target: target.clone(), change }
    });
    changes.collect()
}

fn compare(target: &Target, old: &Service, new: &Service) -> Change {
    let mut fields: Vec<String> = new.spec.drift(&old.spec).iter().map(ToString::to_string).collect();
    for field in &mut fields {
        // Drift speaks of what should be; here it is what will be.
        *field = field.replacen(", should be ", ", becomes ", 1);
    }
    if old.container_name != new.container_name {
        fields.insert(0, format!("name is {}, becomes {}", old.container_name, new.container_name));
    }
    match (fields.is_empty(), target.role()) {
        (true, _) if old.config_digest == new.config_digest => Change::Unchanged,
        (true, _) => Change::Pushed,
        (false, Role::Agent) => Change::Rollout { fields },
        (false, _) => Change::Replaced { fields },
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("unchanged"),
            Self::Pushed => f.write_str("pushed live, nothing is interrupted"),
            Self::Created => f.write_str("created"),
            Self::Rollout { fields } => {
                write!(f, "rollout, the door is held for a moment ({})", fields.join("; "))
            }
            Self::Replaced { fields } => {
                write!(f, "replaced with a short interruption ({})", fields.join("; "))
            }
            Self::Removed => f.write_str("stopped and removed, volumes are kept"),
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.target, self.change)
    }
}
