//! The pure planner: what is desired, what is observed and what the ledger remembers go in, a plan comes out.
//!
//! **Invariants.** Nothing here does I/O, reads a clock or draws a random number. A plan touches only what carries the
//! installation's label. When desired and observed agree, the plan is empty.
//!
//! ```text
//!  platform.toml ──▶ desired ─┐
//!  Docker, probes ──▶ observed ─┼─▶ plan ──▶ check ──▶ actions (each with preconditions) ──▶ observe again
//!  supervisor.db ──▶ ledger ──┘       └──▶ report: why it is not better, and what is awaited
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`spec`] | a container, network or volume as it should be; the same shape that Docker's inspection is read into |
//! | [`desired`] | the topology of an installation |
//! | [`observed`] | what Docker and the probes say |
//! | [`ledger`] | what has to be remembered between passes: uids, generations, restarts, quarantine |
//! | [`action`] | the steps a plan is made of |

pub mod desired;
pub mod spec;

pub use desired::Desired;
