//! A device's key is replaced. Its id is its key's hash, so the device gets a row of its own; the old one stays, revoked.

use platform_types::{DeviceId, ProfileName, Timestamp};

use super::{DeviceRecord, NewDevice, enrol, find_device};
use crate::error::StoreError;
use crate::store::Store;

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The new key is in and the old one is out. Asked again, it is the same answer.
    Done(DeviceRecord),
    /// The device has no access.
    Gone,
    /// The new key belongs to a device that is or was known here.
    Taken,
}

impl Store {
    /// Swaps the keys in one step. Name and scopes stay.
    pub fn rotate_device(
        &self,
        profile: &ProfileName,
        old: &DeviceId,
        (id, public_key): (&DeviceId, &str),
        now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        self.write(|transaction| {
            let Some(before) = find_device(transaction, profile, old)? else { return Ok(Rotation::Gone) };
            let known = find_device(transaction, profile, id)?;
            match (before.revoked_at, known) {
                (Some(at), Some(after)) if after.revoked_at.is_none() && after.added_at == at => {
                    return Ok(Rotation::Done(after));
                }
                (Some(_), _) => return Ok(Rotation::Gone),
                (None, Some(_)) => return Ok(Rotation::Taken),
                (None, None) => {}
            }
            transaction.execute(
                "UPDATE device SET revoked_at = ?3 WHERE profile = ?1 AND id = ?2",
                (profile.as_str(), old.as_str(), now.as_millis()),
            )?;
            let device = NewDevice { id: id.clone(), public_key: public_key.to_owned(), name: before.name };
            Ok(Rotation::Done(enrol(transaction, profile, &device, &before.scopes, now)?))
        })
    }
}
