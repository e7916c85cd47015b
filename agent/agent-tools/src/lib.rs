//! The tools of an agent.
//!
//! | module | what |
//! |---|---|
//! | [`tool`] | what a tool is: typed arguments in, a typed result out |
//! | [`registry`] | the tools of this release, and which of them a bot may call |
//! | `target` | path, query and reason as a model wrote them, made into parts of a request |
//! | [`clock`] | `clock.now` |
//! | [`egress`] | the gate's socket: the only way out |
//! | `confirmed` | what a person confirms: waited for, and its outcome in words |
//! | `exchange` | one request to an upstream, and a person's confirmation of it |
//! | `nearest` | ids that somebody may have meant |
//! | [`http`] | `http.get` and `http.request`: the profile's upstreams |
//! | [`notes`] | `note.write`, `.search`, `.show`, `.edit`, `.list`: notes in the workspace |
//! | [`memory`] | `memory.remember`, `.forget`, `.search` |
//! | `apart` | work that blocks, on a thread that may |
//! | `lenient` | lists as small models write them |
//! | [`home`] | `home.status`, `home.read`, `home.set`, `home.scene`: Home Assistant |
//! | [`jobs`] | `jobs.list`, `jobs.show`, `jobs.requeue`: a table of jobs |
//! | [`platform`] | `platform.health`, `platform.logs`: what the supervisor tells |
//! | [`project`] | `doc.list`, `doc.read`, `doc.search`, `plan.write`, `plan.show`, `plan.list` |
//! | [`spark`] | `spark.health`, `spark.models` and `spark.switch`: the model box |

mod apart;
pub mod clock;
mod confirmed;
pub mod egress;
mod exchange;
pub mod home;
pub mod http;
pub mod jobs;
mod lenient;
pub mod memory;
mod nearest;
pub mod notes;
pub mod platform;
pub mod project;
pub mod registry;
pub mod spark;
mod target;
#[cfg(test)]
mod testing;
pub mod tool;

pub use egress::Egress;
pub use registry::{Own, Registry};
pub use spark::Spark;
pub use tool::{Context, Progress, Reach, Tool, ToolError};
