//! The record as a timeline, for devices with the scope admin: the gate's own, and what the agent reports.

use std::collections::BTreeMap;

use http::{HeaderMap, Response, StatusCode};
use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::audit::{MAX_SHOWN, Shown};
use platform_types::gate::{Caller, Scope};
use serde::Serialize;

use crate::auth::caller;
use crate::config::Config;
use crate::gate::Gate;
use crate::http::answer::{self, Body};

/// Answer of `GET /gate/audit`.
#[derive(Serialize)]
struct Timeline<'a> {
    #[serde(flatten)]
    shown: Shown,
    /// What the devices of now are called, by id: the record has ids only.
    names: BTreeMap<&'a str, &'a str>,
}

/// The device that asks, if it may see what was done.
pub fn admin(gate: &Gate, config: &Config, headers: &HeaderMap) -> Result<Caller, Failure> {
    let id = caller::device(gate, config, headers)?;
    if config.device(&id).is_some_and(|device| device.may(Scope::Admin)) {
        return Ok(Caller::Device { id });
    }
    let message = "this device may not see what was done; it needs the scope admin";
    Err(Failure::new(ErrorCode::Forbidden, message))
}

/// Of `?before=N`: entries before this number are wanted; without it the newest.
pub fn before(query: Option<&str>) -> Result<u64, Failure> {
    let bad = || Failure::new(ErrorCode::BadRequest, "the query is before=N, or nothing").with_param("before");
    match query {
        None => Ok(u64::MAX),
        Some(query) => query.strip_prefix("before=").and_then(|text| text.parse().ok()).ok_or_else(bad),
    }
}

/// `GET /gate/audit`.
pub fn show(gate: &Gate, config: &Config, before: u64) -> Result<Response<Body>, Failure> {
    let unread = |error: std::io::Error| {
        tracing::error!(%error, "the audit cannot be read");
        Failure::new(ErrorCode::Internal, "the audit cannot be read")
    };
    let end = gate.audit.end().min(before.saturating_sub(1));
    let start = end.saturating_sub(MAX_SHOWN as u64);
    let page = gate.audit.page(start).map_err(unread)?;
    let first = page.entries.first().map_or(0, |entry| entry.n);
    let entries = page.entries.into_iter().filter(|entry| entry.n <= end).collect();
    let shown = Shown::newest(entries, first == start + 1 && start > 0);
    Ok(answer::json(StatusCode::OK, &Timeline { shown, names: config.device_names().collect() }))
}
