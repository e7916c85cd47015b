//! Who may decide: a device with the scope that signs the digest, or the operator. The first word counts.

use std::sync::Arc;

use platform_kit::Failure;
use platform_types::egress::{Card, Decider, SignedDecision, Verdict};
use platform_types::gate::{DeviceDecision, OperatorDecision, Scope};
use platform_types::text::neutral_cut;
use platform_types::{DeviceId, ErrorCode};
use serde_json::json;

use super::carry;
use crate::audit::record::decider;
use crate::audit::trail::Durable;
use crate::auth::{caller, signature};
use crate::config::Config;
use crate::gate::Gate;

/// Longest name of an operator in the record.
const MAX_USER_CHARS: usize = 64;

/// A device's word.
pub fn by_device(
    gate: &Arc<Gate>,
    config: &Config,
    id: &str,
    device: &DeviceId,
    decision: &DeviceDecision,
) -> Result<Card, Failure> {
    let paired = config.device(device).filter(|paired| paired.may(Scope::Approve));
    let Some(paired) = paired else {
        let message = "this device may not decide; it needs the scope approve";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    };
    let DeviceDecision { verdict, digest, signature } = decision;
    let text = SignedDecision { profile: &config.profile, device, id, digest, verdict: *verdict };
    if !signature::verify(&paired.key, &text, signature) {
        return Err(caller::wrong(gate, "the signature does not fit"));
    }
    let by = Decider::Device { id: device.clone(), name: paired.name.clone() };
    decide(gate, id, digest, *verdict, by)
}

/// The operator's word, from the supervisor.
pub fn by_operator(gate: &Arc<Gate>, id: &str, decision: &OperatorDecision) -> Result<Card, Failure> {
    let by = Decider::Operator { user: neutral_cut(&decision.user, MAX_USER_CHARS) };
    decide(gate, id, &decision.digest, decision.verdict, by)
}

fn decide(gate: &Arc<Gate>, id: &str, digest: &str, verdict: Verdict, by: Decider) -> Result<Card, Failure> {
    expire(gate);
    let actor = decider(&by);
    let record = gate.confirmations.decide(id, digest, (verdict, by), gate.clock.now())?;
    let entry = json!({ "id": id, "verdict": verdict, "digest": digest });
    // What is not on record is not carried out: the release has an entry of its own, which fails as well.
    gate.note_durably("confirmation.decided", &actor, entry);
    tracing::info!(confirmation = id, %verdict, by = actor, "a confirmation was decided");
    let card = record.card.clone();
    if verdict == Verdict::Allow {
        carry::start(gate, record);
    }
    Ok(card)
}

/// Ends what is past its time.
pub fn expire(gate: &Gate) {
    for record in gate.confirmations.sweep(gate.clock.now()) {
        let entry = json!({ "id": record.card.id, "turn": record.turn });
        gate.note_durably("confirmation.expired", crate::audit::record::GATE, entry);
    }
}

/// Ends what the configuration in force does not allow any more.
pub fn supersede(gate: &Gate, config: &Config) {
    for record in gate.confirmations.supersede(|record| carry::holds(config, record).is_some()) {
        let entry = json!({ "id": record.card.id, "turn": record.turn });
        gate.note_durably("confirmation.superseded", crate::audit::record::SUPERVISOR, entry);
    }
}

impl Gate {
    /// Like [`Gate::note`], on the disk at once.
    fn note_durably(&self, kind: &str, actor: &str, data: serde_json::Value) {
        let _ = self.record(kind, actor, data, Durable::Now);
    }
}
