//! `botctl doctor`: what is wrong with this installation or its host, each with a remedy.
//!
//! **Invariants.** A check is a pure function of [`Facts`]; only [`facts`] looks at the machine, and it changes nothing.
//! Without the supervisor fewer facts are known, and the checks that need them say so.
//!
//! | module | what |
//! |---|---|
//! | [`facts`] | what is known, and gathering it |
//! | [`host`] | reading `/proc`: mounts and listeners |
//! | [`service`] | how the supervisor is started, and where its log is |
//! | [`tailscale`] | what `tailscale serve status --json` says |
//! | [`checks`] | one file a check |
//! | [`security`] | the second family, behind `--security` |

pub mod checks;
pub mod facts;
pub mod host;
pub mod security;
pub mod service;
pub mod tailscale;

#[cfg(test)]
mod tests;

use crate::api::wire::findings::{Check, Verdict};
use facts::Facts;

/// A check: its stable name, and what it does.
type NamedCheck = (&'static str, fn(&Facts) -> Finding);

/// Every check, in the order in which they are shown: what the others depend on comes first.
const CHECKS: &[NamedCheck] = &[
    ("docker", checks::docker::check),
    ("supervisor", checks::supervisor::check),
    ("config", checks::config::check),
    ("secrets", checks::secrets::check),
    ("images", checks::images::check),
    ("containers", checks::containers::check),
    ("model-box", checks::model_box::check),
    ("switch", checks::switch::check),
    ("channels", checks::channels::check),
    ("ports", checks::ports::check),
    ("listeners", checks::listeners::check),
    ("sockets", checks::sockets::check),
    ("run-tmpfs", checks::run_tmpfs::check),
    ("log-limits", checks::log_limits::check),
    ("disk-space", checks::disk_space::check),
    ("quotas", checks::quotas::check),
    ("snapshots", checks::snapshots::check),
    ("copies", checks::copies::check),
    ("clock", checks::clock::check),
    ("tailscale", checks::tailscale::check),
    ("live-restore", checks::live_restore::check),
];

/// Runs every check.
pub fn examine(facts: &Facts) -> Vec<Check> {
    CHECKS.iter().map(|(name, check)| check(facts).named(name)).collect()
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    pub summary: String,
    pub details: Vec<String>,
    pub remedy: Option<String>,
}

impl Finding {
    pub fn ok(summary: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, summary: summary.into(), details: Vec::new(), remedy: None }
    }

    pub fn found(verdict: Verdict, summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict, summary: summary.into(), details: Vec::new(), remedy: Some(remedy.into()) }
    }

    pub fn problem(summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::found(Verdict::Problem, summary, remedy)
    }

    pub fn warning(summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::found(Verdict::Warning, summary, remedy)
    }

    pub fn advice(summary: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::found(Verdict::Advice, summary, remedy)
    }

    /// It could not be looked at.
    pub fn unknown(summary: impl Into<String>, remedy: Option<&str>) -> Self {
        let remedy = remedy.map(str::to_owned);
        Self { verdict: Verdict::Unknown, summary: summary.into(), details: Vec::new(), remedy }
    }

    /// It needs what only the supervisor knows.
    pub fn unseen() -> Self {
        Self::unknown("not looked at: the supervisor does not answer", None)
    }

    /// As it travels.
    pub fn named(self, name: &str) -> Check {
        let Self { verdict, summary, details, remedy } = self;
        Check { check: name.to_owned(), verdict, summary, details, remedy }
    }

    #[must_use]
    pub fn with_details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}
