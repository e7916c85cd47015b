//! What the operator does with the registry, and what every change of it has in common: the ledger first, then the push.
//!
//! | module | what |
//! |---|---|
//! | [`links`] | one-time setup links |
//! | [`devices`] | requests are decided, devices changed |
//! | [`senders`] | who may write through a channel |
//! | [`tokens`] | bearer tokens of scripts |

pub mod devices;
pub mod links;
pub mod senders;
pub mod tokens;

use platform_kit::Failure;
use platform_types::device::ActOutcome;
use platform_types::gate::{PairingDecision, Scope};
use platform_types::{ErrorCode, ProfileName};
use supervisor_store::{NewEvent, Store, StoreError};
use tokio::sync::oneshot;

use crate::audit::own::{self, Deed};
use crate::sockets;
use crate::state::{Command, Shared};

pub use devices::{approve, device_names, list_devices, refuse, rename, revoke, set_scopes};
pub use links::create_link;
pub use senders::{approve_sender, block_sender, forget_sender, list_senders};
pub use tokens::{create_token, list_tokens, revoke_token};

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

/// Adds an event about a profile, and an entry to the audit; a ledger that does not take them is not a reason to fail what
/// happened.
pub async fn note(shared: &Shared, profile: &ProfileName, by: &str, kind: &'static str, message: String) {
    tracing::info!(%profile, kind, by, message, "registry changed");
    let at = shared.clock.now();
    let event =
        NewEvent { at, kind: kind.replace('.', "_"), subject: Some(profile.to_string()), message: message.clone() };
    let deed = Deed { kind, by: by.to_owned(), profile: Some(profile.clone()), words: message };
    let noted = in_ledger(shared, move |store| {
        store.record_event(&event)?;
        own::append(store, at, &deed)
    });
    if let Err(error) = noted.await {
        tracing::warn!(%error, "what was done was not recorded");
    }
}

/// Adds to the audit what concerns the installation.
pub async fn did(shared: &Shared, by: &str, kind: &'static str, words: String) {
    let deed = Deed { kind, by: by.to_owned(), profile: None, words };
    let at = shared.clock.now();
    if let Err(error) = in_ledger(shared, move |store| own::append(store, at, &deed)).await {
        tracing::warn!(%error, "what was done was not recorded");
    }
}

/// Adds an event that nobody did.
pub async fn tell(shared: &Shared, profile: &ProfileName, kind: &'static str, message: String) {
    tracing::info!(%profile, kind, message, "the registry waits");
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

/// Answers a device that waits at its gate.
pub async fn answer_act(shared: &Shared, profile: &ProfileName, act: &str, outcome: &ActOutcome) {
    let Some(client) = sockets::gate(shared, profile) else { return };
    if let Err(error) = client.post::<_, serde_json::Value>(&format!("/acts/{act}"), outcome).await {
        tracing::debug!(%profile, %error, "the gate did not take an answer");
    }
}

/// Where browsers find the profile; fails when it is not in force.
fn origin(shared: &Shared, profile: &ProfileName) -> Result<String, Failure> {
    let world = shared.world.borrow();
    match world.config.profiles.get(profile) {
        Some(found) => Ok(found.origin()),
        None => Err(crate::api::failure::no_profile(&world.config, profile)),
    }
}

/// The same, while the profile's own gate is what answers there. `what` is not given away otherwise: whoever else has the
/// port would get it.
fn served_origin(shared: &Shared, profile: &ProfileName, what: &str) -> Result<String, Failure> {
    let address = origin(shared, profile)?;
    match shared.world.borrow().unserved(profile) {
        None => Ok(address),
        Some(why) => {
            let message = format!("{profile} gets no {what} while its gate is not at {address}: {why}");
            Err(Failure::new(ErrorCode::Conflict, message))
        }
    }
}

/// Sorted, each once, `chat` always among them: a device that may approve can talk.
fn normal(mut scopes: Vec<Scope>) -> Vec<Scope> {
    scopes.push(Scope::Chat);
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}
