//! An agent's conversations in SQLite. Everything here blocks: it belongs on a thread of its own.
//!
//! | module | what |
//! |---|---|
//! | [`schema`] | opening the database, and its forward-only migrations |
//! | [`store`] | the open store: the state directory, its lock, what a crash left behind |
//! | [`sessions`] | making, naming, deleting and listing sessions |
//! | [`messages`] | messages of people, and reading what was said |
//! | [`turns`] | the life of a turn: begun, saved in part, finished |
//! | [`summaries`] | what stands for the older part of long sessions |
//! | [`approvals`] | what people are asked before a tool runs, and what they answered |
//! | [`chats`] | sessions that are chats of a channel |
//! | [`outgoing`] | what has to go out to chats, and how far it is |
//! | [`questions`] | approvals that a person is asked for in a chat |
//! | [`cron`] | jobs by the clock, and their runs |
//! | [`audit`] | the chain of what was done |
//! | [`index`] | a full-text index over small files, in a database of its own |
//! | [`checkpoint`] | a consistent copy of database and workspace |
//! | [`lock`] | the file that detects two agents on one volume |
//! | [`error`] | what can go wrong |

pub mod approvals;
pub mod audit;
pub mod chats;
pub mod checkpoint;
pub mod cron;
pub mod error;
pub mod index;
pub mod lock;
pub mod messages;
pub mod outgoing;
pub mod questions;
pub mod schema;
pub mod sessions;
pub mod store;
pub mod summaries;
pub mod turns;

pub use approvals::{Answered, Asked, CallPlace};
pub use audit::Deed;
pub use chats::{ChatPlace, NewChat, OpenChat, Wrote};
pub use cron::JobKey;
pub use error::StoreError;
pub use messages::{Accepted, NewMessage, Page, Stored};
pub use outgoing::{Delivery, TurnPlace};
pub use questions::{NewQuestion, Question};
pub use store::{Opened, StateDir, Store};
pub use summaries::{StoredSummary, Unsummarised};
pub use turns::{Begun, FinishedTurn, Origin, Partial, QueuedTurn};
