//! JSON log lines on standard output.
//!
//! The message is a constant lower-case sentence; the data is in fields. Message bodies and secrets are never logged.

use platform_types::layout::env;
use tracing_subscriber::EnvFilter;

/// Starts logging. `BOT_LOG` is a filter such as `info` or `gate=debug`; an unreadable one falls back to `info`.
pub fn init() {
    let filter = crate::environment::optional(env::LOG)
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        // A line that cannot be written is lost. Complaining on standard error would panic where that is the same full disk.
        .log_internal_errors(false)
        .init();
}
