//! What a failed request to the server means for whoever sent it.

use platform_kit::client::CallError;
use platform_types::ErrorCode;
use platform_types::update::Refusal;

/// Why a method did nothing, or is not known to have done something.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the gate did not answer")]
    Gate(#[from] CallError),
    #[error("the request cannot be written as HTTP")]
    Request(#[from] http::Error),
    /// The gate's own word.
    #[error("the gate says {code}: {message}")]
    Refused { code: String, message: String },
    #[error("the server says {}: {}", .0.error_code, .0.description)]
    Server(Refusal),
    #[error("the server's answer cannot be read")]
    Json(#[from] serde_json::Error),
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Nothing was done, and it may work later; the server may have said after how many seconds.
    Later(Option<u32>),
    /// Somebody else asks with the same token, or a webhook is set.
    Conflict,
    /// It may have been done.
    Unknown,
    /// Nothing was done, and it will not get better by itself.
    Never,
    /// The message says so already.
    Same,
    /// The tags cannot be read.
    Unreadable,
    /// The message that should change is not there.
    NoMessage,
    /// The answer is not one that the gate passes on: it is too long, say.
    Unfit,
}

impl WireError {
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Refused { code, .. } => match ErrorCode::from_code(code) {
                Some(
                    ErrorCode::UpstreamUnreachable
                    | ErrorCode::UpstreamUnauthorized
                    | ErrorCode::RateLimited
                    | ErrorCode::AgentUnavailable,
                ) => Trouble::Later(None),
                Some(ErrorCode::EgressDenied) => Trouble::Never,
                Some(ErrorCode::UpstreamInvalid) => Trouble::Unfit,
                _ => Trouble::Unknown,
            },
            Self::Server(refusal) => of_server(refusal),
            Self::Gate(CallError::Socket(_)) => Trouble::Later(None),
            Self::Gate(_) | Self::Json(_) => Trouble::Unknown,
            Self::Request(_) => Trouble::Never,
        }
    }
}

/// A server that answers with an error has done nothing.
fn of_server(Refusal { error_code, description, parameters }: &Refusal) -> Trouble {
    let says = |words: &[&str]| {
        let said = description.to_ascii_lowercase();
        words.iter().any(|word| said.contains(word))
    };
    match error_code {
        429 => Trouble::Later(Some(parameters.retry_after.unwrap_or(1))),
        409 => Trouble::Conflict,
        400 if says(&["message is not modified"]) => Trouble::Same,
        400 if says(&["can't parse entities"]) => Trouble::Unreadable,
        400 if says(&["message to edit not found", "message can't be edited", "message_id_invalid"]) => {
            Trouble::NoMessage
        }
        // The token may be put right.
        401 | 404 | 500..=599 => Trouble::Later(None),
        _ => Trouble::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says() {
        let check = |error_code: u16, description: &str, expect: Trouble| {
            let refusal = Refusal { error_code, description: description.to_owned(), ..Refusal::default() };
            assert_eq!(WireError::Server(refusal).trouble(), expect, "{description}");
        };
        let same =
            "Bad Request: message is not modified: specified new message content and reply markup are exactly the same";
        check(400, same, Trouble::Same);
        check(
            400,
            "Bad Request: can't parse entities: Unsupported start tag \"x\" at byte offset 0",
            Trouble::Unreadable,
        );
        check(400, "Bad Request: message to edit not found", Trouble::NoMessage);
        check(400, "Bad Request: chat not found", Trouble::Never);
        check(403, "Forbidden: bot was blocked by the user", Trouble::Never);
        check(409, "Conflict: terminated by other getUpdates request", Trouble::Conflict);
        check(429, "Too Many Requests", Trouble::Later(Some(1)));
        check(401, "Unauthorized", Trouble::Later(None));
        check(502, "", Trouble::Later(None));
        let busy = r#"{"error_code":429,"parameters":{"retry_after":7}}"#;
        assert_eq!(WireError::Server(serde_json::from_str(busy).unwrap()).trouble(), Trouble::Later(Some(7)));
    }

    #[test]
    fn what_the_gate_says() {
        let check = |code: ErrorCode, expect: Trouble| {
            let error = WireError::Refused { code: code.as_str().to_owned(), message: String::new() };
            assert_eq!(error.trouble(), expect, "{code:?}");
        };
        check(ErrorCode::EgressDenied, Trouble::Never);
        check(ErrorCode::UpstreamUnreachable, Trouble::Later(None));
        check(ErrorCode::UpstreamIncomplete, Trouble::Unknown);
        check(ErrorCode::UpstreamTimeoutFirstByte, Trouble::Unknown);
        check(ErrorCode::UpstreamInvalid, Trouble::Unfit);
    }
}
