//! What the operator does with the registry, and what every change of it has in common: the ledger first, then the push.

use platform_kit::{Failure, random};
use platform_types::gate::{PairingDecision, Scope};
use platform_types::text::neutral;
use platform_types::{ErrorCode, ProfileName};
use supervisor_store::devices::FURTHER_DEVICE;
use supervisor_store::{Approval, DeviceRecord, LinkRecord, NewEvent, PairingRecord, Store, StoreError, TokenRecord};
use tokio::sync::oneshot;

use super::code::{self, NotFound};
use crate::api::failure::internal;
use crate::api::wire::registry as wire;
use crate::sockets;
use crate::state::{Command, Shared};

/// How long a setup link works.
pub const LINK_MILLIS: i64 = 15 * 60_000;
/// Longest name of a token.
const MAX_TOKEN_NAME_CHARS: usize = 48;
/// Tokens of a profile that are in use at the same time. Each is pushed with every configuration.
const MAX_TOKENS: usize = 64;

/// Runs `work` on the ledger without holding up the runtime: a write ends with an fsync.
pub async fn in_ledger<T: Send + 'static>(
    shared: &Shared,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = shared.store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// Adds an event about a profile; a ledger that does not take it is not a reason to fail what happened.
pub async fn note(shared: &Shared, kind: &'static str, profile: &ProfileName, message: String) {
    tracing::info!(%profile, kind, message, "registry changed");
    let event = NewEvent { at: shared.clock.now(), kind: kind.to_owned(), subject: Some(profile.to_string()), message };
    if let Err(error) = in_ledger(shared, move |store| store.record_event(&event)).await {
        tracing::warn!(%error, "an event was not recorded");
    }
}

/// Has the gate told; `true` when it confirmed. A gate that is down is told when it is up.
pub async fn push(shared: &Shared, profile: &ProfileName) -> bool {
    let (reply, answer) = oneshot::channel();
    let command = Command::RegistryChanged { profile: profile.clone(), reply };
    if shared.commands.try_send(command).is_err() {
        return false;
    }
    answer.await.unwrap_or(false)
}

/// Answers a browser that waits at its gate. A gate that does not answer asks again when it is back.
pub async fn tell_gate(shared: &Shared, profile: &ProfileName, attempt: &str, word: &PairingDecision) {
    let Some(client) = sockets::gate(shared, profile) else { return };
    let target = format!("/pairings/{attempt}");
    if let Err(error) = client.post::<_, serde_json::Value>(&target, word).await {
        tracing::debug!(%profile, %error, "the gate did not take a decision");
    }
}

/// Makes a one-time setup link.
pub async fn create_link(
    shared: &Shared,
    profile: &ProfileName,
    scopes: Option<Vec<Scope>>,
) -> Result<wire::Link, Failure> {
    let address = origin(shared, profile)?;
    let code = code::setup_code(random::bytes());
    let now = shared.clock.now();
    let link = LinkRecord {
        profile: profile.clone(),
        code_sha256: code::sha256_hex(&code),
        scopes: scopes.map(normal),
        created_at: now,
        expires_at: now.plus_millis(LINK_MILLIS),
        used_at: None,
        used_by: None,
    };
    let expires_at = link.expires_at;
    in_ledger(shared, move |store| store.create_link(&link)).await.map_err(|error| internal(&error))?;
    note(shared, "link_created", profile, "a setup link was made".to_owned()).await;
    let pushed = push(shared, profile).await;
    let url = format!("{address}/#setup={code}");
    Ok(wire::Link { profile: profile.clone(), url, address, created_at: now, expires_at, pushed })
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
    approve: wire::ApproveRequest,
) -> Result<wire::DeviceChanged, Failure> {
    origin(shared, profile)?;
    let (_, pending) = registry(shared, profile).await?;
    let found = one(&approve.code, &pending, "waiting request", |request| &request.device)?.clone();
    let scopes = approve.scopes.map_or_else(|| FURTHER_DEVICE.to_vec(), normal);
    let now = shared.clock.now();
    let outcome = {
        let (profile, id) = (profile.clone(), found.id.clone());
        in_ledger(shared, move |store| store.approve_pairing(&profile, &id, &scopes, now)).await
    };
    let record = match outcome.map_err(|error| internal(&error))? {
        Approval::Accepted(record) => record,
        Approval::Expired => return Err(Failure::new(ErrorCode::Conflict, "the request has expired; ask again there")),
        Approval::Gone => return Err(Failure::new(ErrorCode::Conflict, "the request was decided meanwhile")),
    };
    let message = format!("{} ({}) was approved", record.name, code::short(&record.id));
    note(shared, "device_approved", profile, message).await;
    let pushed = push(shared, profile).await;
    if let Some(device) = record.to_wire() {
        tell_gate(shared, profile, &found.id, &PairingDecision::Accepted { device }).await;
    }
    Ok(wire::DeviceChanged { profile: profile.clone(), device: device(&record), pushed })
}

