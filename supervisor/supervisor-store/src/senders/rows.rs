//! Rows of senders and of their requests.

use platform_types::channel::{ChatId, SenderRequest};
use platform_types::{ProfileName, Timestamp, UpstreamName};
use rusqlite::Transaction;

use super::{SenderRecord, SenderState};
use crate::error::StoreError;

pub(super) fn find(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    channel: &UpstreamName,
    id: ChatId,
) -> Result<Option<SenderRecord>, StoreError> {
    let clause = "AND channel = ?2 AND id = ?3";
    Ok(select(transaction, clause, (profile.as_str(), channel.as_str(), id.0))?.pop())
}

pub(super) fn select(
    transaction: &Transaction<'_>,
    clause: &'static str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<SenderRecord>, StoreError> {
    let sql = format!("SELECT channel, id, name, state, changed_at FROM sender WHERE profile = ?1 {clause}");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut senders = Vec::new();
    while let Some(row) = rows.next()? {
        let state: String = row.get(3)?;
        senders.push(SenderRecord {
            channel: column_channel(row.get(0)?)?,
            id: ChatId(row.get(1)?),
            name: row.get(2)?,
            state: match state.as_str() {
                "approved" => SenderState::Approved,
                "blocked" => SenderState::Blocked,
                "revoked" => SenderState::Revoked,
                _ => return Err(StoreError::Unreadable { what: "state of a sender", text: state }),
            },
            changed_at: Timestamp(row.get(4)?),
        });
    }
    Ok(senders)
}

pub(super) fn pending(transaction: &Transaction<'_>, profile: &ProfileName) -> Result<Vec<SenderRequest>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, channel, sender, name, code_sha256, asked_at, expires_at FROM sender_request
         WHERE profile = ?1 ORDER BY asked_at, id",
    )?;
    let mut rows = statement.query([profile.as_str()])?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        requests.push(SenderRequest {
            id: row.get(0)?,
            channel: column_channel(row.get(1)?)?,
            sender: ChatId(row.get(2)?),
            name: row.get(3)?,
            code_sha256: row.get(4)?,
            at: Timestamp(row.get(5)?),
            expires_at: Timestamp(row.get(6)?),
        });
    }
    Ok(requests)
}

fn column_channel(text: String) -> Result<UpstreamName, StoreError> {
    UpstreamName::new(text.clone()).map_err(|_| StoreError::Unreadable { what: "name of a channel", text })
}
