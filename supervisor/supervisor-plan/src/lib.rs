//! The pure planner: what is desired, what is observed and what the ledger remembers go in, a plan comes out.
//!
//! **Invariants.** Nothing here does I/O, reads a clock or draws a random number. A plan touches only what carries the
//! installation's label. When desired and observed agree, the plan is empty.
//!
//! ```text
//!  platform.toml ──▶ desired ──┐
//!  Docker, probes ─▶ observed ─┼─▶ plan ──▶ check ──▶ actions (each with a precondition) ──▶ observe again
//!  supervisor.db ──▶ ledger ───┘     └──▶ report: why it is not better, and what is awaited
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`target`] | who a container is |
//! | [`spec`] | a container, network or volume as it should be; the same shape that Docker's inspection is read into |
//! | [`desired`] | what should exist, a service a target |
//! | [`observed`] | what Docker and the probes say |
//! | [`ledger`] | what has to be remembered between passes: ids, generations, leases, failures, quarantines |
//! | [`action`] | the steps a plan is made of |
//! | [`plan`](mod@plan) | decides: desired, observed, ledger and the time in, actions and report out |
//! | [`check`](mod@check) | looks a plan over before it is carried out, with code of its own |
//! | [`impact`](mod@impact) | what a change of the desired state will do |
//! | [`report`] | why it is not better |
//! | [`topology`](mod@topology) | from a configuration to what is desired |
//! | [`drift`] | how an inspected container differs from its specification |
//! | [`upkeep`] | snapshots by the clock: which is due, which is too old, when a failure is tried again |
//! | [`words`] | how values are written for people |

pub mod action;
pub mod check;
pub mod desired;
pub mod drift;
pub mod impact;
pub mod ledger;
pub mod observed;
pub mod plan;
pub mod report;
pub mod spec;
pub mod target;
pub mod topology;
pub mod upkeep;
pub mod words;

pub use action::{Action, Outcome, Step};
pub use check::{Screened, Violation, check, screen};
pub use desired::{Desired, Service};
pub use impact::{Change, Impact, impact};
pub use ledger::Ledger;
pub use observed::Observed;
pub use plan::{Plan, plan};
pub use report::Report;
pub use target::Target;
pub use topology::{Topology, topology};
