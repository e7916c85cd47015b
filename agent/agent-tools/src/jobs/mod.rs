//! `jobs.list`, `jobs.show`, `jobs.requeue`: a table of jobs behind PostgREST, over the gate.
//!
//! **Invariants.** Nothing but the columns of [`platform_types::ways::JOB_COLUMNS`] is asked for. A job is queued again once a
//! person confirmed it, if it is still as it was shown; what is told is the row that was read back.

mod list;
mod requeue;
mod show;
mod table;
#[cfg(test)]
mod tests;

pub use list::JobsList;
pub use requeue::JobsRequeue;
pub use show::JobsShow;
