//! The topology as a compose file: `botctl export compose`.
//!
//! Built from the same [`Desired`] that the planner works with, so the two cannot drift apart; a test reads every service
//! back into a [`ContainerSpec`] and compares. The file format is 2.4, which docker-compose 1.29 on Engine 20.10 reads
//! in full. Host directories are the supervisor's: it has to have run once.
//!
//! | module | what |
//! |---|---|
//! | [`file`](mod@file) | the compose file as values |
//! | [`build`] | from desired services to it |
//! | [`yaml`] | values as text |

pub mod build;
pub mod file;
pub mod yaml;

pub use build::compose;
pub use yaml::render;
