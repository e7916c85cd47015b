//! What is written into the gate's chain when.

use platform_kit::Failure;
use platform_types::ErrorCode;
use platform_types::egress::Decider;
use platform_types::gate::Caller;
use serde_json::Value;

use super::trail::Durable;
use crate::gate::Gate;

/// Who asks for requests out: the only one who can reach `egress.sock`.
pub const AGENT: &str = "agent";
pub const SUPERVISOR: &str = "supervisor";
pub const GATE: &str = "gate";

impl Gate {
    /// Writes an entry that something else depends on.
    pub fn record(&self, kind: &str, actor: &str, data: Value, durable: Durable) -> Result<(), Failure> {
        self.audit.record(self.clock.now(), (kind, actor), data, durable).map_err(|error| {
            tracing::error!(%error, kind, "the audit cannot be written");
            Failure::new(ErrorCode::Internal, "the gate's audit cannot be written; see its log")
        })
    }

    /// Writes an entry about something that has happened anyway. A failure is in the log.
    pub fn note(&self, kind: &str, actor: &str, data: Value) {
        let _ = self.record(kind, actor, data, Durable::Soon);
    }

    /// A device or a token was used: told and written at most once a minute each.
    pub fn seen(&self, who: &Caller) {
        if self.events.seen(who, self.clock.now()) {
            match who {
                Caller::Device { id } => self.note("device.connected", &device(id.as_str()), serde_json::json!({})),
                Caller::Token { name } => self.note("token.used", &format!("token {name}"), serde_json::json!({})),
            }
        }
    }
}

/// A device, as an actor.
pub fn device(id: &str) -> String {
    format!("device {id}")
}

/// Who decided, as an actor.
pub fn decider(by: &Decider) -> String {
    match by {
        Decider::Device { id, .. } => device(id.as_str()),
        Decider::Operator { user } => format!("operator {user}"),
    }
}
