//! Who gets the next place at the box. Pure: no clock, no I/O.
//!
//! Between profiles: of those that wait, the one with the fewest requests at the box; among equals the one that was served
//! longest ago. What a request says of its priority is not looked at here, so a profile that lies gains nothing.
//!
//! Within a profile: chats before cron, each in the order of their arrival. A cron that waits is passed by
//! [`CRON_PATIENCE`] chats, and then goes first.
//!
//! Invariants: no more than `concurrency` requests run; no place is free while somebody waits, unless the queue is held; a
//! profile below its share of the queue is never refused.

use std::collections::{BTreeMap, VecDeque};

use platform_types::ProfileName;
use platform_types::spark::Priority;

/// So many chats of its own profile pass a cron that waits.
pub const CRON_PATIENCE: u32 = 4;

/// A request, counted from 1 since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

/// The profile's share of the queue is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// So many of its requests wait.
    pub share: usize,
}

/// Who runs and who waits.
#[derive(Debug)]
pub struct Schedule {
    concurrency: usize,
    share: usize,
    held: bool,
    lanes: BTreeMap<ProfileName, Lane>,
    arrivals: u64,
    starts: u64,
}

/// One profile.
#[derive(Debug, Clone, Default)]
struct Lane {
    running: usize,
    chats: VecDeque<Id>,
    crons: VecDeque<Id>,
    /// Chats that started while a cron waited, since the last cron started.
    passed: u32,
    /// When its last request started, counted in starts.
    served: u64,
}

/// What a lane holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    pub running: usize,
    pub chats: usize,
    pub crons: usize,
}

impl Schedule {
    /// `queue` is divided among so many profiles; each has a share of one at least.
    pub fn new(concurrency: usize, queue: usize, profiles: usize) -> Self {
        let mut schedule =
            Self { concurrency: 0, share: 0, held: false, lanes: BTreeMap::new(), arrivals: 0, starts: 0 };
        schedule.resize(concurrency, queue, profiles);
        schedule
    }

    /// Other limits from now on. Who runs or waits already goes on doing so.
    pub fn resize(&mut self, concurrency: usize, queue: usize, profiles: usize) {
        self.concurrency = concurrency.max(1);
        self.share = (queue / profiles.max(1)).max(1);
    }

    /// While it is held nobody starts.
    pub fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub fn is_held(&self) -> bool {
        self.held
    }

    /// A request comes, and waits until [`Self::start`] names it.
    pub fn arrive(&mut self, profile: &ProfileName, priority: Priority) -> Result<Id, Full> {
        let (share, is_next) = (self.share, !self.held && self.running() < self.concurrency);
        if !self.lanes.contains_key(profile) {
            self.lanes.insert(profile.clone(), Lane::default());
        }
        let lane = self.lanes.entry(profile.clone()).or_default();
        if lane.waiting() >= share && !is_next {
            return Err(Full { share });
        }
        self.arrivals += 1;
        let id = Id(self.arrivals);
        match priority {
            Priority::Chat => lane.chats.push_back(id),
            Priority::Cron => lane.crons.push_back(id),
        }
        Ok(id)
    }

    /// The next request that gets a place, if there is a place and somebody waits.
    pub fn start(&mut self) -> Option<(ProfileName, Id)> {
        if self.held || self.running() >= self.concurrency {
            return None;
        }
        let waiting = self.lanes.iter_mut().filter(|(_, lane)| lane.waiting() > 0);
        let (profile, lane) = waiting.min_by_key(|(_, lane)| (lane.running, lane.served))?;
        let id = lane.next()?;
        self.starts += 1;
        lane.served = self.starts;
        lane.running += 1;
        Some((profile.clone(), id))
    }

    /// A request that waited goes away; false: it does not wait (any more).
    pub fn leave(&mut self, profile: &ProfileName, id: Id) -> bool {
        let Some(lane) = self.lanes.get_mut(profile) else { return false };
        let before = lane.waiting();
        lane.chats.retain(|waiting| *waiting != id);
        lane.crons.retain(|waiting| *waiting != id);
        if lane.crons.is_empty() {
            lane.passed = 0;
        }
        lane.waiting() < before
    }

    /// A request of this profile gives its place back.
    pub fn finish(&mut self, profile: &ProfileName) {
        if let Some(lane) = self.lanes.get_mut(profile) {
            lane.running = lane.running.saturating_sub(1);
        }
    }

    /// The requests of a profile that wait, in the order in which they start if none comes or goes.
    pub fn order(&self, profile: &ProfileName) -> Vec<Id> {
        let Some(mut lane) = self.lanes.get(profile).cloned() else { return Vec::new() };
        std::iter::from_fn(|| lane.next()).collect()
    }

    pub fn depth(&self, profile: &ProfileName) -> Depth {
        self.lanes.get(profile).map(Lane::depth).unwrap_or_default()
    }

    pub fn running(&self) -> usize {
        self.lanes.values().map(|lane| lane.running).sum()
    }
}

impl Lane {
    fn waiting(&self) -> usize {
        self.chats.len() + self.crons.len()
    }

    fn depth(&self) -> Depth {
        Depth { running: self.running, chats: self.chats.len(), crons: self.crons.len() }
    }

    /// Takes the next one out of the queue.
    fn next(&mut self) -> Option<Id> {
        let is_cron = !self.crons.is_empty() && (self.chats.is_empty() || self.passed >= CRON_PATIENCE);
        if is_cron {
            self.passed = 0;
            return self.crons.pop_front();
        }
        if !self.crons.is_empty() {
            self.passed += 1;
        }
        self.chats.pop_front()
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
