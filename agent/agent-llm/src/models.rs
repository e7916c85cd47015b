//! What the box lists, kept for a while: a turn asks for its model's context window and must not wait for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform_types::spark::{Model, ModelList};
use platform_types::{ModelId, Timestamp};

use crate::learned::Learned;
use crate::{LlmClient, LlmError};

/// A list older than this is asked for again.
const FRESH_MILLIS: i64 = 30_000;
/// Time for one list. A slow box must not hold up a turn, which works without it too.
const LIST_TIMEOUT: Duration = Duration::from_secs(3);

/// The list as it was last seen.
#[derive(Debug)]
pub struct Models {
    client: LlmClient,
    seen: Mutex<Option<Seen>>,
    learned: Mutex<Learned>,
}

#[derive(Debug, Clone)]
struct Seen {
    at: Timestamp,
    models: Vec<Model>,
}

impl Models {
    pub fn new(client: LlmClient) -> Self {
        Self { client, seen: Mutex::new(None), learned: Mutex::default() }
    }

    /// Asks the box now.
    pub async fn refresh(&self, now: Timestamp) -> Result<Vec<Model>, LlmError> {
        let client = self.client.http().clone().with_timeout(LIST_TIMEOUT);
        let list: ModelList = client.get("/v1/models").await.map_err(|error| match error {
            platform_kit::client::CallError::Refused { code, message, .. } => {
                LlmError::Refused { code, message, overflow: None }
            }
            other => LlmError::from_call(other),
        })?;
        self.learned().check(&list.data);
        let seen = Seen { at: now, models: list.data.clone() };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(list.data)
    }

    /// The context window of `model`, in tokens: as listed, or less where the box told so later. Asks the box when nothing is
    /// known; `None` where it does not tell.
    pub async fn context_window(&self, model: &ModelId, now: Timestamp) -> Option<u32> {
        if self.listed(model).is_none() {
            // A box that cannot be asked is told about when the completion fails.
            let _ = self.refresh(now).await;
        }
        self.known_window(model)
    }

    /// The context window of `model` as far as it is known already.
    pub fn known_window(&self, model: &ModelId) -> Option<u32> {
        let listed = self.listed(model).and_then(|listed| listed.context_window);
        self.learned().window(model, listed)
    }

    /// Remembers a window, in estimated tokens, that the box told when a prompt did not fit.
    pub fn learn(&self, model: &ModelId, window: u32) {
        let listed = self.listed(model).and_then(|listed| listed.context_window);
        self.learned().learn(model, window, listed);
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list is old, or there is none.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().is_none_or(|seen| now.millis_since(seen.at).abs() > FRESH_MILLIS)
    }

    fn listed(&self, model: &ModelId) -> Option<Model> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let models = &seen.as_ref()?.models;
        models.iter().find(|listed| listed.id == *model).cloned()
    }
}
