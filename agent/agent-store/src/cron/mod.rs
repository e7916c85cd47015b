//! Jobs by the clock: what a restart must not change, and what became of their runs.
//!
//! Invariants: that a run was fired, has finished and was delivered is three facts, each written once, in one commit with its
//! entry of the audit; nothing is handed to a model before its run is on disk; what is delivered to a chat has the run's id, so
//! it is there once.
//!
//! | module | what |
//! |---|---|
//! | [`jobs`] | what is kept of a job |
//! | [`runs`] | a run's facts, as they happen |
//! | [`deliver`] | what a run said, put where it belongs |
//! | [`list`] | runs as they are shown |

pub mod deliver;
pub mod jobs;
pub mod list;
pub mod runs;

use platform_types::{BotName, JobName};

pub use deliver::Destination;
pub use jobs::KeptJob;
pub use list::Latest;
pub use runs::{AttemptOver, Fired, NewRun, OpenRun};

/// Names a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    pub bot: BotName,
    pub job: JobName,
}

/// `bot/job`.
impl std::fmt::Display for JobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.bot, self.job)
    }
}
