//! The connections that wait for a request.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use platform_kit::task;
use tokio::time::{Instant, sleep_until};

use super::{IDLE, Line, MAX_KEPT};

/// Used last, taken first.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Each with the moment in which its last answer ended; the oldest first.
    idle: Vec<(Instant, Line)>,
    /// A task closes them in time.
    swept: bool,
}

impl Kept {
    /// A connection that takes a request now.
    pub async fn take(&self) -> Option<Line> {
        loop {
            let (since, mut line) = self.lock().idle.pop()?;
            if since.elapsed() >= IDLE {
                continue;
            }
            // A look at what has come meanwhile, such as its end.
            poll_fn(|context| {
                line.driver.drive(context);
                Poll::Ready(())
            })
            .await;
            if line.sender.is_ready() {
                return Some(line);
            }
        }
    }

    /// A connection whose answer has ended.
    pub fn put(self: &Arc<Self>, line: Line) {
        if line.sender.is_closed() {
            return;
        }
        let mut waiting = self.lock();
        if waiting.idle.len() == MAX_KEPT {
            return;
        }
        waiting.idle.push((Instant::now(), line));
        if !std::mem::replace(&mut waiting.swept, true) {
            task::spawn("idle connections", sweep(self.clone()));
        }
    }

    /// Closes what has waited too long; when the next one has, if there is one.
    fn expire(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        waiting.idle.retain(|(since, _)| since.elapsed() < IDLE);
        let next = waiting.idle.iter().map(|(since, _)| *since + IDLE).min();
        waiting.swept = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(kept: Arc<Kept>) {
    while let Some(next) = kept.expire() {
        sleep_until(next).await;
    }
}
