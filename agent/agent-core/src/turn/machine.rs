//! The machine itself: [`Turn::apply`] changes state and says what is to be done; it waits for nothing.

use platform_types::chat::{Note, NoteCode, ToolCard, ToolState, TurnOutcome, TurnPhase};

use super::calls::{Collector, Repeats};
use super::tools::{Pending, Stage};
use super::{
    Answer, Cancel, Effect, Emission, Event, FinishReason, MAX_ANSWER_BYTES, MAX_CARD_CHARS, ModelFailure, Record,
    Setup,
};
use crate::fit::Fitted;
use crate::history;
use crate::prompt::{ModelRequest, Prompt, Usage};
use crate::text::{self, ellipsis};

/// A turn in progress.
#[derive(Debug)]
pub struct Turn {
    pub(super) setup: Setup,
    pub(super) state: State,
    /// Everything said so far, over all calls of the model.
    pub(super) text: String,
    pub(super) text_utf16: u64,
    /// Where the running call's own text starts in `text`.
    pub(super) said_before: usize,
    pub(super) fragments: Collector,
    pub(super) repeats: Repeats,
    pub(super) cards: Vec<ToolCard>,
    pub(super) exchange: Vec<Prompt>,
    pub(super) model_calls: u32,
    /// The model said that the prompt was too long, and was called again with less.
    pub(super) retried: bool,
    /// Tokens that a prompt may take.
    pub(super) budget: usize,
    /// Learned from an overflow, in estimated tokens.
    pub(super) window: Option<u32>,
    pub(super) usage: Option<Usage>,
    pub(super) tool_calls: u32,
    pub(super) denied_calls: u32,
}

#[derive(Debug)]
pub(super) enum State {
    /// Before the start, and for a moment between two steps.
    Idle,
    Calling,
    Tools {
        pending: Vec<Pending>,
    },
    Over,
}

impl Turn {
    pub fn new(setup: Setup) -> Self {
        let budget = history::prompt_budget(setup.context_window.unwrap_or(history::ASSUMED_WINDOW_TOKENS));
        Self {
            setup,
            state: State::Idle,
            text: String::new(),
            text_utf16: 0,
            said_before: 0,
            fragments: Collector::default(),
            repeats: Repeats::default(),
            cards: Vec::new(),
            exchange: Vec::new(),
            model_calls: 0,
            retried: false,
            budget,
            window: None,
            usage: None,
            tool_calls: 0,
            denied_calls: 0,
        }
    }

    pub fn id(&self) -> &str {
        &self.setup.id
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Takes one event; the effects are to be carried out in order.
    pub fn apply(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            _ if self.is_over() => {}
            Event::Start => {
                if self.model_calls == 0 {
                    self.call_model(&mut effects);
                }
            }
            Event::Text { call, text } if self.hears(call) => self.say(&text, &mut effects),
            Event::Waits { call, progress } if self.hears(call) => {
                if self.text.len() == self.said_before {
                    effects.push(Effect::Emit(Emission::Waits(progress)));
                }
            }
            Event::Fragment { call, fragment } if self.hears(call) => self.fragments.add(fragment),
            Event::ModelFinished { call, reason, usage } if self.hears(call) => {
                self.model_finished(reason, usage, &mut effects);
            }
            Event::ModelFailed { call, failure } if self.hears(call) => self.model_failed(failure, &mut effects),
            // What a call says after it was given up.
            Event::Text { .. }
            | Event::Waits { .. }
            | Event::Fragment { .. }
            | Event::ModelFinished { .. }
            | Event::ModelFailed { .. } => {}
            Event::Decided { id, decision } => self.decided(&id, decision, &mut effects),
            Event::Asked { id, asking } => {
                self.show(&id, Stage::Asking, (ToolState::Asking, Some(asking)), &mut effects);
            }
            Event::Confirming { id, waits } => {
                let state = if waits { ToolState::Confirming } else { ToolState::Running };
                self.show(&id, Stage::Running, (state, None), &mut effects);
            }
            Event::ToolEnded { id, outcome } => self.tool_ended(&id, outcome, &mut effects),
            Event::Cancel(cancel) => self.cancel(cancel, &mut effects),
            Event::Timeout => {
                let detail = "The answer took too long and was ended. Ask again, or ask for less at once.";
                self.finish(TurnOutcome::Failed, Some(note(NoteCode::Failed, Some(detail.into()))), &mut effects);
            }
        }
        effects
    }

    fn hears(&self, call: u32) -> bool {
        matches!(self.state, State::Calling) && call == self.model_calls
    }

    pub(super) fn call_model(&mut self, effects: &mut Vec<Effect>) {
        self.model_calls += 1;
        self.said_before = self.text.len();
        self.state = State::Calling;
        let Fitted { messages, left_out, .. } = self.prompt();
        let request = ModelRequest {
            model: self.setup.model.clone(),
            tools: self.setup.tools.clone(),
            sampling: self.setup.sampling.clone(),
            messages,
        };
        let call = self.model_calls;
        effects.push(Effect::Record(Record::ModelCalled { call, messages: request.messages.len(), left_out }));
        effects.push(Effect::Emit(self.changed(TurnPhase::Waiting)));
        effects.push(Effect::CallModel { call, request });
    }

