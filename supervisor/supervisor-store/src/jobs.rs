//! Work on repositories by the clock: begun before it begins, so that a killed supervisor finds it again.

use std::collections::BTreeMap;

use platform_types::backup::Snapshot;
use platform_types::{ProfileName, Timestamp};
use rusqlite::Transaction;
use supervisor_plan::upkeep::{Job, JobKind};

use crate::devices::column_profile;
use crate::error::StoreError;
use crate::records::insert_snapshot;
use crate::store::Store;

/// What is known of each kind of work on each profile.
pub type Jobs = BTreeMap<(ProfileName, JobKind), Job>;

impl Store {
    /// A try begins now.
    pub fn begin_job(&self, profile: &ProfileName, kind: JobKind, now: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO backup_job (profile, kind, began_at, failures, cuts) VALUES (?1, ?2, ?3, 0, 0)
                 ON CONFLICT (profile, kind) DO UPDATE SET began_at = excluded.began_at, ended_at = NULL",
                (profile.as_str(), kind.as_str(), now.as_millis()),
            )?;
            Ok(())
        })
    }

    /// A try ended now: what it came to, or why it came to nothing.
    pub fn end_job(
        &self,
        profile: &ProfileName,
        kind: JobKind,
        now: Timestamp,
        result: Result<&str, &str>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| match result {
            Ok(outcome) => succeed(transaction, (profile, kind), now, outcome),
            Err(error) => {
                transaction.execute(
                    "UPDATE backup_job SET ended_at = ?3, failures = failures + 1, error = ?4
                     WHERE profile = ?1 AND kind = ?2",
                    (profile.as_str(), kind.as_str(), now.as_millis(), error),
                )?;
                Ok(())
            }
        })
    }

    /// At the start: what still runs in the ledger was cut off. Gives how many there were.
    pub fn cut_jobs(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write(|transaction| {
            Ok(transaction.execute(
                "UPDATE backup_job SET ended_at = ?1, cuts = cuts + 1, error = 'the supervisor ended meanwhile'
                 WHERE ended_at IS NULL",
                [now.as_millis()],
            )?)
        })
    }

    /// A whole snapshot was taken or found. It and the end of the try that it belongs to are one step, so there is none in
    /// between in which a supervisor could be killed.
    pub fn record_taken(&self, snapshot: &Snapshot, now: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| {
            insert_snapshot(transaction, snapshot)?;
            succeed(transaction, (&snapshot.profile, JobKind::Snapshot), now, &snapshot.id)
        })
    }

    /// The repository of a profile was looked at: these are its snapshots, and no others.
    pub fn replace_snapshots(&self, profile: &ProfileName, snapshots: &[Snapshot]) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM snapshot WHERE profile = ?1", [profile.as_str()])?;
            let mut own = snapshots.iter().filter(|snapshot| snapshot.profile == *profile);
            own.try_for_each(|snapshot| insert_snapshot(transaction, snapshot))
        })
    }

    pub fn jobs(&self) -> Result<Jobs, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT profile, kind, began_at, ended_at, failures, cuts, error, done_at, outcome FROM backup_job",
            )?;
            let mut rows = statement.query([])?;
            let mut jobs = Jobs::new();
            while let Some(row) = rows.next()? {
                let word: String = row.get(1)?;
                // A later release may know more kinds.
                let Some(kind) = JobKind::ALL.into_iter().find(|kind| kind.as_str() == word) else { continue };
                let job = Job {
                    began_at: Timestamp(row.get(2)?),
                    ended_at: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                    failures: row.get(4)?,
                    cuts: row.get(5)?,
                    error: row.get(6)?,
                    done_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
                    outcome: row.get(8)?,
                };
                jobs.insert((column_profile(row, 0)?, kind), job);
            }
            Ok(jobs)
        })
    }
}

fn succeed(
    transaction: &Transaction<'_>,
    (profile, kind): (&ProfileName, JobKind),
    now: Timestamp,
    outcome: &str,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO backup_job (profile, kind, began_at, ended_at, failures, cuts, done_at, outcome)
         VALUES (?1, ?2, ?3, ?3, 0, 0, ?3, ?4)
         ON CONFLICT (profile, kind) DO UPDATE SET
             ended_at = ?3, failures = 0, cuts = 0, error = NULL, done_at = ?3, outcome = ?4",
        (profile.as_str(), kind.as_str(), now.as_millis(), outcome),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal() -> ProfileName {
        ProfileName::new("personal").unwrap()
    }

    fn snapshot(id: &str, at: i64, complete: bool) -> Snapshot {
        Snapshot {
            id: id.to_owned(),
            profile: personal(),
            at: Timestamp(at),
            reason: "scheduled".to_owned(),
            files: 3,
            bytes: 4_096,
            added_bytes: None,
            complete,
        }
    }

    fn job(store: &Store) -> Job {
        store.jobs().unwrap().remove(&(personal(), JobKind::Snapshot)).unwrap()
    }

    #[test]
    fn a_try_is_begun_fails_is_cut_off_and_succeeds() {
        let store = Store::in_memory().unwrap();
        assert!(store.jobs().unwrap().is_empty());
        store.begin_job(&personal(), JobKind::Snapshot, Timestamp(1)).unwrap();
        assert_eq!(job(&store), Job { began_at: Timestamp(1), ..Job::default() });
        store.end_job(&personal(), JobKind::Snapshot, Timestamp(2), Err("no space")).unwrap();
        store.begin_job(&personal(), JobKind::Snapshot, Timestamp(3)).unwrap();
        let again = Job { began_at: Timestamp(3), failures: 1, error: Some("no space".to_owned()), ..Job::default() };
        assert_eq!(job(&store), again);
        assert_eq!(store.cut_jobs(Timestamp(4)).unwrap(), 1);
        assert_eq!(store.cut_jobs(Timestamp(5)).unwrap(), 0, "it ended already");
        let Job { ended_at, failures, cuts, .. } = job(&store);
        assert_eq!((ended_at, failures, cuts), (Some(Timestamp(4)), 1, 1));
        store.begin_job(&personal(), JobKind::Snapshot, Timestamp(6)).unwrap();
        store.record_taken(&snapshot("aa", 7, true), Timestamp(8)).unwrap();
        let done = Job {
            began_at: Timestamp(6),
            ended_at: Some(Timestamp(8)),
            done_at: Some(Timestamp(8)),
            outcome: Some("aa".to_owned()),
            ..Job::default()
        };
        assert_eq!(job(&store), done);
        assert_eq!(store.latest_snapshot(&personal()).unwrap(), Some(snapshot("aa", 7, true)));
    }

    #[test]
    fn the_repository_says_which_snapshots_there_are() {
        let store = Store::in_memory().unwrap();
        let foreign = Snapshot { profile: ProfileName::new("ops").unwrap(), ..snapshot("dd", 9, true) };
        store.record_snapshot(&snapshot("aa", 1, true)).unwrap();
        store.record_snapshot(&Snapshot { id: "ee".to_owned(), ..foreign.clone() }).unwrap();
        let there = [snapshot("bb", 2, true), snapshot("cc", 3, false), foreign];
        store.replace_snapshots(&personal(), &there).unwrap();
        let newest: Vec<_> = store.latest_snapshots().unwrap().into_iter().map(|found| found.id).collect();
        assert_eq!(newest, ["ee", "bb"], "of ops nothing was said, and what is incomplete does not count");
    }
}
