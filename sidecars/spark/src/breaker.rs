//! Whether there is a connection to the box, and since when there is none.
//!
//! It opens when a connection fails, and closes when one is made: by the next question for the list of models, which is
//! asked every few seconds meanwhile. What the box answers never opens it.

use platform_kit::clock::SharedClock;
use platform_types::Timestamp;
use platform_types::spark;
use tokio::sync::watch;

/// There is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    pub since: Timestamp,
    /// The innermost cause of the last attempt.
    pub cause: String,
}

/// The breaker of one box.
#[derive(Debug)]
pub struct Breaker {
    state: watch::Sender<Option<Open>>,
    clock: SharedClock,
}

impl Breaker {
    pub fn new(clock: SharedClock) -> Self {
        Self { state: watch::Sender::new(None), clock }
    }

    /// A connection was made.
    pub fn connected(&self) {
        if self.state.borrow().is_none() {
            return;
        }
        if let Some(Open { since, .. }) = self.state.send_replace(None) {
            let millis = self.clock.now().millis_since(since);
            tracing::info!(millis, "there is a connection to the model box again; requests go to it");
        }
    }

    /// No connection could be made.
    pub fn failed(&self, cause: &str) {
        self.state.send_if_modified(|state| {
            if let Some(open) = state {
                cause.clone_into(&mut open.cause);
                return false;
            }
            tracing::warn!(cause, "no connection to the model box; requests are refused until there is one");
            *state = Some(Open { since: self.clock.now(), cause: cause.to_owned() });
            true
        });
    }

    /// Why requests are refused, if they are.
    pub fn open(&self) -> Option<Open> {
        self.state.borrow().clone()
    }

    /// Waits until it has opened or closed since the last look of this receiver.
    pub fn changes(&self) -> watch::Receiver<Option<Open>> {
        self.state.subscribe()
    }

    pub fn status(&self) -> spark::Breaker {
        match self.open() {
            None => spark::Breaker::Closed,
            Some(Open { since, cause }) => spark::Breaker::Open { since, cause },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use platform_kit::Clock;

    use super::*;

    #[derive(Debug, Default)]
    struct Ticks(AtomicI64);

    impl Clock for Ticks {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    #[test]
    fn it_says_the_last_cause_and_the_first_moment() {
        let breaker = Breaker::new(Arc::new(Ticks::default()));
        let mut changes = breaker.changes();
        assert_eq!(breaker.status(), spark::Breaker::Closed);
        breaker.failed("connection refused");
        breaker.failed("no connection in time");
        assert_eq!(breaker.open(), Some(Open { since: Timestamp(0), cause: "no connection in time".to_owned() }));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        breaker.failed("no connection in time");
        assert!(!changes.has_changed().unwrap(), "it is open already");
        breaker.connected();
        assert!(changes.has_changed().unwrap());
        assert_eq!(breaker.status(), spark::Breaker::Closed);
    }
}
