//! The supervisor's socket: HTTP and JSON under `/v1`, for `botctl` and whoever speaks it over ssh.

pub mod failure;
pub mod wire;
