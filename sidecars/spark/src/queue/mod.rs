//! The queue for places at the box: [`schedule`] decides, this waits.
//!
//! A [`Seat`] is a place at the box; dropping it gives the place to the next. A [`Waiter`] is in the queue; dropping it
//! leaves the queue. So whatever ends a request, its place is free in the same moment.

pub mod schedule;
mod seated;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform_types::spark::{LaneStatus, Priority, SparkLimits};
use platform_types::{ErrorCode, ProfileName};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::refusal::Refusal;
use schedule::{Depth, Full, Id, Schedule};

/// `Retry-After` of a full queue while nothing is known of its pace; answers take seconds.
const RETRY_SECONDS: u32 = 2;
/// Longest `Retry-After` of a full queue.
const MAX_RETRY_SECONDS: u32 = 600;

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

#[derive(Debug)]
struct State {
    schedule: Schedule,
    held: Option<Hold>,
    waiting: HashMap<Id, Waiting>,
    lanes: BTreeMap<ProfileName, Tally>,
}

/// Nobody starts, perhaps until then.
#[derive(Debug, Clone, Copy)]
struct Hold {
    until: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    turn: watch::Sender<Turn>,
    since: Instant,
    /// Its position when it came.
    began_at: u32,
}

/// One profile since the process started.
#[derive(Debug, Default)]
struct Tally {
    admitted: u64,
    waited: Duration,
    full: u64,
    /// How long one position of the queue takes, smoothed.
    pace: Option<Duration>,
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
        let SparkLimits { concurrency, queue, .. } = SparkLimits::default();
        let schedule = Schedule::new(size(concurrency), size(queue), 1);
        let state = State { schedule, held: None, waiting: HashMap::new(), lanes: BTreeMap::new() };
        Self { state: Mutex::new(state), running: watch::Sender::new(0) }
    }
}

impl Queue {
    /// Puts limits in force for these profiles.
    pub fn resize(&self, limits: &SparkLimits, profiles: &[ProfileName]) {
        self.change(|state| {
            state.schedule.resize(size(limits.concurrency), size(limits.queue), profiles.len());
            state.lanes.retain(|profile, _| profiles.contains(profile));
            for profile in profiles {
                state.lanes.entry(profile.clone()).or_default();
            }
            state.advance(None);
        });
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
            let began_at = state.position(profile, id);
            let (sender, turn) = watch::channel(state.held.map_or(Turn::At(began_at), |hold| Turn::Held(hold.until)));
            state.waiting.insert(id, Waiting { turn: sender, since: Instant::now(), began_at });
            state.tell(profile);
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

impl State {
    /// Gives free places away; whether `own` got one.
    fn advance(&mut self, own: Option<Id>) -> bool {
        let mut is_own = false;
        while let Some((profile, id)) = self.schedule.start() {
            if own == Some(id) {
                is_own = true;
            } else if let Some(Waiting { turn, since, began_at }) = self.waiting.remove(&id) {
                let waited = since.elapsed();
                let tally = self.tally(&profile);
                tally.admitted += 1;
                tally.waited += waited;
                let sample = waited / began_at.max(1);
                tally.pace = Some(tally.pace.map_or(sample, |pace| (pace * 3 + sample) / 4));
                turn.send_replace(Turn::Go);
                self.tell(&profile);
            }
        }
        is_own
    }

    /// Tells the waiters of a profile where they stand.
    fn tell(&self, profile: &ProfileName) {
        if self.held.is_some() {
            return;
        }
        for (position, id) in (1..).zip(self.schedule.order(profile)) {
            if let Some(waiting) = self.waiting.get(&id) {
                let now = Turn::At(position);
                waiting.turn.send_if_modified(|turn| std::mem::replace(turn, now) != now);
            }
        }
    }

    fn position(&self, profile: &ProfileName, id: Id) -> u32 {
        let order = self.schedule.order(profile);
        let before = order.iter().take_while(|other| **other != id).count();
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    fn full(&mut self, profile: &ProfileName, Full { share }: Full) -> Refusal {
        let oldest = self.oldest(profile);
        let tally = self.tally(profile);
        tally.full += 1;
        // One position takes at least as long as the oldest of the queue has been waiting.
        let seconds = |pace: Duration| u32::try_from(pace.as_secs() + 1).unwrap_or(u32::MAX).min(MAX_RETRY_SECONDS);
        let seconds = tally.pace.max(oldest).map_or(RETRY_SECONDS, seconds);
        let message = format!("{share} requests of this profile wait for the model box; try again in {seconds} s");
        Refusal::router(ErrorCode::QueueFull, message).with_retry_after(seconds)
    }

    /// How long the oldest waiter of a profile waits.
    fn oldest(&self, profile: &ProfileName) -> Option<Duration> {
        let order = self.schedule.order(profile);
        order.iter().filter_map(|id| self.waiting.get(id)).map(|waiting| waiting.since.elapsed()).max()
    }

    fn tally(&mut self, profile: &ProfileName) -> &mut Tally {
        self.lanes.entry(profile.clone()).or_default()
    }

    fn lane(&self, profile: &ProfileName, tally: &Tally) -> LaneStatus {
        let Depth { running, chats, crons } = self.schedule.depth(profile);
        LaneStatus {
            running: running as u64,
            waiting_chat: chats as u64,
            waiting_cron: crons as u64,
            longest_wait_millis: millis(self.oldest(profile).unwrap_or_default()),
            admitted_total: tally.admitted,
            waited_millis_total: millis(tally.waited),
            queue_full_total: tally.full,
        }
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

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
