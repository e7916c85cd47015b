//! The way to the agent.
//!
//! The agent may be taken over. Names in its directory are not trusted, its answers are bounded in size and time, and none of its headers
//! goes further than the allowlist in [`forward`].

pub mod door;
pub mod forward;
pub mod relay;
