//! Jobs by the clock: one task that owns them all.
//!
//! ```text
//!   the clock, a stored answer, a command ─▶ agent_core::cron ─▶ the store, durable ─▶ the hub: a turn of the kind `cron`
//! ```
//!
//! Invariants: a run is on disk before its bot is told anything; a message that was handed in is not handed in again; what
//! cannot be stored is tried again in order, and nothing overtakes it.
//!
//! | module | what |
//! |---|---|
//! | `task` | the loop, and what happens to all jobs |
//! | `steps` | one thing after another that has to be stored |
//! | `job` | one job, as the task holds it and as it is shown |
//! | [`routes`] | for the supervisor and for pages |

mod job;
pub mod routes;
mod steps;
mod task;

use std::sync::Arc;
use std::time::Duration;

use agent_store::JobKey;
use platform_types::ErrorCode;
use platform_types::agent::AgentConfig;
use platform_types::cron::JobStatus;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::counters::Counters;
use crate::mind::{Hands, NotTaken};

/// Commands that wait for the task: people click seldom.
const COMMANDS: usize = 16;
/// Time for what is being stored when the agent stops.
const LAST_STEP: Duration = Duration::from_secs(2);
/// Time for the task to follow a configuration that was just put in force.
const LOOK: Duration = Duration::from_secs(2);

/// All jobs of a profile, as the mind holds them.
#[derive(Debug)]
pub struct Cron {
    commands: mpsc::Sender<Command>,
    shown: watch::Receiver<Shown>,
    config: watch::Receiver<Arc<AgentConfig>>,
    stop: CancellationToken,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// How the jobs are, by this configuration.
#[derive(Debug, Clone, Default)]
struct Shown {
    config: Option<Arc<AgentConfig>>,
    jobs: Arc<Vec<JobStatus>>,
}

/// What somebody wants of a job.
#[derive(Debug)]
struct Command {
    key: JobKey,
    what: What,
    /// `device <id>` or `operator <user>`.
    by: String,
    reply: oneshot::Sender<Result<JobStatus, NotTaken>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Run,
    Pause,
    Resume,
}

impl Cron {
    /// Follows the configuration until it is stopped. `outgoing` changes when an answer was stored.
    pub fn start(
        hands: Hands,
        (counters, audit): (Arc<Counters>, Audit),
        config: watch::Receiver<Arc<AgentConfig>>,
        outgoing: watch::Receiver<()>,
    ) -> Self {
        let (commands, wanted) = mpsc::channel(COMMANDS);
        let (show, shown) = watch::channel(Shown::default());
        let stop = CancellationToken::new();
        let task = task::Task::new(hands, (counters, audit), show);
        let running = task.run((config.clone(), outgoing), wanted, stop.clone());
        let task = tokio::sync::Mutex::new(Some(platform_kit::task::spawn("cron", running)));
        Self { commands, shown, config, stop, task }
    }

    /// How the jobs are, in the order of the configuration that is in force; of the one before, while the database hangs.
    pub async fn jobs(&self) -> Arc<Vec<JobStatus>> {
        let wanted = self.config.borrow().clone();
        let mut shown = self.shown.clone();
        let is_wanted = |shown: &Shown| shown.config.as_ref().is_some_and(|config| config.revision >= wanted.revision);
        // The task that shows them may have ended.
        let _ = tokio::time::timeout(LOOK, shown.wait_for(is_wanted)).await;
        self.shown.borrow().jobs.clone()
    }

    /// What a person should know about jobs, one sentence each.
    pub fn troubles(&self) -> Vec<String> {
        let words = |status: &JobStatus| {
            let key = JobKey { bot: status.job.bot.clone(), job: status.job.name.clone() };
            Some(format!("job {key}: {}", status.trouble.as_ref()?))
        };
        self.shown.borrow().jobs.iter().filter_map(words).collect()
    }

    /// Carries out a command of a person, and says how the job is then.
    pub async fn command(&self, key: JobKey, what: What, by: String) -> Result<JobStatus, NotTaken> {
        let stopping = || (ErrorCode::AgentUnavailable, "the agent is stopping".to_owned());
        let (reply, done) = oneshot::channel();
        self.commands.send(Command { key, what, by, reply }).await.map_err(|_| stopping())?;
        done.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Fires nothing any more. What runs is finished, and delivered, by whoever comes next.
    pub async fn stop(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            // A database that hangs keeps nobody waiting.
            let _ = tokio::time::timeout(LAST_STEP, task).await;
        }
    }
}
