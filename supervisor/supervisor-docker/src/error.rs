//! What can go wrong at the engine, told apart where the caller acts differently.

use bollard::errors::Error as Bollard;
use platform_types::Port;

/// What was asked of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Connect,
    List,
    Inspect,
    Create,
    Start,
    Stop,
    Kill,
    Remove,
    Rename,
    Wait,
    Logs,
    Events,
}

impl Operation {
    fn verb(self) -> &'static str {
        match self {
            Self::Connect => "connect to",
            Self::List => "list",
            Self::Inspect => "inspect",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Wait => "wait for",
            Self::Logs => "read the log of",
            Self::Events => "listen to",
        }
    }
}

/// An operation that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody answers at the socket, or the connection broke: Docker is stopped or restarting.
    #[error("Docker does not answer at {socket}: {reason}")]
    Gone { socket: String, reason: String },
    #[error("Docker did not {} {subject} in time", .operation.verb())]
    Timeout { operation: Operation, subject: String },
    #[error("Docker knows no {subject}")]
    NotFound { subject: String },
    #[error("cannot {} {subject}: {message}", .operation.verb())]
    Conflict { operation: Operation, subject: String, message: String },
    #[error("cannot {} {subject}: {message}", .operation.verb())]
    Refused { operation: Operation, subject: String, status: u16, message: String },
    #[error("Docker's answer about {subject} cannot be read: {message}")]
    Malformed { subject: String, message: String },
}

impl EngineError {
    /// Whether the engine itself is away: nothing else can be learned until it is back.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone { .. })
    }

    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

/// Why a container could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the name {name} is taken by another container")]
    NameTaken { name: String },
    #[error("the image {image} is not there; build the images again: ./deploy/up")]
    ImageMissing { image: String },
    #[error("a directory to mount is not there: {message}")]
    MountMissing { message: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a container could not be started. It stays created and has to be removed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("port {port} on 127.0.0.1 is in use by another program")]
    PortTaken { port: u16 },
    #[error("a directory to mount is not there: {message}")]
    MountMissing { message: String },
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Reads the client's error for one operation on one subject.
pub(crate) fn classify(socket: &str, operation: Operation, subject: &str, error: Bollard) -> EngineError {
    let subject = subject.to_owned();
    let gone = |reason: String| EngineError::Gone { socket: socket.to_owned(), reason };
    match error {
        Bollard::DockerResponseServerError { status_code: 404, .. } => EngineError::NotFound { subject },
        Bollard::DockerResponseServerError { status_code: 409, message } => {
            EngineError::Conflict { operation, subject, message }
        }
        Bollard::DockerResponseServerError { status_code, message } => {
            EngineError::Refused { operation, subject, status: status_code, message }
        }
        Bollard::RequestTimeoutError => EngineError::Timeout { operation, subject },
        Bollard::SocketNotFoundError(path) => gone(format!("{path} does not exist")),
        Bollard::IOError { err } => gone(err.to_string()),
        Bollard::HyperResponseError { err } => gone(root_cause(&err)),
        Bollard::HyperLegacyError { err } => gone(root_cause(&err)),
        other => EngineError::Malformed { subject, message: other.to_string() },
    }
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Tells apart what a refused create means. Engine 20.10 answers 404 for an image, 409 for a name, 400 for a mount.
pub(crate) fn creation(error: EngineError, name: &str, image: &str) -> CreateError {
    match error {
        EngineError::NotFound { .. } => CreateError::ImageMissing { image: image.to_owned() },
        EngineError::Conflict { .. } => CreateError::NameTaken { name: name.to_owned() },
        EngineError::Refused { message, .. } if is_missing_mount(&message) => CreateError::MountMissing { message },
        other => CreateError::Engine(other),
    }
}

/// Tells apart what a refused start means. A conflict over a port is told only now, in words.
pub(crate) fn starting(error: EngineError, port: Option<Port>) -> StartError {
    match (error, port) {
        (EngineError::Refused { message, .. }, Some(port)) if is_taken_port(&message) => {
            StartError::PortTaken { port: port.get() }
        }
        (EngineError::Refused { message, .. }, _) if is_missing_mount(&message) => StartError::MountMissing { message },
        (other, _) => StartError::Engine(other),
    }
}

fn is_taken_port(message: &str) -> bool {
    message.contains("port is already allocated") || message.contains("address already in use")
}

fn is_missing_mount(message: &str) -> bool {
    message.contains("bind source path does not exist")
        || message.contains("error mounting") && message.contains("no such file or directory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> EngineError {
        EngineError::Refused { operation: Operation::Start, subject: "x".into(), status: 500, message: message.into() }
    }

    #[test]
    fn a_taken_port_is_recognised_in_both_wordings() {
        for message in [
            "driver failed programming external connectivity on endpoint x (…): Bind for 127.0.0.1:18789 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint x: Error starting userland proxy: listen tcp4 127.0.0.1:18789: bind: address already in use",
        ] {
            let error = starting(refused(message), Port::new(18789));
            assert!(matches!(error, StartError::PortTaken { port: 18789 }), "{error}");
        }
        assert!(matches!(starting(refused("no space left on device"), Port::new(1)), StartError::Engine(_)));
    }

    #[test]
    fn a_missing_socket_means_that_the_engine_is_gone() {
        let error = classify("/x", Operation::List, "containers", Bollard::SocketNotFoundError("/x".into()));
        assert!(error.is_gone());
        let io = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(classify("/x", Operation::List, "containers", Bollard::IOError { err: io }).is_gone());
    }
}
