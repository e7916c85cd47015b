//! The agent process: the mind of one trust zone, wired to its sockets.
//!
//! | module | what |
//! |---|---|
//! | [`settings`] | what the environment says, and where everything lies |
//! | [`process`] | binding the sockets, serving, draining |
//! | [`lifecycle`] | standby, active, drained; and whether it is ready |
//! | [`config`] | whether a pushed configuration can work |
//! | [`mind`] | the one task that owns sessions, subscribers and the order of turns |
//! | [`channels`] | chats with people who are not at the page |
//! | [`cron`] | jobs by the clock |
//! | [`driver`] | carries out what a turn wants: model, tools, time |
//! | [`approvals`] | what a person is asked before a tool runs |
//! | [`timeline`] | that record, for the page |
//! | [`audit`] | the record of what was done, and its heads |
//! | [`database`] | the thread that owns the store |
//! | [`ws`] | the page's WebSocket |
//! | [`admin`] | the supervisor's routes |
//! | [`openai`] | the OpenAI-compatible endpoint for scripts |
//! | [`export`] | a session as Markdown text |
//! | [`markdown`] | Markdown to a tree of a closed set of nodes |
//! | [`counters`] | what happened since the start |

pub mod admin;
pub mod approvals;
pub mod audit;
pub mod channels;
pub mod config;
pub mod counters;
pub mod cron;
pub mod database;
pub mod driver;
pub mod export;
pub mod lifecycle;
pub mod markdown;
pub mod mind;
pub mod openai;
pub mod process;
pub mod settings;
pub mod timeline;
pub mod ws;

pub use process::run;
pub use settings::{Paths, Settings};
