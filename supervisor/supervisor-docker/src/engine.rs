//! The connection to the engine.
//!
//! Nothing is kept open: each call is a connection of its own, so an engine that restarts is simply not there for a
//! while ([`EngineError::Gone`]).

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};

use crate::error::{EngineError, Operation, classify};
use crate::image::ImageMemory;

/// Where Docker listens.
pub const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
/// A loaded machine makes a container in seconds; a minute without an answer is an engine that hangs.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// A handle to Docker; clones share what they know.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Made when the socket is there for the first time.
    api: Arc<OnceLock<Docker>>,
    socket: Arc<PathBuf>,
    images: Arc<ImageMemory>,
}

/// What is known about the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineInfo {
    pub version: String,
    pub api_version: String,
    pub kernel: String,
    pub operating_system: String,
    pub storage_driver: String,
    pub root_directory: String,
    pub cgroup_version: String,
    pub seccomp: bool,
    /// Root in a container is nobody on the host.
    pub user_namespaces: bool,
    pub live_restore: bool,
    pub warnings: Vec<String>,
}

impl Engine {
    /// Makes a handle; nothing is asked yet, and Docker may be away.
    pub fn at(socket: &Path) -> Self {
        Self { api: Arc::default(), socket: Arc::new(socket.to_path_buf()), images: Arc::default() }
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether somebody answers.
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.timed(Operation::Connect, "Docker", self.api()?.ping()).await.map(|_| ())
    }

    /// Agrees on an API version and learns about the engine.
    pub async fn handshake(&self) -> Result<EngineInfo, EngineError> {
        self.timed(Operation::Connect, "Docker", self.api()?.clone().negotiate_version()).await?;
        let version = self.timed(Operation::Connect, "Docker", self.api()?.version()).await?;
        let info = self.timed(Operation::Connect, "Docker", self.api()?.info()).await?;
        Ok(EngineInfo {
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            operating_system: info.operating_system.unwrap_or_default(),
            storage_driver: info.driver.unwrap_or_default(),
            root_directory: info.docker_root_dir.unwrap_or_default(),
            cgroup_version: info.cgroup_version.map(|version| version.to_string()).unwrap_or_default(),
            seccomp: info.security_options.iter().flatten().any(|option| option.contains("seccomp")),
            user_namespaces: info.security_options.iter().flatten().any(|option| option.contains("name=userns")),
            live_restore: info.live_restore_enabled.unwrap_or(false),
            warnings: info.warnings.unwrap_or_default(),
        })
    }

    pub(crate) fn api(&self) -> Result<&Docker, EngineError> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let address = format!("unix://{}", self.socket.display());
        let api = Docker::connect_with_unix(&address, CALL_TIMEOUT.as_secs(), API_DEFAULT_VERSION)
            .map_err(|error| self.error(Operation::Connect, "Docker", error))?;
        Ok(self.api.get_or_init(|| api))
    }

    pub(crate) fn images(&self) -> &ImageMemory {
        &self.images
    }

    pub(crate) fn error(&self, operation: Operation, subject: &str, error: bollard::errors::Error) -> EngineError {
        classify(&self.socket.display().to_string(), operation, subject, error)
    }

    /// One call, its head and its body within the time.
    pub(crate) async fn timed<T>(
        &self,
        operation: Operation,
        subject: &str,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(result) => result.map_err(|error| self.error(operation, subject, error)),
            Err(_) => Err(EngineError::Timeout { operation, subject: subject.to_owned() }),
        }
    }
}
