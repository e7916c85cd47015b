//! A whole agent, as a program of its own, against a model that the test plays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod approvals;
mod audit;
mod channels;
mod chat;
mod checkpoint;
mod compaction;
mod cron;
mod cron_delivery;
mod day;
mod egress;
mod faults;
mod hostile;
mod hostile_model;
mod lifecycle;
mod memory;
mod notes;
mod openai;
mod prompt;
mod recap;
mod restart;
mod support;
mod switch;
mod telegram;
