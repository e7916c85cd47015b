//! The supervisor's socket: HTTP and JSON under `/v1`, for `botctl` and whoever speaks it over ssh.
//!
//! **Invariants.** Only root and members of `bot-admin` are answered. Routes read snapshots of the world and send
//! commands; nothing here changes the world itself. Every error has the shape of `platform_types::error` and says what
//! to do.
//!
//! | module | what |
//! |---|---|
//! | [`server`] | binding, peers, serving |
//! | [`peer`] | who may ask |
//! | [`routes`] | one module a topic |
//! | [`view`] | the world as answers (pure) |
//! | [`wire`] | bodies of requests and answers |
//! | [`extract`], [`stream`], [`failure`] | JSON in, lines out, errors |

pub mod extract;
pub mod failure;
pub mod peer;
pub mod routes;
pub mod server;
pub mod stream;
pub mod view;
pub mod wire;

pub use server::{bind, serve};

#[cfg(test)]
mod tests;
