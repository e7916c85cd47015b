//! The chain of what was done: [`platform_types::audit`]. Entries are appended and never changed.

use platform_kit::chain;
use platform_types::Timestamp;
use platform_types::audit::{Anchor, Entry, MAX_PAGE, Page};
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
        let after = i64::try_from(after).unwrap_or(i64::MAX);
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
        Ok(Page { entries, more, head, base: None, anchors: Vec::new() })
    }
}

/// Appends within somebody else's transaction: what was done and its entry are one commit.
pub(crate) fn append(tx: &Transaction<'_>, deed: &Deed) -> Result<(), StoreError> {
    let head = last(tx)?.unwrap_or_else(chain::genesis);
    let Entry { n, at, kind, actor, data, hash } =
        chain::next(&head, deed.at, deed.kind, &deed.actor, deed.data.clone());
    tx.prepare_cached("INSERT INTO audit (n, at, kind, actor, data, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![n, at.as_millis(), kind, actor, data.to_string(), hash])?;
    Ok(())
}

fn last(connection: &Connection) -> rusqlite::Result<Option<Anchor>> {
    let mut statement = connection.prepare_cached("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")?;
    statement.query_row([], |row| Ok(Anchor { n: row.get(0)?, hash: row.get(1)? })).optional()
}
