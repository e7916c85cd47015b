//! What can go wrong between spark and the box, in words.

use std::error::Error;

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

/// The innermost cause: "connection refused" rather than "error sending request".
pub fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = innermost.source() {
        innermost = inner;
    }
    quote(&innermost.to_string())
}
