//! A device's key is replaced. Its id is its key's hash, so the device gets a row of its own; the old one stays, revoked.

use platform_types::{DeviceId, ProfileName, Timestamp};
use rusqlite::Transaction;

use super::{DeviceRecord, NewDevice, enrol, find_device, select_devices};
use crate::error::StoreError;
use crate::store::Store;

/// A key that came by a rotation is not rotated again for so long: somebody who has stolen it cannot outrun the operator who
/// types the code that the device list shows.
pub const BETWEEN_ROTATIONS_MILLIS: i64 = 60 * 60 * 1000;

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The new key is in and the old one is out. Asked again, it is the same answer.
    Done(DeviceRecord),
    /// The device has no access.
    Gone,
    /// The new key belongs to a device that is or was known here.
    Taken,
    /// The device took a key less than [`BETWEEN_ROTATIONS_MILLIS`] ago; it may take the next one then.
    TooSoon(Timestamp),
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
            if let Some(then) = next_rotation(transaction, profile, old)?.filter(|then| now < *then) {
                return Ok(Rotation::TooSoon(then));
            }
            transaction.execute(
                "UPDATE device SET revoked_at = ?3, replaced_by = ?4 WHERE profile = ?1 AND id = ?2",
                (profile.as_str(), old.as_str(), now.as_millis(), id.as_str()),
            )?;
            let device = NewDevice { id: id.clone(), public_key: public_key.to_owned(), name: before.name };
            Ok(Rotation::Done(enrol(transaction, profile, &device, &before.scopes, now)?))
        })
    }
    /// The device with access that a device without became, over any number of rotations.
    pub fn successor(&self, profile: &ProfileName, id: &DeviceId) -> Result<Option<DeviceRecord>, StoreError> {
        self.read(|transaction| {
            let clause = "WHERE profile = ?1 AND revoked_at IS NULL AND id IN (
                 WITH RECURSIVE later(id) AS (
                     SELECT replaced_by FROM device WHERE profile = ?1 AND id = ?2
                     UNION
                     SELECT device.replaced_by FROM device JOIN later ON device.id = later.id WHERE device.profile = ?1)
                 SELECT id FROM later)";
            Ok(select_devices(transaction, clause, [profile.as_str(), id.as_str()])?.pop())
        })
    }
}

/// From when on a device that came by a rotation may take another key.
fn next_rotation(
    transaction: &Transaction<'_>,
    profile: &ProfileName,
    id: &DeviceId,
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT max(revoked_at) FROM device WHERE profile = ?1 AND replaced_by = ?2";
    let at: Option<i64> = transaction.query_row(sql, [profile.as_str(), id.as_str()], |row| row.get(0))?;
    Ok(at.map(|at| Timestamp(at).plus_millis(BETWEEN_ROTATIONS_MILLIS)))
}
