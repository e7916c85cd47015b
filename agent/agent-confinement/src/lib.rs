//! Attempts to get out of an agent's container.
//!
//! **Invariants.** An attempt is harmless where it works: it asks for something and gives it back, or asks with arguments
//! that the kernel refuses only after it would have allowed the call. No attempt waits longer than [`PATIENCE`].
//!
//! | module | what |
//! |---|---|
//! | [`network`] | sockets of every family, interfaces |
//! | [`privilege`] | users, capabilities, namespaces, mounts, tracing |
//! | [`files`] | the root, read-only mounts, devices, `/proc`, `/sys`, Docker's socket |

pub mod files;
pub mod network;
pub mod privilege;

use std::fmt::Display;
use std::time::Duration;

pub use platform_types::confinement::{Outcome, Report};

/// Longest time that an attempt waits for somebody to answer.
pub const PATIENCE: Duration = Duration::from_millis(800);

/// Something that a confined process must not be able to do.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// A stable word such as `netlink-socket`.
    pub name: &'static str,
    /// What it would mean, in a few words.
    pub what: &'static str,
    pub run: fn() -> Tried,
}

/// How an attempt went, and what the kernel said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    Blocked(String),
    Succeeded(String),
}

/// Every attempt, in the order in which they can be made in one process: what changes the process comes last.
pub fn attempts() -> impl Iterator<Item = &'static Attempt> {
    network::ATTEMPTS.iter().chain(files::ATTEMPTS).chain(privilege::ATTEMPTS)
}

impl Attempt {
    pub fn carry_out(&self) -> Report {
        (self.run)().report(self.name, self.what)
    }
}

impl Tried {
    /// An error blocked it.
    pub fn of<T, E: Display>(result: Result<T, E>) -> Self {
        match result {
            Ok(_) => Self::Succeeded("allowed".to_owned()),
            Err(error) => Self::Blocked(error.to_string()),
        }
    }

    pub fn report(self, name: &str, what: &str) -> Report {
        let (outcome, detail) = match self {
            Self::Blocked(detail) => (Outcome::Blocked, detail),
            Self::Succeeded(detail) => (Outcome::Succeeded, detail),
        };
        Report { name: name.to_owned(), what: what.to_owned(), outcome, detail }
    }
}

/// The first of several that works is enough.
pub(crate) fn any(tried: impl IntoIterator<Item = (String, Tried)>) -> Tried {
    let mut refusals = Vec::new();
    for (what, tried) in tried {
        match tried {
            Tried::Succeeded(detail) => return Tried::Succeeded(format!("{what}: {detail}")),
            Tried::Blocked(detail) => refusals.push(format!("{what}: {detail}")),
        }
    }
    Tried::Blocked(refusals.join("; "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_said_in_words() {
        let names: Vec<&str> = attempts().map(|attempt| attempt.name).collect();
        assert!(names.len() >= 20);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(attempts().all(|attempt| !attempt.what.is_empty()));
    }

    #[test]
    fn the_first_that_works_counts() {
        let blocked = |word: &str| ("a".to_owned(), Tried::Blocked(word.to_owned()));
        assert_eq!(any([blocked("x"), blocked("y")]), Tried::Blocked("a: x; a: y".to_owned()));
        let worked = ("b".to_owned(), Tried::Succeeded("z".to_owned()));
        assert_eq!(any([blocked("x"), worked]), Tried::Succeeded("b: z".to_owned()));
    }

    /// Tests run without confinement: what needs no privilege works there, so an attempt is able to succeed.
    #[test]
    fn without_confinement_attempts_succeed() {
        for name in ["tcp-socket", "udp-socket", "netlink-socket", "interfaces"] {
            let attempt = attempts().find(|attempt| attempt.name == name).unwrap();
            assert_eq!(attempt.carry_out().outcome, Outcome::Succeeded, "{name}");
        }
    }

    #[test]
    fn a_report_is_a_line_of_json() {
        let report = Tried::Blocked("EPERM".to_owned()).report("mount", "mount a tmpfs");
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["outcome"], "blocked");
        assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
    }
}
