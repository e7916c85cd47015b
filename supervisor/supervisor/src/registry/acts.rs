//! What devices do about devices. The gate has checked it; here everything is checked again against the ledger, with the key that
//! the ledger has: a gate's word alone lets nobody in.

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, VerifyingKey};
use platform_kit::Failure;
use platform_types::device::{Act, ActOutcome, DeviceAct, SignedAct, are_proper};
use platform_types::egress::Verdict;
use platform_types::gate::Scope;
use platform_types::{DeviceId, ErrorCode, ProfileName};
use supervisor_store::{DeviceRecord, Rotation};

use super::{code, decision, operations, switch};
use crate::api::failure::internal;
use crate::state::Shared;

/// Checks, does, and says what became of it.
pub async fn perform(shared: &Shared, profile: &ProfileName, act: &DeviceAct) -> ActOutcome {
    match attempt(shared, profile, act).await {
        Ok(outcome) => outcome,
        Err(failure) => {
            let device = code::short(&act.by);
            tracing::info!(%profile, device, reason = failure.message, "what a device wanted was refused");
            ActOutcome::Refused { reason: failure.message }
        }
    }
}

async fn attempt(shared: &Shared, profile: &ProfileName, act: &DeviceAct) -> Result<ActOutcome, Failure> {
    let (devices, _) = operations::devices::registry(shared, profile).await?;
    let by = devices.iter().find(|device| device.id == act.by);
    let text = SignedAct { profile, by: &act.by, act: &act.act }.to_string();
    if !by.is_some_and(|by| verify(&by.public_key, &text, &act.signature)) {
        return Err(refused("the signature is not that of a device of this profile"));
    }
    let by = by.filter(|by| by.revoked_at.is_none());
    match &act.act {
        Act::Admit { .. } => admit(shared, by.ok_or_else(no_access)?, &act.act).await,
        // Asked again after a lost answer, the old key is out already.
        Act::Rotate { device, public_key, proof, .. } => {
            if code::device_id(public_key).as_ref() != Some(device) || !verify(public_key, &text, proof) {
                return Err(refused("the new key was not proven"));
            }
            rotate(shared, (profile, &act.by), (device, public_key)).await
        }
        Act::Confirm { .. } => switch::decide(shared, by.ok_or_else(no_access)?, &act.act, &act.signature).await,
    }
}

async fn admit(shared: &Shared, by: &DeviceRecord, act: &Act) -> Result<ActOutcome, Failure> {
    let Act::Admit { request, device, name, verdict, scopes } = act else {
        return Err(refused("this decides nothing"));
    };
    let profile = &by.profile;
    let may = |scope: &Scope| by.scopes.contains(scope);
    if !may(&Scope::Admin) || !are_proper(scopes, *verdict) || !scopes.iter().all(may) {
        return Err(refused("a device with the scope admin lets others in, with the scopes that it has itself"));
    }
    let (_, pending) = operations::devices::registry(shared, profile).await?;
    let shown = decision::shown_name(name);
    let found = pending.iter().find(|found| found.id == *request && found.device == *device && found.name == shown);
    let found = found.ok_or_else(|| refused("the request was decided meanwhile, or has expired"))?;
    let actor = format!("device {} ({})", by.id, by.name);
    match verdict {
        Verdict::Allow => {
            operations::devices::let_in(shared, profile, &actor, found, scopes.clone()).await?;
        }
        Verdict::Deny => operations::devices::turn_away(shared, profile, &actor, found).await?,
    }
    Ok(ActOutcome::Done { device: None })
}

async fn rotate(
    shared: &Shared,
    (profile, old): (&ProfileName, &DeviceId),
    (new, public_key): (&DeviceId, &str),
) -> Result<ActOutcome, Failure> {
    let now = shared.clock.now();
    let outcome = {
        let (profile, old, new, public_key) = (profile.clone(), old.clone(), new.clone(), public_key.to_owned());
        operations::in_ledger(shared, move |store| store.rotate_device(&profile, &old, (&new, &public_key), now)).await
    };
    let record = match outcome.map_err(|error| internal(&error))? {
        Rotation::Done(record) => record,
        Rotation::Gone => return Err(no_access()),
        Rotation::Taken => return Err(refused("this key is or was in use here; make another one")),
        Rotation::TooSoon(then) => {
            let minutes = (then.as_millis() - now.as_millis() + 59_999) / 60_000;
            return Err(refused(&format!(
                "this device took a new key less than an hour ago; it may take the next one in {minutes} min"
            )));
        }
    };
    let (before, after) = (code::short(old), code::short(new));
    let message = format!("{} has another key: {before} is out, it is now {after}", record.name);
    operations::note(shared, profile, &format!("device {old} ({})", record.name), "device.rotated", message).await;
    operations::push(shared, profile).await;
    Ok(ActOutcome::Done { device: record.to_wire() })
}

fn verify(public_key: &str, text: &str, signature: &str) -> bool {
    let key = BASE64URL_NOPAD.decode(public_key.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    let key = key.and_then(|bytes: [u8; 32]| VerifyingKey::from_bytes(&bytes).ok()).filter(|key| !key.is_weak());
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok();
    let signature = signature.and_then(|bytes| Signature::from_slice(&bytes).ok());
    key.zip(signature).is_some_and(|(key, signature)| key.verify_strict(text.as_bytes(), &signature).is_ok())
}

fn no_access() -> Failure {
    refused("this device has no access any more")
}

fn refused(reason: &str) -> Failure {
    Failure::new(ErrorCode::Conflict, reason)
}

#[cfg(test)]
mod tests;
