//! Paired devices and the one-time setup links that enrol them.
//!
//! A revoked device keeps its row: the operator sees what once had access. It comes back only through a new link or a
//! new approval.

pub mod rotate;

use platform_types::gate::{Caller, Device, Scope, ScriptToken, SetupLink};
use platform_types::{DeviceId, ProfileName, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction};

use crate::error::StoreError;
use crate::senders::GateSenders;
use crate::store::Store;

/// Setup links that work at the same time in one profile; a further one retires the oldest.
pub const MAX_LIVE_LINKS: u32 = 8;
/// Devices with access at the same time in one profile. Each is pushed with every configuration.
pub const MAX_DEVICES: u32 = 64;
/// What the first device of a profile may do.
pub const FIRST_DEVICE: &[Scope] = &[Scope::Chat, Scope::Approve, Scope::Admin];
/// What a further device may do unless the operator says more.
pub const FURTHER_DEVICE: &[Scope] = &[Scope::Chat];
/// Links are forgotten so long after they expired.
const KEEP_LINKS_MILLIS: i64 = 7 * 24 * 3_600_000;

/// A device in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    pub profile: ProfileName,
    pub id: DeviceId,
    pub public_key: String,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub added_at: Timestamp,
    pub seen_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl DeviceRecord {
    /// What the gate is told; `None` for a revoked device.
    pub fn to_wire(&self) -> Option<Device> {
        self.revoked_at.is_none().then(|| Device {
            id: self.id.clone(),
            public_key: self.public_key.clone(),
            name: self.name.clone(),
            scopes: self.scopes.clone(),
        })
    }
}

/// A device that proved its key to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDevice {
    pub id: DeviceId,
    pub public_key: String,
    pub name: String,
}

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
    /// [`MAX_DEVICES`] have access already.
    Full,
    /// No such link in this profile.
    Unknown,
}

/// What a gate of a profile verifies against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateRegistry {
    pub devices: Vec<Device>,
    pub setup_links: Vec<SetupLink>,
    pub tokens: Vec<ScriptToken>,
    pub senders: GateSenders,
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

    /// Every device of a profile, the revoked ones too, oldest first.
    pub fn devices(&self, profile: &ProfileName) -> Result<Vec<DeviceRecord>, StoreError> {
        self.read(|transaction| {
            select_devices(transaction, "WHERE profile = ?1 ORDER BY added_at, id", [profile.as_str()])
        })
    }

    /// Takes a device's access away. `false` when there is no such device, or it has none.
    pub fn revoke_device(&self, profile: &ProfileName, id: &DeviceId, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|transaction| {
            let changed = transaction.execute(
                "UPDATE device SET revoked_at = ?3 WHERE profile = ?1 AND id = ?2 AND revoked_at IS NULL",
                (profile.as_str(), id.as_str(), now.as_millis()),
            )?;
            Ok(changed > 0)
        })
    }

    /// Changes what a device may do. `false` when it has no access.
    pub fn set_scopes(&self, profile: &ProfileName, id: &DeviceId, scopes: &[Scope]) -> Result<bool, StoreError> {
        self.change_device("UPDATE device SET scopes = ?3", profile, id, &join_scopes(scopes))
    }

    /// Gives a device another name. `false` when it has no access.
    pub fn rename_device(&self, profile: &ProfileName, id: &DeviceId, name: &str) -> Result<bool, StoreError> {
        self.change_device("UPDATE device SET name = ?3", profile, id, name)
    }

    fn change_device(
        &self,
        update: &'static str,
        profile: &ProfileName,
        id: &DeviceId,
        value: &str,
    ) -> Result<bool, StoreError> {
        let sql = format!("{update} WHERE profile = ?1 AND id = ?2 AND revoked_at IS NULL");
        self.write(|transaction| Ok(transaction.execute(&sql, (profile.as_str(), id.as_str(), value))? > 0))
    }

    /// Remembers when a device or token was last used.
    pub fn touch(&self, profile: &ProfileName, who: &Caller, at: Timestamp) -> Result<(), StoreError> {
        let (sql, key) = match who {
            Caller::Device { id } => (
                "UPDATE device SET seen_at = ?3 WHERE profile = ?1 AND id = ?2 AND coalesce(seen_at, 0) < ?3",
                id.as_str(),
            ),
            Caller::Token { name } => (
                "UPDATE token SET seen_at = ?3
                 WHERE profile = ?1 AND name = ?2 AND revoked_at IS NULL AND coalesce(seen_at, 0) < ?3",
                name.as_str(),
            ),
        };
        self.write(|transaction| {
            transaction.execute(sql, (profile.as_str(), key, at.as_millis()))?;
            Ok(())
        })
    }

    /// What the gate of `profile` is told at `now`: what is valid, nothing else.
    pub fn gate_registry(&self, profile: &ProfileName, now: Timestamp) -> Result<GateRegistry, StoreError> {
        self.read(|transaction| {
            let devices = select_devices(
                transaction,
                "WHERE profile = ?1 AND revoked_at IS NULL ORDER BY added_at, id",
                [profile.as_str()],
            )?;
            let mut links = transaction.prepare_cached(
                "SELECT code_sha256, expires_at FROM setup_link
                 WHERE profile = ?1 AND used_at IS NULL AND expires_at > ?2 ORDER BY created_at, code_sha256",
            )?;
            let setup_links = links
                .query_map((profile.as_str(), now.as_millis()), |row| {
                    Ok(SetupLink { code_sha256: row.get(0)?, expires_at: Timestamp(row.get(1)?) })
                })?
                .collect::<Result<_, _>>()?;
            let mut tokens = transaction.prepare_cached(
                "SELECT name, token_sha256 FROM token WHERE profile = ?1 AND revoked_at IS NULL ORDER BY created_at, name",
            )?;
            let tokens = tokens
                .query_map([profile.as_str()], |row| {
                    Ok(ScriptToken { name: row.get(0)?, token_sha256: row.get(1)? })
                })?
                .collect::<Result<_, _>>()?;
            let devices = devices.iter().filter_map(DeviceRecord::to_wire).collect();
            let senders = crate::senders::for_gate(transaction, profile, now)?;
            Ok(GateRegistry { devices, setup_links, tokens, senders })
        })
    }
}

