//! From files to what is desired.
//!
//! **Invariants.** Files are desired state once they are *accepted*: at start and by `apply`, and only without errors.
//! The accepted files are kept as a copy, so that a file that is broken later does not stop a restart. Only
//! [`files`] reads the disk.
//!
//! | module | what |
//! |---|---|
//! | [`files`] | `platform.toml`, `bots/`, `release.json`, as they are on the disk |
//! | [`accepted`] | the files in force, and their copy |
//! | [`build`] | what should exist, what is pushed, what the host has to provide |

pub mod accepted;
pub mod build;
pub mod files;
mod folders;

pub use accepted::Accepted;
pub use build::{Wanted, build};
pub use files::Files;
