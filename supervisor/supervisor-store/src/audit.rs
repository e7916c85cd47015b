//! The supervisor's chain of what was done, and the heads of the gates' and agents' chains.
//!
//! Entries are only ever added; triggers hold that against our own mistakes. Who makes an entry out of the head before
//! it is the caller: this crate computes no hashes.

use platform_types::audit::{Anchor, Chain, Entry, GENESIS, KeptAnchor};
use platform_types::{ProfileName, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction};

use crate::error::StoreError;
use crate::store::Store;

/// Heads that are kept of one chain. The newest proves everything before it; older ones tell where a break is.
const MAX_ANCHORS: u32 = 200;

impl Store {
    /// Adds the entry that `make` makes of the head so far.
    pub fn append_audit(&self, make: impl FnOnce(&Anchor) -> Entry) -> Result<Entry, StoreError> {
        self.write(|transaction| {
            let entry = make(&head(transaction)?);
            let Entry { n, at, kind, actor, data, hash } = &entry;
            transaction.execute(
                "INSERT INTO audit_entry (n, at, kind, actor, data, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (signed(*n), at.as_millis(), kind, actor, data.to_string(), hash),
            )?;
            Ok(entry)
        })
    }

    /// Where the supervisor's chain ends.
    pub fn audit_head(&self) -> Result<Anchor, StoreError> {
        self.read(head)
    }

