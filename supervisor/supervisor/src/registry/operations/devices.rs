//! Requests to pair are decided; devices lose access, get other scopes and names.

use std::collections::BTreeMap;

use platform_kit::Failure;
use platform_types::gate::{MAX_DEVICE_NAME_CHARS, PairingDecision, Scope};
use platform_types::text::neutral;
use platform_types::{DeviceId, ErrorCode, ProfileName};
use supervisor_store::devices::{FURTHER_DEVICE, MAX_DEVICES};
use supervisor_store::{Approval, DeviceRecord, PairingRecord, Store, StoreError};

use super::{in_ledger, normal, note, origin, push, tell_gate};
use crate::api::failure::internal;
use crate::api::wire::registry as wire;
use crate::registry::code::{self, NotFound};
use crate::state::Shared;

/// What a profile's devices are called, those without access too. A ledger that cannot be read names nobody.
pub async fn device_names(shared: &Shared, profile: &ProfileName) -> BTreeMap<DeviceId, String> {
    let profile = profile.clone();
    let known = in_ledger(shared, move |store| store.devices(&profile)).await.unwrap_or_default();
    known.into_iter().map(|device| (device.id, neutral(&device.name))).collect()
}

/// Devices and the requests that wait.
pub async fn list_devices(shared: &Shared, profile: &ProfileName) -> Result<wire::Devices, Failure> {
    origin(shared, profile)?;
    let (records, pending) = registry(shared, profile).await?;
    Ok(wire::Devices {
        profile: profile.clone(),
        now: shared.clock.now(),
        devices: records.iter().map(device).collect(),
        requests: pending.iter().map(request).collect(),
    })
}

/// Lets a waiting device in.
pub async fn approve(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    approve: wire::ApproveRequest,
) -> Result<wire::DeviceChanged, Failure> {
    origin(shared, profile)?;
    let (_, pending) = registry(shared, profile).await?;
    let found = one(&approve.code, &pending, "waiting request", |request| &request.device)?;
    let scopes = approve.scopes.map_or_else(|| FURTHER_DEVICE.to_vec(), normal);
    let (record, pushed) = let_in(shared, profile, by, found, scopes).await?;
    Ok(wire::DeviceChanged { profile: profile.clone(), device: device(&record), pushed })
}

/// The ledger, the record, the push, the word to the browser that waits; whether the gate confirmed the push.
pub async fn let_in(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    found: &PairingRecord,
    scopes: Vec<Scope>,
) -> Result<(DeviceRecord, bool), Failure> {
    let now = shared.clock.now();
    let outcome = {
        let (profile, id) = (profile.clone(), found.id.clone());
        in_ledger(shared, move |store| store.approve_pairing(&profile, &id, &scopes, now)).await
    };
    let record = match outcome.map_err(|error| internal(&error))? {
        Approval::Accepted(record) => record,
        Approval::Expired => return Err(Failure::new(ErrorCode::Conflict, "the request has expired; ask again there")),
        Approval::Full => {
            let message = format!("{profile} has {MAX_DEVICES} devices; revoke one that is not used");
            return Err(Failure::new(ErrorCode::Conflict, message));
        }
        Approval::Gone => return Err(Failure::new(ErrorCode::Conflict, "the request was decided meanwhile")),
    };
    let may = words(&record.scopes);
    let message = format!("{} ({}) was approved and may {may}", record.name, code::short(&record.id));
    note(shared, profile, by, "device.approved", message).await;
    let pushed = push(shared, profile).await;
    if let Some(device) = record.to_wire() {
        tell_gate(shared, profile, &found.id, &PairingDecision::Accepted { device }).await;
    }
    Ok((record, pushed))
}

/// Turns a waiting device away.
pub async fn refuse(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    code: &str,
) -> Result<wire::RequestRefused, Failure> {
    origin(shared, profile)?;
    let (_, pending) = registry(shared, profile).await?;
    let found = one(code, &pending, "waiting request", |request| &request.device)?;
    turn_away(shared, profile, by, found).await?;
    Ok(wire::RequestRefused { profile: profile.clone(), request: request(found) })
}

/// The ledger, the record, the word to the browser that waits.
pub async fn turn_away(shared: &Shared, profile: &ProfileName, by: &str, found: &PairingRecord) -> Result<(), Failure> {
    let changed = {
        let (profile, id) = (profile.clone(), found.id.clone());
        in_ledger(shared, move |store| store.refuse_pairing(&profile, &id)).await.map_err(|error| internal(&error))?
    };
    if !changed {
        return Err(Failure::new(ErrorCode::Conflict, "the request was decided meanwhile"));
    }
    let message = format!("{} ({}) was refused", found.name, code::short(&found.device));
    note(shared, profile, by, "pairing.refused", message).await;
    let word = PairingDecision::Refused { reason: "the request was refused".to_owned() };
    tell_gate(shared, profile, &found.id, &word).await;
    Ok(())
}

/// Takes a device's access away: its open connections end with the push.
pub async fn revoke(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    code: &str,
) -> Result<wire::DeviceChanged, Failure> {
    let mut found = active(shared, profile, code).await?;
    let now = shared.clock.now();
    found.revoked_at = Some(now);
    let message = format!("{} ({}) was revoked", found.name, code::short(&found.id));
    change(shared, profile, found, move |store, device| store.revoke_device(&device.profile, &device.id, now), async {
        note(shared, profile, by, "device.revoked", message).await;
    })
    .await
}

