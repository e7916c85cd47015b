//! Routers with other limits than the default, and what they say of the queue.

use std::time::Duration;

use platform_types::ProfileName;
use platform_types::spark::{Backend, LaneStatus, PROGRESS_HEADER, SparkLimits, SparkStatus};
use spark::place::Limits;

use crate::running::Running;

/// The most patient limits; tests shorten the one that they are about.
pub const PATIENT: SparkLimits = SparkLimits {
    concurrency: 4,
    queue: 32,
    connect_seconds: 30,
    first_byte_seconds: 3_600,
    idle_seconds: 3_600,
    total_seconds: 86_400,
};

/// A second of the configured limits takes 10 ms, and progress is told at once and often.
pub fn hasty() -> Limits {
    let tick = Duration::from_millis(5);
    Limits { second: Duration::from_millis(10), grace: tick, progress: tick, ..Limits::default() }
}

/// Asks for progress.
pub const PROGRESS: (&str, &str) = (PROGRESS_HEADER, "1");

/// Starts a router with these configured limits for both profiles.
pub async fn limited(backend: Backend, given: SparkLimits, limits: Limits) -> Running {
    let mut running = Running::start(limits);
    running.given = given;
    running.push(1, backend, &["personal", "ops"]).await.unwrap();
    running
}

/// A profile's part of the queue.
pub fn queue_of(status: &SparkStatus, profile: &str) -> LaneStatus {
    status.lanes.get(&ProfileName::new(profile).unwrap()).copied().unwrap_or_default()
}
