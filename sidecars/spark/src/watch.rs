//! Asks the box for its list at once and then now and then, so that the notes of `/readyz` are true while nobody chats, and
//! often while there is no connection, so that requests go to it again soon.

use std::sync::Arc;

use tokio::sync::watch;

use crate::backend::Backend;
use crate::breaker::Open;
use crate::place::Watch;

/// Asks until it is dropped; each change of the answer is one line in the log. The demo model is never asked.
pub async fn watch(backend: Arc<Backend>, every: Watch) {
    let Some(breaker) = backend.breaker() else { return };
    let mut changes = breaker.changes();
    let mut faults = say(backend.look().await);
    loop {
        let is_open = changes.borrow_and_update().is_some();
        let pause = if is_open {
            every.open
        } else if faults.is_empty() {
            every.well
        } else {
            every.unwell
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // A chat was the first to find that there is no connection.
            true = opens(&mut changes), if !is_open => tokio::time::sleep(every.open).await,
        }
        let found = backend.look().await;
        if found != faults {
            faults = say(found);
        }
    }
}

async fn opens(changes: &mut watch::Receiver<Option<Open>>) -> bool {
    changes.wait_for(Option::is_some).await.is_ok()
}

fn say(faults: Vec<String>) -> Vec<String> {
    for problem in &faults {
        tracing::warn!(problem, "the model box cannot be used as it is configured");
    }
    if faults.is_empty() {
        tracing::info!("the model box lists the configured models");
    }
    faults
}