    fn say(&mut self, piece: &str, effects: &mut Vec<Effect>) {
        if piece.is_empty() {
            return;
        }
        // Words of a later call start a new paragraph.
        let pause = if self.said_before > 0 && self.text.len() == self.said_before { "\n\n" } else { "" };
        let room = MAX_ANSWER_BYTES.saturating_sub(self.text.len() + pause.len());
        let kept = text::prefix(piece, room);
        if self.text.len() == self.said_before {
            effects.push(Effect::Emit(self.changed(TurnPhase::Answering)));
        }
        let said = format!("{pause}{kept}");
        let offset = self.text_utf16;
        self.text.push_str(&said);
        self.text_utf16 += text::utf16_len(&said);
        effects.push(Effect::Emit(Emission::Delta { offset, text: said }));
        if kept.len() < piece.len() {
            effects.push(Effect::CancelModel);
            self.state = State::Idle;
            self.finish(TurnOutcome::Completed, Some(note(NoteCode::Length, None)), effects);
        }
    }

    pub(super) fn own_text(&self) -> String {
        self.text[self.said_before..].trim_start_matches('\n').to_owned()
    }

    fn model_finished(&mut self, reason: FinishReason, usage: Option<Usage>, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(Record::ModelFinished { call: self.model_calls, usage }));
        self.usage = match (self.usage, usage) {
            (Some(before), Some(now)) => Some(before.plus(now)),
            (before, now) => before.or(now),
        };
        let calls = self.fragments.take();
        // Past this point no model call runs, so an end does not cancel one.
        self.state = State::Idle;
        if reason == FinishReason::Length {
            return self.finish(TurnOutcome::Completed, Some(note(NoteCode::Length, None)), effects);
        }
        if !calls.is_empty() {
            return self.start_tools(calls, effects);
        }
        if self.own_text().trim().is_empty() {
            let detail = match reason {
                FinishReason::Other(reason) => format!("The model gave no answer ({}).", ellipsis(&reason, 80)),
                _ => "The model gave an empty answer. Ask again, or in other words.".to_owned(),
            };
            return self.finish(TurnOutcome::Failed, Some(note(NoteCode::Failed, Some(detail))), effects);
        }
        self.finish(TurnOutcome::Completed, None, effects);
    }

    fn model_failed(&mut self, failure: ModelFailure, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(Record::ModelFailed { call: self.model_calls, code: failure.code.clone() }));
        self.fragments.take();
        self.state = State::Idle;
        let nothing_said = self.text.len() == self.said_before;
        if let Some(overflow) = failure.overflow {
            self.learn(overflow);
            if nothing_said && self.shorten(overflow) {
                return self.call_model(effects);
            }
            return self.fail(self.too_long(failure, overflow), effects);
        }
        self.fail(failure, effects);
    }

    fn cancel(&mut self, cancel: Cancel, effects: &mut Vec<Effect>) {
        let (outcome, code) = match cancel {
            Cancel::Stopped => (TurnOutcome::Stopped, NoteCode::Stopped),
            Cancel::Interrupted => (TurnOutcome::Interrupted, NoteCode::Interrupted),
        };
        self.finish(outcome, Some(note(code, None)), effects);
    }

    fn fail(&mut self, failure: ModelFailure, effects: &mut Vec<Effect>) {
        let words = note(NoteCode::Failed, Some(ellipsis(&failure.message, MAX_CARD_CHARS)));
        self.end(TurnOutcome::Failed, Some(words), Some(failure), effects);
    }

    pub(super) fn finish(&mut self, outcome: TurnOutcome, note: Option<Note>, effects: &mut Vec<Effect>) {
        self.end(outcome, note, None, effects);
    }

    fn end(
        &mut self,
        outcome: TurnOutcome,
        note: Option<Note>,
        failure: Option<ModelFailure>,
        effects: &mut Vec<Effect>,
    ) {
        if matches!(self.state, State::Calling) {
            effects.push(Effect::CancelModel);
        }
        self.close_calls(effects);
        let own = self.own_text();
        if !own.is_empty() {
            self.exchange.push(Prompt::Assistant { text: own, calls: Vec::new() });
        }
        self.state = State::Over;
        effects.push(Effect::Record(Record::Finished { outcome }));
        effects.push(Effect::Finish(Box::new(Answer {
            outcome,
            text: self.text.clone(),
            tools: std::mem::take(&mut self.cards),
            note,
            failure,
            shortened: self.retried && outcome != TurnOutcome::Failed,
            window: self.window,
            exchange: std::mem::take(&mut self.exchange),
            usage: self.usage,
            model_calls: self.model_calls,
            tool_calls: self.tool_calls,
            denied_calls: self.denied_calls,
        })));
    }

    pub(super) fn changed(&self, phase: TurnPhase) -> Emission {
        Emission::Changed { phase, tools: self.cards.clone() }
    }
}

pub(super) fn note(code: NoteCode, detail: Option<String>) -> Note {
    Note { code, detail }
}
