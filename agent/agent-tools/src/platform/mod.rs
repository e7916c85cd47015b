//! `platform.health`, `platform.logs`: what the supervisor observes. It tells the agent; the agent has no way to ask.
//!
//! **Invariant.** What is told was observed by the supervisor, and says when.

mod board;
mod health;
mod logs;
#[cfg(test)]
mod tests;

pub use board::Board;
pub use health::PlatformHealth;
pub use logs::PlatformLogs;
