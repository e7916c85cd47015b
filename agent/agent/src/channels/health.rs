//! Which channels are heard. One that can say something and hears nothing is not well, however quiet it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use platform_types::channel::NOT_HEARD;
use platform_types::{Timestamp, UpstreamName};

/// Longest reason that is told.
const MAX_WHY_CHARS: usize = 200;

/// The channels that are not heard, since when and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Mutex<BTreeMap<UpstreamName, (Timestamp, String)>>>);

impl Health {
    pub fn deaf(&self, channel: &UpstreamName, why: &str, now: Timestamp) {
        let why: String = why.chars().take(MAX_WHY_CHARS).collect();
        let mut deaf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = deaf.get_mut(channel) {
            *known = why;
        } else {
            tracing::error!(%channel, why, "the channel is not heard");
            deaf.insert(channel.clone(), (now, why));
        }
    }

    pub fn well(&self, channel: &UpstreamName) {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(channel).is_some() {
            tracing::info!(%channel, "the channel is heard again");
        }
    }

    /// A channel that is not configured any more.
    pub fn forget(&self, channel: &UpstreamName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }

    /// What people should know.
    pub fn notes(&self, now: Timestamp) -> Vec<String> {
        let deaf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let note = |(channel, (since, why)): (&UpstreamName, &(Timestamp, String))| {
            let minutes = now.millis_since(*since) / 60_000;
            format!("channel {channel} {NOT_HEARD} since {minutes} min: {why}")
        };
        deaf.iter().map(note).collect()
    }
}
