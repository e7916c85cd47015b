//! Where the supervisor's latest word is kept, in memory.

use std::sync::{Mutex, PoisonError};

use platform_types::Timestamp;
use platform_types::platform::PlatformView;

use crate::tool::ToolError;

/// A word that is older is said to be old: the supervisor tells every few seconds.
const FRESH_MILLIS: i64 = 60_000;

/// The latest view.
#[derive(Debug, Default)]
pub struct Board(Mutex<Option<PlatformView>>);

impl Board {
    pub fn put(&self, view: PlatformView) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
    }

    /// The view, and a warning where it is old.
    pub fn read(&self, now: Timestamp) -> Result<(PlatformView, Option<String>), ToolError> {
        let view = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let view = view.ok_or_else(|| {
            ToolError("the supervisor has not told anything yet; try again in some seconds".to_owned())
        })?;
        let age = now.millis_since(view.at);
        let old =
            (age > FRESH_MILLIS).then(|| format!("this is {} s old: the supervisor has been silent since", age / 1000));
        Ok((view, old))
    }
}
