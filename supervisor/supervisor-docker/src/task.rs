//! A container that does one thing and ends: made, run, read, removed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::StreamExt as _;
use supervisor_plan::spec::ContainerSpec;
use tokio::sync::mpsc;

use crate::engine::Engine;
use crate::error::{CreateError, EngineError, Operation, StartError};
use crate::lifecycle::Removal;
use crate::logs::LogRange;

/// Lines of standard error that are kept as evidence.
const MAX_STDERR_LINES: usize = 20;

/// What to run.
#[derive(Debug, Clone)]
pub struct Task {
    pub name: String,
    pub spec: ContainerSpec,
    pub labels: BTreeMap<String, String>,
    /// Killed when it takes longer.
    pub timeout: Duration,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskExit {
    pub code: i64,
    pub oom_killed: bool,
    /// The last lines of standard error. Written by the container.
    pub stderr: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("the task container could not be created")]
    Create(#[from] CreateError),
    #[error("the task container could not be started")]
    Start(#[from] StartError),
    #[error("the task container took longer than {} s and was killed", .0.as_secs())]
    Timeout(Duration),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// Runs a task to its end. Lines of standard output go to `lines` as they come (a receiver that is gone is fine).
    /// The container is removed whatever happens; one that a killed supervisor left behind is found by its labels.
    pub async fn run_task(&self, task: &Task, lines: &mpsc::Sender<String>) -> Result<TaskExit, TaskError> {
        let id = self.create_container(&task.name, &task.spec, &task.labels).await?;
        let result = self.run_created(&id, task, lines).await;
        if let Err(error) = self.remove_container(&id, Removal::Forced).await {
            tracing::warn!(container = task.name, %error, "a task container stays behind");
        }
        result
    }

    /// Removes every container with a label: what a killed supervisor left behind.
    pub async fn remove_labelled(&self, label: &str, value: &str) -> Result<(), EngineError> {
        let wanted = std::collections::HashMap::from([("label", vec![format!("{label}={value}")])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&wanted).build();
        let found = self.timed(Operation::List, "containers", self.api()?.list_containers(Some(options))).await?;
        for id in found.into_iter().filter_map(|container| container.id) {
            self.remove_container(&id, Removal::Forced).await?;
        }
        Ok(())
    }

    async fn run_created(&self, id: &str, task: &Task, lines: &mpsc::Sender<String>) -> Result<TaskExit, TaskError> {
        self.start_container(id, None).await?;
        let work = async {
            let stderr = self.read_output(id, lines).await?;
            let code = self.wait_container(id).await?;
            let oom_killed = self.was_oom_killed(id).await?;
            Ok::<_, EngineError>(TaskExit { code, oom_killed, stderr })
        };
        tokio::time::timeout(task.timeout, work)
            .await
            .map_err(|_| TaskError::Timeout(task.timeout))?
            .map_err(TaskError::Engine)
    }

    async fn read_output(&self, id: &str, lines: &mpsc::Sender<String>) -> Result<Vec<String>, EngineError> {
        let mut stderr = VecDeque::new();
        let mut log = self.logs(id, LogRange { follow: true, ..LogRange::default() }).boxed();
        while let Some(line) = log.next().await {
            let line = line?;
            if !line.stderr {
                // Nobody listening is no reason to stop the work.
                let _ = lines.send(line.text).await;
                continue;
            }
            if stderr.len() == MAX_STDERR_LINES {
                stderr.pop_front();
            }
            stderr.push_back(line.text);
        }
        Ok(stderr.into())
    }

    async fn was_oom_killed(&self, id: &str) -> Result<bool, EngineError> {
        let inspected = self
            .timed(
                crate::error::Operation::Inspect,
                &crate::lifecycle::subject(id),
                self.api()?.inspect_container(id, None),
            )
            .await?;
        Ok(inspected.state.and_then(|state| state.oom_killed).unwrap_or(false))
    }
}
