//! Why a call of the model failed, typed from the one error shape, with words for people.

use agent_core::turn::{ModelFailure, Overflow};
use platform_kit::client::CallError;
use platform_types::ErrorCode;
use serde::Deserialize;

#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// Spark or the box answered with an error.
    #[error("{message}")]
    Refused { code: String, message: String, overflow: Option<Overflow> },
    #[error("the model service does not answer; see: botctl spark health")]
    Unreachable(#[source] Box<CallError>),
    #[error("the model sent no answer in time; see: botctl spark health")]
    FirstByte,
    #[error("the model went silent in the middle of its answer; ask again")]
    Idle,
    #[error("the model's answer broke off; ask again")]
    BrokeOff,
    #[error("the model sent something that is not the protocol: {0}")]
    Invalid(String),
}

impl LlmError {
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Unreachable(_) => ErrorCode::UpstreamUnreachable.as_str(),
            Self::FirstByte => ErrorCode::UpstreamTimeoutFirstByte.as_str(),
            Self::Idle => ErrorCode::UpstreamTimeoutIdle.as_str(),
            Self::BrokeOff => ErrorCode::UpstreamError.as_str(),
            Self::Invalid(_) => ErrorCode::UpstreamInvalid.as_str(),
        }
    }

    /// As a turn takes it.
    pub fn failure(&self) -> ModelFailure {
        let overflow = match self {
            Self::Refused { overflow, .. } => *overflow,
            _ => None,
        };
        ModelFailure { code: self.code().to_owned(), message: self.to_string(), overflow }
    }

    pub(crate) fn from_call(error: CallError) -> Self {
        match error {
            CallError::Timeout(_) => Self::FirstByte,
            other => Self::Unreachable(Box::new(other)),
        }
    }

    /// From the body of an error answer, or an error event inside a stream.
    pub(crate) fn from_body(bytes: &[u8]) -> Self {
        match serde_json::from_slice::<Body>(bytes) {
            Ok(Body { error: Detail::Object(object) }) => object.into_error(),
            Ok(Body { error: Detail::Text(message) }) => Self::other(message),
            Err(_) => Self::Invalid("an error without its reason".to_owned()),
        }
    }

    fn other(message: String) -> Self {
        Self::Refused { code: ErrorCode::UpstreamError.as_str().to_owned(), message, overflow: None }
    }
}

#[derive(Debug, Deserialize)]
struct Body {
    error: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Detail {
    Object(Object),
    Text(String),
}

/// The fields that servers agree on, and llama.cpp's two numbers.
#[derive(Debug, Deserialize)]
struct Object {
    #[serde(default)]
    message: String,
    /// A string in ours and OpenAI's, a number in others'.
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default, rename = "type")]
    kind: serde_json::Value,
    #[serde(default)]
    n_prompt_tokens: Option<u64>,
    #[serde(default)]
    n_ctx: Option<u64>,
}

impl Object {
    fn into_error(self) -> LlmError {
        let overflow_code = ErrorCode::ContextLengthExceeded.as_str();
        let is_overflow = self.code == overflow_code || self.kind == "exceed_context_size_error";
        let overflow = is_overflow.then(|| match (self.n_prompt_tokens, self.n_ctx) {
            (None, None) => numbers(&self.message),
            (prompt_tokens, window_tokens) => Overflow { prompt_tokens, window_tokens },
        });
        let known = self.code.as_str().and_then(ErrorCode::from_code);
        let code = match known {
            _ if is_overflow => ErrorCode::ContextLengthExceeded,
            Some(code) => code,
            None => ErrorCode::UpstreamError,
        };
        let message = if self.message.is_empty() { "the model failed without saying why".into() } else { self.message };
        LlmError::Refused { code: code.as_str().to_owned(), message, overflow }
    }
}

/// The numbers in an overflow's message. Servers differ in their order, but the prompt is always the larger one.
fn numbers(message: &str) -> Overflow {
    let mut found = message
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u64>().ok())
        .filter(|number| *number > 0);
    match (found.next(), found.next()) {
        (Some(a), Some(b)) => Overflow { prompt_tokens: Some(a.max(b)), window_tokens: Some(a.min(b)) },
        _ => Overflow::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        let check = |body: &str, code: &str, overflow: Option<(u64, u64)>| {
            let error = LlmError::from_body(body.as_bytes());
            assert_eq!(error.code(), code, "{body}");
            let found = error.failure().overflow.map(|o| (o.prompt_tokens.unwrap_or(0), o.window_tokens.unwrap_or(0)));
            assert_eq!(found, overflow, "{body}");
        };
        check(
            r#"{"error":{"message":"no","type":"x","param":null,"code":"model_not_found"}}"#,
            "model_not_found",
            None,
        );
        check(r#"{"error":{"message":"no","code":404}}"#, "upstream_error", None);
        check(r#"{"error":"Unauthorized"}"#, "upstream_error", None);
        check("<html>", "upstream_invalid", None);
        check(
            r#"{"error":{"message":"request (5000 tokens) exceeds the available context size (4096 tokens)","code":"context_length_exceeded"}}"#,
            "context_length_exceeded",
            Some((5000, 4096)),
        );
        check(
            r#"{"error":{"message":"maximum context length is 4096 tokens. However, you requested 5000 tokens","code":"context_length_exceeded"}}"#,
            "context_length_exceeded",
            Some((5000, 4096)),
        );
        check(
            r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#,
            "context_length_exceeded",
            Some((9, 8)),
        );
        check(
            r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#,
            "context_length_exceeded",
            Some((0, 0)),
        );
    }
}
