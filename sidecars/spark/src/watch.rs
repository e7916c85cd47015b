//! Asks the box for its list at once and then now and then, so that the notes of `/readyz` are true while nobody chats.

use std::sync::Arc;

use platform_types::spark::BackendKind;

use crate::backend::Backend;
use crate::place::Watch;

/// Asks until it is dropped; each change of the answer is one line in the log. The demo model is never asked.
pub async fn watch(backend: Arc<Backend>, every: Watch) {
    if backend.kind() == BackendKind::Demo {
        return;
    }
    let mut fault = say(backend.look().await);
    loop {
        tokio::time::sleep(if fault.is_none() { every.well } else { every.unwell }).await;
        let found = backend.look().await;
        if found != fault {
            fault = say(found);
        }
    }
}

fn say(fault: Option<String>) -> Option<String> {
    match &fault {
        None => tracing::info!("the model box lists the configured model"),
        Some(problem) => tracing::warn!(problem, "the model box cannot be used"),
    }
    fault
}
