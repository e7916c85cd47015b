//! How deep the JSON of requests and answers may be; it is read by [`platform_types::json`].

pub use platform_types::json::{sorted, strict as parse};

/// Deepest nesting of a request's body.
pub const MAX_DEPTH: usize = 16;
/// Deepest nesting of an answer.
pub const MAX_ANSWER_DEPTH: usize = 64;
