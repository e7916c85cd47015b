//! Who waits and since when, beside the schedule that says who is next. No I/O and nothing that waits.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use platform_types::spark::{LaneStatus, SparkLimits};
use platform_types::{ErrorCode, ProfileName};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Turn;
use super::schedule::{Depth, Full, Id, Schedule};
use crate::refusal::Refusal;

/// `Retry-After` of a full queue while nothing is known of its pace; answers take seconds.
const RETRY_SECONDS: u32 = 2;
/// Longest `Retry-After` of a full queue.
pub const MAX_RETRY_SECONDS: u32 = 600;

#[derive(Debug)]
pub struct State {
    pub schedule: Schedule,
    pub held: Option<Hold>,
    pub waiting: HashMap<Id, Waiting>,
    pub lanes: BTreeMap<ProfileName, Tally>,
}

/// Nobody starts, perhaps until then.
#[derive(Debug, Clone, Copy)]
pub struct Hold {
    pub until: Option<Instant>,
}

#[derive(Debug)]
pub struct Waiting {
    pub turn: watch::Sender<Turn>,
    pub since: Instant,
    /// Its position when it came.
    began_at: u32,
}

/// One profile since the process started.
#[derive(Debug, Default)]
pub struct Tally {
    pub admitted: u64,
    waited: Duration,
    pub full: u64,
    /// How long one position of the queue takes, smoothed.
    pub pace: Option<Duration>,
}

impl State {
    pub fn new(limits: &SparkLimits) -> Self {
        let schedule = Schedule::new(size(limits.concurrency), size(limits.queue), 1);
        Self { schedule, held: None, waiting: HashMap::new(), lanes: BTreeMap::new() }
    }

    pub fn resize(&mut self, limits: &SparkLimits, profiles: &[ProfileName]) {
        self.schedule.resize(size(limits.concurrency), size(limits.queue), profiles.len());
        self.lanes.retain(|profile, _| profiles.contains(profile));
        for profile in profiles {
            self.lanes.entry(profile.clone()).or_default();
        }
        self.advance(None);
    }

    /// A request that came has no place yet.
    pub fn wait(&mut self, profile: &ProfileName, id: Id) -> watch::Receiver<Turn> {
        let began_at = self.position(profile, id);
        let (sender, turn) = watch::channel(self.held.map_or(Turn::At(began_at), |hold| Turn::Held(hold.until)));
        self.waiting.insert(id, Waiting { turn: sender, since: Instant::now(), began_at });
        self.tell(profile);
        turn
    }

    /// Gives free places away; whether `own` got one.
    pub fn advance(&mut self, own: Option<Id>) -> bool {
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
    pub fn tell(&self, profile: &ProfileName) {
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

    pub fn full(&mut self, profile: &ProfileName, Full { share }: Full) -> Refusal {
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

    pub fn tally(&mut self, profile: &ProfileName) -> &mut Tally {
        self.lanes.entry(profile.clone()).or_default()
    }

    pub fn lane(&self, profile: &ProfileName, tally: &Tally) -> LaneStatus {
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

fn size(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
