//! Whether a tool call is allowed, asked about or denied. No I/O, no clock, no randomness.
//!
//! | module | what |
//! |---|---|
//! | [`decide`] | the strictest of the rules that match, with the evidence |
//! | [`rule`] | whether one rule matches one call |
//!
//! See `docs/decisions/0008-the-strictest-rule-wins.md`.

pub mod decide;
#[cfg(test)]
mod properties;
mod rule;

pub use decide::{Call, Evidence, Verdict, decide};
