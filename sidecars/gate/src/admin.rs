//! The admin socket: what the supervisor tells and asks. See [`platform_types::gate`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::header::CONTENT_TYPE;
use platform_kit::{Failure, admin};
use platform_types::ErrorCode;
use platform_types::audit;
use platform_types::device::{Act, ActOutcome};
use platform_types::egress::Card;
use platform_types::gate::{CardList, Door, GateConfig, GateEvent, GateStatus, OperatorDecision, PairingDecision};
use platform_types::health::{Readiness, Release};
use platform_types::layout::inside;
use tokio::sync::broadcast;

use crate::audit::record::SUPERVISOR;
use crate::config::Config;
use crate::confirm::decide as confirm;
use crate::gate::Gate;

/// A blank line goes out this often, so that both sides notice a dead connection.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);

/// All routes of the admin socket.
pub fn router(gate: &Arc<Gate>) -> Router {
    let release = Release::without_schema(env!("CARGO_PKG_VERSION"));
    let asked = gate.clone();
    Router::new()
        .route("/config", put(configure))
        .route("/events", get(events))
        .route("/pairings/{id}", post(decide))
        .route("/acts/{id}", post(settle))
        .route("/cards", put(relay_cards))
        .route("/confirmations", get(confirmations))
        .route("/confirmations/{id}", post(decide_confirmation))
        .route("/audit", get(audit_page))
        .route("/anchor", post(anchor))
        .route("/status", get(status))
        .fallback(|| async { Failure::new(ErrorCode::NotFound, "no such route") })
        .with_state(gate.clone())
        .merge(admin::routes(release, move || readiness(&asked)))
}

async fn configure(State(gate): State<Arc<Gate>>, body: Bytes) -> Result<Json<serde_json::Value>, Failure> {
    let wire: GateConfig = parse(&body)?;
    let config = Config::parse(wire)?;
    let (revision, door) = (config.revision.0, config.door);
    let before = gate.config.get().map(|config| config.revision.0).ok();
    gate.config.push(config)?;
    if before != Some(revision) {
        gate.note("config.pushed", SUPERVISOR, serde_json::json!({ "revision": revision }));
    }
    let generation = match door {
        Door::Open { generation } => Some(generation.0),
        Door::Held => None,
    };
    let config = gate.config.get()?;
    confirm::supersede(&gate, &config);
    gate.senders.settle(&config.ways);
    tracing::info!(revision, held = generation.is_none(), generation, "configured");
    Ok(Json(serde_json::json!({})))
}

