//! Any order of events: nothing panics, effects happen at most once, a cancel ends the turn.

use std::collections::BTreeSet;

use platform_types::chat::ToolState;
use proptest::prelude::*;

use super::tests::{asking, setup};
use super::*;

/// An event with its references left open: they are filled with what the turn has asked for, or with nonsense.
#[derive(Debug, Clone)]
enum Sketch {
    Plain(Event),
    Decided { which: usize, word: Word },
    Asked { which: usize },
    Confirming { which: usize, waits: bool },
    ToolEnded { which: usize, ok: bool },
}

#[derive(Debug, Clone, Copy)]
enum Word {
    Allow,
    Ask,
    Deny,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    let call = 0..12_u32;
    let name = prop_oneof![Just("clock.now"), Just("door_open"), Just("no.such"), Just("")];
    let arguments = prop_oneof![Just("{}"), Just("{\"a\":1}"), Just("{"), Just(""), Just("[1]")];
    let reason =
        prop_oneof![Just(FinishReason::Stop), Just(FinishReason::Length), Just(FinishReason::Other("filter".into()))];
    prop_oneof![
        2 => Just(Sketch::Plain(Event::Start)),
        4 => (call.clone(), ".{0,8}").prop_map(|(call, text)| Sketch::Plain(Event::Text { call, text })),
        8 => (call.clone(), 0..12_usize, name, arguments).prop_map(|(call, index, name, arguments)| {
            let fragment = CallFragment { index, name: Some(name.into()), arguments: arguments.into() };
            Sketch::Plain(Event::Fragment { call, fragment })
        }),
        6 => (call.clone(), reason).prop_map(|(call, reason)| {
            Sketch::Plain(Event::ModelFinished { call, reason, usage: None })
        }),
        2 => call.clone().prop_map(|call| Sketch::Plain(Event::Waits { call, progress: Progress::Waiting { waited_millis: 0 } })),
        2 => (call, any::<bool>()).prop_map(|(call, too_long)| {
            let overflow = too_long.then(Overflow::default);
            let failure = ModelFailure { code: "x".into(), message: "y".into(), overflow };
            Sketch::Plain(Event::ModelFailed { call, failure })
        }),
        8 => (0..20_usize, prop_oneof![3 => Just(Word::Allow), 2 => Just(Word::Ask), 1 => Just(Word::Deny)])
            .prop_map(|(which, word)| Sketch::Decided { which, word }),
        3 => (0..20_usize).prop_map(|which| Sketch::Asked { which }),
        2 => (0..20_usize, any::<bool>()).prop_map(|(which, waits)| Sketch::Confirming { which, waits }),
        8 => (0..20_usize, any::<bool>()).prop_map(|(which, ok)| Sketch::ToolEnded { which, ok }),
        1 => Just(Sketch::Plain(Event::Timeout)),
        1 => Just(Sketch::Plain(Event::Cancel(Cancel::Stopped))),
    ]
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Watch {
    asked: Vec<String>,
    persons_asked: BTreeSet<String>,
    allowed: BTreeSet<String>,
    ran: BTreeSet<String>,
    model_calls: u32,
    over: bool,
    text: String,
}

impl Watch {
    fn event(&mut self, sketch: Sketch) -> Event {
        let pick = |ids: &[String], which: usize| ids.get(which).cloned().unwrap_or_else(|| "nobody".to_owned());
        match sketch {
            Sketch::Plain(event) => event,
            Sketch::Decided { which, word } => {
                let id = pick(&self.asked, which);
                let decision = match word {
                    Word::Allow => {
                        self.allowed.insert(id.clone());
                        Decision::Allow
                    }
                    Word::Ask => Decision::Ask { evidence: "a rule".into() },
                    Word::Deny => Decision::Deny { evidence: "no".into() },
                };
                Event::Decided { id, decision }
            }
            Sketch::Asked { which } => Event::Asked { id: pick(&self.asked, which), asking: asking() },
            Sketch::Confirming { which, waits } => Event::Confirming { id: pick(&self.asked, which), waits },
            Sketch::ToolEnded { which, ok } => {
                let outcome = if ok { Ok("fine".to_owned()) } else { Err("broke".to_owned()) };
                Event::ToolEnded { id: pick(&self.asked, which), outcome }
            }
        }
    }

    fn effect(&mut self, effect: &Effect) {
        assert!(!self.over, "something after the end: {effect:?}");
        match effect {
            Effect::CallModel { request, .. } => {
                self.model_calls += 1;
                assert!(self.model_calls <= MAX_MODEL_CALLS + 1);
                check_pairs(&request.messages);
                assert!(request.messages.contains(&setup().message), "what is answered is always said");
            }
            Effect::Decide(call) => {
                assert!(!self.asked.contains(&call.id), "one id, two calls");
                self.asked.push(call.id.clone());
            }
            Effect::Ask { call, .. } => {
                assert!(self.asked.contains(&call.id) && !self.ran.contains(&call.id));
                assert!(self.persons_asked.insert(call.id.clone()), "asked twice");
            }
            Effect::RunTool { call, .. } => {
                assert!(self.allowed.contains(&call.id), "ran without a yes");
                assert!(self.ran.insert(call.id.clone()), "ran twice");
            }
            Effect::Emit(Emission::Delta { offset, text }) => {
                assert_eq!(*offset, self.text.encode_utf16().count() as u64);
                self.text.push_str(text);
            }
            Effect::Finish(answer) => {
                assert_eq!(answer.text, self.text);
                check_pairs(&answer.exchange);
                assert!(answer.tools.iter().all(|card| card.asking.is_none() && card.state != ToolState::Asking));
                self.over = true;
            }
            Effect::Emit(_) | Effect::Record(_) | Effect::CancelModel => {}
        }
    }
}

/// Every call is followed by exactly one result of its own.
fn check_pairs(messages: &[Prompt]) {
    let mut open = BTreeSet::new();
    for message in messages {
        match message {
            Prompt::Assistant { calls, .. } => {
                assert!(open.is_empty());
                open.extend(calls.iter().map(|call| call.id.clone()));
            }
            Prompt::Tool { call, .. } => assert!(open.remove(call), "a result without a call"),
            Prompt::System { .. } | Prompt::User { .. } => assert!(open.is_empty()),
        }
    }
    assert!(open.is_empty(), "a call without a result");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events(sketches in prop::collection::vec(sketch(), 0..80)) {
        let history = vec![vec![Prompt::User { text: "before".into() }]];
        let mut turn = Turn::new(Setup { history, ..setup() });
        let mut watch = Watch::default();
        for sketch in std::iter::once(Sketch::Plain(Event::Start)).chain(sketches) {
            let event = watch.event(sketch);
            let ends = matches!(event, Event::Cancel(_) | Event::Timeout);
            for effect in turn.apply(event) {
                watch.effect(&effect);
            }
            prop_assert!(!ends || watch.over);
            prop_assert_eq!(turn.is_over(), watch.over);
        }
        for effect in turn.apply(Event::Cancel(Cancel::Interrupted)) {
            watch.effect(&effect);
        }
        prop_assert!(watch.over);
    }
}
