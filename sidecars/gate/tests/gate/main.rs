//! A real gate on real sockets, with a scripted agent behind it and scripted browsers, scripts and attackers in front.
//!
//! Every test starts its own gate in its own directory on a free port. Nothing sleeps: tests wait on values.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod admin;
mod confirm;
mod devices;
mod door;
mod egress;
mod forward;
mod fuzz;
mod fuzz_pairing;
mod guards;
mod https;
mod page;
mod pairing;
mod relay;
mod senders;
mod support;
mod tailnet;
mod timeline;
mod wire;
mod ws;
