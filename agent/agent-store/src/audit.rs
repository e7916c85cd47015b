//! The chain of what was done: [`platform_types::audit`]. Entries are appended and never changed.
//!
//! Bounded: when a block of the oldest entries may go, it goes with the entry that makes it so. The last of it stays behind:
//! it says what the oldest entry follows, and is not an entry any more.

use platform_kit::chain;
use platform_types::Timestamp;
use platform_types::audit::{AGENT_BLOCK, Anchor, Chain, Entry, MAX_PAGE, MAX_SHOWN, Page, Shown};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::Value;

use crate::{Store, StoreError};

/// Something that was done, before it has its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    pub at: Timestamp,
    /// `area.verb`.
    pub kind: &'static str,
    pub actor: String,
    /// A flat JSON object; never a secret, never the text of a chat.
    pub data: Value,
}

impl Store {
    /// Appends one entry. It survives the end of the process at once, and a power cut with the next durable commit.
    pub fn append_audit(&mut self, deed: &Deed) -> Result<(), StoreError> {
        self.quick(|tx| append(tx, deed))
    }

    /// Everything appended so far is on disk afterwards.
    pub fn sync_audit(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.durable(|tx| {
            tx.prepare_cached("UPDATE probe SET at = ?1 WHERE id = 1")?.execute([now.as_millis()])?;
            Ok(())
        })
    }

    pub fn audit_head(&self) -> Result<Option<Anchor>, StoreError> {
        Ok(last(&self.connection)?)
    }

    /// The entries after `n`, oldest first.
    pub fn audit_page(&self, after: u64) -> Result<Page, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT n, at, kind, actor, data, hash FROM audit WHERE n > ?1 ORDER BY n LIMIT ?2")?;
        let base = base(&self.connection)?;
        let first = after.max(base.as_ref().map_or(0, |base| base.n));
        let base = base.filter(|_| after == 0);
        let after = i64::try_from(first).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![after, MAX_PAGE])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            let data = serde_json::from_str(&row.get::<_, String>(4)?)?;
            let (n, at, kind, actor) = (row.get(0)?, Timestamp(row.get(1)?), row.get(2)?, row.get(3)?);
            entries.push(Entry { n, at, kind, actor, data, hash: row.get(5)? });
        }
        let head = self.audit_head()?;
        let shown = entries.last().map_or(0, |entry| entry.n);
        let more = !entries.is_empty() && head.as_ref().is_some_and(|head| head.n > shown);
        Ok(Page { entries, more, head, base, anchors: Vec::new() })
    }

    /// The newest entries before number `before`.
    pub fn audit_before(&self, before: u64) -> Result<Shown, StoreError> {
        let end = self.audit_head()?.map_or(0, |head| head.n).min(before.saturating_sub(1));
        let start = end.saturating_sub(MAX_SHOWN as u64);
        let page = self.audit_page(start)?;
        let first = page.entries.first().map_or(0, |entry| entry.n);
        let entries = page.entries.into_iter().filter(|entry| entry.n <= end).collect();
        Ok(Shown::newest(entries, first == start + 1 && start > 0))
    }
}

/// Appends within somebody else's transaction: what was done and its entry are one commit.
pub(crate) fn append(tx: &Transaction<'_>, deed: &Deed) -> Result<(), StoreError> {
    let head = last(tx)?.unwrap_or_else(chain::genesis);
    let Entry { n, at, kind, actor, data, hash } =
        chain::next(&head, deed.at, deed.kind, &deed.actor, deed.data.clone());
    tx.prepare_cached("INSERT INTO audit (n, at, kind, actor, data, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![n, at.as_millis(), kind, actor, data.to_string(), hash])?;
    if n % AGENT_BLOCK == 0 {
        let base = Chain::Agent.latest_base(n);
        tx.prepare_cached("DELETE FROM audit WHERE n < ?1")?.execute([base])?;
    }
    Ok(())
}

/// What the oldest entry follows, where older ones are gone.
fn base(connection: &Connection) -> rusqlite::Result<Option<Anchor>> {
    let mut statement = connection.prepare_cached("SELECT n, hash FROM audit ORDER BY n LIMIT 1")?;
    let oldest = statement.query_row([], |row| Ok(Anchor { n: row.get(0)?, hash: row.get(1)? })).optional()?;
    Ok(oldest.filter(|oldest| oldest.n > 1))
}

fn last(connection: &Connection) -> rusqlite::Result<Option<Anchor>> {
    let mut statement = connection.prepare_cached("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")?;
    statement.query_row([], |row| Ok(Anchor { n: row.get(0)?, hash: row.get(1)? })).optional()
}

#[cfg(test)]
mod tests {
    use platform_types::audit::AGENT_KEEPS;
    use serde_json::json;

    use super::*;
    use crate::StateDir;

    fn grow(store: &mut Store, count: u64) {
        store
            .durable(|tx| {
                for _ in 0..count {
                    append(tx, &Deed { at: Timestamp(7), kind: "tool.ran", actor: "bot x".into(), data: json!({}) })?;
                }
                Ok(())
            })
            .unwrap();
    }

    fn all(store: &Store) -> (Page, Vec<Entry>) {
        let first = store.audit_page(0).unwrap();
        let mut entries = first.entries.clone();
        while let Some(last) = entries.last().filter(|last| first.head.as_ref().is_some_and(|head| last.n < head.n)) {
            entries.extend(store.audit_page(last.n).unwrap().entries);
        }
        (first, entries)
    }

    #[test]
    fn a_long_chain_drops_whole_blocks_and_what_is_left_still_verifies() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
        let bound = AGENT_KEEPS + AGENT_BLOCK;
        grow(&mut store, bound - 1);
        let (first, entries) = all(&store);
        assert_eq!((first.base, entries.len() as u64), (None, bound - 1));
        let anchors = [chain::head(&entries[6_000]), chain::head(&entries[4_999]), chain::head(&entries[40])];
        grow(&mut store, 1);
        for _ in 0..2 {
            let (first, entries) = all(&store);
            let base = first.base.unwrap();
            assert_eq!((base.n, entries[0].n, entries.len() as u64), (AGENT_BLOCK, AGENT_BLOCK + 1, AGENT_KEEPS));
            let verified = chain::verify(base, anchors.clone(), &entries).unwrap();
            assert_eq!((verified.head.n, verified.anchored), (bound, 6_001));
            // What is asked for and gone is not there; nothing else moves.
            assert_eq!(store.audit_page(3).unwrap().entries[0].n, AGENT_BLOCK + 1);
            assert_eq!(store.audit_page(3).unwrap().base, None);
            drop(store);
            store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
        }
        let shown = store.audit_before(bound).unwrap();
        assert_eq!((shown.entries[0].n, shown.entries.len(), shown.more), (bound - 1, MAX_SHOWN, true));
        let oldest = store.audit_before(AGENT_BLOCK + 4).unwrap();
        assert_eq!((oldest.entries.len(), oldest.more), (3, false));
        assert_eq!(store.audit_before(u64::MAX).unwrap().entries[0].n, bound);
        assert_eq!(store.audit_before(0).unwrap(), Shown { entries: Vec::new(), more: false });
        grow(&mut store, AGENT_BLOCK);
        assert_eq!(all(&store).0.base.unwrap().n, 2 * AGENT_BLOCK);
    }
}
