//! What an error of a model server means. Pure.
//!
//! Five shapes are read: OpenAI's nested object (with `code` as a text, a number or null), SGLang's flat object, vLLM's
//! bare text (`{"error":"Unauthorized"}`), `FastAPI`'s `detail`, and plain text or HTML of a proxy in between.

use platform_types::ErrorCode;
use serde_json::Value;

use crate::refusal::{Refusal, quote};

/// Longest wait that spark passes on, in seconds.
const MAX_RETRY_AFTER_SECONDS: u32 = 600;
/// When a server that is loading does not say how long: models take minutes, a question costs nothing.
const LOADING_RETRY_SECONDS: u32 = 5;

/// Longest part of an error that is looked at for the log, in bytes.
const MAX_ORIGINAL_BYTES: usize = 4096;
/// Faults of one request that go into the log.
const MAX_FAULTS: usize = 8;

/// An answer with an error status, or an error in the place of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Complaint<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// The header `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

/// The parts of an error body that all shapes have in common.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    message: String,
    kind: String,
    code: String,
    param: String,
    prompt_tokens: Option<u64>,
    context_tokens: Option<u64>,
}

/// Puts an error of any server into the one shape; what it was goes along for the log.
pub fn diagnose(complaint: Complaint<'_>) -> Refusal {
    translate(complaint).with_original(&original(complaint))
}

fn translate(complaint: Complaint<'_>) -> Refusal {
    let said = Said::read(complaint.body);
    let code = classify(complaint.status, &said);
    let quoted = quote(&said.message);
    let status = complaint.status;
    let wait = complaint.retry_after.map(|seconds| seconds.clamp(1, MAX_RETRY_AFTER_SECONDS));
    match code {
        ErrorCode::ContextLengthExceeded => {
            Refusal::backend(code, context_message(&said, &quoted)).with_param("messages")
        }
        ErrorCode::UpstreamUnauthorized => Refusal::backend(
            code,
            format!(
                "the model box refused the key ({status}: {quoted}); store a valid one: botctl secret set NAME, named in [spark].key"
            ),
        ),
        ErrorCode::ModelNotFound => {
            Refusal::backend(code, format!("the model box does not serve this model: {quoted}")).with_param("model")
        }
        ErrorCode::ModelNotLoaded => {
            Refusal::backend(code, format!("the model box has not loaded this model: {quoted}")).with_param("model")
        }
        ErrorCode::ModelLoading => Refusal::backend(code, format!("the model box is loading its model: {quoted}"))
            .with_retry_after(wait.unwrap_or(LOADING_RETRY_SECONDS)),
        ErrorCode::QueueFull => {
            Refusal::backend(code, format!("the model box is busy: {quoted}")).with_retry_after(wait.unwrap_or(1))
        }
        ErrorCode::BadRequest => Refusal::backend(code, format!("the model box refused the request: {quoted}")),
        ErrorCode::TooLarge => Refusal::backend(code, "the request is too large for the model box"),
        ErrorCode::UpstreamUnreachable => Refusal::backend(
            code,
            format!(
                "a proxy in front of the model box answered {status}; the model server behind it does not run: {quoted}"
            ),
        ),
        ErrorCode::UpstreamInvalid => Refusal::backend(
            code,
            format!("the model box answered {status} in place of a chat completion; check [spark].url: {quoted}"),
        ),
        _ => Refusal::backend(
            ErrorCode::UpstreamError,
            format!("the model box answered {status}: {}", or_nothing(&quoted)),
        ),
    }
}

/// An error, or something foreign, where the first words of an answer were expected.
pub fn in_place_of_an_answer(body: &[u8]) -> Refusal {
    let is_error = serde_json::from_slice::<Value>(body).is_ok_and(|value| {
        value.get("error").is_some_and(|error| !error.is_null())
            || value.get("object").is_some_and(|kind| kind == "error")
            || value.get("message").is_some_and(Value::is_string) && value.get("code").is_some()
    });
    if !is_error {
        return crate::transcript::foreign(body);
    }
    let status = Said::read(body).code.parse().ok().filter(|status| (400..600).contains(status));
    diagnose(Complaint { status: status.unwrap_or(500), body, retry_after: None })
}

/// Status and body. `FastAPI` repeats what was sent to it in `detail`: of that only place and reason are kept.
fn original(Complaint { status, body, .. }: Complaint<'_>) -> String {
    let parsed = serde_json::from_slice::<Value>(body).ok();
    let faults = parsed.as_ref().and_then(|value| value.get("detail")).and_then(Value::as_array);
    let text = match faults {
        Some(faults) => {
            let words = |fault: &Value| {
                ["loc", "type", "msg"].map(|key| fault.get(key).unwrap_or(&Value::Null).to_string()).join(" ")
            };
            faults.iter().take(MAX_FAULTS).map(words).collect::<Vec<_>>().join("; ")
        }
        None => String::from_utf8_lossy(&body[..body.len().min(MAX_ORIGINAL_BYTES)]).into_owned(),
    };
    format!("{status}: {text}")
}

