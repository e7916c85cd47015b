//! All confirmations of the switch, and what is known from the switches before.

use std::ops::Deref;
use std::path::PathBuf;

use platform_kit::Failure;
use platform_kit::confirmation::{self, Bounds, Phase};
use platform_types::switch::{SwitchOutcome, SwitchReport};
use platform_types::{ModelId, Timestamp};

use super::record::Record;

/// A confirmation takes 3 KiB in all its steps.
const BOUNDS: Bounds =
    Bounds { pending: 4, one_at_a_time: true, over: 64, over_millis: i64::MAX, journal_bytes: 512 * 1024 };

/// The store.
#[derive(Debug)]
pub struct Store(confirmation::Store<Record>);

impl Deref for Store {
    type Target = confirmation::Store<Record>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Store {
    /// Reads what was kept.
    pub fn open(path: PathBuf, now: Timestamp) -> std::io::Result<Self> {
        confirmation::Store::open(path, BOUNDS, now).map(Self)
    }

    /// From here on the command may run.
    pub fn commanded(&self, id: &str, at: Timestamp) -> Result<Record, Failure> {
        self.begin(id, at)
    }

    /// The end of the one that runs.
    pub fn end(&self, report: SwitchReport) {
        self.close(&report.id.clone(), report);
    }

    /// The one that was allowed and has not ended.
    pub fn active(&self) -> Option<Record> {
        self.under_way().pop()
    }

    /// The switch that ended last.
    pub fn last(&self) -> Option<SwitchReport> {
        self.reports().max_by_key(|report| report.ended_at)
    }

    /// The last that was done, to this model if there was one: how long it took, in seconds.
    pub fn last_seconds(&self, to: &ModelId) -> Option<u32> {
        let done = self.reports().filter(|report| report.outcome == SwitchOutcome::Done);
        let last = done.max_by_key(|report| (report.to == *to, report.ended_at))?;
        u32::try_from(last.ended_at.millis_since(last.began_at) / 1000).ok()
    }

    fn reports(&self) -> impl Iterator<Item = SwitchReport> {
        self.records().into_iter().filter_map(|record| record.phase.end().cloned())
    }
}

/// When the command of an unfinished one was about to run; `None`: it was not.
pub fn commanded_at(record: &Record) -> Option<Timestamp> {
    match record.phase {
        Phase::Begun { at } => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use platform_types::egress::Outcome;

    use super::*;

    /// Written before the steps had the names they have now: each way that one can go, twice, first as it stood when the file
    /// was written anew.
    const RECORDED: &str = include_str!("recorded.ndjson");

    #[test]
    fn a_file_of_the_release_before_is_read_and_nothing_in_it_is_commanded_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("switch.ndjson");
        std::fs::write(&path, RECORDED).unwrap();
        let now = Timestamp(1_795_000_000_200);
        let check = |store: Store| {
            for first in [0x01, 0x11] {
                let record = |n: i64| store.get(&format!("{:032x}", first + n)).unwrap();
                let stands = |n: i64| record(n).outcome();
                assert_eq!(stands(0), Outcome::Pending { expires_at: record(0).card.expires_at });
                assert_eq!(stands(1), Outcome::Denied);
                assert_eq!(stands(2), Outcome::Failed { message: "seen".into() });
                assert!(matches!(stands(4), Outcome::Done { status: 200, .. }));
                assert!(matches!(stands(5), Outcome::Done { status: 502, body: Some(_) }));
                assert_eq!(stands(6), Outcome::Unknown);
                assert_eq!((stands(7), stands(8)), (Outcome::Expired, Outcome::Superseded));
            }
            let active = store.active().unwrap();
            assert_eq!(
                (commanded_at(&active), active.outcome()),
                (Some(Timestamp(1_795_000_000_100)), Outcome::Running)
            );
            assert!(active.by.profile().is_none() && active.card.id.ends_with("14"), "{active:?}");
            for record in store.records() {
                assert!(store.commanded(&record.card.id, now).is_err(), "{record:?}");
            }
            assert_eq!((store.records().len(), store.pending()), (18, 2));
            let last = store.last().unwrap();
            assert_eq!((last.outcome, last.message.as_str()), (SwitchOutcome::Unknown, "seen"));
            assert_eq!(store.last_seconds(&active.to), Some(42));
        };
        check(Store::open(path.clone(), now).unwrap());
        // And once it was written anew.
        check(Store::open(path, now).unwrap());
    }
}