/// Adds a device, or gives a known one its access back.
pub(crate) fn enrol(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    device: &NewDevice,
    scopes: &[Scope],
    now: Timestamp,
) -> Result<DeviceRecord, StoreError> {
    transaction.execute(
        "INSERT INTO device (profile, id, public_key, name, scopes, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (profile, id) DO UPDATE SET
             name = excluded.name, scopes = excluded.scopes, added_at = excluded.added_at, revoked_at = NULL,
             replaced_by = NULL",
        (profile.as_str(), device.id.as_str(), &device.public_key, &device.name, join_scopes(scopes), now.as_millis()),
    )?;
    find_device(transaction, profile, &device.id)?.ok_or(StoreError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
}

pub(crate) fn find_device(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    id: &DeviceId,
) -> Result<Option<DeviceRecord>, StoreError> {
    Ok(select_devices(transaction, "WHERE profile = ?1 AND id = ?2", [profile.as_str(), id.as_str()])?.pop())
}

/// Whether there is no room for a device that has no access yet.
pub(crate) fn is_full(transaction: &Transaction<'_>, profile: &ProfileName, id: &DeviceId) -> Result<bool, StoreError> {
    let known = find_device(transaction, profile, id)?.is_some_and(|device| device.revoked_at.is_none());
    Ok(!known && active_devices(transaction, profile)? >= MAX_DEVICES)
}

fn active_devices(transaction: &Transaction<'_>, profile: &ProfileName) -> Result<u32, StoreError> {
    let sql = "SELECT count(*) FROM device WHERE profile = ?1 AND revoked_at IS NULL";
    Ok(transaction.query_row(sql, [profile.as_str()], |row| row.get(0))?)
}

fn select_devices(
    transaction: &Transaction<'_>,
    clause: &'static str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<DeviceRecord>, StoreError> {
    let sql =
        format!("SELECT profile, id, public_key, name, scopes, added_at, seen_at, revoked_at FROM device {clause}");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters)?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(DeviceRecord {
            profile: column_profile(row, 0)?,
            id: column_device(row.get(1)?)?,
            public_key: row.get(2)?,
            name: row.get(3)?,
            scopes: split_scopes(&row.get::<_, String>(4)?)?,
            added_at: Timestamp(row.get(5)?),
            seen_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
            revoked_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        });
    }
    Ok(devices)
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

fn join_scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn split_scopes(text: &str) -> Result<Vec<Scope>, StoreError> {
    text.split_whitespace()
        .map(|word| match word {
            "chat" => Ok(Scope::Chat),
            "approve" => Ok(Scope::Approve),
            "admin" => Ok(Scope::Admin),
            _ => Err(StoreError::Unreadable { what: "scope", text: word.to_owned() }),
        })
        .collect()
}

pub(crate) fn column_device(text: String) -> Result<DeviceId, StoreError> {
    DeviceId::new(text.clone()).map_err(|_| StoreError::Unreadable { what: "device id", text })
}

pub(crate) fn column_profile(row: &Row<'_>, index: usize) -> Result<ProfileName, StoreError> {
    let text: String = row.get(index)?;
    ProfileName::new(text.clone()).map_err(|_| StoreError::Unreadable { what: "profile name", text })
}

#[cfg(test)]
mod tests;
