//! `POST /gate/pairings/{id}`, `POST /gate/device/key`; and whatever else a device signs for the supervisor.

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::device::{Act, ActOutcome, DeviceAct, SignedAct, are_proper};
use platform_types::egress::Verdict;
use platform_types::gate::{GateEvent, Scope};
use platform_types::{DeviceId, ErrorCode, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::view;
use crate::audit::record;
use crate::auth::{caller, signature};
use crate::config::{self, Config, PairedDevice};
use crate::egress::request::read_body;
use crate::gate::Gate;
use crate::http::answer::{self, Body};
use crate::http::place::Place;
use crate::limits::MAX_DECISION_BODY_BYTES;

/// A word on a request to pair.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Admission {
    verdict: Verdict,
    scopes: Vec<Scope>,
    signature: String,
}

/// A new key for the device that asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    public_key: String,
    nonce: String,
    time: Timestamp,
    /// Of the key that is there, and of the new one, over the same text.
    signature: String,
    proof: String,
}

/// `POST /gate/pairings/{id}`.
pub async fn admit(gate: &Gate, id: &str, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (by, word): (_, Admission) = read(gate, request).await?;
    let config = gate.config.get()?;
    let device = paired(&config, &by)?;
    if !device.may(Scope::Admin) {
        let message = "this device may not let others in; it needs the scope admin";
        return Err(Failure::new(ErrorCode::Forbidden, message));
    }
    let Admission { verdict, scopes, signature } = word;
    if !are_proper(&scopes, verdict) {
        let message = "scopes are chat, approve, admin, in this order; chat is always among them, and none with deny";
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("scopes"));
    }
    if let Some(more) = scopes.iter().find(|scope| !device.may(**scope)) {
        let message = format!("a device gives only what it has itself, and this one has not {more}");
        return Err(Failure::new(ErrorCode::Forbidden, message));
    }
    let gone = || Failure::new(ErrorCode::NotFound, "this request is decided, or gone");
    let attempt = view::waiting(gate).into_iter().find(|attempt| attempt.id == id).ok_or_else(gone)?;
    let act = Act::Admit { request: attempt.id, device: attempt.device, name: attempt.name, verdict, scopes };
    verify(gate, &config, (&by, device), (&act, &signature))?;
    done(gate, DeviceAct { id: platform_kit::random::id(), by, act, signature }).await
}

/// `POST /gate/device/key`.
pub async fn rotate(gate: &Gate, place: &Place, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let (by, word): (_, NewKey) = read(gate, request).await?;
    let config = gate.config.get()?;
    let device = paired(&config, &by)?;
    let NewKey { public_key, nonce, time, signature, proof } = word;
    let wrong_key = || Failure::new(ErrorCode::BadRequest, "this is not a new public key").with_param("public_key");
    let key = config::parse_key(&public_key).ok_or_else(wrong_key)?;
    let id = config::device_id(&key);
    if config.device(&id).is_some() {
        return Err(wrong_key());
    }
    let issued = gate.pairing.nonces.take(&nonce, gate.clock.now());
    if !issued.is_some_and(|issued| issued.at == time && issued.host == place.host) {
        return Err(caller::wrong(gate, "the nonce is used or has expired; ask for a new one"));
    }
    let act = Act::Rotate { device: id, public_key, host: place.host.clone(), nonce, time, proof: proof.clone() };
    verify(gate, &config, (&by, device), (&act, &signature))?;
    let new = PairedDevice { key, ..device.clone() };
    verify(gate, &config, (&by, &new), (&act, &proof))?;
    done(gate, DeviceAct { id: platform_kit::random::id(), by, act, signature }).await
}

async fn read<T: DeserializeOwned>(gate: &Gate, request: Request<Incoming>) -> Result<(DeviceId, T), Failure> {
    let by = caller::device(gate, &*gate.config.get()?, request.headers())?;
    let body = read_body(request.into_body(), MAX_DECISION_BODY_BYTES, gate.limits.http.body_stall).await?;
    let word = serde_json::from_slice(&body).map_err(|error| {
        Failure::new(ErrorCode::BadRequest, format!("the body is not what this route takes: {error}"))
    });
    Ok((by, word?))
}

/// The registry may have changed while the body came.
fn paired<'a>(config: &'a Config, id: &DeviceId) -> Result<&'a PairedDevice, Failure> {
    config.device(id).ok_or_else(|| Failure::new(ErrorCode::Forbidden, "this device is not paired any more"))
}

fn verify(
    gate: &Gate,
    config: &Config,
    (by, device): (&DeviceId, &PairedDevice),
    (act, signature): (&Act, &str),
) -> Result<(), Failure> {
    let text = SignedAct { profile: &config.profile, by, act };
    if signature::verify(&device.key, &text, signature) {
        return Ok(());
    }
    Err(caller::wrong(gate, "the signature does not fit"))
}

/// Tells the supervisor, and waits for its word.
pub async fn done(gate: &Gate, act: DeviceAct) -> Result<Response<Body>, Failure> {
    let actor = record::device(act.by.as_str());
    let (kind, data) = match &act.act {
        Act::Admit { request, device, verdict, scopes, .. } => {
            ("pairing.judged", json!({ "id": request, "device": device, "verdict": verdict, "scopes": words(scopes) }))
        }
        Act::Rotate { device, .. } => ("device.rotating", json!({ "device": device })),
        Act::Confirm { confirmation, digest, verdict } => {
            ("confirmation.relayed", json!({ "id": confirmation, "digest": digest, "verdict": verdict }))
        }
    };
    tracing::info!(act = act.id, by = actor, kind, "a device wants something done");
    gate.note(kind, &actor, data);
    let wait = gate.acts.open(act.clone(), gate.config.get()?.revision)?;
    gate.events.tell(GateEvent::Act(act));
    match wait.outcome(gate).await? {
        ActOutcome::Done { device } => {
            Ok(answer::json(StatusCode::OK, &json!({ "device": device.map(|device| device.id) })))
        }
        ActOutcome::Refused { reason } => Err(Failure::new(ErrorCode::Conflict, reason)),
    }
}

fn words(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