    /// Up to `limit` entries after number `after`, in order.
    pub fn audit_after(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT n, at, kind, actor, data, hash FROM audit_entry WHERE n > ?1 ORDER BY n LIMIT ?2",
            )?;
            let mut rows = statement.query((signed(after), limit))?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(entry(row)?);
            }
            Ok(entries)
        })
    }

    /// When something was last done to a profile.
    pub fn last_audit_at(&self, kind: &str, profile: &ProfileName) -> Result<Option<Timestamp>, StoreError> {
        self.read(|transaction| {
            let at: Option<i64> = transaction.query_row(
                "SELECT max(at) FROM audit_entry WHERE kind = ?1 AND json_extract(data, '$.profile') = ?2",
                (kind, profile.as_str()),
                |row| row.get(0),
            )?;
            Ok(at.map(Timestamp))
        })
    }

    /// When something was last done to the installation.
    pub fn last_audit_of_all_at(&self, kind: &str) -> Result<Option<Timestamp>, StoreError> {
        self.read(|transaction| {
            let sql = "SELECT max(at) FROM audit_entry WHERE kind = ?1";
            let at: Option<i64> = transaction.query_row(sql, [kind], |row| row.get(0))?;
            Ok(at.map(Timestamp))
        })
    }

    /// Keeps the head of another chain. `false` when it is kept already.
    pub fn keep_anchor(
        &self,
        profile: &ProfileName,
        chain: Chain,
        head: &Anchor,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (profile, chain) = (profile.as_str(), word(chain));
        self.write(|transaction| {
            let added = transaction.execute(
                "INSERT INTO audit_anchor (profile, chain, n, hash, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO NOTHING",
                (profile, chain, signed(head.n), &head.hash, at.as_millis()),
            )?;
            transaction.execute(
                "DELETE FROM audit_anchor WHERE profile = ?1 AND chain = ?2 AND rowid IN (
                     SELECT rowid FROM audit_anchor WHERE profile = ?1 AND chain = ?2
                     ORDER BY at DESC, n DESC LIMIT -1 OFFSET ?3)",
                (profile, chain, MAX_ANCHORS),
            )?;
            Ok(added > 0)
        })
    }

    /// The heads that are kept of a profile's chain, in the order in which they were seen.
    pub fn anchors(&self, profile: &ProfileName, chain: Chain) -> Result<Vec<KeptAnchor>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT n, hash, at FROM audit_anchor WHERE profile = ?1 AND chain = ?2 ORDER BY at, n",
            )?;
            let rows = statement.query_map((profile.as_str(), word(chain)), |row| {
                let head = Anchor { n: unsigned(row.get(0)?), hash: row.get(1)? };
                Ok(KeptAnchor { chain, profile: Some(profile.clone()), at: Timestamp(row.get(2)?), head })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn head(transaction: &Transaction<'_>) -> Result<Anchor, StoreError> {
    let last = transaction
        .query_row("SELECT n, hash FROM audit_entry ORDER BY n DESC LIMIT 1", [], |row| {
            Ok(Anchor { n: unsigned(row.get(0)?), hash: row.get(1)? })
        })
        .optional()?;
    Ok(last.unwrap_or_else(|| Anchor { n: 0, hash: GENESIS.to_owned() }))
}

fn entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    let data: String = row.get(4)?;
    let data = serde_json::from_str(&data)
        .map_err(|error| StoreError::Unreadable { what: "audit entry", text: error.to_string() })?;
    Ok(Entry {
        n: unsigned(row.get(0)?),
        at: Timestamp(row.get(1)?),
        kind: row.get(2)?,
        actor: row.get(3)?,
        data,
        hash: row.get(5)?,
    })
}

fn word(chain: Chain) -> &'static str {
    match chain {
        Chain::Agent => "agent",
        Chain::Gate => "gate",
        Chain::Supervisor => "supervisor",
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn append(store: &Store, kind: &str) -> Entry {
        let next = |head: &Anchor| Entry {
            n: head.n + 1,
            at: Timestamp(5),
            kind: kind.to_owned(),
            actor: "operator anna".to_owned(),
            data: json!({ "profile": "ops", "of": head.hash }),
            hash: format!("{:0>64}", head.n + 1),
        };
        store.append_audit(next).unwrap()
    }

    #[test]
    fn entries_are_added_and_nothing_else() {
        let store = Store::in_memory().unwrap();
        assert_eq!(store.audit_head().unwrap(), Anchor { n: 0, hash: GENESIS.to_owned() });
        let entries: Vec<Entry> = ["a", "b", "c"].map(|kind| append(&store, kind)).into();
        assert_eq!(store.audit_head().unwrap().n, 3);
        assert_eq!(store.audit_after(0, 500).unwrap(), entries);
        assert_eq!(store.audit_after(1, 1).unwrap(), entries[1..2]);
        assert_eq!(store.audit_after(u64::MAX, 500).unwrap(), []);
        let (ops, personal) = (ProfileName::new("ops").unwrap(), ProfileName::new("personal").unwrap());
        assert_eq!(store.last_audit_at("b", &ops).unwrap(), Some(Timestamp(5)));
        assert_eq!(store.last_audit_at("b", &personal).unwrap(), None);
        assert_eq!(store.last_audit_of_all_at("b").unwrap(), Some(Timestamp(5)));
        assert_eq!(store.last_audit_of_all_at("d").unwrap(), None);
        for sql in ["UPDATE audit_entry SET kind = 'x' WHERE n = 2", "DELETE FROM audit_entry WHERE n = 3"] {
            let error = store.write(|transaction| Ok(transaction.execute(sql, [])?)).unwrap_err();
            assert!(error.to_string().contains("append-only") || format!("{error:?}").contains("append-only"), "{sql}");
        }
        assert_eq!(store.audit_after(0, 500).unwrap(), entries);
    }

    #[test]
    fn heads_are_kept_by_profile_and_chain_and_bounded() {
        let store = Store::in_memory().unwrap();
        let (ops, personal) = (ProfileName::new("ops").unwrap(), ProfileName::new("personal").unwrap());
        let head = |n: u64| Anchor { n, hash: format!("{n:0>64}") };
        for n in 1..=u64::from(MAX_ANCHORS) + 10 {
            assert!(store.keep_anchor(&ops, Chain::Gate, &head(n), Timestamp(i64::try_from(n).unwrap())).unwrap());
        }
        assert!(!store.keep_anchor(&ops, Chain::Gate, &head(210), Timestamp(999)).unwrap());
        let kept = store.anchors(&ops, Chain::Gate).unwrap();
        assert_eq!((kept.len(), kept[0].head.n, kept[199].head.n), (200, 11, 210));
        assert_eq!(store.anchors(&ops, Chain::Agent).unwrap(), []);
        assert_eq!(store.anchors(&personal, Chain::Gate).unwrap(), []);
        // A chain that was written again has two heads of one number: both are evidence.
        let other = Anchor { n: 210, hash: GENESIS.to_owned() };
        assert!(store.keep_anchor(&ops, Chain::Gate, &other, Timestamp(999)).unwrap());
        assert_eq!(store.anchors(&ops, Chain::Gate).unwrap().last().unwrap().head, other);
    }
}
