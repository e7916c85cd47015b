//! A whole agent, as a program of its own, against a model that the test plays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod chat;
mod checkpoint;
mod faults;
mod hostile;
mod lifecycle;
mod openai;
mod restart;
mod support;
