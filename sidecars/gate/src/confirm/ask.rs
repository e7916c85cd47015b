//! From an admitted request to a card. Words come from the rule, facts from the upstream, the request from what was
//! admitted; the bot's reason stands apart.

use std::sync::Arc;

use futures_util::future::join_all;
use gate_rules::{Admitted, fill, shown, with_id};
use platform_kit::Failure;
use platform_kit::confirmation::Phase;
use platform_types::egress::{Asked, Card, CardState, Confirm};
use serde_json::json;

use super::facts::learn;
use super::record::{KeptRequest, Record, rule_digest};
use crate::audit::record::AGENT;
use crate::audit::trail::Durable;
use crate::config::Config;
use crate::egress::request;
use crate::egress::ways::Way;
use crate::gate::Gate;

/// Keeps a request and asks a person.
pub async fn ask(
    gate: &Gate,
    config: &Config,
    way: &Arc<Way>,
    asked: &request::Asked,
    (admitted, confirm): (Admitted, &Confirm),
) -> Result<Asked, Failure> {
    gate.confirmations.room(None)?;
    let id = platform_kit::random::id();
    let request = KeptRequest::of(&admitted);
    let admitted = with_id(admitted, confirm, &id);
    let facts = join_all(confirm.facts.iter().map(|fact| learn(gate, way, fact, &admitted))).await;
    let rule = &way.upstream.rules[admitted.rule];
    let created_at = gate.clock.now();
    let expires_at = created_at.plus_millis(i64::from(confirm.expires_seconds) * 1000);
    let card = Card {
        id: id.clone(),
        upstream: way.upstream.name.clone(),
        rule: rule.name.clone(),
        words: fill(&confirm.words, &admitted.values),
        facts,
        request: shown(&admitted),
        digest: gate_rules::digest(&config.profile, &way.upstream, &admitted),
        reason: asked.reason.clone(),
        created_at,
        expires_at,
        state: CardState::Pending,
    };
    let entry = json!({
        "id": id, "upstream": card.upstream, "rule": card.rule, "digest": card.digest, "turn": asked.turn,
    });
    let rule_digest = rule_digest(&way.upstream, rule);
    gate.record("confirmation.created", AGENT, entry, Durable::Now)?;
    gate.confirmations.create(Record {
        card,
        request,
        rule_digest,
        turn: asked.turn.clone(),
        phase: Phase::Pending,
    })?;
    Ok(Asked { id, expires_at })
}
