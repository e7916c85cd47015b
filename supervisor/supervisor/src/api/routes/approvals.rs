//! `GET /v1/approvals?profile=P`; `POST /v1/profiles/{p}/approvals/{id}`: asked of gates, agents and spark, decided there.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::future::join_all;
use platform_kit::Failure;
use platform_kit::client::{CallError, Client};
use platform_types::agent::{Approval, ApprovalDecision, ApprovalList};
use platform_types::egress::{Card, CardState, Decider, Verdict};
use platform_types::gate::{CardList, OperatorDecision};
use platform_types::switch::{SwitchCards, SwitchDecision};
use platform_types::text::{neutral, neutral_cut};
use platform_types::{ErrorCode, ProfileName};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::api::extract::{Body, Query, User, profile};
use crate::api::failure;
use crate::api::wire::approvals::{Approvals, Asker, Decided, Decision, ProfileApprovals};
use crate::registry::{operations, switch};
use crate::sockets;
use crate::state::Shared;

/// More than wait and were decided lately; a taken-over agent may say more.
const MAX_SHOWN: usize = 64;
/// Cards hold a request of 64 KiB at most.
const MAX_ANSWER_BYTES: usize = 16 << 20;

pub fn routes() -> Router<Shared> {
    Router::new().route("/approvals", get(list)).route("/profiles/{profile}/approvals/{id}", post(decide))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    profile: Option<String>,
}

async fn list(State(shared): State<Shared>, Query(which): Query<Which>) -> Result<Json<Approvals>, Failure> {
    let config = shared.world.borrow().config.clone();
    let profiles: Vec<ProfileName> = match which.profile {
        None => config.profiles.keys().cloned().collect(),
        Some(name) => vec![known(&shared, &name)?],
    };
    let asked = profiles.iter().map(|profile| of_profile(&shared, profile));
    Ok(Json(Approvals { now: shared.clock.now(), profiles: join_all(asked).await }))
}

async fn of_profile(shared: &Shared, profile: &ProfileName) -> ProfileApprovals {
    let mut problems = Vec::new();
    let confirmations = match ask::<CardList>(sockets::gate(shared, profile), "/confirmations").await {
        Ok(list) => list.cards.into_iter().take(MAX_SHOWN).map(harmless_card).collect(),
        Err(why) => {
            problems.push(format!("{profile}/gate: {why}"));
            Vec::new()
        }
    };
    let approvals = match ask::<ApprovalList>(sockets::agent(shared, profile), "/approvals").await {
        Ok(list) => list.approvals.into_iter().take(MAX_SHOWN).map(harmless_approval).collect(),
        Err(why) => {
            problems.push(format!("{profile}/agent: {why}"));
            Vec::new()
        }
    };
    let switches = match switches(shared, profile).await {
        Ok(cards) => cards.into_iter().take(MAX_SHOWN).map(harmless_card).collect(),
        Err(why) => {
            problems.push(format!("spark: {why}"));
            Vec::new()
        }
    };
    let devices = operations::device_names(shared, profile).await;
    ProfileApprovals { profile: profile.clone(), confirmations, approvals, switches, problems, devices }
}

/// What spark keeps for a profile that may ask for a switch.
async fn switches(shared: &Shared, profile: &ProfileName) -> Result<Vec<Card>, String> {
    let config = shared.world.borrow().config.clone();
    if !config.switch().is_some_and(|switch| switch.profiles.contains(profile)) {
        return Ok(Vec::new());
    }
    let SwitchCards { cards, .. } = ask(sockets::spark(shared), "/confirmations").await?;
    Ok(switch::of(&cards, profile))
}

async fn ask<T: serde::de::DeserializeOwned>(client: Option<Client>, target: &str) -> Result<T, String> {
    let Some(client) = client else { return Err("it does not run".to_owned()) };
    match client.with_max_answer(MAX_ANSWER_BYTES).get(target).await {
        Ok(answer) => Ok(answer),
        Err(CallError::Refused { status, .. }) if status == http::StatusCode::NOT_FOUND => {
            Err("it is of a release that asks nobody".to_owned())
        }
        Err(error) => Err(neutral_cut(&crate::words::chain(&error), 500)),
    }
}

