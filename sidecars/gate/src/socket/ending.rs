//! Why a socket closes, and with which code.

use platform_kit::Failure;
use platform_types::ErrorCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, error::CapacityError};

/// Codes of the agent that the page gets as they are: not the protocol, too long, try again later. Everything else that the
/// agent may say ends in a reconnect.
const AGENT_CODES: [u16; 3] = [1008, 1009, 1013];

/// The end of a socket.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The page closed it, or went away.
    Left,
    /// The page sent nothing for too long.
    Silent,
    /// The page sent something that is no text message.
    NotText,
    /// The page sent something that is no WebSocket frame, or spoke before it was asked.
    Malformed,
    /// A message of the page is too long.
    TooLong,
    /// The page does not take what is sent.
    TooSlow,
    /// The agent went away, or closed the socket without a code that the page knows.
    AgentGone,
    /// The agent closed the socket, with one of [`AGENT_CODES`].
    AgentClosed { code: u16 },
    /// It had not authenticated, and a newcomer needed its place.
    Displaced,
    /// The device is not paired any more.
    Revoked,
    /// The gate stops.
    Stopping,
    /// It never got to the agent.
    Refused(Failure),
}

impl Ending {
    /// The code that the page sees; `None` where nobody is there to see it.
    pub fn code(&self) -> Option<u16> {
        Some(match self {
            Self::Left => return None,
            Self::Silent => 1001,
            Self::NotText => 1003,
            Self::Malformed => 1008,
            Self::TooLong => 1009,
            Self::TooSlow | Self::Displaced => 1013,
            Self::AgentClosed { code } => *code,
            Self::AgentGone | Self::Stopping => 1012,
            Self::Revoked => 4401,
            Self::Refused(failure) => match failure.code {
                ErrorCode::Unauthorized => 4401,
                ErrorCode::AgentUnavailable => 4503,
                ErrorCode::RateLimited => 1013,
                _ => 1008,
            },
        })
    }

    pub fn reason(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Silent => "nothing was heard",
            Self::NotText => "only text messages",
            Self::Malformed => "not the protocol",
            Self::TooLong => "message too long",
            Self::TooSlow => "too slow",
            Self::AgentGone => "the agent went away",
            Self::AgentClosed { .. } => "the agent closed the connection",
            Self::Displaced => "too many connections wait for authentication",
            Self::Revoked => "this device is not paired any more",
            Self::Stopping => "the gate is restarting",
            Self::Refused(_) => "refused",
        }
    }

    pub fn frame(&self) -> Option<CloseFrame> {
        self.code().map(|code| CloseFrame { code: CloseCode::from(code), reason: self.reason().into() })
    }

    /// What a close frame of the agent means. Its words go no further.
    pub fn of_agent(frame: Option<&CloseFrame>) -> Self {
        match frame.map(|frame| u16::from(frame.code)) {
            Some(code) if AGENT_CODES.contains(&code) => Self::AgentClosed { code },
            _ => Self::AgentGone,
        }
    }

    /// What an error while writing to the page means.
    pub fn of_write(error: &Error) -> Self {
        if is_stall(error) { Self::TooSlow } else { Self::Left }
    }

    /// What an error while reading from the page means.
    pub fn of_page(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => Self::TooLong,
            Error::Io(error) if error.kind() == std::io::ErrorKind::QuotaExceeded => Self::TooLong,
            error if is_stall(error) => Self::TooSlow,
            Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt => Self::Malformed,
            _ => Self::Left,
        }
    }
}

/// Whether the connection says that the page took no byte for too long.
fn is_stall(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}
