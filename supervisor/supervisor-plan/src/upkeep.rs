//! What is done to the repositories by the clock: which profile needs a snapshot now, whether its newest is too old, and when a
//! try that failed is made again. Pure.
//!
//! **Invariants.** A due time is known from the schedule and the newest whole snapshot alone, so one that passed while nothing
//! ran is made up for, once. A snapshot from the future does not count: the clock was wrong when it was taken.
//!
//! ```text
//!   due time passed ─▶ begun (in the ledger) ─▶ done
//!         ▲                     ├── failed ───▶ again after 30 s, 1 min, … 1 h
//!         └─────────────────────┴── cut off ──▶ again at once; after the third time in a row as if it had failed
//! ```

use jiff::civil::Date;
use jiff::tz::TimeZone;
use platform_types::Timestamp;
use platform_types::schedule::Expression;

/// After the first failure; doubled with each further one.
const FIRST_BACKOFF_MILLIS: i64 = 30_000;
/// Never longer than this between two tries.
const MAX_BACKOFF_MILLIS: i64 = 3_600_000;
/// A supervisor that is killed in the middle is no fault of the snapshot; one that dies of it again and again is.
const FREE_CUTS: u32 = 3;
/// Without a schedule a snapshot is stale after a week.
pub const STALE_MILLIS: i64 = 7 * 24 * 3_600_000;
/// A clock that is set right moves by less.
const CLOCK_SLACK_MILLIS: i64 = 5 * 60_000;
/// Days that are looked at for a due time: the 29th of February is at most eight years away.
const MAX_DAYS: usize = 8 * 366;

/// What is done by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    Snapshot,
    Prune,
    Check,
}

/// How the tries of one kind of work on one profile went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// When the latest try began.
    pub began_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Tries in a row that failed.
    pub failures: u32,
    /// Tries in a row that ended because the supervisor did.
    pub cuts: u32,
    /// Why the latest try came to nothing.
    pub error: Option<String>,
    /// When one succeeded last.
    pub done_at: Option<Timestamp>,
    /// What that came to, in words.
    pub outcome: Option<String>,
}

/// When snapshots are taken.
#[derive(Debug, Clone)]
pub struct Timetable {
    schedule: Expression,
    zone: TimeZone,
}

/// Whether something is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is to be done before this.
    Rest { until: Option<Timestamp> },
    /// It was due at `since`, and may begin.
    Due { since: Timestamp },
}

impl JobKind {
    pub const ALL: [Self; 3] = [Self::Snapshot, Self::Prune, Self::Check];

    /// As records name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Prune => "prune",
            Self::Check => "check",
        }
    }
}

impl Job {
    /// Before this no further try begins. `None`: at once.
    pub fn rests_until(&self) -> Option<Timestamp> {
        let count = self.failures + self.cuts.saturating_sub(FREE_CUTS);
        let doublings = count.checked_sub(1)?.min(16);
        let millis = (FIRST_BACKOFF_MILLIS << doublings).min(MAX_BACKOFF_MILLIS);
        Some(self.ended_at.unwrap_or(self.began_at).plus_millis(millis))
    }

    /// A clock that was set back must not keep anything from being tried for longer than a back-off.
    fn may_begin(&self, now: Timestamp) -> Result<(), Timestamp> {
        match self.rests_until() {
            Some(until) if now < until && until.millis_since(now) <= MAX_BACKOFF_MILLIS => Err(until),
            _ => Ok(()),
        }
    }
}

impl Timetable {
    /// `None`: there is no such time zone.
    pub fn new(schedule: Expression, zone: &str) -> Option<Self> {
        Some(Self { schedule, zone: TimeZone::get(zone).ok()? })
    }

    /// The newest due time that is not after `now`.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        let mut day = Some(self.day(now)?);
        for _ in 0..MAX_DAYS {
            let found = self.times(day?).into_iter().rev().find(|at| *at <= now);
            if found.is_some() {
                return found;
            }
            day = day?.yesterday().ok();
        }
        None
    }

    /// The next due time after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let mut day = Some(self.day(now)?);
        for _ in 0..MAX_DAYS {
            let found = self.times(day?).into_iter().find(|at| *at > now);
            if found.is_some() {
                return found;
            }
            day = day?.tomorrow().ok();
        }
        None
    }

    fn day(&self, at: Timestamp) -> Option<Date> {
        let moment = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(moment.to_zoned(self.zone.clone()).date())
    }

    /// Due times of a day, in order. A time that is skipped in spring comes an hour later; one that is there twice in autumn
    /// counts once.
    fn times(&self, day: Date) -> Vec<Timestamp> {
        let [month, weekday] = [day.month(), day.weekday().to_sunday_zero_offset()].map(i8::unsigned_abs);
        if !self.schedule.fits_month(month) || !self.schedule.fits_day(day.day().unsigned_abs(), weekday) {
            return Vec::new();
        }
        let moment = |(hour, minute): (u8, u8)| {
            let time = day.at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0);
            let zoned = self.zone.to_ambiguous_zoned(time).compatible().ok()?;
            Some(Timestamp(zoned.timestamp().as_millisecond()))
        };
        let mut times: Vec<_> = self.schedule.times().filter_map(moment).collect();
        times.sort_unstable();
        times.dedup();
        times
    }
}

/// Whether a snapshot is to be taken now. `newest`: when the newest whole one was taken.
pub fn snapshot(timetable: &Timetable, newest: Option<Timestamp>, job: Option<&Job>, now: Timestamp) -> Verdict {
    let next = timetable.next(now);
    let Some(since) = timetable.last(now) else { return Verdict::Rest { until: next } };
    if believable(newest, now).is_some_and(|newest| newest >= since) {
        return Verdict::Rest { until: next };
    }
    when_allowed(since, job, now)
}

/// Whether old snapshots are to be forgotten now: there is a newer one than when it was done last.
pub fn prune(newest: Option<Timestamp>, job: Option<&Job>, now: Timestamp) -> Verdict {
    let Some(newest) = believable(newest, now) else { return Verdict::Rest { until: None } };
    if job.and_then(|job| job.done_at).is_some_and(|done| done >= newest) {
        return Verdict::Rest { until: None };
    }
    when_allowed(newest, job, now)
}

/// Whether the newest whole snapshot is too old, or there is none. Without an age of its own (`after_millis`) it is too old when two
/// due times in a row have passed since, or without a schedule after [`STALE_MILLIS`].
pub fn is_stale(
    timetable: Option<&Timetable>,
    after_millis: Option<i64>,
    newest: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    let Some(newest) = believable(newest, now) else { return true };
    let limit = match (after_millis, timetable) {
        (Some(millis), _) => Some(newest.plus_millis(millis)),
        (None, Some(timetable)) => timetable.next(newest).and_then(|next| timetable.next(next)),
        (None, None) => Some(newest.plus_millis(STALE_MILLIS)),
    };
    limit.is_some_and(|limit| limit <= now)
}

fn believable(newest: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    newest.filter(|newest| newest.millis_since(now) <= CLOCK_SLACK_MILLIS)
}

fn when_allowed(since: Timestamp, job: Option<&Job>, now: Timestamp) -> Verdict {
    match job.map_or(Ok(()), |job| job.may_begin(now)) {
        Ok(()) => Verdict::Due { since },
        Err(until) => Verdict::Rest { until: Some(until) },
    }
}

#[cfg(test)]
mod tests;
