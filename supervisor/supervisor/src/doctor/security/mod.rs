//! `botctl doctor --security`: the running system against what it promises, from outside and from inside.
//!
//! **Invariants.** A check is a pure function of [`Evidence`], which is gathered anew each time and not taken from what
//! the reconciler remembers. What a container may do is held against the planner's topology *and* against rules that are
//! written here a second time: a topology that asks for too much is found too. Nothing is changed, except that
//! [`inside`] runs a container of its own a profile and removes it.
//!
//! | module | what |
//! |---|---|
//! | [`evidence`] | what is looked at, and looking |
//! | [`directory`] | owner, mode and names of a directory under `run/` |
//! | [`inside`] | a container with an agent's confinement that tries to get out |
//! | [`checks`] | one file a check |

pub mod checks;
pub mod directory;
pub mod evidence;
pub mod inside;

#[cfg(test)]
mod tests;

use super::Finding;
use crate::api::wire::findings::Check;
use evidence::Evidence;

type NamedCheck = (&'static str, fn(&Evidence) -> Finding);

/// In the order in which they are shown. What is not enforced here is said last, whatever else was found.
const CHECKS: &[NamedCheck] = &[
    ("confinement", checks::confinement::check),
    ("users", checks::users::check),
    ("networks", checks::networks::check),
    ("mounts", checks::mounts::check),
    ("as-planned", checks::as_planned::check),
    ("strangers", checks::strangers::check),
    ("directories", checks::directories::check),
    ("names", checks::names::check),
    ("private-files", checks::private_files::check),
    ("from-inside", checks::from_inside::check),
    ("not-enforced", checks::not_enforced::check),
];

/// Runs every check.
pub fn examine(evidence: &Evidence) -> Vec<Check> {
    CHECKS.iter().map(|(name, check)| check(evidence).named(name)).collect()
}

/// Nobody looked: only the supervisor sees containers.
pub fn unseen() -> Vec<Check> {
    CHECKS.iter().map(|(name, _)| Finding::unseen().named(name)).collect()
}
