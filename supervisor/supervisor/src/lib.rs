//! The supervisor: a daemon that keeps an installation as it should be, and the command line that talks to it.
//!
//! **Invariants.** The daemon is the only process that talks to Docker. Killing it disturbs nobody; on start it adopts
//! what runs. Nothing without the installation's label is touched.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | what the daemon's parts share: the world, and commands |

pub mod state;
