//! Senders of channels: who was approved or blocked, and who has a code and waits for the operator.
//!
//! ```text
//!   unknown ──code──▶ waiting ──approve──▶ approved ──block──▶ blocked ──forget──▶ unknown
//!                        └──────block─────────────────────────────▲
//! ```

use platform_types::channel::{
    CODE_MILLIS, ChatId, MAX_PENDING_SENDERS, MAX_SENDERS, MAX_WRONG_CODES, PendingSender, SenderRequest,
    WRONG_CODES_MILLIS,
};
use platform_types::{ProfileName, Timestamp, UpstreamName};
use rusqlite::Transaction;

use self::rows::{find, pending, select};
use crate::error::StoreError;
use crate::store::Store;

mod rows;

/// A sender that somebody decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRecord {
    pub channel: UpstreamName,
    pub id: ChatId,
    pub name: String,
    pub state: SenderState,
    pub changed_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderState {
    Approved,
    Blocked,
    /// Was approved in a ledger that was put together again: unknown until approved anew.
    Revoked,
}

impl SenderState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Blocked => "blocked",
            Self::Revoked => "revoked",
        }
    }
}

/// What the ledger says to a request that a gate reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderOffer {
    New,
    /// It waits already.
    Known,
    /// The sender is approved or blocked.
    Decided,
    Expired,
    /// [`MAX_PENDING_SENDERS`] wait already.
    Full,
}

/// What became of a code that the operator typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderApproval {
    Approved(SenderRecord),
    /// No sender who waits has this code.
    Wrong,
    /// Too many were wrong; no code is tried before this time.
    Wait(Timestamp),
    /// [`MAX_SENDERS`] are remembered already.
    Full,
}

/// What a gate is told about senders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateSenders {
    pub approved: Vec<(UpstreamName, ChatId)>,
    pub blocked: Vec<(UpstreamName, ChatId)>,
    pub pending: Vec<(UpstreamName, PendingSender)>,
}

