//! The turns that people meet, step by step.

use platform_types::chat::{NoteCode, ToolState, TurnOutcome};
use platform_types::{ModelId, Timestamp};

use super::*;
use crate::prompt::Prompt;

pub(super) fn setup() -> Setup {
    let parameters = serde_json::json!({"type": "object"});
    let tool = |name: &str, risk| ToolSpec {
        name: name.into(),
        description: "a tool".into(),
        parameters: parameters.clone(),
        risk,
    };
    Setup {
        id: "00000007".repeat(4),
        model: ModelId::new("demo/echo").unwrap(),
        system: "Be kind.".into(),
        standing: Vec::new(),
        history: Vec::new(),
        message: Prompt::User { text: "hello".into() },
        tools: vec![tool("clock.now", Risk::Read), tool("door.open", Risk::Change)],
        sampling: Sampling::default(),
        context_window: Some(4096),
    }
}

pub(super) fn asking() -> Asking {
    Asking { approval: "a".repeat(32), digest: "d".repeat(64), expires_at: Timestamp(7), why: "a rule".into() }
}

fn text(call: u32, text: &str) -> Event {
    Event::Text { call, text: text.into() }
}

fn finished(call: u32) -> Event {
    Event::ModelFinished { call, reason: FinishReason::Stop, usage: Some(Usage { input_tokens: 10, output_tokens: 2 }) }
}

fn fragment(call: u32, index: usize, name: &str, arguments: &str) -> Event {
    Event::Fragment { call, fragment: CallFragment { index, name: Some(name.into()), arguments: arguments.into() } }
}

fn answer(effects: &[Effect]) -> Answer {
    match effects.last() {
        Some(Effect::Finish(answer)) => (**answer).clone(),
        other => panic!("not finished: {other:?}"),
    }
}

fn request(effects: &[Effect]) -> &ModelRequest {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::CallModel { request, .. } => Some(request),
        _ => None,
    });
    found.expect("the model is called")
}

fn decide(effects: &[Effect]) -> Vec<String> {
    let decide = |effect: &Effect| match effect {
        Effect::Decide(call) => Some(call.id.clone()),
        _ => None,
    };
    effects.iter().filter_map(decide).collect()
}

fn allow(id: &str) -> Event {
    Event::Decided { id: id.into(), decision: Decision::Allow }
}

#[test]
fn a_plain_answer() {
    let mut turn = Turn::new(setup());
    let effects = turn.apply(Event::Start);
    assert_eq!(request(&effects).messages.len(), 2);
    turn.apply(text(1, "Grüß "));
    let effects = turn.apply(text(1, "dich 😀"));
    assert_eq!(effects, vec![Effect::Emit(Emission::Delta { offset: 5, text: "dich 😀".into() })]);
    let answer = answer(&turn.apply(finished(1)));
    assert_eq!(answer.text, "Grüß dich 😀");
    assert_eq!(answer.outcome, TurnOutcome::Completed);
    assert_eq!(answer.note, None);
    assert_eq!(answer.usage, Some(Usage { input_tokens: 10, output_tokens: 2 }));
    assert_eq!(answer.exchange, vec![Prompt::Assistant { text: "Grüß dich 😀".into(), calls: Vec::new() }]);
    assert!(turn.apply(text(1, "more")).is_empty());
}

#[test]
fn what_the_model_waits_for_is_shown_until_it_speaks() {
    let waits = |call| Event::Waits { call, progress: Progress::Waiting { waited_millis: 1 } };
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    let effects = turn.apply(waits(1));
    assert_eq!(effects, [Effect::Emit(Emission::Waits(Progress::Waiting { waited_millis: 1 }))]);
    assert!(turn.apply(waits(2)).is_empty(), "of no call that runs");
    turn.apply(text(1, "Now."));
    assert!(turn.apply(waits(1)).is_empty(), "it speaks");
    turn.apply(finished(1));
    assert!(turn.apply(waits(1)).is_empty(), "it is over");
}

