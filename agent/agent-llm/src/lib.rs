//! The client of the model socket `llm.sock`.
//!
//! | module | what |
//! |---|---|
//! | [`client`] | one completion, streamed; dropping it cancels |
//! | [`models`] | what the box lists, kept for a while; what it told of windows later |
//! | [`sse`] | a server-sent event stream in pieces of any size |
//! | [`wire`] | OpenAI's JSON, out and in |
//! | [`error`] | why a call failed, typed from the error shape |

pub mod client;
pub mod error;
mod learned;
pub mod models;
pub mod sse;
pub mod wire;

pub use client::{Asker, Completion, Delta, LlmClient, Timeouts};
pub use error::LlmError;
pub use models::Models;
