//! What an agent decides, as pure functions of values. No I/O, no clock, no randomness.
//!
//! | module | what |
//! |---|---|
//! | [`prompt`] | what is said to a model, and the tools it is offered |
//! | [`turn`] | one answer as a state machine: events in, effects out |
//! | [`history`] | which of the past fits the model's context window |
//! | [`standing`] | what stands before the history: memory, and the summary of a long chat |
//! | [`compaction`] | when the older part of a long chat is summarised, and how |
//! | [`fit`] | one call of a model, put together so that it fits |
//! | [`channel`] | from an update of a channel to a message for a bot, and back |
//! | [`cron`] | when jobs run by the clock, and what is made of what was missed |
//! | [`schedule`] | which turn runs next: one per session, a few at once |
//! | [`json`] | JSON that can be read in one way only |
//! | [`repair`] | JSON as small models write it, made into JSON |
//! | [`title`] | a session's title from its first message |
//! | [`text`] | cutting text without breaking it |

pub mod channel;
pub mod compaction;
pub mod cron;
pub mod fit;
pub mod history;
pub mod json;
pub mod prompt;
pub mod repair;
pub mod schedule;
pub mod standing;
pub mod text;
pub mod title;
pub mod turn;
