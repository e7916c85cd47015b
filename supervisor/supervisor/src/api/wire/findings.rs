//! What `doctor` found.

use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/doctor`: one entry a check, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    /// The supervisor answered; without it `botctl` looks for itself, and sees less.
    pub supervisor: bool,
    pub checks: Vec<Check>,
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// A stable word such as `docker`.
    pub check: String,
    pub verdict: Verdict,
    /// One half sentence.
    pub summary: String,
    /// More of the same, one line each.
    #[serde(default)]
    pub details: Vec<String>,
    /// What to do; absent when all is well.
    #[serde(default)]
    pub remedy: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Could not be looked at from here.
    Unknown,
    /// Works; could be better.
    Advice,
    /// Works now, and will not always.
    Warning,
    /// Does not work, or is not safe.
    Problem,
}

impl Document for Checkup {
    const SCHEMA: &'static str = "bot-platform.doctor.v1";
}
