//! The end of turns: a person stops one, or the agent stops.

use std::time::Duration;

use agent_core::turn::Cancel;
use tokio::sync::oneshot;

use super::hub::{Hub, Input};

/// Time for running turns to finish by themselves when the agent stops.
pub const DRAIN_FINISH: Duration = Duration::from_secs(10);
/// Time after which the agent stops whatever is left: the contract gives 20 s for everything.
pub const DRAIN_CLOSE: Duration = Duration::from_secs(18);

impl Hub {
    pub(super) fn stop(&mut self, session: &str) {
        if let Some(live) = self.live.get(session) {
            live.cancel(Cancel::Stopped);
        }
    }

    /// No new turns; those that run may finish for a while.
    pub(super) fn drain(&mut self, done: oneshot::Sender<()>) {
        tracing::info!(running = self.live.len(), "draining");
        self.draining = Some(done);
        let inbox = self.inbox.clone();
        platform_kit::task::spawn("drain timer", async move {
            tokio::time::sleep(DRAIN_FINISH).await;
            // A hub that has ended needs no reminder.
            let _ = inbox.send(Input::DrainClose).await;
            tokio::time::sleep(DRAIN_CLOSE.saturating_sub(DRAIN_FINISH)).await;
            let _ = inbox.send(Input::DrainEnd).await;
        });
    }

    pub(super) fn interrupt_all(&mut self) {
        for live in self.live.values() {
            live.cancel(Cancel::Interrupted);
        }
    }

    pub(super) fn end_when_drained(&mut self) {
        if self.draining.is_some() && self.live.is_empty() && self.pending == 0 {
            self.ended = true;
        }
    }
}
