//! Requests to pair a device without a setup link: they wait for the operator, bounded in number and time.

use platform_types::gate::{PairingAttempt, Scope};
use platform_types::{DeviceId, ProfileName, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction};

use crate::devices::{DeviceRecord, NewDevice, column_device, column_profile, enrol, find_device, is_full};
use crate::error::StoreError;
use crate::store::Store;

/// Requests that wait at the same time in one profile. A person looks at them one by one.
pub const MAX_PENDING: u32 = 8;
/// How long a request waits for the operator.
pub const PAIRING_MILLIS: i64 = 10 * 60_000;
/// Requests are forgotten so long after they expired.
const KEEP_MILLIS: i64 = 24 * 3_600_000;

/// A request to pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairingRecord {
    pub profile: ProfileName,
    pub id: String,
    pub device: DeviceId,
    pub public_key: String,
    pub name: String,
    /// Who tailscale said was asking.
    pub login: Option<String>,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub state: PairingState,
}

/// What became of a request. A pending one past its time has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairingState {
    Pending,
    Accepted,
    Refused,
    /// The same device asked again.
    Superseded,
}

impl PairingState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }
}

/// What the ledger says to a request that a gate reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Waits for the operator; `new` when it was not known before.
    Pending {
        new: bool,
    },
    /// The operator accepted this request.
    Accepted(DeviceRecord),
    Refused,
    Expired,
    /// The same device asked again later.
    Superseded,
    /// [`MAX_PENDING`] requests wait already.
    Full,
}

/// What became of the operator's approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    Accepted(DeviceRecord),
    Expired,
    /// As many devices have access as may.
    Full,
    /// No such request, or it is decided.
    Gone,
}

impl Store {
    /// Takes note of a request. The same one may be offered again at any time: a gate repeats what is undecided.
    pub fn offer_pairing(
        &self,
        profile: &ProfileName,
        attempt: &PairingAttempt,
        now: Timestamp,
    ) -> Result<Offer, StoreError> {
        self.write(|transaction| {
            if let Some(known) = find(transaction, profile, &attempt.id)? {
                return known_offer(transaction, &known, now);
            }
            transaction.execute("DELETE FROM pairing WHERE expires_at < ?1", [now.as_millis() - KEEP_MILLIS])?;
            transaction.execute(
                "UPDATE pairing SET state = 'superseded' WHERE profile = ?1 AND device = ?2 AND state = 'pending'",
                (profile.as_str(), attempt.device.as_str()),
            )?;
            let waiting: u32 = transaction.query_row(
                "SELECT count(*) FROM pairing WHERE profile = ?1 AND state = 'pending' AND expires_at > ?2",
                (profile.as_str(), now.as_millis()),
                |row| row.get(0),
            )?;
            if waiting >= MAX_PENDING {
                return Ok(Offer::Full);
            }
            transaction.execute(
                "INSERT INTO pairing (profile, id, device, public_key, name, asked_at, expires_at, state, login)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8)",
                (
                    profile.as_str(),
                    &attempt.id,
                    attempt.device.as_str(),
                    &attempt.public_key,
                    &attempt.name,
                    now.as_millis(),
                    now.plus_millis(PAIRING_MILLIS).as_millis(),
                    &attempt.login,
                ),
            )?;
            Ok(Offer::Pending { new: true })
        })
    }

