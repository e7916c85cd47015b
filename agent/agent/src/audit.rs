//! The record of what the agent did, and having the gate keep its head.
//!
//! **Invariants.** Entries carry ids, names and reasons, never what was said; arguments only by their digest. No turn waits for
//! the gate: a head that it did not take is sent again later, and always the newest one.

use std::sync::Arc;
use std::time::Duration;

use agent_core::prompt::ToolCall;
use agent_core::turn::Record;
use agent_policy::Verdict;
use agent_store::Deed;
use agent_tools::Egress;
use platform_kit::clock::SharedClock;
use platform_types::audit::Anchor;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::approvals::sha256;
use crate::database::Database;

/// At most one head in this time.
const ANCHOR_PACE: Duration = Duration::from_secs(1);
/// Pause before a gate that did not take a head is tried again.
const ANCHOR_RETRY: Duration = Duration::from_secs(15);

/// Takes down what is done.
#[derive(Debug, Clone)]
pub struct Audit {
    database: Database,
    clock: SharedClock,
    grown: Arc<Notify>,
}

/// What one turn does, on record.
#[derive(Debug, Clone)]
pub struct TurnAudit {
    pub audit: Audit,
    pub turn: String,
    /// `bot <name>`.
    pub actor: String,
}

impl Audit {
    pub fn new(database: Database, clock: SharedClock) -> Self {
        Self { database, clock, grown: Arc::new(Notify::new()) }
    }

    /// Appends an entry, after everything that was handed to the database before.
    pub fn note(&self, kind: &'static str, actor: String, data: Value) {
        let (grown, at) = (self.grown.clone(), self.clock.now());
        self.database.submit(move |store| match store.append_audit(&Deed { at, kind, actor, data }) {
            Ok(()) => grown.notify_one(),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, kind, "an entry of the audit was lost");
            }
        });
    }

    /// The store has appended by itself.
    pub fn grew(&self) {
        self.grown.notify_one();
    }

    /// Whether everything noted so far is on disk.
    pub async fn is_durable(&self) -> bool {
        let now = self.clock.now();
        matches!(self.database.call(move |store| store.sync_audit(now)).await, Ok(Ok(())))
    }

    /// Sends heads to the gate while the chain grows, and the last one once `stop` is cancelled.
    pub async fn keep_heads(self, egress: Egress, stop: CancellationToken) {
        let (mut kept, mut failed) = (None, false);
        let mut stopping = false;
        while !stopping {
            tokio::select! {
                () = self.grown.notified() => {}
                () = tokio::time::sleep(ANCHOR_RETRY), if failed => {}
                () = stop.cancelled() => stopping = true,
            }
            let Ok(Ok(Some(head))) = self.database.call(|store| store.audit_head()).await else { continue };
            if kept.as_ref() == Some(&head) {
                continue;
            }
            let before = failed;
            failed = !anchor(&egress, &head, before).await;
            if !failed {
                kept = Some(head);
            }
            if !stopping {
                tokio::select! {
                    () = tokio::time::sleep(if failed { ANCHOR_RETRY } else { ANCHOR_PACE }) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }
}

/// Whether the gate took it; the first of several failures is logged.
async fn anchor(egress: &Egress, head: &Anchor, failed_before: bool) -> bool {
    match egress.anchor(head).await {
        Ok(()) => true,
        Err(error) => {
            if !failed_before {
                tracing::warn!(error = &error as &dyn std::error::Error, n = head.n, "the gate did not take a head");
            }
            false
        }
    }
}

impl TurnAudit {
    pub fn started(&self) {
        self.audit.note("turn.started", self.actor.clone(), json!({"turn": self.turn}));
    }

    /// What policy said about a call that it does not deny; a denial is on record with its words, like every other.
    pub fn decided(&self, call: &ToolCall, verdict: &Verdict) {
        let data = json!({
            "turn": self.turn,
            "call": call.id,
            "tool": call.name,
            "arguments_sha256": sha256(&call.arguments),
            "effect": verdict.effect,
            "evidence": verdict.words(),
        });
        self.audit.note("tool.decided", self.actor.clone(), data);
    }

    /// A step of the turn, if it belongs on record.
    pub fn record(&self, record: &Record) {
        let turn = &self.turn;
        let (kind, data) = match record {
            Record::ToolDenied { id, name, evidence } => {
                let data = json!({"turn": turn, "call": id, "tool": name, "effect": "deny", "evidence": evidence});
                ("tool.decided", data)
            }
            Record::ToolEnded { id, name, ok } => {
                let outcome = if *ok { "ok" } else { "failed" };
                ("tool.ran", json!({"turn": turn, "call": id, "tool": name, "outcome": outcome}))
            }
            Record::ToolLost { id, name } => {
                ("tool.ran", json!({"turn": turn, "call": id, "tool": name, "outcome": "unknown"}))
            }
            Record::Finished { outcome } => ("turn.ended", json!({"turn": turn, "outcome": outcome})),
            Record::ModelCalled { .. }
            | Record::ModelFinished { .. }
            | Record::ModelFailed { .. }
            | Record::ToolIntended { .. } => return,
        };
        self.audit.note(kind, self.actor.clone(), data);
    }
}
