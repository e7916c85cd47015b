//! The router to the model box.
//!
//! An agent talks OpenAI's protocol to its own socket; spark checks the request, compares the model id with what the box
//! lists, and passes bytes through. What it must never do is written in the README.
//!
//! | module | what |
//! |---|---|
//! | [`place`] | directories and time limits: where it runs, both injectable |
//! | [`process`] | everything together: the admin socket, the configuration in force, drain |
//! | [`admin`] | routes of the admin socket |
//! | [`lane`] | one profile: its socket, its routes |
//! | [`listen`] | HTTP/1.1 on a Unix socket, bounded |
//! | [`request`], [`fields`], [`json`] | which requests are let through |
//! | [`backend`] | where completions come from: the demo model or the box |
//! | [`catalogue`], [`models`] | which models there are, asked fresh |
//! | [`queue`] | who gets the next place at the box |
//! | [`errand`], [`progress`] | one chat request on its way, and what its client sees meanwhile |
//! | [`upstream`], [`breaker`], [`fault`] | HTTP to the box: timeouts, the key; whether there is a connection; what goes wrong |
//! | [`connection`], [`names`] | connections: name lookup, TCP, TLS, kept for the next request |
//! | [`refusal`], [`diagnosis`], [`redaction`] | errors: our own, and those of all servers in one shape, without the key |
//! | [`gather`], [`sse`], [`chunk`], [`transcript`], [`answer`] | an answer on its way: events, what they mean, the relay |
//! | [`ticket`], [`pace`] | one request from admission to its line in the log, and how fast its chunks come |
//! | [`health`] | three facts about the box |
//! | [`watch`] | asking it now and then, so that the notes are true while nobody chats |
//! | [`switch`] | another model for the box: asked, allowed by a person, done over SSH, judged by the box |
//! | [`demo`] | the built-in model |

pub mod admin;
pub mod answer;
pub mod backend;
pub mod breaker;
pub mod catalogue;
pub mod chunk;
pub mod connection;
pub mod demo;
pub mod diagnosis;
pub mod errand;
pub mod fault;
pub mod fields;
pub mod gather;
pub mod health;
pub mod json;
pub mod lane;
pub mod listen;
pub mod meters;
pub mod models;
pub mod names;
pub mod pace;
pub mod place;
pub mod process;
pub mod progress;
pub mod queue;
pub mod redaction;
pub mod refusal;
pub mod request;
pub mod sse;
pub mod switch;
pub mod ticket;
pub mod transcript;
pub mod upstream;
pub mod usage;
pub mod watch;
