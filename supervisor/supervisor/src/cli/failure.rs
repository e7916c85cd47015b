//! Messages and exit codes.

use std::path::Path;

use platform_kit::client::CallError;
use platform_kit::lines::LinesError;
use platform_kit::socket::SocketError;
use platform_types::text::neutral;

use crate::api::peer::admin_gid;
use crate::doctor::service::{Service, ask_for_access};
use crate::words::chain;

/// The arguments fit, and what they ask for does not make sense.
pub const USAGE: u8 = 2;
/// `platform.toml` or a file beside it has to be corrected.
pub const CONFIGURATION: u8 = 64;
/// Nobody answers at `supervisor.sock`, or the caller may not ask.
pub const UNREACHABLE: u8 = 69;
/// Everything else.
pub const OTHER: u8 = 1;

/// Why the command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: u8,
    /// `None`: what is to be said was said.
    pub message: Option<String>,
}

impl Failure {
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: Some(message.into()) }
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self::new(OTHER, message)
    }

    pub fn silent(exit: u8) -> Self {
        Self { exit, message: None }
    }

    #[must_use]
    pub fn map_message(self, change: impl FnOnce(String) -> String) -> Self {
        Self { exit: self.exit, message: self.message.map(change) }
    }

    /// From a request to the supervisor.
    pub fn call(error: &CallError, socket: &Path) -> Self {
        match error {
            CallError::Socket(SocketError::Connect { source, .. }) => {
                Self::new(UNREACHABLE, unreachable(source, socket))
            }
            CallError::Refused { message, .. } => Self::other(lines_of(message)),
            other => Self::other(chain(other)),
        }
    }

    /// The same for a request that reads or changes the configuration.
    pub fn call_about_files(error: &CallError, socket: &Path) -> Self {
        let mut failure = Self::call(error, socket);
        if matches!(error, CallError::Refused { code, .. } if code == "bad_request") {
            failure.exit = CONFIGURATION;
        }
        failure
    }
}

/// The supervisor may be there; the caller may not ask it.
pub fn is_denied(error: &CallError) -> bool {
    matches!(error, CallError::Socket(SocketError::Connect { source, .. })
        if source.kind() == std::io::ErrorKind::PermissionDenied)
}

impl From<std::io::Error> for Failure {
    /// A reader of standard output that went away (`botctl logs | head`) is no failure worth a word.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::silent(0),
            _ => Self::other(error.to_string()),
        }
    }
}

impl From<LinesError> for Failure {
    fn from(error: LinesError) -> Self {
        Self::other(format!("the answer broke off: {}", chain(&error)))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::other(format!(
            "the answer is not understood: {error}; botctl and the supervisor may be of different releases"
        ))
    }
}

fn unreachable(source: &std::io::Error, socket: &Path) -> String {
    if source.kind() == std::io::ErrorKind::PermissionDenied {
        return format!("you may not use {}: {}", socket.display(), ask_for_access(admin_gid().is_some()));
    }
    format!("the supervisor does not answer at {}: start it with {}", socket.display(), Service::of(socket).start)
}

/// Messages of the supervisor keep their line breaks and nothing else.
fn lines_of(message: &str) -> String {
    message.lines().map(neutral).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_ask_and_who_finds_nobody() {
        let socket = Path::new("/run/bot-platform/supervisor.sock");
        let connect = |kind: std::io::ErrorKind| {
            CallError::Socket(SocketError::Connect { path: socket.to_path_buf(), source: kind.into() })
        };
        let denied = Failure::call(&connect(std::io::ErrorKind::PermissionDenied), socket);
        assert_eq!(denied.exit, UNREACHABLE);
        assert!(denied.message.unwrap().contains("bot-admin"));
        let nobody = Failure::call(&connect(std::io::ErrorKind::NotFound), socket);
        assert_eq!(nobody.exit, UNREACHABLE);
        assert!(nobody.message.unwrap().contains("systemctl start"));
        let elsewhere = Path::new("/srv/x/run/supervisor.sock");
        let message = Failure::call(&connect(std::io::ErrorKind::NotFound), elsewhere).message.unwrap();
        assert!(message.contains("./deploy/up --root /srv/x") && !message.contains("systemctl"), "{message}");
    }

    #[test]
    fn a_refusal_about_files_is_a_matter_of_configuration() {
        let refused = |code: &str| CallError::Refused {
            status: http::StatusCode::BAD_REQUEST,
            code: code.to_owned(),
            message: "platform.toml has 1 error\nline\u{1b}[2J".to_owned(),
        };
        let socket = Path::new("s");
        assert_eq!(Failure::call(&refused("bad_request"), socket).exit, OTHER);
        let failure = Failure::call_about_files(&refused("bad_request"), socket);
        assert_eq!(failure, Failure::new(CONFIGURATION, "platform.toml has 1 error\nline\\u{1b}[2J"));
    }
}