    /// Requests that wait at `now`, oldest first.
    pub fn pending_pairings(&self, profile: &ProfileName, now: Timestamp) -> Result<Vec<PairingRecord>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached(
                "SELECT profile, id, device, public_key, name, asked_at, expires_at, state, login FROM pairing
                 WHERE profile = ?1 AND state = 'pending' AND expires_at > ?2 ORDER BY asked_at, id",
            )?;
            let mut rows = statement.query((profile.as_str(), now.as_millis()))?;
            let mut pairings = Vec::new();
            while let Some(row) = rows.next()? {
                pairings.push(read_row(row)?);
            }
            Ok(pairings)
        })
    }

    /// Lets a waiting device in.
    pub fn approve_pairing(
        &self,
        profile: &ProfileName,
        id: &str,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<Approval, StoreError> {
        self.write(|transaction| match find(transaction, profile, id)? {
            Some(pairing) if pairing.state == PairingState::Pending => {
                if pairing.expires_at <= now {
                    return Ok(Approval::Expired);
                }
                if is_full(transaction, profile, &pairing.device)? {
                    return Ok(Approval::Full);
                }
                set_state(transaction, &pairing, PairingState::Accepted)?;
                let PairingRecord { device, public_key, name, .. } = pairing;
                let device = NewDevice { id: device, public_key, name };
                Ok(Approval::Accepted(enrol(transaction, profile, &device, scopes, now)?))
            }
            _ => Ok(Approval::Gone),
        })
    }

    /// Turns a waiting device away; `false` when there is no such request, or it is decided.
    pub fn refuse_pairing(&self, profile: &ProfileName, id: &str) -> Result<bool, StoreError> {
        self.write(|transaction| match find(transaction, profile, id)? {
            Some(pairing) if pairing.state == PairingState::Pending => {
                set_state(transaction, &pairing, PairingState::Refused)?;
                Ok(true)
            }
            _ => Ok(false),
        })
    }
}

fn known_offer(transaction: &Transaction<'_>, known: &PairingRecord, now: Timestamp) -> Result<Offer, StoreError> {
    Ok(match known.state {
        PairingState::Pending if known.expires_at <= now => Offer::Expired,
        PairingState::Pending => Offer::Pending { new: false },
        PairingState::Refused => Offer::Refused,
        PairingState::Superseded => Offer::Superseded,
        PairingState::Accepted => match find_device(transaction, &known.profile, &known.device)? {
            Some(device) if device.revoked_at.is_none() => Offer::Accepted(device),
            _ => Offer::Refused,
        },
    })
}

fn set_state(transaction: &Transaction<'_>, pairing: &PairingRecord, state: PairingState) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE pairing SET state = ?3 WHERE profile = ?1 AND id = ?2",
        (pairing.profile.as_str(), &pairing.id, state.as_str()),
    )?;
    Ok(())
}

fn find(transaction: &Transaction<'_>, profile: &ProfileName, id: &str) -> Result<Option<PairingRecord>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT profile, id, device, public_key, name, asked_at, expires_at, state, login FROM pairing
         WHERE profile = ?1 AND id = ?2",
    )?;
    statement.query_row((profile.as_str(), id), |row| Ok(read_row(row))).optional()?.transpose()
}

