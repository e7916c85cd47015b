//! The door: where requests wait until the agent can take them.
//!
//! ```text
//!          open, connects            held, or open but refusing
//! visit ─────────────────▶ stream    ──▶ waiting (bounded) ──▶ again on a push, or after a pause
//!                                              └── patience over ──▶ 503 agent_unavailable
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform_kit::Failure;
use platform_kit::socket::{SocketError, connect_untrusted};
use platform_types::gate::Door as DoorState;
use platform_types::layout::socket_file;
use platform_types::{ErrorCode, Generation};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::config::Config;
use crate::gate::Pushed;
use crate::limits::DoorLimits;

/// Seconds in `Retry-After`.
const RETRY_AFTER: u32 = 2;

/// Knows where the agent is.
#[derive(Debug)]
pub struct Door {
    directory: PathBuf,
    limits: DoorLimits,
    config: Pushed,
    places: Arc<Semaphore>,
    /// Something other than an agent's socket was found; said once until the agent answers again.
    strange: AtomicBool,
}

/// One request on its way to the agent.
#[derive(Debug)]
pub struct Visit<'a> {
    door: &'a Door,
    config: watch::Receiver<Option<Arc<Config>>>,
    deadline: Instant,
    pause: Duration,
    place: Option<OwnedSemaphorePermit>,
    first: bool,
}

impl Door {
    pub fn new(directory: PathBuf, limits: DoorLimits, config: Pushed) -> Self {
        let places = Arc::new(Semaphore::new(limits.waiting));
        Self { directory, limits, config, places, strange: AtomicBool::new(false) }
    }

    /// Requests that wait.
    pub fn waiting(&self) -> u64 {
        (self.limits.waiting - self.places.available_permits()) as u64
    }

    pub fn visit(&self) -> Visit<'_> {
        Visit {
            door: self,
            config: self.config.subscribe(),
            deadline: Instant::now() + self.limits.patience,
            pause: self.limits.first_pause,
            place: None,
            first: true,
        }
    }

    async fn connect(&self, generation: Generation, uid: u32) -> Option<UnixStream> {
        let path = self.directory.join(socket_file(generation));
        match connect_untrusted(&path, uid).await {
            Ok(stream) => {
                self.strange.store(false, Ordering::Relaxed);
                Some(stream)
            }
            Err(error @ (SocketError::NotASocket { .. } | SocketError::WrongPeer { .. })) => {
                if !self.strange.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the agent's socket is not what it should be");
                }
                None
            }
            // Starting, or gone.
            Err(SocketError::Connect { .. } | SocketError::Bind { .. }) => None,
        }
    }
}

impl Visit<'_> {
    /// A connection to the agent. Asked again when the agent on the other end was not ready after all.
    pub async fn connect(&mut self) -> Result<UnixStream, Failure> {
        loop {
            if !std::mem::take(&mut self.first) {
                self.wait().await?;
            }
            let target = self.config.borrow_and_update().as_ref().map(|config| (config.door, config.agent_uid));
            if let Some((DoorState::Open { generation }, uid)) = target
                && let Some(stream) = self.door.connect(generation, uid).await
            {
                return Ok(stream);
            }
        }
    }

    /// Waits for a push or for the next try, within patience.
    async fn wait(&mut self) -> Result<(), Failure> {
        if self.place.is_none() {
            let place = self.door.places.clone().try_acquire_owned();
            self.place = Some(place.map_err(|_| unavailable("too many requests wait for the agent"))?);
        }
        let held = self.config.borrow().as_ref().is_none_or(|config| config.door == DoorState::Held);
        let next = if held { self.deadline } else { self.deadline.min(Instant::now() + self.pause) };
        self.pause = (self.pause * 2).min(self.door.limits.longest_pause);
        // A push wakes early; a closed channel cannot happen, the door holds its sender.
        let _ = tokio::time::timeout_at(next, self.config.changed()).await;
        if Instant::now() >= self.deadline {
            return Err(unavailable("the agent is not ready; try again"));
        }
        Ok(())
    }
}

/// The answer when patience is over.
pub fn unavailable(message: &str) -> Failure {
    Failure::new(ErrorCode::AgentUnavailable, message).with_retry_after(RETRY_AFTER)
}
