//! Who waits to hear that a message is safe: a page, a channel, or a job by the clock.

use agent_store::Wrote;
use platform_types::ErrorCode;
use tokio::sync::oneshot;

use super::connections::ConnectionId;
use super::hub::{Failed, Hub};

/// Hears what became of a message of a channel or a job: durable, or the reason why not.
pub type Taken = oneshot::Sender<Result<(), (ErrorCode, String)>>;

/// Whoever wrote a message.
#[derive(Debug)]
pub(super) enum Writer {
    Page(ConnectionId),
    Chat(Taken, Wrote),
    /// A job by the clock.
    Clock(Taken),
}

impl Writer {
    /// Who wrote it in a chat.
    pub fn wrote(&self) -> Option<Wrote> {
        match self {
            Self::Page(_) | Self::Clock(_) => None,
            Self::Chat(_, wrote) => Some(wrote.clone()),
        }
    }

    /// The message is durable; the page that has to be told.
    pub fn safe(self) -> Option<ConnectionId> {
        match self {
            Self::Page(page) => Some(page),
            Self::Chat(taken, _) | Self::Clock(taken) => {
                // A channel that was stopped asks its server again, a job asks the database.
                let _ = taken.send(Ok(()));
                None
            }
        }
    }
}

impl Hub {
    /// Tells whoever wrote a message that it was not taken.
    pub(super) fn refused(&mut self, from: Writer, failed: Failed<'_>) {
        match from {
            Writer::Page(page) => self.failed(page, failed),
            Writer::Chat(taken, _) | Writer::Clock(taken) => {
                // A channel that was stopped asks its server again.
                let _ = taken.send(Err((failed.code, failed.message)));
            }
        }
    }
}