#[test]
fn a_tool_loop() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(text(1, "Let me look."));
    turn.apply(fragment(1, 0, "clock_now", "{}"));
    let effects = turn.apply(finished(1));
    let ids = decide(&effects);
    let [id] = ids.as_slice() else { panic!("one decision, not {ids:?}") };
    let effects = turn.apply(allow(id));
    assert!(matches!(
        &effects[..],
        [Effect::Record(Record::ToolIntended { risk: Risk::Read, .. }), Effect::RunTool { durable: false, .. }]
    ));
    let effects = turn.apply(Event::ToolEnded { id: id.clone(), outcome: Ok("12:00".into()) });
    let messages = &request(&effects).messages;
    assert_eq!(messages.len(), 4);
    assert!(
        matches!(&messages[2], Prompt::Assistant { text, calls } if text == "Let me look." && calls[0].name == "clock.now")
    );
    assert_eq!(messages[3], Prompt::Tool { call: id.clone(), text: "12:00".into() });
    turn.apply(text(2, "It is noon."));
    let answer = answer(&turn.apply(finished(2)));
    assert_eq!(answer.text, "Let me look.\n\nIt is noon.");
    assert_eq!(answer.tools[0].state, ToolState::Done);
    assert_eq!(answer.usage, Some(Usage { input_tokens: 20, output_tokens: 4 }));
    assert_eq!(answer.exchange.len(), 3);
}

#[test]
fn a_tool_that_changes_something_waits_for_its_record() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "door.open", ""));
    let ids = decide(&turn.apply(finished(1)));
    let effects = turn.apply(allow(&ids[0]));
    assert!(matches!(&effects[1], Effect::RunTool { durable: true, call } if call.arguments == "{}"));
    assert!(turn.apply(allow(&ids[0])).is_empty(), "a second decision runs nothing");
    let answer = answer(&turn.apply(Event::Cancel(Cancel::Stopped)));
    assert_eq!(answer.tools[0].state, ToolState::Unknown);
    assert_eq!(answer.note.unwrap().code, NoteCode::Stopped);
    assert!(matches!(answer.exchange.last(), Some(Prompt::Tool { .. })), "every call has a result");
}

#[test]
fn the_model_is_told_what_was_wrong_with_a_call() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "clock.now", "{broken"));
    turn.apply(fragment(1, 1, "no.such", "{}"));
    let effects = turn.apply(finished(1));
    assert!(decide(&effects).is_empty());
    let messages = &request(&effects).messages;
    assert!(matches!(&messages[3], Prompt::Tool { text, .. } if text.contains("cannot be read")));
    assert!(matches!(&messages[4], Prompt::Tool { text, .. } if text.contains("denied")));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Record(Record::ToolDenied { .. }))));
}

#[test]
fn a_denied_call_is_told_too() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "door.open", "{}"));
    let ids = decide(&turn.apply(finished(1)));
    let decision = Decision::Deny { evidence: "not for this bot".into() };
    let effects = turn.apply(Event::Decided { id: ids[0].clone(), decision });
    assert!(
        matches!(request(&effects).messages.last(), Some(Prompt::Tool { text, .. }) if text.contains("not for this bot"))
    );
    turn.apply(text(2, "I may not."));
    let answer = answer(&turn.apply(finished(2)));
    assert_eq!((answer.tools[0].state, answer.denied_calls), (ToolState::Denied, 1));
}

