//! What systemd is told: ready, alive, stopping. Elsewhere nobody listens, and that is fine.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use supervisor_plan::observed::Engine;
use supervisor_plan::report::Condition;
use tokio::sync::watch;

use crate::api::view::is_well;
use crate::state::World;

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

/// Keeps the line that `systemctl status` shows, for as long as the daemon runs.
pub async fn keep_status(mut world: watch::Receiver<World>) {
    let mut said = String::new();
    loop {
        let line = status(&world.borrow_and_update());
        if line != said {
            tell(&[NotifyState::Status(&line)]);
            said = line;
        }
        if world.changed().await.is_err() {
            return;
        }
    }
}

fn status(world: &World) -> String {
    if matches!(world.observed.engine, Engine::Unreachable { .. }) {
        return "Docker does not answer".to_owned();
    }
    if is_well(world) {
        return format!("all is well: {} containers are ready", world.desired.services.len());
    }
    let waiting = world.desired.services.keys().filter_map(|target| {
        let condition = world.report.targets.get(target).map_or(Condition::Missing, |line| line.condition);
        (condition != Condition::Ready).then(|| format!("{target} {condition}"))
    });
    let waiting: Vec<_> = waiting.collect();
    match waiting.as_slice() {
        [] => "not everything is well; look with: botctl status".to_owned(),
        waiting => format!("not everything is well: {}", waiting.join(", ")),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use platform_types::ProfileName;
    use platform_types::layout::Roots;
    use supervisor_plan::Target;

    use super::*;
    use crate::example;

    #[test]
    fn the_status_line_names_what_is_not_ready() {
        let mut world = example::world(&Roots::system());
        assert_eq!(status(&world), "all is well: 6 containers are ready");
        let gate = Target::gate(&ProfileName::new("ops").unwrap());
        let mut report = (*world.report).clone();
        report.targets.get_mut(&gate).unwrap().condition = Condition::Missing;
        world.report = Arc::new(report);
        assert_eq!(status(&world), "not everything is well: ops/gate missing");
        world.problems = Arc::new(vec!["the disk is full".to_owned()]);
        world.report = example::world(&Roots::system()).report;
        assert_eq!(status(&world), "not everything is well; look with: botctl status");
        let mut observed = (*world.observed).clone();
        let since = platform_types::Timestamp(0);
        observed.engine = Engine::Unreachable { since, error: "connection refused".to_owned() };
        world.observed = Arc::new(observed);
        assert_eq!(status(&world), "Docker does not answer");
    }
}
