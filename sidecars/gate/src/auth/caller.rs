//! Bearers: which route takes which, and what a wrong one is told.
//!
//! A right credential always passes. Wrong ones are counted together, and told to slow down when there are many.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use platform_kit::Failure;
use platform_types::gate::{Caller, Scope};
use platform_types::{DeviceId, ErrorCode};

use crate::config::{self, Config};
use crate::gate::Gate;

/// The device behind a ticket; it has to be paired still.
pub fn ticket(gate: &Gate, config: &Config, headers: &HeaderMap) -> Result<Caller, Failure> {
    let device = bearer(headers).and_then(|text| gate.tickets.device(text));
    match device.filter(|id| config.device(id).is_some_and(|device| device.may(Scope::Chat))) {
        Some(id) => Ok(Caller::Device { id }),
        None => Err(wrong(gate, "this ticket is not valid: it ends with the page's connection")),
    }
}

/// The device behind a ticket of either socket, for the gate's own routes.
pub fn device(gate: &Gate, config: &Config, headers: &HeaderMap) -> Result<DeviceId, Failure> {
    let device = bearer(headers).and_then(|text| gate.tickets.device(text));
    let device = device.filter(|id| config.device(id).is_some());
    device.ok_or_else(|| wrong(gate, "this ticket is not valid: it ends with the page's connection"))
}

/// The script behind a token.
pub fn token(gate: &Gate, config: &Config, headers: &HeaderMap) -> Result<Caller, Failure> {
    if !config.has_tokens() {
        let command = config.command(&format!("token create {} NAME", config.profile));
        return Err(wrong(gate, &format!("scripts have no access yet; run: {command}")));
    }
    match bearer(headers).and_then(|text| config.token(&config::digest(text))) {
        Some(name) => Ok(Caller::Token { name: name.to_owned() }),
        None => Err(wrong(gate, "send a valid token as: Authorization: Bearer bot_…")),
    }
}

/// Counts a failed authentication.
pub fn wrong(gate: &Gate, message: &str) -> Failure {
    match gate.failures.take(gate.clock.now()) {
        Ok(()) => Failure::new(ErrorCode::Unauthorized, message),
        Err(seconds) => {
            Failure::new(ErrorCode::RateLimited, "too many failed attempts; try again later").with_retry_after(seconds)
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text.trim())
}