fn or_nothing(quoted: &str) -> &str {
    if quoted.is_empty() { "without a word; it is starting, or its engine has died" } else { quoted }
}

fn classify(status: u16, said: &Said) -> ErrorCode {
    let text = said.message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if said.is_about_context(&text) {
        return ErrorCode::ContextLengthExceeded;
    }
    if said.code == "model_not_found" || said.kind == "NotFoundError" && said.param == "model" {
        return ErrorCode::ModelNotFound;
    }
    match status {
        401 | 403 => ErrorCode::UpstreamUnauthorized,
        400 | 404 if has(&["model is not loaded", "model not loaded"]) => ErrorCode::ModelNotLoaded,
        400 | 404 if text.contains("model") && has(&["not found", "does not exist", "not exist"]) => {
            ErrorCode::ModelNotFound
        }
        300..=399 | 404 | 405 => ErrorCode::UpstreamInvalid,
        413 => ErrorCode::TooLarge,
        429 => ErrorCode::QueueFull,
        400 | 422 => ErrorCode::BadRequest,
        503 if has(&["loading", "starting"]) => ErrorCode::ModelLoading,
        503 if has(&["busy", "pending requests", "queue", "overloaded"]) => ErrorCode::QueueFull,
        502 | 504 => ErrorCode::UpstreamUnreachable,
        _ => ErrorCode::UpstreamError,
    }
}

fn context_message(said: &Said, quoted: &str) -> String {
    match (said.prompt_tokens, said.context_tokens) {
        (Some(prompt), Some(context)) => format!(
            "the prompt has {prompt} tokens, the context window of the model {context}; shorten the conversation or begin a new one"
        ),
        _ => format!("the prompt does not fit the context window of the model: {quoted}"),
    }
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return Self {
                message: String::from_utf8_lossy(&body[..body.len().min(4096)]).into_owned(),
                ..Self::default()
            };
        };
        let mut said = match value.get("error") {
            Some(Value::Object(_)) => Self::from_object(&value["error"]),
            Some(Value::String(text)) => Self { message: text.clone(), ..Self::default() },
            _ if value.get("message").is_some() => Self::from_object(&value),
            _ => match value.get("detail") {
                Some(Value::String(text)) => Self { message: text.clone(), ..Self::default() },
                Some(detail) => Self { message: detail.to_string(), ..Self::default() },
                None => Self { message: value.to_string(), ..Self::default() },
            },
        };
        said.find_numbers();
        said
    }

    fn from_object(object: &Value) -> Self {
        let text = |key: &str| match object.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        Self {
            message: text("message"),
            kind: text("type"),
            code: text("code"),
            param: text("param"),
            prompt_tokens: object.get("n_prompt_tokens").and_then(Value::as_u64),
            context_tokens: object.get("n_ctx").and_then(Value::as_u64),
        }
    }

    fn is_about_context(&self, text: &str) -> bool {
        self.kind == "exceed_context_size_error"
            || self.code == "context_length_exceeded"
            || [
                "maximum context length",
                "model's context length",
                "available context size",
                "context window",
                "exceeds the context length",
            ]
            .iter()
            .any(|words| text.contains(words))
    }

    /// vLLM: "maximum context length is N tokens. However, you requested M tokens" (or "your request has M input
    /// tokens"); SGLang: "The input (M tokens) is longer than the model's context length (N tokens)"; llama.cpp has fields.
    fn find_numbers(&mut self) {
        let text = self.message.to_lowercase();
        let numbers: Vec<(usize, u64)> = numbers_in(&text);
        let Some(context_at) = text.find("context") else { return };
        if self.context_tokens.is_none() {
            self.context_tokens = numbers.iter().find(|(at, _)| *at > context_at).map(|(_, number)| *number);
        }
        if self.prompt_tokens.is_none() {
            let context = self.context_tokens;
            self.prompt_tokens = numbers
                .iter()
                .map(|(_, number)| *number)
                .find(|number| context.is_some_and(|context| *number > context));
        }
    }
}