impl Store {
    /// Takes note of a sender who was sent a code. The same request may be offered again at any time.
    pub fn offer_sender(
        &self,
        profile: &ProfileName,
        request: &SenderRequest,
        now: Timestamp,
    ) -> Result<SenderOffer, StoreError> {
        let expires_at = request.expires_at.min(now.plus_millis(CODE_MILLIS));
        if expires_at <= now {
            return Ok(SenderOffer::Expired);
        }
        self.write(|transaction| {
            let known = find(transaction, profile, &request.channel, request.sender)?;
            if known.is_some_and(|sender| sender.state != SenderState::Revoked) {
                return Ok(SenderOffer::Decided);
            }
            transaction.execute("DELETE FROM sender_request WHERE expires_at <= ?1", [now.as_millis()])?;
            let waiting = pending(transaction, profile)?;
            if waiting.iter().any(|other| other.id == request.id) {
                return Ok(SenderOffer::Known);
            }
            let is_same = |other: &SenderRequest| (&other.channel, other.sender) == (&request.channel, request.sender);
            if waiting.iter().filter(|other| !is_same(other)).count() >= MAX_PENDING_SENDERS {
                return Ok(SenderOffer::Full);
            }
            transaction.execute(
                "INSERT OR REPLACE INTO sender_request (profile, channel, sender, id, name, code_sha256, asked_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (
                    profile.as_str(),
                    request.channel.as_str(),
                    request.sender.0,
                    &request.id,
                    &request.name,
                    &request.code_sha256,
                    now.as_millis(),
                    expires_at.as_millis(),
                ),
            )?;
            Ok(SenderOffer::New)
        })
    }

    /// Lets the sender in who has this code. Wrong codes count, also over a restart.
    pub fn approve_sender(
        &self,
        profile: &ProfileName,
        code_sha256: Option<&str>,
        now: Timestamp,
    ) -> Result<SenderApproval, StoreError> {
        self.write(|transaction| {
            let since = now.as_millis() - WRONG_CODES_MILLIS;
            transaction.execute("DELETE FROM wrong_code WHERE at <= ?1", [since])?;
            let (count, first): (u32, Option<i64>) = transaction.query_row(
                "SELECT count(*), min(at) FROM wrong_code WHERE profile = ?1",
                [profile.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if count >= MAX_WRONG_CODES {
                let first = Timestamp(first.unwrap_or(now.as_millis()));
                return Ok(SenderApproval::Wait(first.plus_millis(WRONG_CODES_MILLIS)));
            }
            let waiting = pending(transaction, profile)?.into_iter().filter(|request| request.expires_at > now);
            let found = waiting.into_iter().find(|request| Some(request.code_sha256.as_str()) == code_sha256);
            let Some(SenderRequest { channel, sender, name, .. }) = found else {
                let wrong = (profile.as_str(), now.as_millis());
                transaction.execute("INSERT INTO wrong_code (profile, at) VALUES (?1, ?2)", wrong)?;
                return Ok(SenderApproval::Wrong);
            };
            let record = SenderRecord { channel, id: sender, name, state: SenderState::Approved, changed_at: now };
            if !put(transaction, profile, &record)? {
                return Ok(SenderApproval::Full);
            }
            Ok(SenderApproval::Approved(record))
        })
    }

    /// Silences a sender, known or not. `None` when [`MAX_SENDERS`] are remembered already.
    pub fn block_sender(
        &self,
        profile: &ProfileName,
        channel: &UpstreamName,
        id: ChatId,
        now: Timestamp,
    ) -> Result<Option<SenderRecord>, StoreError> {
        self.write(|transaction| {
            let asked = pending(transaction, profile)?;
            let asked = asked.into_iter().find(|request| (&request.channel, request.sender) == (channel, id));
            let known = find(transaction, profile, channel, id)?.map(|sender| sender.name);
            let name = known.or(asked.map(|request| request.name)).unwrap_or_default();
            let record =
                SenderRecord { channel: channel.clone(), id, name, state: SenderState::Blocked, changed_at: now };
            Ok(put(transaction, profile, &record)?.then_some(record))
        })
    }

    /// Makes a sender unknown again. `None` when nothing is known of him.
    pub fn forget_sender(
        &self,
        profile: &ProfileName,
        channel: &UpstreamName,
        id: ChatId,
    ) -> Result<Option<SenderRecord>, StoreError> {
        self.write(|transaction| {
            let known = find(transaction, profile, channel, id)?;
            transaction.execute(
                "DELETE FROM sender WHERE profile = ?1 AND channel = ?2 AND id = ?3",
                (profile.as_str(), channel.as_str(), id.0),
            )?;
            Ok(known)
        })
    }

    /// Everybody who was decided about, the newest first.
    pub fn senders(&self, profile: &ProfileName) -> Result<Vec<SenderRecord>, StoreError> {
        self.read(|transaction| select(transaction, "ORDER BY changed_at DESC, channel, id", [profile.as_str()]))
    }

    /// Who has a code that is good at `now`, oldest first.
    pub fn pending_senders(&self, profile: &ProfileName, now: Timestamp) -> Result<Vec<SenderRequest>, StoreError> {
        let waiting = self.read(|transaction| pending(transaction, profile))?;
        Ok(waiting.into_iter().filter(|request| request.expires_at > now).collect())
    }
}

/// What the gate of `profile` is told at `now`.
pub(crate) fn for_gate(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    now: Timestamp,
) -> Result<GateSenders, StoreError> {
    let all = select(transaction, "ORDER BY channel, id", [profile.as_str()])?;
    let of = |state| {
        let some = all.iter().filter(move |sender| sender.state == state);
        some.map(|sender| (sender.channel.clone(), sender.id)).collect()
    };
    let waiting = pending(transaction, profile)?.into_iter().filter(|request| request.expires_at > now);
    let pending = waiting
        .map(|SenderRequest { channel, sender, expires_at, .. }| (channel, PendingSender { sender, expires_at }));
    Ok(GateSenders {
        approved: of(SenderState::Approved),
        blocked: of(SenderState::Blocked),
        pending: pending.collect(),
    })
}

/// A ledger that was put together again lets nobody in; who was blocked stays blocked.
pub(crate) fn revoke_all(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    let at = now.as_millis();
    transaction.execute("UPDATE sender SET state = 'revoked', changed_at = ?1 WHERE state = 'approved'", [at])?;
    transaction.execute("DELETE FROM sender_request", [])?;
    Ok(())
}

/// Remembers a decision and takes the request away; `false` when there is no room.
fn put(transaction: &Transaction<'_>, profile: &ProfileName, record: &SenderRecord) -> Result<bool, StoreError> {
    let SenderRecord { channel, id, name, state, changed_at } = record;
    if find(transaction, profile, channel, *id)?.is_none() {
        let sql = "SELECT count(*) FROM sender WHERE profile = ?1";
        let count: u32 = transaction.query_row(sql, [profile.as_str()], |row| row.get(0))?;
        if count >= MAX_SENDERS {
            return Ok(false);
        }
    }
    transaction.execute(
        "INSERT INTO sender (profile, channel, id, name, state, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (profile, channel, id) DO UPDATE SET
             name = excluded.name, state = excluded.state, changed_at = excluded.changed_at",
        (profile.as_str(), channel.as_str(), id.0, name, state.as_str(), changed_at.as_millis()),
    )?;
    transaction.execute(
        "DELETE FROM sender_request WHERE profile = ?1 AND channel = ?2 AND sender = ?3",
        (profile.as_str(), channel.as_str(), id.0),
    )?;
    Ok(true)
}

#[cfg(test)]
mod tests;
