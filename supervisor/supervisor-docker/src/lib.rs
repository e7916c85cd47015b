//! The only crate that talks to Docker: the planner's nouns go in, API calls go out, inspections come back as nouns.
//!
//! **Invariants.** No type of the Docker client leaves this crate. Nothing here decides: which container, when and why
//! is the planner's. After creation a container is named by its inspected id.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | the connection, and what is known about the engine |
//! | [`error`] | what can go wrong, told apart where callers act differently |
//! | `create`, `inspect` | a specification as a create call, and an inspection as a specification |
//! | [`observe`] | which containers are ours, and how they are |
//! | [`lifecycle`] | create, start, stop, kill, remove, wait |
//! | [`resources`] | networks and volumes |
//! | [`strangers`] | containers that are not ours |
//! | [`image`] | which images are there |
//! | [`events`] | what happens, as it happens |
//! | [`logs`] | what containers wrote, as bounded lines |
//! | [`task`] | containers that do one thing and end |

mod create;
pub mod engine;
pub mod error;
pub mod events;
pub mod image;
mod inspect;
pub mod lifecycle;
pub mod logs;
pub mod observe;
pub mod resources;
pub mod strangers;
pub mod task;

pub use engine::{DEFAULT_SOCKET, Engine, EngineInfo};
pub use error::{CreateError, EngineError, StartError};
pub use events::EngineEvent;
pub use lifecycle::Removal;
pub use logs::{LogLine, LogRange};
pub use observe::{Listed, Listing};
pub use strangers::Stranger;
pub use task::{Task, TaskError, TaskExit};
