//! What the supervisor would do, and doing it.

use serde::{Deserialize, Serialize};
use supervisor_config::Finding;
use supervisor_plan::report::{Blocked, Waiting};
use supervisor_plan::{Impact, Target};

use super::Document;

/// Body of `GET /v1/plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The files on the disk differ from what is in force.
    pub changed: bool,
    /// What a change of the files does to each target that it concerns.
    pub impacts: Vec<Impact>,
    /// The actions that `apply` would start with.
    pub actions: Vec<Step>,
    /// Targets that are waited for, or that only a person can help.
    pub open: Vec<Open>,
    pub findings: Vec<Finding>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub target: Target,
    pub verb: String,
    pub because: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub target: Target,
    pub waiting: Vec<Waiting>,
    pub blocked: Vec<Blocked>,
}

/// Body of `POST /v1/apply`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// Forget quarantines and back-offs: try everything again now.
    #[serde(default)]
    pub retry: bool,
}

/// What `apply` started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub actions: Vec<Step>,
    /// Targets whose failures were forgotten.
    pub retried: Vec<Target>,
    pub open: Vec<Open>,
    pub findings: Vec<Finding>,
}

impl Document for Plan {
    const SCHEMA: &'static str = "bot-platform.plan.v1";
}

impl Document for Applied {
    const SCHEMA: &'static str = "bot-platform.apply.v1";
}