fn read_row(row: &Row<'_>) -> Result<PairingRecord, StoreError> {
    let state: String = row.get(7)?;
    Ok(PairingRecord {
        profile: column_profile(row, 0)?,
        id: row.get(1)?,
        device: column_device(row.get(2)?)?,
        public_key: row.get(3)?,
        name: row.get(4)?,
        login: row.get(8)?,
        asked_at: Timestamp(row.get(5)?),
        expires_at: Timestamp(row.get(6)?),
        state: match state.as_str() {
            "pending" => PairingState::Pending,
            "accepted" => PairingState::Accepted,
            "refused" => PairingState::Refused,
            "superseded" => PairingState::Superseded,
            _ => return Err(StoreError::Unreadable { what: "pairing state", text: state }),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn profile() -> ProfileName {
        ProfileName::new("personal").unwrap()
    }

    fn attempt(n: u32) -> PairingAttempt {
        PairingAttempt {
            id: format!("{n:032x}"),
            device: DeviceId::new(format!("{n:064x}")).unwrap(),
            public_key: format!("key {n}"),
            name: format!("phone {n}"),
            at: NOW,
            code_sha256: None,
            login: (n == 1).then(|| "anna@example.com".to_owned()),
        }
    }

    #[test]
    fn a_request_waits_is_approved_and_stays_approved() {
        let store = Store::in_memory().unwrap();
        let request = attempt(1);
        assert_eq!(store.offer_pairing(&profile(), &request, NOW).unwrap(), Offer::Pending { new: true });
        assert_eq!(store.offer_pairing(&profile(), &request, NOW).unwrap(), Offer::Pending { new: false });
        let waiting = store.pending_pairings(&profile(), NOW).unwrap();
        let [waiting] = waiting.as_slice() else { panic!("{waiting:?}") };
        assert_eq!(waiting.login.as_deref(), Some("anna@example.com"));
        let approval = store.approve_pairing(&profile(), &request.id, &[Scope::Chat], NOW).unwrap();
        let Approval::Accepted(device) = approval else { panic!("{approval:?}") };
        assert_eq!((device.name.as_str(), device.scopes.as_slice()), ("phone 1", [Scope::Chat].as_slice()));
        assert_eq!(store.offer_pairing(&profile(), &request, NOW).unwrap(), Offer::Accepted(device));
        assert_eq!(store.approve_pairing(&profile(), &request.id, &[], NOW).unwrap(), Approval::Gone);
        assert_eq!(store.pending_pairings(&profile(), NOW).unwrap(), []);
        store.revoke_device(&profile(), &request.device, NOW).unwrap();
        assert_eq!(store.offer_pairing(&profile(), &request, NOW).unwrap(), Offer::Refused);
    }

    #[test]
    fn a_refused_request_stays_refused() {
        let store = Store::in_memory().unwrap();
        let request = attempt(1);
        store.offer_pairing(&profile(), &request, NOW).unwrap();
        assert!(store.refuse_pairing(&profile(), &request.id).unwrap());
        assert!(!store.refuse_pairing(&profile(), &request.id).unwrap());
        assert_eq!(store.offer_pairing(&profile(), &request, NOW).unwrap(), Offer::Refused);
        assert_eq!(store.approve_pairing(&profile(), &request.id, &[], NOW).unwrap(), Approval::Gone);
        assert_eq!(store.devices(&profile()).unwrap(), []);
    }

    #[test]
    fn a_request_expires() {
        let store = Store::in_memory().unwrap();
        let request = attempt(1);
        store.offer_pairing(&profile(), &request, NOW).unwrap();
        let late = NOW.plus_millis(PAIRING_MILLIS);
        assert_eq!(store.pending_pairings(&profile(), late).unwrap(), []);
        assert_eq!(store.approve_pairing(&profile(), &request.id, &[], late).unwrap(), Approval::Expired);
        assert_eq!(store.offer_pairing(&profile(), &request, late).unwrap(), Offer::Expired);
    }

    #[test]
    fn a_flood_is_bounded_and_one_device_holds_one_place() {
        let store = Store::in_memory().unwrap();
        for n in 0..MAX_PENDING {
            assert_eq!(store.offer_pairing(&profile(), &attempt(n), NOW).unwrap(), Offer::Pending { new: true });
        }
        assert_eq!(store.offer_pairing(&profile(), &attempt(99), NOW).unwrap(), Offer::Full);
        let other = ProfileName::new("ops").unwrap();
        assert_eq!(store.offer_pairing(&other, &attempt(99), NOW).unwrap(), Offer::Pending { new: true });

        let again = PairingAttempt { id: "again".to_owned(), ..attempt(0) };
        assert_eq!(store.offer_pairing(&profile(), &again, NOW).unwrap(), Offer::Pending { new: true });
        assert_eq!(store.offer_pairing(&profile(), &attempt(0), NOW).unwrap(), Offer::Superseded);
        assert_eq!(store.pending_pairings(&profile(), NOW).unwrap().len(), MAX_PENDING as usize);

        let later = NOW.plus_millis(PAIRING_MILLIS);
        assert_eq!(store.offer_pairing(&profile(), &attempt(99), later).unwrap(), Offer::Pending { new: true });
    }
}
