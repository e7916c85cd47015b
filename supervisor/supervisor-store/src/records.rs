//! What happened: the event log and the snapshots that were taken.

use platform_types::backup::Snapshot;
use platform_types::{ProfileName, Timestamp};
use rusqlite::Transaction;

use crate::devices::column_profile;
use crate::error::StoreError;
use crate::store::Store;

/// Events that are kept. About 2 MB; weeks of a calm installation.
pub const MAX_EVENTS: u32 = 10_000;
/// Old events are deleted in steps, so that most writes touch one page.
const PRUNE_EVERY: i64 = 100;
/// Snapshots that are remembered per profile.
const MAX_SNAPSHOTS: u32 = 1_000;

/// An event before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub at: Timestamp,
    /// A stable word such as `container_started`.
    pub kind: String,
    /// `personal/agent`, `spark`, `personal`; `None` for the installation.
    pub subject: Option<String>,
    /// One sentence for people.
    pub message: String,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Grows by one with every event, across restarts.
    pub seq: i64,
    pub event: NewEvent,
}

/// Events of one kind about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    pub kind: String,
    pub subject: String,
    pub count: u64,
}

impl Store {
    /// Adds an event and gives its number.
    pub fn record_event(&self, event: &NewEvent) -> Result<i64, StoreError> {
        self.write(|transaction| insert_event(transaction, event))
    }

    /// Up to `limit` events after number `after`, oldest first.
    pub fn events_after(&self, after: i64, limit: u32) -> Result<Vec<EventRecord>, StoreError> {
        self.select_events("WHERE seq > ?1 ORDER BY seq LIMIT ?2", after, limit)
    }

    /// The newest `limit` events, oldest first.
    pub fn newest_events(&self, limit: u32) -> Result<Vec<EventRecord>, StoreError> {
        let mut events = self.select_events("WHERE seq > ?1 ORDER BY seq DESC LIMIT ?2", 0, limit)?;
        events.reverse();
        Ok(events)
    }

