//! What the supervisor is told.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use platform_types::Timestamp;
use platform_types::gate::{Caller, GateEvent};
use tokio::sync::broadcast;

use crate::limits::{MAX_QUEUED_EVENTS, SEEN_EVERY_MILLIS};

/// Callers that are remembered before old ones are forgotten.
const MAX_REMEMBERED: usize = 256;

/// The live part of `GET /events`.
#[derive(Debug)]
pub struct Events {
    live: broadcast::Sender<GateEvent>,
    seen: Mutex<HashMap<Caller, Timestamp>>,
}

impl Default for Events {
    fn default() -> Self {
        Self { live: broadcast::Sender::new(MAX_QUEUED_EVENTS), seen: Mutex::default() }
    }
}

impl Events {
    pub fn subscribe(&self) -> broadcast::Receiver<GateEvent> {
        self.live.subscribe()
    }

    /// Tells whoever listens. What counts is told again on the next connection.
    pub fn tell(&self, event: GateEvent) {
        let _ = self.live.send(event);
    }

    /// Tells that a caller was there, at most once a minute each; whether it was told.
    pub fn seen(&self, who: &Caller, now: Timestamp) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.get(who).is_some_and(|at| (0..SEEN_EVERY_MILLIS).contains(&now.millis_since(*at))) {
            return false;
        }
        if seen.len() >= MAX_REMEMBERED {
            seen.retain(|_, at| now.millis_since(*at) < SEEN_EVERY_MILLIS);
        }
        seen.insert(who.clone(), now);
        drop(seen);
        self.tell(GateEvent::Seen { who: who.clone(), at: now });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_reported_once_a_minute() {
        let events = Events::default();
        let mut live = events.subscribe();
        let who = Caller::Token { name: "nightly".into() };
        for (at, told) in [(1_000, true), (1_001, false), (60_999, false), (61_000, true), (61_001, false)] {
            events.seen(&who, Timestamp(at));
            assert_eq!(live.try_recv().is_ok(), told, "at {at}");
        }
    }
}
