//! What browsers ask about confirmations, and what the agent does.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::egress::Outcome;
use platform_types::gate::{CardList, DeviceDecision};
use tokio::time::{Instant, timeout_at};

use super::{decide, relay};
use crate::auth::caller;
use crate::config::Config;
use crate::egress::request::read_body;
use crate::gate::Gate;
use crate::http::answer::{self, Body};
use crate::limits::MAX_DECISION_BODY_BYTES;

/// `GET /gate/confirmations`: the cards. With the `ETag` of the last answer in `If-None-Match` it waits for another.
pub async fn list(gate: &Gate, headers: &HeaderMap) -> Response<Body> {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).and_then(version_of);
    let mut version = gate.confirmations.version();
    if known == Some(*version.borrow_and_update()) {
        let news = tokio::time::timeout(gate.limits.confirm.poll_time, version.changed());
        tokio::select! {
            _ = news => {}
            () = gate.stop.cancelled() => {}
        }
    }
    let now = *version.borrow_and_update();
    let mut response = if known == Some(now) {
        let mut response = answer::json(StatusCode::NOT_MODIFIED, &());
        *response.body_mut() = answer::empty();
        response
    } else {
        answer::json(StatusCode::OK, &CardList { cards: gate.confirmations.cards() })
    };
    let tag = HeaderValue::from_str(&format!("\"{now}\"")).unwrap_or(HeaderValue::from_static("\"0\""));
    response.headers_mut().insert(header::ETAG, tag);
    response
}

fn version_of(tag: &str) -> Option<u64> {
    tag.trim_matches('"').parse().ok()
}

/// `POST /gate/confirmations/{id}`.
pub async fn decide(
    gate: &Arc<Gate>,
    config: &Config,
    id: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let device = caller::device(gate, config, request.headers())?;
    let body = read_body(request.into_body(), MAX_DECISION_BODY_BYTES, gate.limits.http.body_stall).await?;
    let decision: DeviceDecision = serde_json::from_slice(&body)
        .map_err(|error| Failure::new(ErrorCode::BadRequest, format!("the body is not a decision: {error}")))?;
    // The registry may have changed while the body came.
    let config = gate.config.get()?;
    if let Some(card) = gate.confirmations.relayed(id) {
        return relay::decide(gate, &config, &card, (&device, decision)).await;
    }
    Ok(answer::json(StatusCode::OK, &decide::by_device(gate, &config, id, &device, &decision)?))
}

/// `GET /confirmations/{id}` of the agent: at once when it is over, else when it is, within a while.
pub async fn outcome(gate: &Gate, id: &str) -> Result<Outcome, Failure> {
    let gone = || Failure::new(ErrorCode::NotFound, "this confirmation is gone");
    let deadline = Instant::now() + gate.limits.confirm.poll_time;
    let mut version = gate.confirmations.version();
    loop {
        decide::expire(gate);
        version.borrow_and_update();
        let outcome = gate.confirmations.get(id).ok_or_else(gone)?.outcome();
        if outcome.is_final() {
            return Ok(outcome);
        }
        tokio::select! {
            news = timeout_at(deadline, version.changed()) => if news.is_err() {
                return Ok(outcome);
            },
            () = gate.stop.cancelled() => return Ok(outcome),
        }
    }
}
