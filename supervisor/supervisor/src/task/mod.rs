//! Operations on one profile: snapshots and restores.
//!
//! **Invariants.** At most one a profile. What has to be true while the agent is down (the hold) is in the ledger before
//! it is relied upon, and comes off whatever happens. A state is only replaced after the restored one was verified, and
//! the one before stays beside it. Texts of tasks are neutralised here.
//!
//! ```text
//!  snapshot: checkpoint by the agent ─▶ task: staging ─▶ repository ─▶ checkpoint removed ─▶ ledger
//!  restore:  which one is meant ─▶ snapshot before ─▶ task: repository ─▶ restore-x, verified ─▶ hold, agent down ─▶ task: swap ─▶ agent up
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`container`] | the specifications of the task containers |
//! | [`listing`] | which snapshots there are, and which is meant |
//! | `place` | the folder of the host that a snapshot is restored into |
//! | `snapshot`, `prune`, `check`, `restore` | the operations |

mod check;
pub mod container;
pub mod listing;
mod place;
mod prune;
mod restore;
mod snapshot;

use std::time::Duration;

use platform_types::backup::{Checked, Restored, Snapshot, TaskLine, TaskReport};
use platform_types::text::neutral_cut;
use platform_types::{ProfileName, Timestamp};
use supervisor_config::config::Keep;
use supervisor_docker::Task;
use supervisor_plan::topology::Topology;
use supervisor_plan::upkeep::JobKind;
use supervisor_store::Store;
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::own::{self, Deed};
use crate::reconcile::hands::Hands;
use crate::state::{OperationError, RestoreInto, World};
use crate::words::chain;

/// Longest line of progress.
const MAX_LINE_CHARS: usize = 400;
/// Lines of a task that wait to be read.
const LINE_QUEUE: usize = 64;
/// The largest state that is expected, 8 GiB, takes minutes on a slow disk.
const TASK_TIMEOUT: Duration = Duration::from_hours(1);

/// What is to be done, and who waits for it.
#[derive(Debug)]
pub enum Work {
    Snapshot {
        reason: String,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Snapshot, OperationError>>,
    },
    /// A snapshot by the clock: due at `since`.
    Scheduled {
        since: Timestamp,
    },
    /// Old snapshots are forgotten.
    Prune {
        keep: Keep,
    },
    Check {
        all_data: bool,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Checked, OperationError>>,
    },
    Restore {
        snapshot: String,
        into: RestoreInto,
        progress: mpsc::Sender<String>,
        reply: oneshot::Sender<Result<Restored, OperationError>>,
    },
}

/// What an operation tells the loop.
#[derive(Debug)]
pub enum Signal {
    Progress(String),
    /// Keep the agent down; `done` says whether the ledger has it.
    Hold {
        reason: String,
        done: oneshot::Sender<bool>,
    },
    Release,
    Ended {
        message: String,
    },
}

/// What an operation works with.
#[derive(Debug)]
pub struct Operator {
    pub hands: Hands,
    pub store: Store,
    pub world: watch::Receiver<World>,
    pub signals: mpsc::Sender<(ProfileName, Signal)>,
    pub topology: Topology,
    pub profile: ProfileName,
    /// Who asked, as the audit names them.
    pub by: String,
}

impl Work {
    /// Says no before anything was begun.
    pub fn refuse(self, error: OperationError) {
        match self {
            Self::Snapshot { reply, .. } => drop(reply.send(Err(error))),
            Self::Check { reply, .. } => drop(reply.send(Err(error))),
            Self::Restore { reply, .. } => drop(reply.send(Err(error))),
            // Nobody waits: the clock asks again.
            Self::Scheduled { .. } | Self::Prune { .. } => {}
        }
    }
}

