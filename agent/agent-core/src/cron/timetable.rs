//! The due times of one job.
//!
//! An expression names times of day in a time zone. When clocks are put forward, a time of day that does not exist is due once, at
//! the moment of the change; when they are put back, one that exists twice is due once, the first time. Where the hour is `*` the
//! expression is about the minutes of each hour that passes, so every hour has its own, also the one that comes twice. Intervals
//! know no time of day: they are counted from the beginning of 1970, so a restart moves nothing.
//!
//! Expressions are evaluated here and not by a crate: `croner` brings `chrono` as a second calendar beside `jiff`, and of the
//! crates on `jiff` none gives a skipped time of day its one run.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use platform_types::Timestamp;
use platform_types::schedule::{Expression, When};

/// Every day that can be written as an expression comes within this: 29 February on a certain weekday, over a year without one.
const SEARCH_DAYS: u32 = 41 * 366;
/// Due times that passed are looked for this far back; who was away longer has missed enough to know.
const LOOK_BACK_DAYS: i64 = 400;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// When a job is due.
#[derive(Debug, Clone)]
pub struct Timetable {
    when: When,
    zone: TimeZone,
}

/// Due times that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub last: Timestamp,
    /// At least one.
    pub count: u32,
}

impl Timetable {
    /// `None` for a time zone that this release does not know.
    pub fn new(when: When, zone: &str) -> Option<Self> {
        Some(Self { when, zone: TimeZone::get(zone).ok()? })
    }

    /// The first due time after `at`.
    pub fn after(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.when {
            When::EverySeconds(interval) => {
                let step = i64::from(interval.seconds()) * 1000;
                Some(Timestamp((at.as_millis().div_euclid(step) + 1).checked_mul(step)?))
            }
            When::Schedule(expression) => {
                let mut date = self.date(at)?.yesterday().ok()?;
                for _ in 0..SEARCH_DAYS {
                    let next = date.tomorrow().ok()?;
                    let first = |date| self.day(expression, date).into_iter().find(|due| *due > at);
                    // A change of the clocks around midnight may bring the days' due times out of order.
                    if let Some(found) = first(date) {
                        return Some(first(next).map_or(found, |other| other.min(found)));
                    }
                    date = next;
                }
                None
            }
        }
    }

    /// The due times after `after`, up to and with `until`.
    pub fn passed(&self, after: Timestamp, until: Timestamp) -> Option<Passed> {
        let after = Timestamp(after.as_millis().max(until.as_millis().saturating_sub(LOOK_BACK_DAYS * DAY_MILLIS)));
        if after >= until {
            return None;
        }
        match &self.when {
            When::EverySeconds(interval) => {
                let step = i64::from(interval.seconds()) * 1000;
                let (from, to) = (after.as_millis().div_euclid(step), until.as_millis().div_euclid(step));
                let count = u32::try_from(to - from).unwrap_or(u32::MAX);
                (count > 0).then_some(Passed { last: Timestamp(to * step), count })
            }
            When::Schedule(expression) => {
                let mut date = self.date(after)?.yesterday().ok()?;
                let last_date = self.date(until)?.tomorrow().ok()?;
                let mut due = Vec::new();
                while date <= last_date {
                    due.extend(self.day(expression, date).into_iter().filter(|due| *due > after && *due <= until));
                    date = date.tomorrow().ok()?;
                }
                due.sort_unstable();
                due.dedup();
                Some(Passed { last: *due.last()?, count: u32::try_from(due.len()).unwrap_or(u32::MAX) })
            }
        }
    }

    fn date(&self, at: Timestamp) -> Option<Date> {
        let moment = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(self.zone.to_datetime(moment).date())
    }

    /// The due times that a date of the calendar gives, in order, each once.
    fn day(&self, expression: &Expression, date: Date) -> Vec<Timestamp> {
        let (Ok(month), Ok(day)) = (u8::try_from(date.month()), u8::try_from(date.day())) else { return Vec::new() };
        let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        if !(expression.fits_month(month) && expression.fits_day(day, weekday)) {
            return Vec::new();
        }
        let times = expression.times().map(|(hour, minute)| {
            let (hour, minute) = (i8::try_from(hour).unwrap_or(0), i8::try_from(minute).unwrap_or(0));
            date.at(hour, minute, 0, 0)
        });
        let mut due: Vec<Timestamp> = times.flat_map(|time| self.moments(time, expression.is_hourly())).collect();
        due.sort_unstable();
        due.dedup();
        due
    }

    /// When a time of day is due.
    fn moments(&self, time: DateTime, hourly: bool) -> impl Iterator<Item = Timestamp> {
        let [first, second] = match self.zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(time).ok(), None],
            AmbiguousOffset::Fold { before, after } => {
                [before.to_timestamp(time).ok(), after.to_timestamp(time).ok().filter(|_| hourly)]
            }
            AmbiguousOffset::Gap { .. } if hourly => [None, None],
            // By the clock before the change the time lies behind the change: the change is the last one before it.
            AmbiguousOffset::Gap { before, .. } => {
                let behind = before.to_timestamp(time).ok();
                [behind.and_then(|behind| self.change_before(behind)), None]
            }
        };
        [first, second].into_iter().flatten().map(|moment| Timestamp(moment.as_millisecond()))
    }

    /// The last change of the clocks at or before `moment`.
    fn change_before(&self, moment: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let later = moment.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?;
        self.zone.preceding(later).next().map(|change| change.timestamp())
    }
}

#[cfg(test)]
mod tests;
