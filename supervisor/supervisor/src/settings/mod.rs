//! The operator's files: `platform.toml` read again, compared and explained; secrets stored.
//!
//! **Invariants.** Nothing here changes what is in force; that is `apply`'s. A secret's content never leaves its file.
//! Works the same inside the supervisor and inside `botctl`, which needs no supervisor for it.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | `platform.toml`: check, show, diff |
//! | [`secrets`] | `secrets/`: set and list |

pub mod config;
pub mod secrets;
