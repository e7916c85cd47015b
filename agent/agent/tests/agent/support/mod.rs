//! What every test needs: an agent, a page, and a model in the test's own hands.

pub mod agent;
pub mod bot_api;
pub mod gate;
pub mod house;
pub mod inside;
pub mod model;
pub mod page;
pub mod switching;

use std::future::Future;
use std::time::Duration;

/// Time after which a condition counts as never coming: far above what a loaded machine takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for `future`, but not for ever.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Asks `check` again and again until it gives a value.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, check: impl Fn() -> F) -> T {
    let mut pause = tokio::time::interval(Duration::from_millis(5));
    within(what, async {
        loop {
            pause.tick().await;
            if let Some(value) = check().await {
                return value;
            }
        }
    })
    .await
}
