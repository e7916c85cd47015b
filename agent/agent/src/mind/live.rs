//! A turn that runs, as the hub keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_core::turn::{Answer, Cancel, Decision, Record};
use agent_store::Partial;
use platform_types::Timestamp;
use platform_types::chat::RunningTurn;
use tokio::sync::{mpsc, watch};

use crate::counters::Running;

/// A turn that runs.
#[derive(Debug)]
pub(super) struct Live {
    pub view: RunningTurn,
    pub cancel: watch::Sender<Option<Cancel>>,
    pub decisions: mpsc::Sender<(String, Decision)>,
    /// When the questions that are open end, by call.
    pub open: BTreeMap<String, Timestamp>,
    pub unsaved: Unsaved,
    /// Bytes of the history that its prompt was made from.
    pub past_bytes: usize,
    /// Whether the message that it answers is on disk.
    pub message: Durable,
    /// Set once the turn is over, until its answer is stored.
    pub ended: Option<Ended>,
    pub _counted: Running,
}

/// Pages see nothing of a turn before the message that it answers is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Soon,
    Yes,
}

/// What a crash would lose.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// Steps that are not stored yet.
    pub records: Vec<(Timestamp, Record)>,
    /// Something was said since it was last kept.
    pub dirty: bool,
    /// What was said so far is on its way to the store.
    pub saving: bool,
}

/// An answer that waits to be stored.
#[derive(Debug)]
pub(super) struct Ended {
    pub answer: Arc<Answer>,
    /// It is on its way to the store.
    pub storing: bool,
    /// The page knows that it could not be stored yet.
    pub complained: bool,
}

impl Live {
    pub fn cancel(&self, reason: Cancel) {
        self.cancel.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }

    /// A question about a call is answered, or over.
    pub fn decide(&mut self, call: String, decision: Decision) {
        self.open.remove(&call);
        // There are never more questions than places; a turn that is over needs no answer.
        let _ = self.decisions.try_send((call, decision));
    }

    pub fn partial(&mut self) -> Partial {
        self.unsaved.dirty = false;
        self.unsaved.saving = true;
        Partial {
            text: self.view.text.clone(),
            tools: self.view.tools.clone(),
            records: std::mem::take(&mut self.unsaved.records),
        }
    }
}