fn asked() -> (Turn, String) {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "door.open", r#"{ "b": 1, "a": 2 }"#));
    let id = decide(&turn.apply(finished(1))).remove(0);
    let ask = Decision::Ask { evidence: "it changes something".into() };
    let effects = turn.apply(Event::Decided { id: id.clone(), decision: ask.clone() });
    let [Effect::Ask { call, evidence }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((call.arguments.as_str(), evidence.as_str()), (r#"{"a":2,"b":1}"#, "it changes something"));
    assert!(turn.apply(Event::Decided { id: id.clone(), decision: ask }).is_empty(), "asked once");
    let effects = turn.apply(Event::Asked { id: id.clone(), asking: asking() });
    let [Effect::Emit(Emission::Changed { tools, .. })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((tools[0].state, tools[0].asking.as_ref()), (ToolState::Asking, Some(&asking())));
    assert_eq!(tools[0].arguments, r#"{"a":2,"b":1}"#);
    (turn, id)
}

#[test]
fn a_person_allows_a_call() {
    let (mut turn, id) = asked();
    let effects = turn.apply(allow(&id));
    assert!(matches!(effects.last(), Some(Effect::RunTool { durable: true, .. })), "{effects:?}");
    assert!(turn.apply(Event::Asked { id: id.clone(), asking: asking() }).is_empty(), "too late to be asked");
    let waits = turn.apply(Event::Confirming { id: id.clone(), waits: true });
    assert!(
        matches!(&waits[..], [Effect::Emit(Emission::Changed { tools, .. })] if tools[0].state == ToolState::Confirming)
    );
    turn.apply(Event::ToolEnded { id, outcome: Ok("open".into()) });
    turn.apply(text(2, "Done."));
    assert_eq!(answer(&turn.apply(finished(2))).tools[0].state, ToolState::Done);
}

#[test]
fn a_person_denies_a_call_or_does_not_answer() {
    let (mut turn, id) = asked();
    let effects = turn.apply(Event::Decided { id, decision: Decision::Deny { evidence: "not now".into() } });
    assert!(matches!(request(&effects).messages.last(), Some(Prompt::Tool { text, .. }) if text.contains("not now")));
    let (mut turn, _) = asked();
    let answer = answer(&turn.apply(Event::Cancel(Cancel::Stopped)));
    assert_eq!((answer.tools[0].state, answer.tools[0].asking.as_ref()), (ToolState::Denied, None));
}

#[test]
fn nobody_is_asked_about_what_cannot_be_shown_whole() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "door.open", &format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_CARD_CHARS))));
    let id = decide(&turn.apply(finished(1))).remove(0);
    let effects = turn.apply(Event::Decided { id, decision: Decision::Ask { evidence: "a rule".into() } });
    assert!(matches!(request(&effects).messages.last(), Some(Prompt::Tool { text, .. }) if text.contains("too long")));
}

#[test]
fn an_endless_tool_loop_ends() {
    let mut turn = Turn::new(setup());
    let mut effects = turn.apply(Event::Start);
    for call in 1..=MAX_MODEL_CALLS {
        assert_eq!(request(&effects).messages.len(), 2 * call as usize);
        turn.apply(fragment(call, 0, "clock.now", &format!("{{\"n\":{call}}}")));
        let ids = decide(&turn.apply(finished(call)));
        turn.apply(allow(&ids[0]));
        effects = turn.apply(Event::ToolEnded { id: ids[0].clone(), outcome: Ok("x".into()) });
    }
    let answer = answer(&effects);
    assert_eq!(answer.note.unwrap().code, NoteCode::ToolLimit);
    assert_eq!(answer.model_calls, MAX_MODEL_CALLS);
}

fn overflow(call: u32, prompt: Option<u64>, window: Option<u64>) -> Event {
    let overflow = Some(Overflow { prompt_tokens: prompt, window_tokens: window });
    let failure = ModelFailure { code: "context_length_exceeded".into(), message: "too long".into(), overflow };
    Event::ModelFailed { call, failure }
}

#[test]
fn an_overflow_is_tried_once_more_with_less() {
    let group = |n: usize| vec![Prompt::User { text: format!("{n} {}", "x".repeat(600)) }];
    let start = || {
        let mut turn = Turn::new(Setup { history: (0..10).map(group).collect(), ..setup() });
        let first = request(&turn.apply(Event::Start)).messages.len();
        let effects = turn.apply(overflow(1, Some(3000), Some(2000)));
        let second = request(&effects).messages.clone();
        assert!(second.len() < first && second.len() > 2, "{first} then {}", second.len());
        assert_eq!(second.last(), Some(&setup().message));
        turn.apply(text(1, "the failed call is not heard any more"));
        turn
    };
    let mut turn = start();
    turn.apply(text(2, "It fits."));
    let said = answer(&turn.apply(finished(2)));
    assert_eq!((said.text.as_str(), said.note.as_ref(), said.shortened), ("It fits.", None, true));
    let learned = said.window.unwrap();
    assert!((1000..2000).contains(&learned), "the estimate was too low, so less than 2000 is told: {learned}");
    let mut next = Turn::new(Setup { history: (0..10).map(group).collect(), context_window: Some(learned), ..setup() });
    assert!(request(&next.apply(Event::Start)).messages.len() > 2, "it begins with what fits");
    let failed = answer(&start().apply(overflow(2, Some(2500), Some(2000))));
    let detail = failed.note.unwrap().detail.unwrap();
    assert!(
        detail.contains("2500") && detail.contains("2000") && detail.contains("even without the older"),
        "{detail}"
    );
    assert_eq!((failed.text.as_str(), failed.shortened), ("", false));
}

