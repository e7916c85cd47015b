//! `platform.toml` in, a validated [`Config`] out.
//!
//! Pure: text comes in as `&str`, what exists around the file as [`Surroundings`]; no file is opened, no clock is read.
//! Every error is reported at once, each as a [`Finding`] with line, key and remedy.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | the validated configuration |
//! | [`finding`] | what is wrong, where, and what to do |
//! | [`surroundings`] | what the configuration is checked against |
//! | [`cron`] | five-field schedules, by shape |

pub mod config;
pub mod cron;
pub mod finding;
pub mod surroundings;

pub use config::Config;
pub use finding::{Finding, Severity};
pub use surroundings::Surroundings;
