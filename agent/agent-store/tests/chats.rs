//! Chats of channels: their conversations, what goes out to them, and what people are asked there.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use agent_core::turn::Answer;
use agent_store::outgoing::DELIVER_WITHIN_MILLIS;
use agent_store::{
    Answered, Asked, ChatPlace, Delivery, NewChat, NewMessage, NewQuestion, OpenChat, StateDir, Store, StoreError,
    Wrote,
};
use platform_types::agent::ApprovalState;
use platform_types::channel::ChatId;
use platform_types::chat::TurnOutcome;
use platform_types::{BotName, Timestamp, UpstreamName};
use tempfile::TempDir;

fn fresh() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    (directory, store)
}

fn bots(names: &[&str]) -> Vec<BotName> {
    names.iter().map(|name| BotName::new(*name).unwrap()).collect()
}

fn channel() -> UpstreamName {
    UpstreamName::new("chat").unwrap()
}

fn place(chat: i64, topic: Option<i64>) -> ChatPlace {
    ChatPlace { channel: channel(), chat: ChatId(chat), topic }
}

fn new(n: u8) -> NewChat {
    NewChat { session: format!("session-{n}"), secret: format!("secret-{n}") }
}

fn origin(person: i64) -> Wrote {
    Wrote { person: ChatId(person), number: 70, language: "de".into() }
}

/// A message of a person whose turn runs.
fn says(store: &mut Store, session: &str, id: &str, person: i64) -> Result<(), StoreError> {
    let new = NewMessage {
        session: session.into(),
        id: id.into(),
        text: "x".into(),
        at: Timestamp(2),
        turn: format!("turn-{id}"),
        start: true,
        history_bytes: 0,
        wrote: Some(origin(person)),
    };
    store.accept(&new, drop).map(drop)
}

fn answered(store: &mut Store, id: &str, at: i64) {
    let text = format!("answer to {id}");
    let answer = Answer { outcome: TurnOutcome::Completed, text, ..Answer::failed(failure()) };
    store.finish(&format!("turn-{id}"), &answer, &[], Timestamp(at)).unwrap().unwrap();
}

fn failure() -> agent_core::turn::ModelFailure {
    agent_core::turn::ModelFailure { code: String::new(), message: String::new(), overflow: None }
}

fn texts(deliveries: &[Delivery]) -> Vec<(i64, &str, usize)> {
    deliveries.iter().map(|one| (one.place.chat.0, one.text.as_str(), one.begun)).collect()
}

#[test]
fn a_chat_has_a_session_that_nobody_else_could_have_made() {
    let (_directory, mut store) = fresh();
    let (place, bot, other) = (place(7, None), bots(&["assistant"]), bots(&["other"]));
    let first = store.open_chat(&place, &new(1), &bot, Timestamp(2)).unwrap();
    assert_eq!((first.session.id.as_str(), first.secret.as_str()), ("session-1", "secret-1"));
    assert_eq!(store.open_chat(&place, &new(2), &bot, Timestamp(3)).unwrap(), first, "the same from then on");
    let moved = store.open_chat(&place, &new(3), &other, Timestamp(4)).unwrap();
    assert_eq!(
        (moved.session.id.as_str(), &moved.session.bot, moved.secret.as_str()),
        ("session-1", &other[0], "secret-1")
    );
    store.delete_session("session-1", Timestamp(5)).unwrap();
    store.create_session("session-1", &bot[0], Timestamp(6)).unwrap();
    let again = store.open_chat(&place, &new(4), &bot, Timestamp(7)).unwrap();
    assert_eq!(again.session.id, "session-4", "a page's session does not become a chat");
    let taken = ChatPlace { chat: ChatId(8), ..place };
    let stolen = NewChat { session: "session-1".into(), ..new(5) };
    assert!(store.open_chat(&taken, &stolen, &bot, Timestamp(8)).is_err());
}

