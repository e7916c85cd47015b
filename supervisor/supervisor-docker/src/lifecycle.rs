//! Containers from creation to removal. Everything after creation acts by inspected id, never by name.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    RenameContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use platform_types::Port;
use supervisor_plan::spec::ContainerSpec;

use crate::engine::Engine;
use crate::error::{CreateError, EngineError, Operation, StartError, creation, starting};

/// What Docker says when there is nothing left to do.
const ALREADY_REMOVING: &str = "is already in progress";

/// What may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// A stopped container; a running one is refused by the engine.
    Stopped,
    /// Whatever state it is in.
    Forced,
}

impl Engine {
    /// Creates a container and returns its id. The health check is the image's.
    pub async fn create_container(
        &self,
        name: &str,
        spec: &ContainerSpec,
        labels: &BTreeMap<String, String>,
    ) -> Result<String, CreateError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let body = crate::create::body(spec, labels);
        let created = self
            .timed(Operation::Create, &format!("container {name}"), self.api()?.create_container(Some(options), body))
            .await
            .map_err(|error| creation(error, name, &spec.image.0))?;
        for warning in &created.warnings {
            tracing::debug!(container = name, warning, "docker warns about a container");
        }
        Ok(created.id)
    }

    /// Starts a container; one that runs already is left alone. `port` is what it publishes, for the error.
    pub async fn start_container(&self, id: &str, port: Option<Port>) -> Result<(), StartError> {
        self.timed(Operation::Start, &subject(id), self.api()?.start_container(id, None))
            .await
            .map_err(|error| starting(error, port))
    }

    /// Asks a container to stop, and kills it after `grace`. Returns when it is dead.
    pub async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        self.timed(Operation::Stop, &subject(id), self.api()?.stop_container(id, Some(options))).await
    }

    /// SIGKILL, also for a paused or stopped process. One that is dead already is fine.
    pub async fn kill_container(&self, id: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
        match self.timed(Operation::Kill, &subject(id), self.api()?.kill_container(id, Some(options))).await {
            Err(EngineError::Conflict { .. }) => Ok(()),
            other => other,
        }
    }

    /// Removes a container. One that is gone already is fine.
    pub async fn remove_container(&self, id: &str, removal: Removal) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::default().force(removal == Removal::Forced).v(false).build();
        match self.timed(Operation::Remove, &subject(id), self.api()?.remove_container(id, Some(options))).await {
            Err(EngineError::NotFound { .. }) => Ok(()),
            Err(EngineError::Conflict { message, .. }) if message.contains(ALREADY_REMOVING) => Ok(()),
            other => other,
        }
    }

    pub async fn rename_container(&self, id: &str, name: &str) -> Result<(), EngineError> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        self.timed(Operation::Rename, &subject(id), self.api()?.rename_container(id, options)).await
    }

    /// Waits until a container does not run, and returns its exit code. The caller bounds the time.
    pub async fn wait_container(&self, id: &str) -> Result<i64, EngineError> {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut answers = self.api()?.wait_container(id, Some(options)).boxed();
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(self.error(Operation::Wait, &subject(id), error)),
            None => Err(EngineError::Malformed { subject: subject(id), message: "the answer is empty".into() }),
        }
    }
}

pub(crate) fn subject(id: &str) -> String {
    format!("container {}", id.get(..12).unwrap_or(id))
}