async fn decide(
    State(shared): State<Shared>,
    User(user): User,
    Path((name, id)): Path<(String, String)>,
    Body(decision): Body<Decision>,
) -> Result<Json<Decided>, Failure> {
    let profile = known(&shared, &name)?;
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let message = "the id of an approval has 32 hex digits; botctl approval list shows them";
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("id"));
    }
    let Decision { asker, allow, digest } = decision;
    let (who, kind, result) = match asker {
        Asker::Gate => {
            let who = format!("{profile}/gate");
            let client =
                sockets::gate(&shared, &profile).ok_or_else(|| failure::unreachable(&who, "it does not run"))?;
            let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
            let body = OperatorDecision { verdict, digest: digest.clone(), user: user.clone() };
            let result = client.post::<_, IgnoredAny>(&format!("/confirmations/{id}"), &body).await;
            (who, "confirmation.decided", result)
        }
        Asker::Agent => {
            let who = format!("{profile}/agent");
            let client =
                sockets::agent(&shared, &profile).ok_or_else(|| failure::unreachable(&who, "it does not run"))?;
            let body = ApprovalDecision { allow, digest: digest.clone(), user: user.clone() };
            let result = client.post::<_, IgnoredAny>(&format!("/approvals/{id}"), &body).await;
            (who, "approval.decided", result)
        }
        Asker::Spark => {
            let who = "spark".to_owned();
            let client = sockets::spark(&shared).ok_or_else(|| failure::unreachable(&who, "it does not run"))?;
            let verdict = if allow { Verdict::Allow } else { Verdict::Deny };
            let body = SwitchDecision::Operator { verdict, digest: digest.clone(), user: user.clone() };
            let result = client.post::<_, IgnoredAny>(&format!("/confirmations/{id}"), &body).await;
            (who, "switch.decided", result)
        }
    };
    result.map_err(|error| failure::call(&who, &error))?;
    let word = if allow { "allowed" } else { "denied" };
    let message = format!("{id} was {word}, digest {}", digest.get(..16).unwrap_or(&digest));
    operations::note(&shared, &profile, &format!("operator {user}"), kind, message).await;
    Ok(Json(Decided { profile, id, asker, allow, digest, user }))
}

fn known(shared: &Shared, name: &str) -> Result<ProfileName, Failure> {
    let profile = profile(name)?;
    let config = shared.world.borrow().config.clone();
    if config.profiles.contains_key(&profile) { Ok(profile) } else { Err(failure::no_profile(&config, &profile)) }
}

/// Line breaks stay: a request has several lines.
fn harmless(text: &str) -> String {
    text.split('\n').map(neutral).collect::<Vec<_>>().join("\n")
}

pub(super) fn harmless_card(card: Card) -> Card {
    let state = match card.state {
        CardState::Decided { decision, by, at } => CardState::Decided { decision, by: harmless_decider(by), at },
        other => other,
    };
    Card {
        id: harmless(&card.id),
        rule: harmless(&card.rule),
        words: harmless(&card.words),
        facts: card.facts.iter().map(|(label, value)| (harmless(label), harmless(value))).collect(),
        request: harmless(&card.request),
        digest: harmless(&card.digest),
        reason: card.reason.as_deref().map(harmless),
        state,
        ..card
    }
}

fn harmless_decider(decider: Decider) -> Decider {
    match decider {
        Decider::Device { id, name } => Decider::Device { id, name: harmless(&name) },
        Decider::Operator { user } => Decider::Operator { user: harmless(&user) },
    }
}

fn harmless_approval(approval: Approval) -> Approval {
    Approval {
        id: harmless(&approval.id),
        session: harmless(&approval.session),
        turn: harmless(&approval.turn),
        tool: harmless(&approval.tool),
        arguments: harmless(&approval.arguments),
        why: harmless(&approval.why),
        digest: harmless(&approval.digest),
        decided_by: approval.decided_by.as_deref().map(harmless),
        ..approval
    }
}
