//! Who may decide: a device of the profile that asked, which signs the digest; or the operator. The first word counts.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use ed25519_dalek::{Signature, VerifyingKey};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::egress::{Decider, SignedDecision, Verdict};
use platform_types::switch::SwitchDecision;
use platform_types::text::neutral_cut;

use super::card::{Wanted, digest};
use super::record::Record;
use crate::process::Shared;
use crate::switch::{Armed, drive};

/// Longest name of an operator in the record.
const MAX_USER_CHARS: usize = 64;

/// Takes a person's word; what is allowed begins at once.
pub fn decide(shared: &Arc<Shared>, armed: &Arc<Armed>, id: &str, word: &SwitchDecision) -> Result<Record, Failure> {
    let asked = armed.store.get(id).ok_or_else(|| Failure::new(ErrorCode::NotFound, "this confirmation is gone"))?;
    if !holds(armed, &asked) {
        armed.store.supersede(|record| holds(armed, record));
        if asked.phase.is_pending() {
            return Err(Failure::new(ErrorCode::Conflict, "the configuration changed since it was asked; ask again"));
        }
    }
    let (verdict, digest, by) = match word {
        SwitchDecision::Device { profile, device, verdict, digest, signature } => {
            let known = armed.settings.device(profile, device).filter(|_| asked.by.profile() == Some(profile));
            let text = SignedDecision { profile, device, id, digest, verdict: *verdict }.to_string();
            let Some(known) = known.filter(|known| verify(&known.key, &text, signature)) else {
                tracing::warn!(confirmation = id, %profile, %device, "a signature does not count");
                let message = "this is not signed by a device that may decide what this profile asks";
                return Err(Failure::new(ErrorCode::Forbidden, message));
            };
            (*verdict, digest, Decider::Device { id: device.clone(), name: known.name.clone() })
        }
        SwitchDecision::Operator { user, verdict, digest } => {
            (*verdict, digest, Decider::Operator { user: neutral_cut(user, MAX_USER_CHARS) })
        }
    };
    let record = armed.store.decide(id, digest, (verdict, by.clone()), shared.clock.now())?;
    tracing::info!(confirmation = id, %verdict, ?by, "a switch of the model was decided");
    if verdict == Verdict::Allow {
        // What the others were shown does not hold any more.
        armed.store.supersede(|_| false);
        drive::start(shared, armed, record.clone());
    }
    Ok(record)
}

/// Whether what was shown is still what would be done.
pub fn holds(armed: &Armed, record: &Record) -> bool {
    let Record { by, from, to, card, .. } = record;
    let may = by.profile().is_none_or(|profile| armed.settings.may_ask(profile));
    let wanted = Wanted { id: &card.id, by, from: from.as_ref(), to };
    may && armed.settings.models.contains(to) && digest(&wanted, &armed.settings.remote) == card.digest
}

fn verify(key: &VerifyingKey, text: &str, signature: &str) -> bool {
    let bytes = BASE64URL_NOPAD.decode(signature.as_bytes()).ok();
    let signature = bytes.and_then(|bytes| Signature::from_slice(&bytes).ok());
    signature.is_some_and(|signature| key.verify_strict(text.as_bytes(), &signature).is_ok())
}
