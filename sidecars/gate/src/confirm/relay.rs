//! Cards of spark, which keeps them and judges the decisions itself: shown here, and a device's word handed on.
//!
//! The gate checks the word as well, so that a person hears at once what is wrong with it. It lives and dies with the push of
//! the supervisor: nothing of it is kept.

use std::sync::{Mutex, PoisonError};

use http::Response;
use platform_kit::Failure;
use platform_types::device::{Act, DeviceAct};
use platform_types::egress::{Card, CardState, SignedDecision};
use platform_types::gate::{DeviceDecision, Scope};
use platform_types::{DeviceId, ErrorCode};

use crate::auth::{caller, signature};
use crate::config::Config;
use crate::devices::routes;
use crate::gate::Gate;
use crate::http::answer::Body;

/// Most cards that are shown for spark.
pub const MAX_CARDS: usize = 64;

/// What the supervisor pushed last.
#[derive(Debug, Default)]
pub struct Relayed(Mutex<Vec<Card>>);

impl Relayed {
    /// Replaces all of them; whether any is another now.
    pub fn replace(&self, mut cards: Vec<Card>) -> bool {
        cards.truncate(MAX_CARDS);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, cards.clone()) != cards
    }

    pub fn cards(&self) -> Vec<Card> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn get(&self, id: &str) -> Option<Card> {
        self.cards().into_iter().find(|card| card.id == id)
    }
}

/// A device's word about one of them. It counts once spark has taken it.
pub async fn decide(
    gate: &Gate,
    config: &Config,
    card: &Card,
    (device, decision): (&DeviceId, DeviceDecision),
) -> Result<Response<Body>, Failure> {
    let paired = config.device(device).filter(|paired| paired.may(Scope::Approve));
    let Some(paired) = paired else {
        let message = "this device may not decide; it needs the scope approve";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    };
    let DeviceDecision { verdict, digest, signature } = decision;
    let text = SignedDecision { profile: &config.profile, device, id: &card.id, digest: &digest, verdict };
    if !signature::verify(&paired.key, &text, &signature) {
        return Err(caller::wrong(gate, "the signature does not fit"));
    }
    if digest != card.digest {
        let message = "this is not what was shown; look at it again";
        return Err(Failure::new(ErrorCode::Conflict, message).with_param("digest"));
    }
    if card.state != CardState::Pending {
        return Err(Failure::new(ErrorCode::Conflict, "this is decided, or over"));
    }
    let act = Act::Confirm { confirmation: card.id.clone(), digest, verdict };
    routes::done(gate, DeviceAct { id: platform_kit::random::id(), by: device.clone(), act, signature }).await
}