/// Position and value of every number in a text, but of those in words (`gpt-4`) none.
fn numbers_in(text: &str) -> Vec<(usize, u64)> {
    let mut numbers = Vec::new();
    let mut at = 0;
    for piece in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
        if let Ok(number) = word.parse::<u64>() {
            numbers.push((at, number));
        }
        at += piece.len();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, code: ErrorCode, words: &str) {
        let refusal = diagnose(Complaint { status, body: body.as_bytes(), retry_after: None });
        assert_eq!(refusal.code(), code, "{status} {body}: {}", refusal.message());
        assert!(refusal.message().contains(words), "{status} {body}: {}", refusal.message());
        assert_eq!(refusal.origin, crate::refusal::Origin::Backend);
    }

    #[test]
    fn a_prompt_too_long_tells_both_numbers() {
        let both = "has 5000 tokens, the context window of the model 2048";
        for (status, body) in [
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, you requested 5000 tokens (4900 in the messages, 100 in the completion).","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, your request has 5000 input tokens. Please reduce the length of the input messages.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"The input (5000 tokens) is longer than the model's context length (2048 tokens).","type":"BadRequest","param":null,"code":400}"#,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"request (5000 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":5000,"n_ctx":2048}}"#,
            ),
        ] {
            check(status, body, ErrorCode::ContextLengthExceeded, both);
        }
        check(
            400,
            r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#,
            ErrorCode::ContextLengthExceeded,
            "too long",
        );
    }

    #[test]
    fn models_that_are_not_there() {
        let code = ErrorCode::ModelNotFound;
        check(
            404,
            r#"{"error":{"message":"The model `x` does not exist. Valid aliases: a","type":"NotFoundError","param":"model","code":404}}"#,
            code,
            "Valid aliases: a",
        );
        check(
            404,
            r#"{"error":{"message":"The model 'x' does not exist","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
            code,
            "does not exist",
        );
        check(
            400,
            r#"{"error":{"code":400,"message":"model 'x' not found","type":"invalid_request_error"}}"#,
            code,
            "not found",
        );
        check(
            404,
            r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"not_found_error","param":null,"code":null}}"#,
            code,
            "pulling",
        );
        check(404, r#"{"error":{"message":"model not found","src":"llama-swap"}}"#, code, "not found");
        check(
            400,
            r#"{"error":{"code":400,"message":"model is not loaded","type":"invalid_request_error"}}"#,
            ErrorCode::ModelNotLoaded,
            "not loaded",
        );
    }

    #[test]
    fn keys_queues_loading_and_proxies() {
        check(401, r#"{"error":"Unauthorized"}"#, ErrorCode::UpstreamUnauthorized, "botctl secret set");
        check(
            401,
            r#"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
            ErrorCode::UpstreamUnauthorized,
            "Invalid API Key",
        );
        check(403, "", ErrorCode::UpstreamUnauthorized, "403");
        check(
            503,
            r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
            ErrorCode::ModelLoading,
            "Loading model",
        );
        check(
            503,
            r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#,
            ErrorCode::QueueFull,
            "server busy",
        );
        check(
            429,
            r#"{"error":{"message":"slow down","code":"concurrency_limit"}}"#,
            ErrorCode::QueueFull,
            "slow down",
        );
        check(503, "", ErrorCode::UpstreamError, "its engine has died");
        check(502, "<html><h1>Bad Gateway</h1></html>", ErrorCode::UpstreamUnreachable, "<h1>Bad Gateway</h1>");
        check(504, "", ErrorCode::UpstreamUnreachable, "504");
        check(301, "", ErrorCode::UpstreamInvalid, "[spark].url");
        check(404, "404 page not found", ErrorCode::UpstreamInvalid, "404 page not found");
        check(422, r#"{"detail":[{"loc":["body","temperature"],"msg":"too hot"}]}"#, ErrorCode::BadRequest, "too hot");
        check(400, r#"{"detail":"nonsense"}"#, ErrorCode::BadRequest, "nonsense");
        check(
            500,
            r#"{"error":{"code":500,"message":"[json.exception.parse_error.101]","type":"server_error"}}"#,
            ErrorCode::UpstreamError,
            "parse_error",
        );
        check(500, "Internal Server Error", ErrorCode::UpstreamError, "Internal Server Error");
        check(413, "", ErrorCode::TooLarge, "too large");
    }

    #[test]
    fn waiting_times_are_passed_on_within_bounds() {
        let wait = |status, body: &str, retry_after| {
            diagnose(Complaint { status, body: body.as_bytes(), retry_after }).failure.retry_after
        };
        assert_eq!(wait(429, "", Some(7)), Some(7));
        assert_eq!(wait(429, "", Some(1_000_000)), Some(MAX_RETRY_AFTER_SECONDS));
        assert_eq!(wait(429, "", None), Some(1));
        assert_eq!(wait(503, "Loading model", None), Some(LOADING_RETRY_SECONDS));
        assert_eq!(wait(400, "", Some(7)), None);
    }
}
