//! Which snapshots are forgotten. Pure.
//!
//! **Invariants.** The newest complete one is always kept. What another program wrote is not looked at. When the newest is much
//! smaller than the ones before, nothing is forgotten: perhaps what is missing in it is still wanted.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use platform_types::Timestamp;
use platform_types::backup::Snapshot;

/// A snapshot before a restore is the way back: kept for a week, and counted as none of the others.
const BEFORE_RESTORE: &str = "before-restore";
const WEEK_MILLIS: i64 = 7 * 86_400_000;
/// Smaller than this part of the largest of the week before it: percent.
const SHRUNK_PERCENT: u64 = 70;
/// Small states change a lot; nothing is lost that would not be seen.
const SHRUNK_LEAST_BYTES: u64 = 1 << 20;

/// How many days, weeks and months keep the newest snapshot that they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Keep {
    #[arg(long)]
    pub daily: u32,
    #[arg(long)]
    pub weekly: u32,
    #[arg(long)]
    pub monthly: u32,
}

/// Why nothing may be forgotten now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    pub newest_bytes: u64,
    pub before_bytes: u64,
}

/// The day, week or month of a date, told apart from all others.
type Period = fn(jiff::civil::Date) -> (i16, i16);

/// The ids to forget. `snapshots`: of one profile.
pub fn forget(snapshots: &[Snapshot], keep: Keep, zone: &TimeZone, now: Timestamp) -> Result<BTreeSet<String>, Shrunk> {
    let mut whole: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| snapshot.complete).collect();
    whole.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
    let Some(newest) = whole.first() else { return Ok(BTreeSet::new()) };
    let before = whole[1..].iter().filter(|found| newest.at.millis_since(found.at) <= WEEK_MILLIS);
    let before_bytes = before.map(|found| found.bytes).max().unwrap_or(0);
    if before_bytes >= SHRUNK_LEAST_BYTES
        && newest.bytes.saturating_mul(100) < before_bytes.saturating_mul(SHRUNK_PERCENT)
    {
        return Err(Shrunk { newest_bytes: newest.bytes, before_bytes });
    }
    let mut kept: BTreeSet<&str> = [newest.id.as_str()].into();
    let (ways_back, counted): (Vec<&Snapshot>, Vec<&Snapshot>) =
        whole.iter().partition(|found| found.reason == BEFORE_RESTORE);
    let young = ways_back.iter().filter(|found| now.millis_since(found.at) < WEEK_MILLIS);
    kept.extend(young.map(|found| found.id.as_str()));
    let periods: [(u32, Period); 3] = [
        (keep.daily, |day| (day.year(), day.day_of_year())),
        (keep.weekly, |day| (day.iso_week_date().year(), day.iso_week_date().week().into())),
        (keep.monthly, |day| (day.year(), day.month().into())),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for found in &counted {
            let Ok(moment) = jiff::Timestamp::from_millisecond(found.at.as_millis()) else { continue };
            let period = period(moment.to_zoned(zone.clone()).date());
            if seen.len() < count as usize && seen.insert(period) {
                kept.insert(&found.id);
            }
        }
    }
    // What never became complete goes once there is a whole one after it.
    let is_over = |found: &&Snapshot| found.complete || found.at < newest.at;
    let gone = snapshots.iter().filter(is_over).filter(|found| !kept.contains(found.id.as_str()));
    Ok(gone.map(|found| found.id.clone()).collect())
}

#[cfg(test)]
mod tests;