#[test]
fn a_window_is_learned_from_two_numbers_that_can_be_true() {
    let check = |prompt, window, expect: Option<u32>| {
        let mut turn = Turn::new(Setup { message: Prompt::User { text: "x".repeat(30_000) }, ..setup() });
        turn.apply(Event::Start);
        assert_eq!(answer(&turn.apply(overflow(1, prompt, window))).window, expect, "{prompt:?} {window:?}");
    };
    check(Some(9000), Some(4096), Some(4096));
    check(Some(1_000_000), Some(4096), Some(512));
    check(Some(9000), Some(8), None);
    check(Some(4096), Some(9000), None);
    check(Some(9000), None, None);
    check(None, Some(4096), None);
}

#[test]
fn long_results_of_this_turn_go_when_there_is_no_past() {
    let mut turn = Turn::new(Setup { context_window: Some(131_072), ..setup() });
    turn.apply(Event::Start);
    turn.apply(fragment(1, 0, "clock.now", "{}"));
    let ids = decide(&turn.apply(finished(1)));
    turn.apply(allow(&ids[0]));
    turn.apply(Event::ToolEnded { id: ids[0].clone(), outcome: Ok("x".repeat(MAX_RESULT_BYTES)) });
    let effects = turn.apply(overflow(2, Some(5000), Some(4096)));
    let [.., Prompt::Tool { text: result, .. }] = request(&effects).messages.as_slice() else { panic!("{effects:?}") };
    assert!(result.len() < 512 && result.contains("did not fit"), "{result}");
    turn.apply(text(3, "Cut, but read."));
    assert!(answer(&turn.apply(finished(3))).shortened);
}

#[test]
fn an_overflow_where_nothing_can_go_is_explained_at_once() {
    let check = |prompt, window, expect: &str| {
        let mut turn = Turn::new(setup());
        turn.apply(Event::Start);
        let answer = answer(&turn.apply(overflow(1, prompt, window)));
        let detail = answer.note.unwrap().detail.unwrap();
        assert!(detail.contains(expect) && detail.contains("Send a shorter message"), "{detail}");
        assert_eq!(answer.outcome, TurnOutcome::Failed);
    };
    check(Some(2100), Some(2000), "has 2100 tokens, the model takes 2000.");
    check(None, Some(2000), "tokens (estimated), the model takes 2000.");
    check(None, None, "tokens (estimated), the model takes 4096.");
}

#[test]
fn what_was_said_before_a_failure_is_kept() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    turn.apply(text(1, "Half an"));
    let failure = ModelFailure { code: "upstream_error".into(), message: "The box fell over.".into(), overflow: None };
    let answer = answer(&turn.apply(Event::ModelFailed { call: 1, failure }));
    assert_eq!(answer.text, "Half an");
    assert_eq!(answer.note.unwrap().detail.as_deref(), Some("The box fell over."));
}

#[test]
fn an_endless_answer_is_cut() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    let effects = turn.apply(text(1, &"ä".repeat(MAX_ANSWER_BYTES)));
    assert!(effects.contains(&Effect::CancelModel));
    let answer = answer(&effects);
    assert_eq!(answer.text.len(), MAX_ANSWER_BYTES);
    assert_eq!(answer.note.unwrap().code, NoteCode::Length);
}

#[test]
fn an_empty_answer_says_so() {
    let mut turn = Turn::new(setup());
    turn.apply(Event::Start);
    assert_eq!(answer(&turn.apply(finished(1))).outcome, TurnOutcome::Failed);
}

#[test]
fn stop_and_timeout_end_a_turn_in_any_state() {
    for event in [Event::Cancel(Cancel::Stopped), Event::Cancel(Cancel::Interrupted), Event::Timeout] {
        let mut turn = Turn::new(setup());
        answer(&turn.apply(event.clone()));
        let mut turn = Turn::new(setup());
        turn.apply(Event::Start);
        turn.apply(text(1, "a"));
        let effects = turn.apply(event);
        assert!(effects.contains(&Effect::CancelModel));
        assert_eq!(answer(&effects).text, "a");
    }
}
