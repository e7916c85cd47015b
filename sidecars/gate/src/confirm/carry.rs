//! What a person allowed, carried out once: checked again under the rules of now, released, sent.

use std::sync::Arc;

use gate_rules::{Admitted, with_id};
use platform_types::egress::Outcome;
use serde_json::{Value, json};

use super::record::{Record, rule_digest};
use crate::audit::record::GATE;
use crate::audit::trail::Durable;
use crate::config::Config;
use crate::egress::guard;
use crate::egress::outgoing::{Lost, Reply};
use crate::egress::ways::Way;
use crate::gate::Gate;
use crate::limits::MAX_KEPT_ANSWER_BYTES;

/// The request of a record, if the rules in force still allow exactly it.
pub fn holds(config: &Config, record: &Record) -> Option<(Arc<Way>, Admitted)> {
    let way = config.ways.get(record.card.upstream.as_str())?.ok()?;
    let admitted = record.request.admit(&way.upstream, &|chat| config.ways.is_known_chat(&way.upstream.name, chat))?;
    let rule = way.upstream.rules.get(admitted.rule)?;
    let confirm = rule.confirm.as_ref()?;
    let admitted = with_id(admitted, confirm, &record.card.id);
    let same = rule_digest(&way.upstream, rule) == record.rule_digest
        && gate_rules::digest(&config.profile, &way.upstream, &admitted) == record.card.digest;
    same.then(|| (way.clone(), admitted))
}

/// Carries out what was allowed; the gate waits for it when it stops, for a while.
pub fn start(gate: &Arc<Gate>, record: Record) {
    let carrying = carry(gate.clone(), record);
    platform_kit::task::spawn("confirmed request", gate.tasks.track_future(carrying));
}

async fn carry(gate: Arc<Gate>, record: Record) {
    let id = record.card.id.as_str();
    let outcome = match released(&gate, &record).await {
        Err(message) => Outcome::Failed { message },
        Ok((way, admitted)) => match gate.outside.perform(&way, &admitted).await {
            Ok(reply) => done(&reply),
            Err(Lost::Before(failure)) => Outcome::Failed { message: failure.message },
            Err(Lost::After(failure)) => {
                tracing::warn!(confirmation = id, reason = failure.message, "the outcome is not known");
                Outcome::Unknown
            }
        },
    };
    gate.tally.egress(match outcome {
        Outcome::Done { .. } => crate::tally::Egress::Allowed,
        _ => crate::tally::Egress::Failed,
    });
    let entry = match &outcome {
        Outcome::Done { status, .. } => json!({ "id": id, "outcome": "done", "status": status }),
        Outcome::Failed { message } => json!({ "id": id, "outcome": "failed", "reason": message }),
        _ => json!({ "id": id, "outcome": "unknown" }),
    };
    gate.confirmations.close(id, outcome);
    let _ = gate.record("confirmation.ended", GATE, entry, Durable::Now);
}

/// The step before the request goes out. The error says why nothing was done.
async fn released(gate: &Gate, record: &Record) -> Result<(Arc<Way>, Admitted), String> {
    let config = gate.config.get().map_err(|failure| failure.message)?;
    if let Some((way, admitted)) = holds(&config, record) {
        guard::check(gate, &way, &admitted).await?;
    }
    // It waited: the rules of now count.
    let config = gate.config.get().map_err(|failure| failure.message)?;
    let found = holds(&config, record).ok_or("the rule changed before it was carried out")?;
    let entry = json!({ "id": record.card.id, "digest": record.card.digest });
    gate.record("confirmation.released", GATE, entry, Durable::Now).map_err(|failure| failure.message)?;
    gate.confirmations.begin(&record.card.id, gate.clock.now()).map_err(|failure| failure.message)?;
    Ok(found)
}

fn done(reply: &Reply) -> Outcome {
    let body = match reply.body.len() {
        0 => None,
        length if length > MAX_KEPT_ANSWER_BYTES => None,
        _ => Some(
            serde_json::from_slice(&reply.body)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&reply.body).into_owned())),
        ),
    };
    Outcome::Done { status: reply.status.as_u16(), body }
}