/// Turns a waiting device away.
pub async fn refuse(shared: &Shared, profile: &ProfileName, code: &str) -> Result<wire::RequestRefused, Failure> {
    origin(shared, profile)?;
    let (_, pending) = registry(shared, profile).await?;
    let found = one(code, &pending, "waiting request", |request| &request.device)?.clone();
    let changed = {
        let (profile, id) = (profile.clone(), found.id.clone());
        in_ledger(shared, move |store| store.refuse_pairing(&profile, &id)).await.map_err(|error| internal(&error))?
    };
    if !changed {
        return Err(Failure::new(ErrorCode::Conflict, "the request was decided meanwhile"));
    }
    let message = format!("{} ({}) was refused", found.name, code::short(&found.device));
    note(shared, "pairing_refused", profile, message).await;
    let word = PairingDecision::Refused { reason: "the request was refused".to_owned() };
    tell_gate(shared, profile, &found.id, &word).await;
    Ok(wire::RequestRefused { profile: profile.clone(), request: request(&found) })
}

/// Takes a device's access away: its open connections end with the push.
pub async fn revoke(shared: &Shared, profile: &ProfileName, code: &str) -> Result<wire::DeviceChanged, Failure> {
    origin(shared, profile)?;
    let (records, _) = registry(shared, profile).await?;
    let active: Vec<DeviceRecord> = records.into_iter().filter(|record| record.revoked_at.is_none()).collect();
    let mut found = one(code, &active, "device with access", |record| &record.id)?.clone();
    let now = shared.clock.now();
    let changed = {
        let (profile, id) = (profile.clone(), found.id.clone());
        in_ledger(shared, move |store| store.revoke_device(&profile, &id, now))
            .await
            .map_err(|error| internal(&error))?
    };
    if !changed {
        return Err(Failure::new(ErrorCode::Conflict, "the device was revoked meanwhile"));
    }
    found.revoked_at = Some(now);
    note(shared, "device_revoked", profile, format!("{} ({}) was revoked", found.name, code::short(&found.id))).await;
    let pushed = push(shared, profile).await;
    Ok(wire::DeviceChanged { profile: profile.clone(), device: device(&found), pushed })
}

pub async fn list_tokens(shared: &Shared, profile: &ProfileName) -> Result<wire::Tokens, Failure> {
    origin(shared, profile)?;
    let tokens = tokens(shared, profile).await?.into_iter().map(token).collect();
    Ok(wire::Tokens { profile: profile.clone(), now: shared.clock.now(), tokens })
}

