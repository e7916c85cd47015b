//! A gate under test, and who talks to it.

pub mod agent;
pub mod browser;
pub mod device;
pub mod rig;
pub mod upstream;

use std::future::Future;
use std::time::Duration;

pub use agent::Agent;
pub use browser::{Answer, Socket};
pub use device::TestDevice;
pub use rig::Rig;

/// Far longer than anything takes; a test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for `future`, not for ever.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("this takes too long")
}
