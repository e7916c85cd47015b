//! What a person confirms before it is done: waited for, and its outcome in words. The gate keeps the confirmations of
//! upstreams, spark those of the switch; both answer in the same shape.
//!
//! Invariant: what was asked is never asked again.

use std::future::Future;
use std::time::Duration;

use platform_kit::client::CallError;
use platform_types::egress::Outcome;
use serde_json::Value;
use tokio::time::sleep;

use crate::tool::{Context, ToolError};

/// Waiting for a person is part of the run: close to the longest turn.
pub(crate) const MAX_RUN: Duration = Duration::from_mins(28);
/// An open question is answered within 25 s.
pub(crate) const POLL_TIME: Duration = Duration::from_secs(35);
/// Pause before one that does not answer is asked again how a confirmation stands.
const POLL_PAUSE: Duration = Duration::from_secs(2);
/// Polls in a row that may fail: a container that is replaced is away for seconds.
const MAX_FAILED_POLLS: u32 = 60;

/// Who keeps confirmations.
pub(crate) trait Keeper: Sync {
    /// How one stands, at once when that is final, else after a while. `None` when it is not known.
    fn confirmation(&self, id: &str) -> impl Future<Output = Result<Option<Outcome>, CallError>> + Send;
}

/// What is said of outcomes that are not the same everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub superseded: &'static str,
    /// Before the reason.
    pub failed: &'static str,
}

/// Why there is no result.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nothing was done.
    Undone(ToolError),
    /// It may have been done.
    Unknown(ToolError),
}

impl From<Ended> for ToolError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Undone(error) | Ended::Unknown(error) => error,
        }
    }
}

/// Waits until a person has decided and what was asked is done: status and body of what was done.
pub(crate) async fn outcome(
    keeper: &impl Keeper,
    id: &str,
    context: &Context,
    words: Words,
) -> Result<(u16, Option<Value>), Ended> {
    context.progress.confirming(true);
    let outcome = wait(keeper, id).await;
    context.progress.confirming(false);
    let words = match outcome {
        Some(Outcome::Done { status, body }) => return Ok((status, body)),
        Some(Outcome::Denied) => "a person denied it: nothing was done. Do not try it again by other means",
        Some(Outcome::Expired) => "nobody confirmed it in time: nothing was done",
        Some(Outcome::Superseded) => words.superseded,
        Some(Outcome::Failed { message }) => {
            return Err(Ended::Undone(ToolError(format!("{}: {message}", words.failed))));
        }
        Some(Outcome::Unknown | Outcome::Pending { .. } | Outcome::Running) | None => {
            let words =
                "whether it took effect is not known. Do not repeat it; find out by reading, or tell the person";
            return Err(Ended::Unknown(ToolError(words.to_owned())));
        }
    };
    Err(Ended::Undone(ToolError(words.to_owned())))
}

/// An id that can be a part of a path.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Waits until a confirmation is final. `None` when it is not known, or its keeper does not answer any more.
async fn wait(keeper: &impl Keeper, id: &str) -> Option<Outcome> {
    let mut failed = 0;
    loop {
        match keeper.confirmation(id).await {
            Ok(Some(outcome)) if outcome.is_final() => return Some(outcome),
            Ok(Some(_)) => failed = 0,
            Ok(None) => return None,
            Err(_) => {
                failed += 1;
                if failed > MAX_FAILED_POLLS {
                    return None;
                }
                sleep(POLL_PAUSE).await;
            }
        }
    }
}
