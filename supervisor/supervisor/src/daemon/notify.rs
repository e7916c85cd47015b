//! What systemd is told: ready, alive, stopping. Elsewhere nobody listens, and that is fine.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// Feeds systemd's watchdog from the loop: a loop that does not turn is restarted.
#[derive(Debug)]
pub struct Watchdog {
    every: Option<Duration>,
    fed: Instant,
}

impl Watchdog {
    /// Says that the daemon is ready.
    pub fn ready() -> Self {
        tell(&[NotifyState::Ready]);
        // Three times in the interval, so that one late turn is no reason.
        let every = sd_notify::watchdog_enabled().map(|interval| interval / 3);
        Self { every, fed: Instant::now() }
    }

    /// The loop has turned.
    pub fn turned(&mut self) {
        if self.every.is_some_and(|every| self.fed.elapsed() >= every) {
            self.fed = Instant::now();
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Says that the daemon is stopping.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
