//! The agent's way out.
//!
//! ```text
//! egress.sock ─▶ service ─▶ request: read whole ─▶ gate_rules::admit ─┬─▶ outgoing ─▶ answer: stripped, filtered ─▶ agent
//!                  │                                                  └─▶ confirm: kept until a person decides
//!                  └─ Host `gate`: outcomes, anchors
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`ways`] | the upstreams in force |
//! | [`service`] | who answers what on `egress.sock` |
//! | [`guard`] | what has to hold before a request goes out |
//! | [`request`] | the agent's request, read whole |
//! | [`perform`] | an admitted request, carried out |
//! | [`outgoing`] | one HTTP exchange with an upstream |
//! | [`trust`] | which certificates of a server are trusted |
//! | [`connect`] | a connection to a checked address |
//! | [`resolve`] | names to addresses |

pub mod connect;
pub mod guard;
pub mod outgoing;
pub mod perform;
pub mod request;
pub mod resolve;
pub mod service;
pub mod trust;
pub mod ways;
