//! One-time setup links: made, used once, forgotten.

use platform_types::gate::Scope;
use platform_types::{DeviceId, ProfileName, Timestamp};
use rusqlite::{OptionalExtension as _, Transaction};

use super::{
    DeviceRecord, FIRST_DEVICE, FURTHER_DEVICE, NewDevice, active_devices, column_device, enrol, find_device, is_full,
    join_scopes, split_scopes,
};
use crate::error::StoreError;
use crate::store::Store;

/// Setup links that work at the same time in one profile; a further one retires the oldest.
pub const MAX_LIVE_LINKS: u32 = 8;
/// Links are forgotten so long after they expired.
const KEEP_LINKS_MILLIS: i64 = 7 * 24 * 3_600_000;

/// A setup link, by the digest of its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    pub profile: ProfileName,
    pub code_sha256: String,
    /// `None`: decided when it is redeemed.
    pub scopes: Option<Vec<Scope>>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub used_by: Option<DeviceId>,
}

/// What became of an attempt to use a setup link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// The device is paired. The same device may hear this again: its first answer may have been lost.
    Accepted(DeviceRecord),
    /// Another device used it first.
    Used,
    Expired,
    /// [`super::MAX_DEVICES`] have access already.
    Full,
    /// No such link in this profile.
    Unknown,
}

impl Store {
    /// Adds a link; when [`MAX_LIVE_LINKS`] work already, the oldest stops working.
    pub fn create_link(&self, link: &LinkRecord) -> Result<(), StoreError> {
        let profile = link.profile.as_str();
        let now = link.created_at.as_millis();
        self.write(|transaction| {
            transaction.execute("DELETE FROM setup_link WHERE expires_at < ?1", [now - KEEP_LINKS_MILLIS])?;
            transaction.execute(
                "UPDATE setup_link SET expires_at = ?2 WHERE code_sha256 IN (
                     SELECT code_sha256 FROM setup_link WHERE profile = ?1 AND used_at IS NULL AND expires_at > ?2
                     ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?3)",
                (profile, now, MAX_LIVE_LINKS - 1),
            )?;
            transaction.execute(
                "INSERT INTO setup_link (code_sha256, profile, scopes, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    &link.code_sha256,
                    profile,
                    link.scopes.as_deref().map(join_scopes),
                    now,
                    link.expires_at.as_millis(),
                ),
            )?;
            Ok(())
        })
    }

    /// Uses a link for a device, exactly once. What the device may do is said by the link, or else by whether it is the
    /// first one of the profile: somebody has to be able to approve.
    pub fn redeem_link(
        &self,
        profile: &ProfileName,
        code_sha256: &str,
        device: &NewDevice,
        now: Timestamp,
    ) -> Result<Redemption, StoreError> {
        self.write(|transaction| {
            let Some(link) = link(transaction, profile, code_sha256)? else { return Ok(Redemption::Unknown) };
            match &link.used_by {
                Some(user) if *user == device.id => {
                    return Ok(match find_device(transaction, profile, &device.id)? {
                        Some(known) if known.revoked_at.is_none() => Redemption::Accepted(known),
                        _ => Redemption::Used,
                    });
                }
                Some(_) => return Ok(Redemption::Used),
                None if link.expires_at <= now => return Ok(Redemption::Expired),
                None => {}
            }
            if is_full(transaction, profile, &device.id)? {
                return Ok(Redemption::Full);
            }
            let first = active_devices(transaction, profile)? == 0;
            let default = if first { FIRST_DEVICE } else { FURTHER_DEVICE };
            let scopes = link.scopes.as_deref().unwrap_or(default);
            transaction.execute(
                "UPDATE setup_link SET used_at = ?2, used_by = ?3 WHERE code_sha256 = ?1",
                (code_sha256, now.as_millis(), device.id.as_str()),
            )?;
            Ok(Redemption::Accepted(enrol(transaction, profile, device, scopes, now)?))
        })
    }
}

fn link(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    code_sha256: &str,
) -> Result<Option<LinkRecord>, StoreError> {
    type Columns = (Option<String>, i64, i64, Option<i64>, Option<String>);
    let columns: Option<Columns> = transaction
        .query_row(
            "SELECT scopes, created_at, expires_at, used_at, used_by FROM setup_link WHERE profile = ?1 AND code_sha256 = ?2",
            (profile.as_str(), code_sha256),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .optional()?;
    let Some((scopes, created_at, expires_at, used_at, used_by)) = columns else { return Ok(None) };
    Ok(Some(LinkRecord {
        profile: profile.clone(),
        code_sha256: code_sha256.to_owned(),
        scopes: scopes.as_deref().map(split_scopes).transpose()?,
        created_at: Timestamp(created_at),
        expires_at: Timestamp(expires_at),
        used_at: used_at.map(Timestamp),
        used_by: used_by.map(column_device).transpose()?,
    }))
}