/// Makes a token; the answer is the only place where it is ever shown.
pub async fn create_token(shared: &Shared, profile: &ProfileName, name: &str) -> Result<wire::TokenCreated, Failure> {
    let address = origin(shared, profile)?;
    let chars = name.chars().count();
    if chars == 0 || chars > MAX_TOKEN_NAME_CHARS || name.trim() != name || neutral(name) != name {
        let message = format!("a token's name has 1 to {MAX_TOKEN_NAME_CHARS} printable characters");
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("name"));
    }
    let in_use = tokens(shared, profile).await?.iter().filter(|token| token.revoked_at.is_none()).count();
    if in_use >= MAX_TOKENS {
        let message = format!("{profile} has {MAX_TOKENS} tokens; revoke one that is not used");
        return Err(Failure::new(ErrorCode::Conflict, message));
    }
    let secret = code::script_token(random::bytes());
    let now = shared.clock.now();
    let created = {
        let (profile, name, sha256) = (profile.clone(), name.to_owned(), code::sha256_hex(&secret));
        in_ledger(shared, move |store| store.create_token(&profile, &name, &sha256, now)).await
    };
    if !created.map_err(|error| internal(&error))? {
        let message = format!("{profile} has a token named {name:?}; revoke it first, or take another name");
        return Err(Failure::new(ErrorCode::Conflict, message).with_param("name"));
    }
    note(shared, "token_created", profile, format!("the token {name:?} was made")).await;
    let pushed = push(shared, profile).await;
    let base_url = format!("{address}/v1");
    Ok(wire::TokenCreated { profile: profile.clone(), name: name.to_owned(), token: secret, base_url, pushed })
}

pub async fn revoke_token(shared: &Shared, profile: &ProfileName, name: &str) -> Result<wire::TokenRevoked, Failure> {
    origin(shared, profile)?;
    let now = shared.clock.now();
    let changed = {
        let (profile, name) = (profile.clone(), name.to_owned());
        in_ledger(shared, move |store| store.revoke_token(&profile, &name, now)).await
    };
    if !changed.map_err(|error| internal(&error))? {
        let message = format!("{profile} has no token named {:?}", neutral(name));
        return Err(Failure::new(ErrorCode::NotFound, message));
    }
    note(shared, "token_revoked", profile, format!("the token {name:?} was revoked")).await;
    let pushed = push(shared, profile).await;
    Ok(wire::TokenRevoked { profile: profile.clone(), name: name.to_owned(), pushed })
}

/// Where browsers find the profile; fails when it is not in force.
fn origin(shared: &Shared, profile: &ProfileName) -> Result<String, Failure> {
    let world = shared.world.borrow();
    match world.config.profiles.get(profile) {
        Some(found) => Ok(found.origin()),
        None => Err(crate::api::failure::no_profile(&world.config, profile)),
    }
}

async fn registry(shared: &Shared, profile: &ProfileName) -> Result<(Vec<DeviceRecord>, Vec<PairingRecord>), Failure> {
    let now = shared.clock.now();
    let profile = profile.clone();
    in_ledger(shared, move |store| Ok((store.devices(&profile)?, store.pending_pairings(&profile, now)?)))
        .await
        .map_err(|error| internal(&error))
}

async fn tokens(shared: &Shared, profile: &ProfileName) -> Result<Vec<TokenRecord>, Failure> {
    let profile = profile.clone();
    in_ledger(shared, move |store| store.tokens(&profile)).await.map_err(|error| internal(&error))
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

/// Sorted, each once, `chat` always among them: a device that may approve can talk.
fn normal(mut scopes: Vec<Scope>) -> Vec<Scope> {
    scopes.push(Scope::Chat);
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

fn device(record: &DeviceRecord) -> wire::Device {
    let DeviceRecord { profile: _, id, public_key: _, name, scopes, added_at, seen_at, revoked_at } = record.clone();
    wire::Device { code: code::short(&id), id, name, scopes, added_at, seen_at, revoked_at }
}

fn request(record: &PairingRecord) -> wire::PairingRequest {
    let PairingRecord { profile: _, id: _, device, public_key: _, name, asked_at, expires_at, state: _ } =
        record.clone();
    wire::PairingRequest { code: code::short(&device), id: device, name, asked_at, expires_at }
}

fn token(record: TokenRecord) -> wire::Token {
    let TokenRecord { name, created_at, seen_at, revoked_at } = record;
    wire::Token { name, created_at, seen_at, revoked_at }
}
