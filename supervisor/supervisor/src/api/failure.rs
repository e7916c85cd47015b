//! Errors of the daemon's parts as answers, each with what to do.

use std::error::Error;

use platform_kit::Failure;
use platform_kit::client::CallError;
use platform_types::{ErrorCode, ProfileName};
use supervisor_config::Config;

use crate::state::OperationError;
use crate::words::chain;

/// Something of ours failed: the log has the cause, and so has the answer, because only operators read it.
pub fn internal(error: &(dyn Error + 'static)) -> Failure {
    let message = chain(error);
    tracing::error!(error = message, "a request failed");
    Failure::new(ErrorCode::Internal, message)
}

/// A profile that is not in force, and those that are.
pub fn no_profile(config: &Config, profile: &ProfileName) -> Failure {
    let known: Vec<&str> = config.profiles.keys().map(ProfileName::as_str).collect();
    let message = format!("there is no profile {profile}; there is {}", known.join(", "));
    Failure::new(ErrorCode::NotFound, message)
}

/// A container's admin socket did not do what was asked.
pub fn call(who: &str, error: &CallError) -> Failure {
    match error {
        CallError::Refused { code, message, .. } => {
            let code = ErrorCode::from_code(code).unwrap_or(ErrorCode::Internal);
            Failure::new(code, platform_types::text::neutral_cut(message, 500))
        }
        other => unreachable(who, &chain(other)),
    }
}

/// A container is not there to be asked.
pub fn unreachable(who: &str, why: &str) -> Failure {
    let message = format!("{who} does not answer ({why}); botctl status says why");
    Failure::new(ErrorCode::AgentUnavailable, message)
}

/// The loop does not take commands.
pub fn busy() -> Failure {
    Failure::new(ErrorCode::SupervisorUnavailable, "the supervisor is stopping or overloaded; try again in a moment")
}

pub fn operation(error: &OperationError) -> Failure {
    let code = match error {
        OperationError::UnknownProfile(_) => ErrorCode::NotFound,
        OperationError::Busy { .. } => ErrorCode::Conflict,
        OperationError::AgentUnavailable { .. } => ErrorCode::AgentUnavailable,
        OperationError::Failed(_) => ErrorCode::Internal,
    };
    Failure::new(code, error.to_string())
}
