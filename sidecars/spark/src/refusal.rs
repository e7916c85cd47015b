//! An error answer, and who is its origin.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::spark::ERROR_ORIGIN_HEADER;

/// Longest quotation of foreign text in a message, in characters: enough for the sentence that matters.
const MAX_QUOTE_CHARS: usize = 300;
/// Longest error of the box in the log, in characters.
const MAX_ORIGINAL_CHARS: usize = 1_000;

/// Who found the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Spark itself.
    Router,
    /// The model box.
    Backend,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Backend => "backend",
        }
    }
}

/// Why a request is not answered.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub failure: Failure,
    pub origin: Origin,
    /// What the box itself said, for the log.
    pub original: Option<Box<str>>,
}

impl Refusal {
    pub fn router(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(code, message), origin: Origin::Router, original: None }
    }

    pub fn backend(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { failure: Failure::new(code, message), origin: Origin::Backend, original: None }
    }

    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.failure = self.failure.with_param(param);
        self
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.failure = self.failure.with_retry_after(seconds);
        self
    }

    /// With what the box said, shown safely.
    #[must_use]
    pub fn with_original(mut self, original: &str) -> Self {
        self.original = Some(quote_up_to(original, MAX_ORIGINAL_CHARS).into());
        self
    }

    pub fn code(&self) -> ErrorCode {
        self.failure.code
    }

    pub fn message(&self) -> &str {
        &self.failure.message
    }

    /// The error as an event of a stream.
    pub fn event(&self) -> String {
        let body = serde_json::to_string(&self.failure.body()).expect("an error body serialises");
        format!("data: {body}\n\n")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.failure.into_response();
        response.headers_mut().insert(ERROR_ORIGIN_HEADER, HeaderValue::from_static(self.origin.as_str()));
        response
    }
}

/// Foreign text, safe to show: bounded, on one line, without control and invisible formatting characters.
pub fn quote(text: &str) -> String {
    quote_up_to(text, MAX_QUOTE_CHARS)
}

fn quote_up_to(text: &str, chars: usize) -> String {
    let words: Vec<Cow<'_, str>> = text
        .split_whitespace()
        .take(chars)
        .map(|word| Cow::from(word.chars().filter(|c| !is_hidden(*c)).collect::<String>()))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    if line.chars().count() <= chars {
        return line;
    }
    line.chars().take(chars).chain("…".chars()).collect()
}

/// Control characters, and those that reorder or hide text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_bounded_and_harmless() {
        assert_eq!(quote("<html>\r\n  <h1>502\tBad   Gateway</h1>"), "<html> <h1>502 Bad Gateway</h1>");
        assert_eq!(quote("a\u{1b}[31mred\u{202e}drow\u{0}"), "a[31mreddrow");
        let long = quote(&"x".repeat(5_000));
        assert_eq!(long.chars().count(), MAX_QUOTE_CHARS + 1);
        assert!(long.ends_with('…'));
        assert_eq!(quote(""), "");
    }

    #[test]
    fn an_error_event_is_one_event() {
        let event = Refusal::router(ErrorCode::UpstreamTimeoutIdle, "silent\nfor long").event();
        assert!(event.starts_with("data: {") && event.ends_with("}\n\n"));
        assert_eq!(event.matches('\n').count(), 2);
    }
}
