//! The queue for places at the box: [`schedule`] decides, this waits.
//!
//! A [`Seat`] is a place at the box; dropping it gives the place to the next. A [`Waiter`] is in the queue; dropping it
//! leaves the queue. So whatever ends a request, its place is free in the same moment.

pub mod schedule;
mod seated;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform_types::spark::{LaneStatus, Priority, SparkLimits};
use platform_types::{ErrorCode, ProfileName};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::refusal::Refusal;
use schedule::Id;
use state::{Hold, MAX_RETRY_SECONDS, State};

/// What a waiter waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// So many of its profile have their turn before it does, itself counted.
    At(u32),
    /// Nobody starts until the queue is released, which may be about then.
    Held(Option<Instant>),
    /// It has a place.
    Go,
}

/// The queue of all profiles.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// How many run.
    running: watch::Sender<usize>,
}

/// What becomes of a request that comes.
#[derive(Debug)]
pub enum Entered {
    Seated(Seat),
    Waits(Waiter),
}

/// A place at the box.
#[derive(Debug)]
pub struct Seat {
    queue: Arc<Queue>,
    profile: ProfileName,
}

/// A request in the queue.
#[derive(Debug)]
pub struct Waiter {
    queue: Arc<Queue>,
    profile: ProfileName,
    id: Id,
    turn: watch::Receiver<Turn>,
    is_seated: bool,
}

impl Default for Queue {
    fn default() -> Self {
        let state = State::new(&SparkLimits::default());
        Self { state: Mutex::new(state), running: watch::Sender::new(0) }
    }
}

impl Queue {
    /// Puts limits in force for these profiles.
    pub fn resize(&self, limits: &SparkLimits, profiles: &[ProfileName]) {
        self.change(|state| state.resize(limits, profiles));
    }

    /// A request comes.
    pub fn enter(self: &Arc<Self>, profile: &ProfileName, priority: Priority) -> Result<Entered, Refusal> {
        self.change(|state| {
            let id = match state.schedule.arrive(profile, priority) {
                Ok(id) => id,
                Err(full) => return Err(state.full(profile, full)),
            };
            if state.advance(Some(id)) {
                state.tally(profile).admitted += 1;
                return Ok(Entered::Seated(Seat { queue: self.clone(), profile: profile.clone() }));
            }
            let turn = state.wait(profile, id);
            Ok(Entered::Waits(Waiter { queue: self.clone(), profile: profile.clone(), id, turn, is_seated: false }))
        })
    }

    /// The refusal for a request that waited for as long as a request may take.
    pub fn waited_in_vain(&self, profile: &ProfileName) -> Refusal {
        self.change(|state| state.tally(profile).full += 1);
        let message = "no place at the model box was free in the time that a request may take; try again later";
        Refusal::router(ErrorCode::QueueFull, message).with_retry_after(MAX_RETRY_SECONDS)
    }

    /// Until a request at this position has its place, as far as the profile's own waits tell.
    pub fn ahead(&self, profile: &ProfileName, position: u32) -> Option<Duration> {
        self.lock().lanes.get(profile)?.pace?.checked_mul(position)
    }

    /// From now on nobody starts, perhaps until then; who runs goes on.
    pub fn hold(&self, until: Option<Instant>) {
        self.change(|state| {
            state.held = Some(Hold { until });
            state.schedule.hold(true);
            for waiting in state.waiting.values() {
                waiting.turn.send_replace(Turn::Held(until));
            }
        });
    }

    /// Ends what [`Self::hold`] began.
    pub fn release(&self) {
        self.change(|state| {
            state.held = None;
            state.schedule.hold(false);
            state.advance(None);
            let profiles: Vec<ProfileName> = state.lanes.keys().cloned().collect();
            for profile in &profiles {
                state.tell(profile);
            }
        });
    }

    /// How many run.
    pub fn running(&self) -> usize {
        *self.running.borrow()
    }

    /// Waits until nobody runs.
    pub async fn idle(&self) {
        // The sender is in `self`.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }

    pub fn lanes(&self) -> BTreeMap<ProfileName, LaneStatus> {
        let state = self.lock();
        state.lanes.iter().map(|(profile, tally)| (profile.clone(), state.lane(profile, tally))).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let outcome = change(&mut state);
        let running = state.schedule.running();
        self.running.send_if_modified(|known| std::mem::replace(known, running) != running);
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.queue.change(|state| {
            state.schedule.finish(&self.profile);
            state.advance(None);
        });
    }
}

impl Waiter {
    /// Waits for the place, and tells each turn until then.
    pub async fn seated(mut self, mut tell: impl FnMut(Turn)) -> Seat {
        loop {
            let turn = *self.turn.borrow_and_update();
            if turn == Turn::Go {
                break;
            }
            tell(turn);
            // The sender goes away only after it said `Go`, which `changed` reports first.
            let _ = self.turn.changed().await;
        }
        self.is_seated = true;
        Seat { queue: self.queue.clone(), profile: self.profile.clone() }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.is_seated {
            return;
        }
        self.queue.change(|state| {
            if !state.schedule.leave(&self.profile, self.id) {
                // It was given a place in this very moment.
                state.schedule.finish(&self.profile);
                state.advance(None);
            }
            state.waiting.remove(&self.id);
            state.tell(&self.profile);
        });
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
