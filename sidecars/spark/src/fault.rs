//! What can go wrong between spark and the box, in words.

use std::error::Error as _;

use platform_types::ErrorCode;

use crate::refusal::{Refusal, quote};

/// Why an answer has no end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Broken {
    /// The connection broke.
    #[error("{0}")]
    Cut(String),
    /// The request took as long as a request may take in all.
    #[error("it took longer than a request may take")]
    TooLong,
}

/// The connection broke after an answer had begun.
pub fn incomplete(broken: &Broken) -> Refusal {
    match broken {
        Broken::Cut(cause) => Refusal::router(
            ErrorCode::UpstreamIncomplete,
            format!("the connection to the model box broke in the middle of its answer: {cause}"),
        ),
        Broken::TooLong => took_too_long(),
    }
}

/// The refusal for a request that took as long as a request may take in all.
pub fn took_too_long() -> Refusal {
    Refusal::router(
        ErrorCode::UpstreamTimeoutTotal,
        "the request took longer than a request may take; ask for less, or raise [spark].total_seconds",
    )
}

/// The last error of a kind in the chain of causes.
pub fn innermost<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut found = None;
    let mut source = error.source();
    while let Some(inner) = source {
        found = inner.downcast_ref().or(found);
        source = inner.source();
    }
    found
}

/// The innermost cause: "connection refused" rather than "error sending request".
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() && error.is_connect() {
        return "no connection in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    let mut source = error.source();
    while let Some(inner) = source {
        innermost = inner;
        source = inner.source();
    }
    let text = innermost.to_string();
    // The resolver's own words are those of a protocol trace.
    if text.contains("no records found") { "its name cannot be resolved".to_owned() } else { quote(&text) }
}
