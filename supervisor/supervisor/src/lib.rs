//! The supervisor: a daemon that keeps an installation as it should be, and the command line that talks to it.
//!
//! **Invariants.** The daemon is the only process that talks to Docker. Killing it disturbs nobody; on start it adopts
//! what runs. Nothing without the installation's label is touched.
//!
//! | module | what |
//! |---|---|
//! | [`api`] | the supervisor's socket, and the values that it speaks |
//! | [`cli`] | `botctl` |
//! | [`compose`] | the topology as a compose file |
//! | [`doctor`] | what is wrong with an installation or its host |
//! | [`measure`] | quantities in words |
//! | [`metrics`] | numbers for Prometheus |
//! | [`settings`] | the operator's files: check, show, compare; secrets |
//! | [`registry`] | devices, setup links, requests to pair, script tokens |
//! | [`sockets`] | clients for the admin sockets of the containers |
//! | [`daemon`] | from start to stop |
//! | [`desired`] | from files to what is desired |
//! | [`host`] | directories, mounts, owners, canaries, copies of secrets |
//! | [`platform`] | tells agents how the platform is, where a bot has a tool for it |
//! | [`probe`] | asks every container how it is |
//! | [`reconcile`] | the loop: observe, plan, check, apply |
//! | [`task`] | snapshots and restores |
//! | [`push`] | what each container is told |
//! | [`state`] | what the daemon's parts share: the world, and commands |

pub mod api;
pub mod audit;
pub mod cli;
pub mod compose;
pub mod daemon;
pub mod desired;
pub mod doctor;
#[cfg(test)]
mod example;
pub mod host;
pub mod measure;
pub mod metrics;
pub mod platform;
pub mod probe;
pub mod push;
pub mod reconcile;
pub mod registry;
pub mod settings;
pub mod sockets;
pub mod state;
pub mod task;
pub mod words;
