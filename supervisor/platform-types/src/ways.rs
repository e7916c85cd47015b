//! What is behind the upstreams of a profile, for the tools that speak to it: a house, a table of jobs.
//!
//! The agent is told so that tools name what there is and refuse the rest without asking anybody. What may really be read and
//! done is decided by the gate's rules, which come from the same lists.

use serde::{Deserialize, Serialize};

use crate::UpstreamName;

/// Home Assistant behind an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct House {
    pub upstream: UpstreamName,
    /// Each id once, in the order of the ids.
    pub things: Vec<Thing>,
}

/// An entity, or a scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// `domain.name`, as Home Assistant names it.
    pub id: String,
    pub may: May,
}

/// What a bot may do with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum May {
    Read,
    Set,
    /// Set after a person's confirmation, each time.
    Confirm,
}

impl Thing {
    /// What stands before the dot.
    pub fn domain(&self) -> &str {
        domain_of(&self.id)
    }
}

/// The domain of an entity's id: what stands before the dot.
pub fn domain_of(id: &str) -> &str {
    id.split('.').next().unwrap_or_default()
}

/// The domain of scenes, which are turned on and not set.
pub const SCENE: &str = "scene";

/// A table of jobs behind an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    pub upstream: UpstreamName,
    pub table: String,
    /// Kinds of jobs that are let through; empty: those that the database shows.
    pub kinds: Vec<String>,
    pub requeue: Requeue,
}

/// The columns of a job that are shown. They are always asked for as this list, with commas.
pub const JOB_COLUMNS: [&str; 6] = ["id", "kind", "status", "attempts", "last_error", "updated_at"];
/// Which jobs can be queued again, as PostgREST's filter on `status`.
pub const FAILED_JOBS: &str = "in.(failed,dead)";
/// In which order jobs are listed: what changed last is first.
pub const JOB_ORDER: &str = "updated_at.desc.nullslast,id.asc";

impl Jobs {
    /// The filter on `kind` that lets every allowed kind through; `None` where all are.
    pub fn kind_filter(kinds: &[String]) -> Option<String> {
        (!kinds.is_empty()).then(|| format!("in.({})", kinds.join(",")))
    }
}

/// How a job is queued again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requeue {
    /// By the database's function `requeue_job`, which tells a repetition by the confirmation's id.
    #[default]
    Function,
    /// By a change of the row, if its status and its time of change are still what was shown.
    CompareAndSet,
}

impl Requeue {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::CompareAndSet => "compare-and-set",
        }
    }
}