#[test]
fn a_place_has_one_conversation_that_goes_on() {
    let (_directory, mut store) = fresh();
    let (here, both) = (place(7, None), bots(&["house", "notes"]));
    store.open_chat(&here, &new(1), &both, Timestamp(1)).unwrap();
    let taken = store.new_chat(&here, &new(2), (None, &both), Timestamp(2)).unwrap();
    assert_eq!(taken.session.id, "session-1", "nothing was said yet");
    says(&mut store, "session-1", "m1", 7).unwrap();
    let next = store.new_chat(&here, &new(3), (Some(&both[1]), &both), Timestamp(3)).unwrap();
    assert_eq!((next.session.id.as_str(), &next.session.bot), ("session-3", &both[1]));
    assert_eq!(next.secret, "secret-1", "a message that comes again is known by the same id");
    assert!(store.has_message("m1").unwrap() && !store.has_message("m2").unwrap());
    says(&mut store, "session-3", "m2", 7).unwrap();
    let OpenChat { session, .. } = store.new_chat(&here, &new(4), (None, &both), Timestamp(4)).unwrap();
    assert_eq!((session.id.as_str(), &session.bot), ("session-4", &both[1]), "the bot stays");
    assert_eq!(store.current_chat(&here).unwrap().unwrap().session.id, "session-4");
    let gone = store.open_chat(&here, &new(5), &both[..1], Timestamp(5)).unwrap();
    assert_eq!((gone.session.id.as_str(), &gone.session.bot), ("session-4", &both[0]), "it may not answer any more");
    answered(&mut store, "m1", 6);
    let out = store.deliveries(&channel(), Timestamp(7)).unwrap();
    assert_eq!(texts(&out), [(7, "answer to m1", 0)], "what was asked before is answered");
    let page = NewMessage {
        session: "session-1".into(),
        id: "p".into(),
        text: "x".into(),
        at: Timestamp(8),
        turn: "turn-p".into(),
        start: false,
        history_bytes: 0,
        wrote: None,
    };
    assert!(matches!(store.accept(&page, drop), Err(StoreError::Conflict(_))), "it stays the chat's own");
}

#[test]
fn topics_are_places_of_their_own() {
    let (_directory, mut store) = fresh();
    let both = bots(&["house"]);
    let sessions: Vec<String> = [None, Some(5), Some(6), Some(5)]
        .into_iter()
        .zip(1..)
        .map(|(topic, n)| store.open_chat(&place(-7, topic), &new(n), &both, Timestamp(1)).unwrap().session.id)
        .collect();
    assert_eq!(sessions, ["session-1", "session-2", "session-3", "session-2"]);
    says(&mut store, "session-2", "m1", 7).unwrap();
    let at = store.turn_place(&channel(), "turn-m1").unwrap().unwrap();
    assert_eq!((at.place, at.origin, at.draft), (place(-7, Some(5)), Some(origin(7)), None));
    assert_eq!(store.turn_place(&UpstreamName::new("other").unwrap(), "turn-m1").unwrap(), None);
    store.draft_sent("turn-m1", 71).unwrap();
    store.draft_sent("no-such-turn", 72).unwrap();
    answered(&mut store, "m1", 3);
    let [delivery] = store.deliveries(&channel(), Timestamp(4)).unwrap().try_into().unwrap();
    assert_eq!(
        (delivery.place.topic, delivery.draft, delivery.origin.map(|origin| origin.number)),
        (Some(5), Some(71), Some(70))
    );
}