/// Does the work, tells the loop that it ended, and only then whoever waits.
pub async fn run(operator: Operator, work: Work) {
    match work {
        Work::Snapshot { reason, progress, reply } => {
            let mut teller = Teller { operator: &operator, progress };
            let result = snapshot::take(&operator, &mut teller, &reason).await;
            let message = snapshot_words(&operator, &reason, &result);
            operator.signal(Signal::Ended { message }).await;
            let _ = reply.send(result);
        }
        Work::Scheduled { since } => {
            let mut teller = Teller { operator: &operator, progress: nobody() };
            let result = snapshot::scheduled(&operator, &mut teller, since).await;
            let message = snapshot_words(&operator, snapshot::SCHEDULED, &result);
            if let Err(error) = result {
                operator.failed(JobKind::Snapshot, &error.to_string());
            }
            operator.signal(Signal::Ended { message }).await;
        }
        Work::Prune { keep } => {
            let mut teller = Teller { operator: &operator, progress: nobody() };
            let message = match prune::prune(&operator, &mut teller, keep).await {
                Ok(words) => {
                    operator.did("snapshot.forgotten", words.clone());
                    format!("repository of {}: {words}", operator.profile)
                }
                Err(error) => {
                    operator.failed(JobKind::Prune, &error.to_string());
                    format!("prune of {} failed: {error}", operator.profile)
                }
            };
            operator.signal(Signal::Ended { message }).await;
        }
        Work::Check { all_data, progress, reply } => {
            let mut teller = Teller { operator: &operator, progress };
            let result = check::check(&operator, &mut teller, all_data).await;
            let message = match &result {
                Ok(checked) => format!("repository of {}: {}", operator.profile, check::words(checked)),
                Err(error) => format!("check of {} failed: {error}", operator.profile),
            };
            operator.signal(Signal::Ended { message: neutral_cut(&message, MAX_LINE_CHARS) }).await;
            let _ = reply.send(result);
        }
        Work::Restore { snapshot, into, progress, reply } => {
            let mut teller = Teller { operator: &operator, progress };
            let result = restore::restore(&operator, &mut teller, &snapshot, &into).await;
            let message = match &result {
                Ok(restored) => format!("snapshot {} of {} restored", short(&restored.snapshot), operator.profile),
                Err(error) => {
                    let words = format!("restore of {} failed: {error}", operator.profile);
                    operator.did("restore.failed", words.clone());
                    words
                }
            };
            operator.signal(Signal::Ended { message }).await;
            let _ = reply.send(result);
        }
    }
}

/// What a snapshot came to, for the log of events; the audit has it too.
fn snapshot_words(operator: &Operator, reason: &str, result: &Result<Snapshot, OperationError>) -> String {
    let (kind, words) = match result {
        Ok(snapshot) => {
            ("snapshot.taken", format!("snapshot {} of {} ({reason})", short(&snapshot.id), operator.profile))
        }
        Err(error) => ("snapshot.failed", format!("snapshot of {} failed: {error}", operator.profile)),
    };
    operator.did(kind, words.clone());
    words
}

/// Progress that nobody reads.
fn nobody() -> mpsc::Sender<String> {
    mpsc::channel(1).0
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Passes progress to whoever waits and to the world.
#[derive(Debug)]
struct Teller<'a> {
    operator: &'a Operator,
    progress: mpsc::Sender<String>,
}

impl Teller<'_> {
    async fn tell(&mut self, line: &str) {
        let line = neutral_cut(line, MAX_LINE_CHARS);
        // Whoever started it may have gone; the work goes on.
        let _ = self.progress.send(line.clone()).await;
        self.operator.signal(Signal::Progress(line)).await;
    }
}

impl Operator {
    /// Adds to the audit. What was done is not undone when that fails.
    fn did(&self, kind: &'static str, words: String) {
        let deed = Deed { kind, by: self.by.clone(), profile: Some(self.profile.clone()), words };
        if let Err(error) = own::append(&self.store, self.hands.clock.now(), &deed) {
            tracing::warn!(error = %chain(&error), "what was done could not be recorded");
        }
    }

    /// A try by the clock came to nothing: the ledger says when it is made again.
    fn failed(&self, kind: JobKind, why: &str) {
        let why = neutral_cut(why, MAX_LINE_CHARS);
        if let Err(error) = self.store.end_job(&self.profile, kind, self.hands.clock.now(), Err(&why)) {
            tracing::warn!(error = %chain(&error), "a failure could not be recorded");
        }
    }

    async fn signal(&self, signal: Signal) {
        // A loop that is gone is about to end this too.
        let _ = self.signals.send((self.profile.clone(), signal)).await;
    }

    /// Runs a task container and returns what it reports at its end.
    async fn run_task(&self, teller: &mut Teller<'_>, task: Task) -> Result<TaskReport, OperationError> {
        let (sender, mut lines) = mpsc::channel::<String>(LINE_QUEUE);
        let engine = self.hands.engine.clone();
        let running = platform_kit::task::spawn("task container", async move { engine.run_task(&task, &sender).await });
        let mut last = None;
        while let Some(text) = lines.recv().await {
            match serde_json::from_str::<TaskLine>(&text) {
                Ok(TaskLine::Progress { message }) => teller.tell(&message).await,
                Ok(line) => last = Some(line),
                Err(_) => {}
            }
        }
        let exit =
            running.await.map_err(|_| failed("the task was cut short"))?.map_err(|error| failed(&chain(&error)))?;
        match last {
            Some(TaskLine::Done { report }) if exit.code == 0 => Ok(report),
            Some(TaskLine::Failed { message }) => Err(failed(&neutral_cut(&message, MAX_LINE_CHARS))),
            _ => {
                let evidence = exit.stderr.last().map(|line| neutral_cut(line, MAX_LINE_CHARS)).unwrap_or_default();
                let memory = if exit.oom_killed { ", out of memory" } else { "" };
                Err(failed(&format!("the task ended with exit code {}{memory}: {evidence}", exit.code)))
            }
        }
    }
}

fn failed(reason: &str) -> OperationError {
    OperationError::Failed(reason.to_owned())
}