async fn decide(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Failure> {
    let decision: PairingDecision = parse(&body)?;
    if let PairingDecision::Accepted { device } = &decision {
        // Known before the page hears of it and connects. Without an attempt nothing is let in.
        let now = gate.clock.now();
        if let Some(asked) = gate.pairing.requests.asked(&id, &device.id, now) {
            gate.config.accept(asked, device.clone())?;
        }
    }
    gate.pairing.requests.decide(&id, &decision, gate.clock.now())?;
    let accepted = matches!(decision, PairingDecision::Accepted { .. });
    tracing::info!(pairing = id, accepted, "an attempt to pair was decided");
    gate.note("pairing.decided", SUPERVISOR, serde_json::json!({ "id": id, "accepted": accepted }));
    Ok(Json(serde_json::json!({})))
}

async fn settle(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Failure> {
    let outcome: ActOutcome = parse(&body)?;
    let (act, asked) =
        gate.acts.get(&id).ok_or_else(|| Failure::new(ErrorCode::NotFound, "nobody waits for this any more"))?;
    if let ActOutcome::Done { device: Some(device) } = &outcome
        && matches!(&act.act, Act::Rotate { device: new, .. } if *new == device.id)
    {
        // The old key is out before the page hears of it, and the new one in.
        gate.config.rekey(asked, &act.by, device.clone())?;
    }
    let done = matches!(outcome, ActOutcome::Done { .. });
    gate.note("device.answered", SUPERVISOR, serde_json::json!({ "act": id, "done": done }));
    gate.acts.settle(&id, outcome)?;
    Ok(Json(serde_json::json!({})))
}

async fn confirmations(State(gate): State<Arc<Gate>>) -> Json<CardList> {
    confirm::expire(&gate);
    Json(CardList { cards: gate.confirmations.own_cards() })
}

async fn relay_cards(State(gate): State<Arc<Gate>>, body: Bytes) -> Result<Json<serde_json::Value>, Failure> {
    let CardList { cards } = parse(&body)?;
    gate.confirmations.relay(cards);
    Ok(Json(serde_json::json!({})))
}

async fn decide_confirmation(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Card>, Failure> {
    let decision: OperatorDecision = parse(&body)?;
    Ok(Json(confirm::by_operator(&gate, &id, &decision)?))
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn audit_page(
    State(gate): State<Arc<Gate>>,
    Query(After { after }): Query<After>,
) -> Result<Json<audit::Page>, Failure> {
    let mut page = gate.audit.page(after).map_err(|error| {
        tracing::error!(%error, "the audit cannot be read");
        Failure::new(ErrorCode::Internal, "the audit cannot be read")
    })?;
    if after == 0 {
        page.anchors = gate.anchors.list();
        page.anchors.extend(gate.supervisor_heads.list());
    }
    Ok(Json(page))
}

async fn anchor(State(gate): State<Arc<Gate>>, body: Bytes) -> Result<Json<serde_json::Value>, Failure> {
    let head: audit::Anchor = parse(&body)?;
    gate.supervisor_heads.keep(&gate.config.get()?.profile, gate.clock.now(), head)?;
    Ok(Json(serde_json::json!({})))
}

async fn status(State(gate): State<Arc<Gate>>) -> Json<GateStatus> {
    Json(gate.status())
}

async fn events(State(gate): State<Arc<Gate>>) -> Response {
    let body = axum::body::Body::from_stream(lines(gate));
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Everything undecided, then what happens. Ends when the listener is too slow: on the next connection it hears
/// everything that counts again.
fn lines(gate: Arc<Gate>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let live = gate.events.subscribe();
    let now = gate.clock.now();
    let devices = gate.pairing.requests.undecided(now).into_iter().map(GateEvent::Pairing);
    let senders = gate.senders.undecided(now).into_iter().map(GateEvent::Sender);
    let acts = gate.acts.undecided().into_iter().map(GateEvent::Act);
    let first: Vec<_> = devices.chain(senders).chain(acts).map(|event| Ok(line(&event))).collect();
    let then = stream::unfold((gate, live), |(gate, mut live)| async move {
        let bytes = tokio::select! {
            event = tokio::time::timeout(KEEP_ALIVE_EVERY, live.recv()) => match event {
                Ok(Ok(event)) => line(&event),
                Ok(Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed)) => return None,
                Err(_) => Bytes::from_static(b"\n"),
            },
            () = gate.stop.cancelled() => return None,
        };
        Some((Ok(bytes), (gate, live)))
    });
    // A first blank line lets the listener know that it is connected.
    futures_util::StreamExt::chain(stream::iter(std::iter::once(Ok(Bytes::from_static(b"\n"))).chain(first)), then)
}

fn line(event: &GateEvent) -> Bytes {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    Bytes::from(line)
}

fn readiness(gate: &Gate) -> Readiness {
    let paths = &gate.paths;
    let mounts = [
        (inside::STATE, &paths.state),
        (inside::HTTP, &paths.http),
        (inside::EGRESS, &paths.egress),
        (inside::ADMIN, &paths.admin),
        (inside::TAILNET, &paths.tailnet),
        (inside::SECRETS, &paths.secrets),
    ];
    let canaries = mounts.map(|(name, path)| (name.to_owned(), admin::canary(&path.to_string_lossy()))).into();
    let config = gate.config.get().ok();
    let reasons = match &config {
        None => vec!["no configuration has been pushed yet".to_owned()],
        Some(_) => Vec::new(),
    };
    Readiness {
        ready: config.is_some(),
        reasons,
        notes: config.as_ref().map(|config| gate.notes(config)).unwrap_or_default(),
        revision: config.map(|config| config.revision),
        generation: None,
        canaries,
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::new(ErrorCode::BadRequest, error.to_string()))
}
