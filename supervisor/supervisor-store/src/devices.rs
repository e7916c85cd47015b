//! Paired devices; [`links`] has the one-time setup links that enrol them.
//!
//! A revoked device keeps its row: the operator sees what once had access. It comes back only through a new link or a
//! new approval.

pub mod links;
pub mod rotate;

use platform_types::gate::{Caller, Device, Scope, ScriptToken, SetupLink};
use platform_types::{DeviceId, ProfileName, Timestamp};
use rusqlite::{Row, Transaction};

use crate::error::StoreError;
use crate::senders::GateSenders;
use crate::store::Store;

/// Devices with access at the same time in one profile. Each is pushed with every configuration.
pub const MAX_DEVICES: u32 = 64;
/// What the first device of a profile may do.
pub const FIRST_DEVICE: &[Scope] = &[Scope::Chat, Scope::Approve, Scope::Admin];
/// What a further device may do unless the operator says more.
pub const FURTHER_DEVICE: &[Scope] = &[Scope::Chat];
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

/// What a gate of a profile verifies against.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateRegistry {
    pub devices: Vec<Device>,
    pub setup_links: Vec<SetupLink>,
    pub tokens: Vec<ScriptToken>,
    pub senders: GateSenders,
}

impl Store {
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

pub(crate) fn active_devices(transaction: &Transaction<'_>, profile: &ProfileName) -> Result<u32, StoreError> {
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

pub(crate) fn join_scopes(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(crate) fn split_scopes(text: &str) -> Result<Vec<Scope>, StoreError> {
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