/// Changes what a device may do.
pub async fn set_scopes(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    request: wire::ScopeRequest,
) -> Result<wire::DeviceChanged, Failure> {
    let mut found = active(shared, profile, &request.code).await?;
    found.scopes = normal(request.scopes);
    let message = format!("{} ({}) may {}", found.name, code::short(&found.id), words(&found.scopes));
    let scopes = found.scopes.clone();
    change(shared, profile, found, move |store, device| store.set_scopes(&device.profile, &device.id, &scopes), async {
        note(shared, profile, by, "device.scoped", message).await;
    })
    .await
}

/// Gives a device another name.
pub async fn rename(
    shared: &Shared,
    profile: &ProfileName,
    by: &str,
    request: wire::RenameRequest,
) -> Result<wire::DeviceChanged, Failure> {
    let wire::RenameRequest { code, name } = request;
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_DEVICE_NAME_CHARS || name.trim() != name || neutral(&name) != name {
        let message = format!("a device's name has 1 to {MAX_DEVICE_NAME_CHARS} printable characters");
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("name"));
    }
    let mut found = active(shared, profile, &code).await?;
    let message = format!("{} ({}) is now called {name}", found.name, code::short(&found.id));
    found.name.clone_from(&name);
    change(
        shared,
        profile,
        found,
        move |store, device| store.rename_device(&device.profile, &device.id, &name),
        async {
            note(shared, profile, by, "device.renamed", message).await;
        },
    )
    .await
}

/// The ledger, the record, the push.
async fn change(
    shared: &Shared,
    profile: &ProfileName,
    device: DeviceRecord,
    work: impl FnOnce(&Store, &DeviceRecord) -> Result<bool, StoreError> + Send + 'static,
    note: impl Future<Output = ()>,
) -> Result<wire::DeviceChanged, Failure> {
    let meant = device.clone();
    let changed = in_ledger(shared, move |store| work(store, &meant)).await.map_err(|error| internal(&error))?;
    if !changed {
        return Err(Failure::new(ErrorCode::Conflict, "the device was revoked meanwhile"));
    }
    note.await;
    let pushed = push(shared, profile).await;
    Ok(wire::DeviceChanged { profile: profile.clone(), device: self::device(&device), pushed })
}

/// The device with access that is meant, by the code that it has or had: a new key does not take it out of reach.
async fn active(shared: &Shared, profile: &ProfileName, code: &str) -> Result<DeviceRecord, Failure> {
    origin(shared, profile)?;
    let (records, _) = registry(shared, profile).await?;
    let (active, out): (Vec<DeviceRecord>, Vec<_>) =
        records.into_iter().partition(|record| record.revoked_at.is_none());
    if let (Err(NotFound::None), Ok(old)) = (find(code, &active), find(code, &out)) {
        let (profile, old) = (profile.clone(), old.id.clone());
        let later = in_ledger(shared, move |store| store.successor(&profile, &old)).await;
        if let Some(found) = later.map_err(|error| internal(&error))? {
            return Ok(found);
        }
    }
    Ok(one(code, &active, "device with access", |record| &record.id)?.clone())
}

fn find<'a>(code: &str, devices: &'a [DeviceRecord]) -> Result<&'a DeviceRecord, NotFound> {
    code::find(code, devices, |record| &record.id)
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(in crate::registry) async fn registry(
    shared: &Shared,
    profile: &ProfileName,
) -> Result<(Vec<DeviceRecord>, Vec<PairingRecord>), Failure> {
    let now = shared.clock.now();
    let profile = profile.clone();
    in_ledger(shared, move |store| Ok((store.devices(&profile)?, store.pending_pairings(&profile, now)?)))
        .await
        .map_err(|error| internal(&error))
}

fn one<'a, T>(
    text: &str,
    items: &'a [T],
    what: &str,
    id: impl Fn(&T) -> &platform_types::DeviceId,
) -> Result<&'a T, Failure> {
    let shown = neutral(text);
    code::find(text, items, id).map_err(|error| match error {
        NotFound::Malformed => {
            let message = format!("{shown:?} is not a device code: that has at least eight digits, like 1a2b-3c4d");
            Failure::new(ErrorCode::BadRequest, message).with_param("code")
        }
        NotFound::None => Failure::new(ErrorCode::NotFound, format!("there is no {what} with the code {shown}")),
        NotFound::Ambiguous => {
            let message = format!("several devices begin with {shown}; give more digits of the id");
            Failure::new(ErrorCode::Conflict, message).with_param("code")
        }
    })
}

fn device(record: &DeviceRecord) -> wire::Device {
    let DeviceRecord { profile: _, id, public_key: _, name, scopes, added_at, seen_at, revoked_at } = record.clone();
    wire::Device { code: code::short(&id), id, name, scopes, added_at, seen_at, revoked_at }
}

fn request(record: &PairingRecord) -> wire::PairingRequest {
    let PairingRecord { profile: _, id: _, device, public_key: _, name, login, asked_at, expires_at, state: _ } =
        record.clone();
    wire::PairingRequest { code: code::short(&device), id: device, name, login, asked_at, expires_at }
}
