//! What a turn does with the tool calls of an answer: check, decide, ask, run, settle.
//!
//! ```text
//!   Deciding ──allow──────────────▶ Running ──▶ settled
//!      │  └──ask──▶ Asking ──allow──▶ ▲            ▲
//!      └──deny────────┴──deny, turn over───────────┘
//! ```

use platform_types::chat::{Asking, NoteCode, ToolCard, ToolState, TurnOutcome, TurnPhase};

use super::calls::{self, Fault};
use super::machine::{State, Turn, note};
use super::{Decision, Effect, MAX_CARD_CHARS, MAX_MODEL_CALLS, MAX_RESULT_BYTES, Record};
use crate::prompt::{Prompt, Risk, ToolCall};
use crate::text::{self, ellipsis};

/// A call that has no result yet.
#[derive(Debug)]
pub(super) struct Pending {
    call: ToolCall,
    risk: Risk,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Policy decides.
    Deciding,
    /// A person decides.
    Asking,
    Running,
}

impl Turn {
    pub(super) fn start_tools(&mut self, calls: Vec<(String, String)>, effects: &mut Vec<Effect>) {
        let mut checked = Vec::new();
        for (position, (name, arguments)) in calls.into_iter().enumerate() {
            let call = self.tool_call(name, arguments);
            match calls::check(&call, position, &self.setup.tools, &mut self.repeats) {
                Ok(arguments) => checked.push((ToolCall { arguments, ..call }, None)),
                Err(fault) => checked.push((call, Some(fault))),
            }
        }
        let calls = checked.iter().map(|(call, _)| call.clone()).collect();
        self.exchange.push(Prompt::Assistant { text: self.own_text(), calls });
        let mut pending = Vec::new();
        for (call, fault) in checked {
            self.cards.push(ToolCard {
                id: call.id.clone(),
                name: call.name.clone(),
                arguments: ellipsis(&call.arguments, MAX_CARD_CHARS),
                state: ToolState::Running,
                result: None,
                asking: None,
            });
            match fault {
                None => {
                    let spec = self.setup.tools.iter().find(|tool| tool.name == call.name);
                    let risk = spec.map_or(Risk::Danger, |tool| tool.risk);
                    pending.push(Pending { call, risk, stage: Stage::Deciding });
                }
                Some(Fault::Bad(words)) => self.settle(&call.id, ToolState::Failed, words),
                Some(Fault::NotOffered(words)) => self.deny(&call, words, effects),
            }
        }
        let asked: Vec<ToolCall> = pending.iter().map(|pending| pending.call.clone()).collect();
        self.state = State::Tools { pending };
        effects.push(Effect::Emit(self.changed(TurnPhase::Tools)));
        effects.extend(asked.into_iter().map(Effect::Decide));
        self.go_on(effects);
    }

    /// A call under our own id: nine letters and digits, which the strictest chat template accepts.
    fn tool_call(&mut self, name: String, arguments: String) -> ToolCall {
        self.tool_calls += 1;
        let seed = u64::from_str_radix(self.setup.id.get(..8).unwrap_or("0"), 16).unwrap_or(0);
        let id = format!("call{:05}", (seed + u64::from(self.tool_calls)) % 100_000);
        let offered = self.setup.tools.iter().find(|tool| tool.answers_to(&name)).map(|tool| tool.name.clone());
        let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
        ToolCall { id, name: offered.unwrap_or(name), arguments }
    }

    pub(super) fn decided(&mut self, id: &str, decision: Decision, effects: &mut Vec<Effect>) {
        let State::Tools { pending } = &mut self.state else { return };
        let Some(index) = pending.iter().position(|pending| pending.call.id == id && pending.stage != Stage::Running)
        else {
            return;
        };
        match decision {
            Decision::Allow => {
                let Pending { call, risk, stage } = &mut pending[index];
                let asked = std::mem::replace(stage, Stage::Running) == Stage::Asking;
                let (call, risk) = (call.clone(), *risk);
                let name = call.name.clone();
                if asked {
                    self.show(id, Stage::Running, (ToolState::Running, None), effects);
                }
                effects.push(Effect::Record(Record::ToolIntended { id: id.to_owned(), name, risk }));
                effects.push(Effect::RunTool { call, durable: risk > Risk::Read });
            }
            Decision::Ask { .. } if pending[index].stage == Stage::Asking => {}
            Decision::Ask { evidence } if pending[index].call.arguments.chars().count() > MAX_CARD_CHARS => {
                let words = format!("{evidence}; and the arguments are too long to be shown to a person as a whole");
                self.decided(id, Decision::Deny { evidence: words }, effects);
            }
            Decision::Ask { evidence } => {
                let Pending { call, stage, .. } = &mut pending[index];
                *stage = Stage::Asking;
                let call = call.clone();
                if let Some(card) = self.cards.iter_mut().find(|card| card.id == id) {
                    card.arguments.clone_from(&call.arguments);
                }
                effects.push(Effect::Ask { call, evidence });
            }
            Decision::Deny { evidence } => {
                let Pending { call, .. } = pending.remove(index);
                self.deny(&call, format!("denied: {evidence}"), effects);
                effects.push(Effect::Emit(self.changed(TurnPhase::Tools)));
                self.go_on(effects);
            }
        }
    }

