//! The one error shape on the wire, which is also OpenAI's: `{"error":{"message","type","param","code"}}`.

use serde::{Deserialize, Serialize};

/// Body of every error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong. `message` says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    pub message: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub param: Option<String>,
    pub code: String,
}

impl ErrorBody {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error: ErrorDetail {
                message: message.into(),
                kind: code.kind().to_owned(),
                param: None,
                code: code.as_str().to_owned(),
            },
        }
    }

    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.error.param = Some(param.into());
        self
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $kind:literal;)*) => {
        /// Stable error codes. The documentation of each says what happened; its status goes with it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status that goes with the code.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// OpenAI's `type` field.
            pub fn kind(self) -> &'static str {
                match self { $(Self::$variant => $kind,)* }
            }

            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    /// The request is malformed; the message names the field.
    BadRequest = "bad_request", 400, "invalid_request_error";
    /// No or unknown credential.
    Unauthorized = "unauthorized", 401, "authentication_error";
    /// The credential is valid, its scope does not suffice.
    Forbidden = "forbidden", 403, "permission_error";
    /// The Host or Origin is not one of this profile.
    ForeignOrigin = "foreign_origin", 403, "permission_error";
    /// No such route or thing.
    NotFound = "not_found", 404, "invalid_request_error";
    /// The method does not fit the route.
    MethodNotAllowed = "method_not_allowed", 405, "invalid_request_error";
    /// It changed meanwhile, or is already done.
    Conflict = "conflict", 409, "invalid_request_error";
    /// The request did not arrive in time.
    RequestTimeout = "request_timeout", 408, "invalid_request_error";
    /// The body came without `Content-Length`.
    LengthRequired = "length_required", 411, "invalid_request_error";
    /// Head or body over the limit.
    TooLarge = "too_large", 413, "invalid_request_error";
    /// Too many requests; `Retry-After` says when.
    RateLimited = "rate_limited", 429, "rate_limit_error";
    /// A bug or a full disk; the log has the cause.
    Internal = "internal", 500, "server_error";
    /// The agent answered something that is not the protocol.
    AgentInvalid = "agent_invalid", 502, "server_error";
    /// The agent is not ready: starting, being replaced, or stopped.
    AgentUnavailable = "agent_unavailable", 503, "server_error";
    /// The supervisor did not answer in time.
    SupervisorUnavailable = "supervisor_unavailable", 503, "server_error";
    /// The model box does not list this id.
    ModelNotFound = "model_not_found", 404, "invalid_request_error";
    /// Listed, but another model is loaded.
    ModelNotLoaded = "model_not_loaded", 409, "invalid_request_error";
    /// The model box is being switched to another model; `Retry-After` estimates how long.
    SwitchInProgress = "switch_in_progress", 503, "server_error";
    /// The server is loading the model.
    ModelLoading = "model_loading", 503, "server_error";
    /// The prompt does not fit the model's context window.
    ContextLengthExceeded = "context_length_exceeded", 400, "invalid_request_error";
    /// No connection to the model box.
    UpstreamUnreachable = "upstream_unreachable", 502, "server_error";
    /// The model box refused the key.
    UpstreamUnauthorized = "upstream_unauthorized", 502, "server_error";
    /// The model box answered with an error of its own; the message quotes it.
    UpstreamError = "upstream_error", 502, "server_error";
    /// The model box answered something that is not the protocol.
    UpstreamInvalid = "upstream_invalid", 502, "server_error";
    /// A 200 stream ended without an event.
    UpstreamEmptyStream = "upstream_empty_stream", 502, "server_error";
    /// No first byte in time.
    UpstreamTimeoutFirstByte = "upstream_timeout_first_byte", 504, "server_error";
    /// Silence in the middle of an answer.
    UpstreamTimeoutIdle = "upstream_timeout_idle", 504, "server_error";
    /// The request took longer than a request may take in all.
    UpstreamTimeoutTotal = "upstream_timeout_total", 504, "server_error";
    /// The answer broke off in the middle.
    UpstreamIncomplete = "upstream_incomplete", 502, "server_error";
    /// No rule of the gate allows the request; the message says what did not fit.
    EgressDenied = "egress_denied", 403, "permission_error";
    /// The queue to the model box is full.
    QueueFull = "queue_full", 429, "rate_limit_error";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_found_again() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_code(code.as_str()), Some(*code));
            assert!((400..600).contains(&code.status()));
        }
    }

    #[test]
    fn the_shape_is_the_one_of_openai() {
        let body = ErrorBody::new(ErrorCode::ModelNotFound, "no such model").with_param("model");
        assert_eq!(
            serde_json::to_string(&body).expect("serialises"),
            r#"{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#
        );
    }
}
