//! Three facts about the box, each by its own test: it can be connected, it answers, the configured model is listed.

use std::time::Duration;

use platform_kit::Clock;
use platform_types::ErrorCode;
use platform_types::spark::SparkHealth;
use tokio::time::Instant;

use crate::backend::Backend;
use crate::catalogue::choose;
use crate::refusal::{Origin, Refusal};

/// Probes the box; a list younger than `max_age` counts as a probe.
pub async fn probe(backend: &Backend, max_age: Duration, clock: &dyn Clock) -> SparkHealth {
    let started = Instant::now();
    let outcome = backend.list_soon(max_age).await;
    let mut health = SparkHealth {
        backend: backend.kind(),
        url: backend.url(),
        model: backend.model().clone(),
        reachable: true,
        answering: outcome.is_ok(),
        model_listed: false,
        problem: None,
        checked_at: clock.now(),
        latency_millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    match outcome {
        Ok(listed) => {
            health.model_listed = listed.iter().any(|model| model.id == *backend.model());
            health.problem = choose(&listed, backend.model()).err().map(|refusal| {
                let remedy = if health.model_listed { "" } else { "; set [spark].model to one of these" };
                format!("{}{remedy}", refusal.message())
            });
        }
        Err(refusal) => {
            health.reachable = was_reached(&refusal);
            health.problem = Some(refusal.failure.message);
        }
    }
    health
}

/// Whether a failure is that of a box to which there was a connection.
fn was_reached(refusal: &Refusal) -> bool {
    let silent = matches!(
        refusal.code(),
        ErrorCode::UpstreamUnreachable | ErrorCode::UpstreamTimeoutFirstByte | ErrorCode::UpstreamUnauthorized
    );
    refusal.origin == Origin::Backend || !silent
}
