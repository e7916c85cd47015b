//! The tools of an agent.
//!
//! | module | what |
//! |---|---|
//! | [`tool`] | what a tool is: typed arguments in, a typed result out |
//! | [`registry`] | the tools of this release, and which of them a bot may call |
//! | `target` | path, query and reason as a model wrote them, made into parts of a request |
//! | [`clock`] | `clock.now` |
//! | [`egress`] | the gate's socket: the only way out |
//! | [`http`] | `http.get` and `http.request`: the profile's upstreams |

pub mod clock;
pub mod egress;
pub mod http;
pub mod registry;
mod target;
pub mod tool;

pub use egress::Egress;
pub use registry::Registry;
pub use tool::{Context, Progress, Tool, ToolError};
