//! Jobs by the clock: when they are due, and what is made of a due time.
//!
//! | module | what |
//! |---|---|
//! | [`timetable`] | the due times of one job, right over summer time |
//! | [`clockwork`] | one job as a state machine: the time in, runs out |

pub mod clockwork;
pub mod timetable;

#[cfg(test)]
mod properties;

pub use clockwork::{Clockwork, Effect, Over, Plan, Refused};
pub use timetable::{Passed, Timetable};
