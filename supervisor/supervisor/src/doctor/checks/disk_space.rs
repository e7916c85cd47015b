//! There is space for the ledger, for volumes, and for a snapshot with its restore candidate.

use crate::doctor::Finding;
use crate::doctor::facts::{Disk, Facts};
use crate::measure::bytes;

/// Below this a snapshot or an update is likely to fail half-way.
const LOW_BYTES: u64 = 2 << 30;
/// Below this databases fail.
const NONE_BYTES: u64 = 200 << 20;
/// Files that must still be possible.
const LOW_INODES: u64 = 10_000;

pub fn check(facts: &Facts) -> Finding {
    if facts.disks.is_empty() {
        return Finding::unknown("no file system of ours could be looked at", None);
    }
    let lines = |disks: &[&Disk]| disks.iter().map(|disk| line(disk)).collect::<Vec<_>>();
    let below = |limit: u64| facts.disks.iter().filter(|disk| disk.free_bytes < limit).collect::<Vec<_>>();
    let remedy = "free some space, or move the data to a larger disk: docker system df, du -xh / | sort -h | tail";
    if !below(NONE_BYTES).is_empty() {
        return Finding::problem("the disk is full", remedy).with_details(lines(&below(NONE_BYTES)));
    }
    if !below(LOW_BYTES).is_empty() {
        let summary = format!("less than {} free", bytes(LOW_BYTES));
        return Finding::warning(summary, remedy).with_details(lines(&below(LOW_BYTES)));
    }
    // File systems without a fixed number of inodes report none at all.
    let few: Vec<&Disk> =
        facts.disks.iter().filter(|disk| disk.total_inodes > 0 && disk.free_inodes < LOW_INODES).collect();
    if !few.is_empty() {
        return Finding::warning("almost no inodes are free", remedy).with_details(lines(&few));
    }
    let least = facts.disks.iter().map(|disk| disk.free_bytes).min().unwrap_or_default();
    Finding::ok(format!("{} free", bytes(least)))
}

fn line(disk: &Disk) -> String {
    let Disk { holds, path, free_bytes, total_bytes, .. } = disk;
    format!("{} ({holds}): {} of {} free", path.display(), bytes(*free_bytes), bytes(*total_bytes))
}
