//! The tools of an agent.
//!
//! | module | what |
//! |---|---|
//! | [`tool`] | what a tool is: typed arguments in, a typed result out |
//! | [`registry`] | the tools of this release, and which of them a bot may call |
//! | [`clock`] | `clock.now` |

pub mod clock;
pub mod registry;
pub mod tool;

pub use registry::Registry;
pub use tool::{Context, Tool, ToolError};