    fn select_events(&self, clause: &str, after: i64, limit: u32) -> Result<Vec<EventRecord>, StoreError> {
        self.read(|transaction| {
            let mut statement =
                transaction.prepare_cached(&format!("SELECT seq, at, kind, subject, message FROM event {clause}"))?;
            let rows = statement.query_map((after, limit), |row| {
                Ok(EventRecord {
                    seq: row.get(0)?,
                    event: NewEvent {
                        at: Timestamp(row.get(1)?),
                        kind: row.get(2)?,
                        subject: row.get(3)?,
                        message: row.get(4)?,
                    },
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many events there ever were, by kind and subject (empty for the installation).
    pub fn event_counts(&self) -> Result<Vec<EventCount>, StoreError> {
        self.read(|transaction| {
            let mut statement =
                transaction.prepare_cached("SELECT kind, subject, count FROM event_count ORDER BY kind, subject")?;
            let rows = statement.query_map([], |row| {
                Ok(EventCount { kind: row.get(0)?, subject: row.get(1)?, count: unsigned(row.get(2)?) })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers a snapshot that was taken.
    pub fn record_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.write(|transaction| insert_snapshot(transaction, snapshot))
    }

    /// The newest complete snapshot of each profile that has one.
    pub fn latest_snapshots(&self) -> Result<Vec<Snapshot>, StoreError> {
        self.read(|transaction| {
            // SQLite takes the other columns from the row with the maximum.
            let mut statement = transaction.prepare_cached(
                "SELECT profile, id, max(at), reason, files, bytes, added_bytes, complete FROM snapshot
                 WHERE complete = 1 GROUP BY profile ORDER BY profile",
            )?;
            let mut rows = statement.query([])?;
            let mut snapshots = Vec::new();
            while let Some(row) = rows.next()? {
                snapshots.push(Snapshot {
                    profile: column_profile(row, 0)?,
                    id: row.get(1)?,
                    at: Timestamp(row.get(2)?),
                    reason: row.get(3)?,
                    files: unsigned(row.get(4)?),
                    bytes: unsigned(row.get(5)?),
                    added_bytes: row.get::<_, Option<i64>>(6)?.map(unsigned),
                    complete: row.get(7)?,
                });
            }
            Ok(snapshots)
        })
    }

    /// The newest complete snapshot of one profile.
    pub fn latest_snapshot(&self, profile: &ProfileName) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.latest_snapshots()?.into_iter().find(|snapshot| snapshot.profile == *profile))
    }
}

pub(crate) fn insert_snapshot(transaction: &Transaction<'_>, snapshot: &Snapshot) -> Result<(), StoreError> {
    let Snapshot { id, profile, at, reason, files, bytes, added_bytes, complete } = snapshot;
    transaction.execute(
        "INSERT INTO snapshot (profile, id, at, reason, files, bytes, added_bytes, complete)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (profile, id) DO UPDATE SET complete = excluded.complete",
        (profile.as_str(), id, at.as_millis(), reason, clamp(*files), clamp(*bytes), added_bytes.map(clamp), complete),
    )?;
    transaction.execute(
        "DELETE FROM snapshot WHERE profile = ?1 AND id IN (
             SELECT id FROM snapshot WHERE profile = ?1 ORDER BY at DESC, id LIMIT -1 OFFSET ?2)",
        (profile.as_str(), MAX_SNAPSHOTS),
    )?;
    Ok(())
}

pub(crate) fn insert_event(transaction: &Transaction<'_>, event: &NewEvent) -> Result<i64, StoreError> {
    let NewEvent { at, kind, subject, message } = event;
    transaction.execute(
        "INSERT INTO event (at, kind, subject, message) VALUES (?1, ?2, ?3, ?4)",
        (at.as_millis(), kind, subject, message),
    )?;
    let seq = transaction.last_insert_rowid();
    transaction.execute(
        "INSERT INTO event_count (kind, subject, count) VALUES (?1, coalesce(?2, ''), 1)
         ON CONFLICT (kind, subject) DO UPDATE SET count = count + 1",
        (kind, subject),
    )?;
    if seq % PRUNE_EVERY == 0 {
        transaction.execute("DELETE FROM event WHERE seq <= ?1", [seq - i64::from(MAX_EVENTS)])?;
    }
    Ok(seq)
}

fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: i64) -> NewEvent {
        NewEvent {
            at: Timestamp(n),
            kind: "container_started".to_owned(),
            subject: Some("personal/agent".to_owned()),
            message: format!("number {n}"),
        }
    }

    #[test]
    fn events_are_numbered_read_in_order_and_bounded() {
        let store = Store::in_memory().unwrap();
        let total = i64::from(MAX_EVENTS) + 250;
        for n in 1..=total {
            assert_eq!(store.record_event(&event(n)).unwrap(), n);
        }
        let newest = store.newest_events(3).unwrap();
        assert_eq!(newest.iter().map(|record| record.seq).collect::<Vec<_>>(), [total - 2, total - 1, total]);
        assert_eq!(store.events_after(total - 1, 10).unwrap(), [EventRecord { seq: total, event: event(total) }]);
        let all = store.events_after(0, u32::MAX).unwrap();
        assert!(all.len() <= (MAX_EVENTS + 100) as usize, "{}", all.len());
        let counted = EventCount {
            kind: "container_started".to_owned(),
            subject: "personal/agent".to_owned(),
            count: unsigned(total),
        };
        assert_eq!(store.event_counts().unwrap(), [counted]);
    }

    #[test]
    fn the_latest_complete_snapshot_counts() {
        let store = Store::in_memory().unwrap();
        let snapshot = |id: &str, at: i64, complete: bool| Snapshot {
            id: id.to_owned(),
            profile: ProfileName::new("personal").unwrap(),
            at: Timestamp(at),
            reason: "manual".to_owned(),
            files: 3,
            bytes: 4_096,
            added_bytes: Some(512),
            complete,
        };
        for (id, at, complete) in [("a", 1, true), ("b", 2, true), ("c", 3, false)] {
            store.record_snapshot(&snapshot(id, at, complete)).unwrap();
        }
        assert_eq!(store.latest_snapshots().unwrap(), [snapshot("b", 2, true)]);
        assert_eq!(store.latest_snapshot(&ProfileName::new("ops").unwrap()).unwrap(), None);
    }
}
