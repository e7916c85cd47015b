//! What people are asked before a tool runs: the question goes to the store, then to the page; the answer to the store, then to
//! the turn that waits.

use agent_core::prompt::ToolCall;
use agent_core::turn::Decision;
use agent_store::{Answered, Asked, CallPlace, StoreError};
use platform_types::ErrorCode;
use platform_types::agent::{Approval, ApprovalDecision, ApprovalState};
use platform_types::chat::Asking;
use tokio::sync::oneshot;

use super::connections::ConnectionId;
use super::hub::{Failed, Hub};
use super::replies::Reply;
use crate::approvals::{self, MAX_WAIT_MILLIS, Place};

/// Longest name of an operator's user that is kept.
const MAX_USER_CHARS: usize = 64;

/// Who answers a question, and wants to know whether the answer counts.
#[derive(Debug)]
pub(super) enum Answerer {
    Page(ConnectionId),
    /// The operator, or a person in a chat.
    Operator(oneshot::Sender<Result<Approval, StoreError>>),
}

impl Hub {
    /// A turn asks.
    pub(super) fn ask(&mut self, session: &str, call: ToolCall, why: String, asking: oneshot::Sender<Option<Asking>>) {
        let now = self.tooling.clock.now();
        let (Some(live), Some(summary)) = (self.live.get_mut(session), self.sessions.get(session)) else {
            // The chat was deleted: dropping the sender answers that nobody can be asked.
            return;
        };
        let place = Place { session, turn: &live.view.id, bot: &summary.bot };
        let asked = approvals::question(platform_kit::random::id(), place, call, why, now);
        self.submit(move |store| {
            let result = store.ask(&asked);
            Reply::Asked { asked: Box::new(asked), asking, result }
        });
    }

    pub(super) fn asked(
        &mut self,
        asked: &Asked,
        asking: oneshot::Sender<Option<Asking>>,
        result: Result<(), StoreError>,
    ) {
        self.audit.grew();
        let shown = match result {
            Ok(()) => {
                tracing::info!(turn = asked.turn, approval = asked.id, tool = asked.tool, "a person is asked");
                if let Some(live) = self.live.get_mut(&asked.session).filter(|live| live.view.id == asked.turn) {
                    live.open.insert(asked.call.clone(), asked.expires_at);
                }
                Some(approvals::shown(asked))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, turn = asked.turn, "nobody can be asked");
                None
            }
        };
        // The turn may have ended meanwhile; then the question was closed with it, or is now at its expiry.
        let _ = asking.send(shown);
    }

    pub(super) fn decide_of_page(&mut self, from: ConnectionId, id: String, digest: String, allow: bool) {
        let Some(caller) = self.connections.caller(from) else { return };
        if !caller.may_approve {
            let words = "this device may talk, but not approve: use another one, or botctl";
            return self.failed(from, Failed::new(ErrorCode::Forbidden, words).about(&id));
        }
        let (by, at) = (format!("device {}", caller.device), self.tooling.clock.now());
        self.answer(Answerer::Page(from), Answered { id, digest, allow, by, at });
    }

    pub(super) fn decide_of_operator(
        &mut self,
        id: String,
        answer: ApprovalDecision,
        reply: oneshot::Sender<Result<Approval, StoreError>>,
    ) {
        let ApprovalDecision { allow, digest, user } = answer;
        let user: String = user.chars().filter(|c| !c.is_control()).take(MAX_USER_CHARS).collect();
        let (by, at) = (format!("operator {user}"), self.tooling.clock.now());
        self.answer(Answerer::Operator(reply), Answered { id, digest, allow, by, at });
    }

    pub(super) fn answer(&mut self, who: Answerer, answered: Answered) {
        self.submit(move |store| {
            let result = store.answer(&answered).map(Box::new);
            Reply::Answered { who, id: answered.id, result }
        });
    }

    pub(super) fn answered(&mut self, who: Answerer, id: &str, result: Result<Box<(Approval, CallPlace)>, StoreError>) {
        self.audit.grew();
        let result = result.map(|decided| {
            let (approval, place) = *decided;
            tracing::info!(approval = id, state = approval.state.as_str(), "a person decided");
            let decision = match approval.state {
                ApprovalState::Allowed => Decision::Allow,
                _ => Decision::Deny { evidence: "a person said no; do not try it again by other means".to_owned() },
            };
            self.tell_turn(place, decision);
            approval
        });
        match (who, result) {
            // Whoever asked may have given up waiting.
            (Answerer::Operator(reply), result) => drop(reply.send(result)),
            // The card of the turn says it.
            (Answerer::Page(_), Ok(_)) => {}
            (Answerer::Page(from), Err(error)) => self.failed(from, Failed::store(&error).about(id)),
        }
    }

    /// Ends what nobody answered in time.
    pub(super) fn expire_questions(&mut self) {
        let now = self.tooling.clock.now();
        if self.live.values().any(|live| live.open.values().any(|ends| *ends <= now)) {
            self.submit(move |store| Reply::Expired(store.expire(now)));
        }
    }

    pub(super) fn expired(&mut self, result: Result<Vec<CallPlace>, StoreError>) {
        self.audit.grew();
        match result {
            Ok(places) => {
                for place in places {
                    let minutes = MAX_WAIT_MILLIS / 60_000;
                    let evidence = format!("nobody answered within {minutes} minutes");
                    self.tell_turn(place, Decision::Deny { evidence });
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a question could not be ended yet");
            }
        }
    }

    fn tell_turn(&mut self, place: CallPlace, decision: Decision) {
        let CallPlace { session, turn, call } = place;
        if let Some(live) = self.live.get_mut(&session).filter(|live| live.view.id == turn) {
            live.decide(call, decision);
        }
    }
}
