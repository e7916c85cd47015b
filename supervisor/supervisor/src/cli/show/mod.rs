//! Answers as text: pure functions from a value and a [`Screen`](super::screen::Screen), one module a topic.

pub mod approvals;
pub mod audit;
pub mod backups;
pub mod checkup;
pub mod cron;
pub mod health;
pub mod journal;
pub mod memory;
pub mod people;
pub mod planning;
pub mod registry;
pub mod senders;
pub mod sessions;
pub mod settings;
pub mod spark;
pub mod status;
pub mod switch;

#[cfg(test)]
mod tests;
