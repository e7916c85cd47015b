//! What the probes mean for a container whose process should be running.

use platform_types::Timestamp;

use super::world::World;
use crate::observed::{Answer, ObservedContainer, Probe, State};
use crate::report::{Condition, Waiting};
use crate::words;

/// Probes without an answer before a process counts as wedged, and the time they have to span.
pub const SILENT_PROBES: u32 = 3;
pub const SILENT_MILLIS: i64 = 10_000;
/// A process that was just started may be silent for this long.
pub const STARTUP_MILLIS: i64 = 15_000;
/// A configured process that answers "not ready" for this long is restarted.
pub const UNREADY_MILLIS: i64 = 60_000;

/// What is known about a process.
#[derive(Debug)]
pub(super) enum Health<'a> {
    Answering(&'a Answer),
    /// Too early to say; look again at the time, if there is one.
    Unknown(Waiting, Option<Timestamp>),
    /// It counts as dead.
    Wedged {
        evidence: String,
    },
}

/// A process that was never probed is never judged: after a restart of the supervisor that is everybody.
pub(super) fn of<'a>(world: World<'a>, container: &'a ObservedContainer) -> Health<'a> {
    match &container.probe {
        Probe::Never => Health::Unknown(Waiting::FirstAnswer, None),
        Probe::Answering(_) if container.state == State::Paused => Health::Unknown(Waiting::FirstAnswer, None),
        Probe::Answering(answer) => Health::Answering(answer),
        Probe::Silent { since, failures, error } => {
            let grace = container.started_at.unwrap_or(*since).plus_millis(STARTUP_MILLIS);
            let until = since.plus_millis(SILENT_MILLIS).max(grace);
            if world.now < until || *failures < SILENT_PROBES {
                let wake = (world.now < until).then_some(until);
                return Health::Unknown(Waiting::Silence { until, error: words::reported(error) }, wake);
            }
            let silence = words::duration(world.now.millis_since(*since));
            let paused = if container.state == State::Paused { "it is paused and " } else { "" };
            Health::Wedged { evidence: format!("{paused}did not answer for {silence}") }
        }
    }
}

/// The condition that a report shows.
pub(super) fn condition(container: &ObservedContainer) -> (Condition, Option<Timestamp>) {
    match (&container.state, &container.probe) {
        (State::Running, Probe::Answering(answer)) if answer.ready => (Condition::Ready, Some(answer.since)),
        (State::Running, Probe::Answering(answer)) => (Condition::Unready, Some(answer.since)),
        (State::Running, Probe::Silent { since, .. }) => (Condition::Silent, Some(*since)),
        (State::Running, Probe::Never) => (Condition::Starting, container.started_at),
        (State::Paused, _) => (Condition::Paused, None),
        (State::Created, _) => (Condition::Starting, None),
        (State::Exited { at, .. }, _) => (Condition::Exited, Some(*at)),
        (State::Removing | State::Dead, _) => (Condition::Missing, None),
    }
}