    fn deny(&mut self, call: &ToolCall, words: String, effects: &mut Vec<Effect>) {
        self.denied_calls += 1;
        let (id, name) = (call.id.clone(), ellipsis(&call.name, MAX_CARD_CHARS));
        effects.push(Effect::Record(Record::ToolDenied { id, name, evidence: words.clone() }));
        self.settle(&call.id, ToolState::Denied, words);
    }

    pub(super) fn tool_ended(&mut self, id: &str, outcome: Result<String, String>, effects: &mut Vec<Effect>) {
        let State::Tools { pending } = &mut self.state else { return };
        let Some(index) = pending.iter().position(|pending| pending.call.id == id && pending.stage == Stage::Running)
        else {
            return;
        };
        let Pending { call, .. } = pending.remove(index);
        effects.push(Effect::Record(Record::ToolEnded { id: call.id, name: call.name, ok: outcome.is_ok() }));
        match outcome {
            Ok(result) => self.settle(id, ToolState::Done, result),
            Err(error) => self.settle(id, ToolState::Failed, format!("error: {error}")),
        }
        effects.push(Effect::Emit(self.changed(TurnPhase::Tools)));
        self.go_on(effects);
    }

    /// Shows what a call does now, if it is at this stage.
    pub(super) fn show(
        &mut self,
        id: &str,
        stage: Stage,
        (now, asking): (ToolState, Option<Asking>),
        effects: &mut Vec<Effect>,
    ) {
        let State::Tools { pending } = &self.state else { return };
        if !pending.iter().any(|pending| pending.call.id == id && pending.stage == stage) {
            return;
        }
        if let Some(card) = self.cards.iter_mut().find(|card| card.id == id) {
            card.state = now;
            card.asking = asking;
        }
        effects.push(Effect::Emit(self.changed(TurnPhase::Tools)));
    }

    /// A call has its result: the card shows it, the model gets it.
    fn settle(&mut self, id: &str, state: ToolState, result: String) {
        if let Some(card) = self.cards.iter_mut().find(|card| card.id == id) {
            card.state = state;
            card.result = Some(ellipsis(&result, MAX_CARD_CHARS));
            card.asking = None;
        }
        let text = if result.len() > MAX_RESULT_BYTES {
            format!("{}\n(cut: the result is {} bytes long)", text::prefix(&result, MAX_RESULT_BYTES), result.len())
        } else {
            result
        };
        self.exchange.push(Prompt::Tool { call: id.to_owned(), text });
    }

    /// Calls the model again once every call has its result.
    fn go_on(&mut self, effects: &mut Vec<Effect>) {
        if !matches!(&self.state, State::Tools { pending } if pending.is_empty()) {
            return;
        }
        if self.model_calls - u32::from(self.retried) >= MAX_MODEL_CALLS {
            return self.finish(TurnOutcome::Completed, Some(note(NoteCode::ToolLimit, None)), effects);
        }
        self.call_model(effects);
    }

    /// Calls without a result when the turn ends: a running one has an unknown outcome, one not yet started did nothing.
    pub(super) fn close_calls(&mut self, effects: &mut Vec<Effect>) {
        let State::Tools { pending } = std::mem::replace(&mut self.state, State::Idle) else { return };
        for Pending { call, stage, .. } in pending {
            let (state, words) = match stage {
                Stage::Deciding => (ToolState::Failed, "not run: the turn ended"),
                Stage::Asking => (ToolState::Denied, "not run: the turn ended before anybody decided"),
                Stage::Running => {
                    let name = call.name.clone();
                    effects.push(Effect::Record(Record::ToolLost { id: call.id.clone(), name }));
                    (ToolState::Unknown, "the turn ended while this ran: its outcome is not known")
                }
            };
            self.settle(&call.id, state, words.to_owned());
        }
        // The words before the calls are in the exchange already.
        self.said_before = self.text.len();
    }
}