#[test]
fn of_each_chat_the_oldest_goes_out_first() {
    let (_directory, mut store) = fresh();
    let both = bots(&["house"]);
    for (chat, n) in [(7, 1), (8, 2)] {
        store.open_chat(&place(chat, None), &new(n), &both, Timestamp(1)).unwrap();
    }
    for (session, id) in [("session-1", "a"), ("session-1", "b"), ("session-2", "c")] {
        says(&mut store, session, id, 7).unwrap();
        answered(&mut store, id, 3);
    }
    let out = store.deliveries(&channel(), Timestamp(4)).unwrap();
    assert_eq!(texts(&out), [(7, "answer to a", 0), (8, "answer to c", 0)]);
    store.delivery_begun("turn-a", 2).unwrap();
    store.delivery_ended("turn-c", None, Timestamp(4)).unwrap();
    assert_eq!(texts(&store.deliveries(&channel(), Timestamp(4)).unwrap()), [(7, "answer to a", 2)]);
    store.delivery_ended("turn-a", None, Timestamp(4)).unwrap();
    assert_eq!(texts(&store.deliveries(&channel(), Timestamp(4)).unwrap()), [(7, "answer to b", 0)]);
    assert!(store.deliveries(&channel(), Timestamp(4 + DELIVER_WITHIN_MILLIS)).unwrap().is_empty(), "too old");
}

#[test]
fn an_update_is_acted_upon_once_until_it_is_confirmed() {
    let (directory, mut store) = fresh();
    assert!(store.handle(&channel(), 5).unwrap());
    assert!(!store.handle(&channel(), 5).unwrap());
    assert!(store.handle(&UpstreamName::new("other").unwrap(), 5).unwrap());
    store.close().unwrap();
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    assert!(!store.handle(&channel(), 5).unwrap(), "over a restart too");
    store.all_confirmed(&channel()).unwrap();
    assert!(store.handle(&channel(), 5).unwrap(), "numbers may begin anew");
    assert!(!store.handle(&UpstreamName::new("other").unwrap(), 5).unwrap());
}

#[test]
fn a_question_is_asked_once_and_closed_when_it_is_over() {
    let (directory, mut store) = fresh();
    store.open_chat(&place(-7, Some(5)), &new(1), &bots(&["house"]), Timestamp(1)).unwrap();
    says(&mut store, "session-1", "m1", 7).unwrap();
    let asked = Asked {
        id: "ap".into(),
        turn: "turn-m1".into(),
        session: "session-1".into(),
        bot: bots(&["house"]).remove(0),
        call: "call".into(),
        tool: "door.open".into(),
        arguments: "{}".into(),
        why: "a rule".into(),
        digest: "digest".into(),
        created_at: Timestamp(3),
        expires_at: Timestamp(100),
    };
    store.ask(&asked).unwrap();
    let question = |id: &str| NewQuestion {
        id: id.into(),
        approval: "ap".into(),
        digest: "digest".into(),
        person: ChatId(7),
        language: "en".into(),
    };
    assert!(store.ask_in_chat(&question("q1")).unwrap());
    assert!(!store.ask_in_chat(&question("q2")).unwrap());
    assert!(store.question(&channel(), "q2").unwrap().is_none());
    let found = store.question(&channel(), "q1").unwrap().unwrap();
    assert_eq!((found.number, found.place, found.asked), (None, place(-7, Some(5)), question("q1")));
    assert!(store.question(&UpstreamName::new("other").unwrap(), "q1").unwrap().is_none());
    store.question_sent("q1", 71).unwrap();
    assert!(store.questions_over(&channel()).unwrap().is_empty());
    let yes = Answered {
        id: "ap".into(),
        digest: "digest".into(),
        allow: true,
        by: "sender chat/7".into(),
        at: Timestamp(9),
    };
    store.answer(&yes).unwrap();
    store.close().unwrap();
    let mut store = Store::open(&StateDir::new(directory.path()), "test", Timestamp(0)).unwrap().store;
    let [over] = store.questions_over(&channel()).unwrap().try_into().unwrap();
    assert_eq!((over.number, over.approval.state), (Some(71), ApprovalState::Allowed));
    assert_eq!(over.approval.decided_by.as_deref(), Some("sender chat/7"));
    store.question_closed("q1").unwrap();
    assert!(store.questions_over(&channel()).unwrap().is_empty());
}
