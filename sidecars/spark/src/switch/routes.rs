//! Routes of the switch; `platform_types::switch` is their contract.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::StatusCode;
use platform_kit::Failure;
use platform_types::egress::{Asked, Card, Outcome};
use platform_types::switch::{
    OperatorSwitch, SwitchCard, SwitchCards, SwitchCheck, SwitchDecision, SwitchRequest, SwitchStatus,
};
use platform_types::text::neutral_cut;
use platform_types::{ErrorCode, ProfileName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use super::Armed;
use super::confirm::record::By;
use super::confirm::{ask, decide};
use super::ssh::Ended;
use super::ssh::verb::Verb;
use crate::process::Shared;
use crate::refusal::{Origin, Refusal};

/// Longest body: an id, and the bot's words.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Longest name of an operator.
const MAX_USER_CHARS: usize = 64;

/// What the routes of one profile know.
#[derive(Debug, Clone)]
struct Profile {
    name: ProfileName,
    shared: Arc<Shared>,
}

impl Profile {
    /// A profile that may not ask has no such route.
    fn armed(&self) -> Result<Arc<Armed>, Refusal> {
        let armed = self.shared.switch.armed().filter(|armed| armed.settings.may_ask(&self.name));
        armed.ok_or_else(|| Refusal::router(ErrorCode::NotFound, "no such route; see docs/reference/spark.md"))
    }

    fn by(&self) -> By {
        By::Profile { profile: self.name.clone() }
    }
}

/// For the socket of one profile.
pub fn of_profile(name: ProfileName, shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/switch", get(status).post(request))
        .route("/confirmations/{id}", get(outcome))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Profile { name, shared })
}

async fn status(State(profile): State<Profile>) -> Result<Json<SwitchStatus>, Refusal> {
    let armed = profile.armed()?;
    Ok(Json(profile.shared.switch.status(&armed)))
}

async fn request(State(profile): State<Profile>, body: Bytes) -> Result<Response, Refusal> {
    let armed = profile.armed()?;
    let request: SwitchRequest = parse(&body).map_err(refused)?;
    let record = ask::ask(&profile.shared, &armed, profile.by(), &request).await.map_err(refused)?;
    let asked = Asked { id: record.card.id, expires_at: record.card.expires_at };
    Ok((StatusCode::ACCEPTED, Json(asked)).into_response())
}

/// At once when it is over, else when it is, within a while.
async fn outcome(State(profile): State<Profile>, Path(id): Path<String>) -> Result<Json<Outcome>, Refusal> {
    let armed = profile.armed()?;
    let shared = &profile.shared;
    let deadline = Instant::now() + shared.switch.limits.poll;
    let mut version = armed.store.version();
    loop {
        armed.store.sweep(shared.clock.now());
        version.borrow_and_update();
        let record = armed.store.get(&id).filter(|record| record.by == profile.by());
        let gone = || Refusal::router(ErrorCode::NotFound, "this confirmation is gone");
        let outcome = record.ok_or_else(gone)?.outcome();
        if outcome.is_final() {
            return Ok(Json(outcome));
        }
        tokio::select! {
            news = timeout_at(deadline, version.changed()) => if news.is_err() {
                return Ok(Json(outcome));
            },
            () = expiry(shared, &armed) => {}
            () = shared.switch.stop.cancelled() => return Ok(Json(outcome)),
        }
    }
}

/// For the admin socket.
pub fn of_admin(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/switch", get(admin_status).post(operator_asks))
        .route("/switch/check", post(check))
        .route("/confirmations", get(cards))
        .route("/confirmations/{id}", post(decided))
        .with_state(shared)
}

fn armed(shared: &Shared) -> Result<Arc<Armed>, Failure> {
    let absent = || Failure::new(ErrorCode::NotFound, "no switch is configured; see [spark.switch] of platform.toml");
    shared.switch.armed().ok_or_else(absent)
}

async fn admin_status(State(shared): State<Arc<Shared>>) -> Result<Json<SwitchStatus>, Failure> {
    let armed = armed(&shared)?;
    Ok(Json(shared.switch.status(&armed)))
}

async fn operator_asks(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Response, Failure> {
    let armed = armed(&shared)?;
    let OperatorSwitch { model, user } = parse(&body)?;
    let by = By::Operator { user: neutral_cut(&user, MAX_USER_CHARS) };
    let record = ask::ask(&shared, &armed, by, &SwitchRequest { model, reason: None }).await?;
    Ok((StatusCode::ACCEPTED, Json(record.card)).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    after: Option<u64>,
}

async fn cards(
    State(shared): State<Arc<Shared>>,
    Query(After { after }): Query<After>,
) -> Result<Json<SwitchCards>, Failure> {
    let armed = armed(&shared)?;
    let deadline = Instant::now() + shared.switch.limits.poll;
    let mut version = armed.store.version();
    loop {
        armed.store.sweep(shared.clock.now());
        let now = *version.borrow_and_update();
        if after != Some(now) || Instant::now() >= deadline {
            return Ok(Json(list(&armed, now)));
        }
        tokio::select! {
            // The next round sees whether the time is over.
            _ = timeout_at(deadline, version.changed()) => {}
            () = expiry(&shared, &armed) => {}
            () = shared.switch.stop.cancelled() => return Ok(Json(list(&armed, now))),
        }
    }
}

fn list(armed: &Armed, version: u64) -> SwitchCards {
    let cards = armed.store.records().into_iter();
    let cards = cards.map(|record| SwitchCard { profile: record.by.profile().cloned(), card: record.card });
    SwitchCards { version, cards: cards.collect() }
}

async fn decided(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Card>, Failure> {
    let armed = armed(&shared)?;
    let word: SwitchDecision = parse(&body)?;
    Ok(Json(decide::decide(&shared, &armed, &id, &word)?.card))
}

/// Says whether the box would let spark in. It asks `status`, which changes nothing there.
async fn check(State(shared): State<Arc<Shared>>) -> Result<Json<SwitchCheck>, Failure> {
    let armed = armed(&shared)?;
    let limits = shared.switch.limits;
    let until = Instant::now() + limits.check;
    let (well, message) = match armed.settings.remote.run(&Verb::status(), limits.connect, until, |_| {}).await {
        Ok(Ended::Exit { status: 0, said }) => (true, said),
        Ok(Ended::Exit { status, said }) => (
            false,
            format!("`status` ended with {status}: {said}; is the forced command of deploy/spark/README.md in place?"),
        ),
        Ok(Ended::Lost(why)) => (false, why),
        Err(error) => (false, error.to_string()),
    };
    Ok(Json(SwitchCheck { well, message: neutral_cut(&message, 600) }))
}

/// Until the next undecided one is over.
async fn expiry(shared: &Shared, armed: &Armed) {
    match armed.store.next_expiry() {
        Some(at) => {
            let millis = u64::try_from(at.millis_since(shared.clock.now())).unwrap_or(0);
            tokio::time::sleep(std::time::Duration::from_millis(millis.saturating_add(1))).await;
        }
        None => std::future::pending().await,
    }
}

fn refused(failure: Failure) -> Refusal {
    Refusal { failure, origin: Origin::Router, original: None }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(ErrorCode::BadRequest, error.to_string()))
}
