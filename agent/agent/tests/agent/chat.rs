//! What people do: talk, stop, reload, resend.

use platform_types::agent::SessionList;
use platform_types::audit::Shown;
use platform_types::chat::{Author, NoteCode, ToAgent, ToPage, ToolState, Transcript, TurnOutcome};
use platform_types::spark::Progress;
use serde_json::json;

use crate::support::agent::{DEVICE, World};
use crate::support::model::prompt;
use crate::support::page::id;
use crate::support::until;

#[tokio::test]
async fn a_message_is_answered_piece_by_piece_and_found_again() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    let sent = page.send(&session, 10, "Hello *there*").await;
    assert_eq!((sent.seq, sent.author), (1, Author::Person));
    let exchange = world.model.next().await;
    assert_eq!(
        exchange.prompt(),
        [("system".to_owned(), "You are assistant.".to_owned()), ("user".to_owned(), "Hello *there*".to_owned())]
    );
    let stream = exchange.stream();
    stream.text("Good ").await;
    assert_eq!(page.delta().await, "Good ");
    stream.text("day").await;
    assert_eq!(page.delta().await, "day");
    stream.finish("stop").await;
    let answer = page.answer().await;
    assert_eq!((answer.text.as_str(), answer.seq, answer.note), ("Good day", 2, None));
    assert_eq!(page.ended().await, TurnOutcome::Completed);

    let mut other = world.agent.page().await;
    assert_eq!(other.sessions[0].title, "Hello *there*");
    let (messages, more, turn) = other.open(&session).await;
    assert_eq!((messages.len(), more, turn), (2, false, None));
    assert_eq!(messages[1].text, "Good day");
}

#[tokio::test]
async fn a_running_answer_is_stopped_and_keeps_what_it_said() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Tell me everything").await;
    let stream = world.model.next().await.stream();
    stream.text("In the beginning").await;
    page.delta().await;
    page.say(&ToAgent::Stop { session: session.clone() }).await;
    stream.given_up().await;
    let answer = page.answer().await;
    assert_eq!(answer.text, "In the beginning");
    assert_eq!(answer.note.unwrap().code, NoteCode::Stopped);
    assert_eq!(page.ended().await, TurnOutcome::Stopped);

    page.send(&session, 11, "And before the first word?").await;
    let waiting = world.model.next().await;
    page.say(&ToAgent::Stop { session }).await;
    waiting.given_up().await;
    assert_eq!(page.answer().await.text, "");
}

#[tokio::test]
async fn every_page_sees_the_same_and_a_reload_finds_the_running_answer() {
    let world = World::start().await;
    let mut first = world.agent.page().await;
    let mut second = world.agent.page().await;
    let session = first.session(1, "assistant").await;
    second.open(&session).await;
    first.send(&session, 10, "Hi").await;
    let stream = world.model.next().await.stream();
    stream.text("One 😀 ").await;
    assert_eq!((first.delta().await, second.delta().await), ("One 😀 ".into(), "One 😀 ".into()));

    let mut late = world.agent.page().await;
    assert!(late.sessions[0].running);
    let (messages, _, turn) = late.open(&session).await;
    assert_eq!((messages.len(), turn.unwrap().text.as_str()), (1, "One 😀 "));
    stream.text("two").await;
    let offset = late.expect("more", |message| match message {
        ToPage::Delta { offset, text, .. } => Some((*offset, text.clone())),
        _ => None,
    });
    assert_eq!(offset.await, (7, "two".to_owned()));
    stream.finish("stop").await;
    for page in [&mut first, &mut second, &mut late] {
        assert_eq!(page.answer().await.text, "One 😀 two");
        assert_eq!(page.ended().await, TurnOutcome::Completed);
    }
}

#[tokio::test]
async fn a_message_sent_again_is_stored_once_and_acknowledged_again() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    let first = page.send(&session, 10, "Hi").await;
    let again = page.send(&session, 10, "Hi").await;
    assert_eq!(first, again);
    world.model.says("Hello").await;
    page.answer().await;
    let mut other = world.agent.page().await;
    assert_eq!(other.send(&session, 10, "Hi").await, first);
    let (messages, _, turn) = other.open(&session).await;
    assert_eq!((messages.len(), turn), (2, None));
    let elsewhere = other.session(2, "assistant").await;
    other.say(&ToAgent::Send { session: elsewhere, id: id(10), text: "Hi".into() }).await;
    assert_eq!(other.failed().await.0, "conflict");
}

#[tokio::test]
async fn messages_of_one_session_are_answered_in_order_and_sessions_side_by_side() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "first").await;
    let exchange = world.model.next().await;
    page.send(&session, 11, "second").await;
    let other = page.session(2, "plain").await;
    page.send(&other, 12, "elsewhere").await;
    let beside = world.model.next().await;
    assert_eq!(beside.prompt()[1].1, "elsewhere");
    assert!(beside.body.get("tools").is_none(), "this bot has no tools");
    page.open(&session).await;
    let stream = exchange.stream();
    stream.text("answer one").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.seq, 3);
    let next = world.model.next().await;
    let prompt: Vec<String> = next.prompt().into_iter().map(|(_, text)| text).collect();
    assert_eq!(prompt, ["You are assistant.", "first", "answer one", "second"]);
    let stream = next.stream();
    stream.text("answer two").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.seq, 4);
}

#[tokio::test]
async fn the_line_of_a_session_is_bounded() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    for n in 0..=16 {
        page.send(&session, 10 + n, "more").await;
    }
    page.say(&ToAgent::Send { session, id: id(99), text: "too much".into() }).await;
    assert_eq!(page.failed().await.0, "rate_limited");
}

#[tokio::test]
async fn a_tool_is_called_and_its_result_used() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "What time is it?").await;
    let exchange = world.model.next().await;
    assert_eq!(exchange.body["tools"][0]["function"]["name"], "clock_now");
    let stream = exchange.stream();
    stream.call(0, "clock_now", r#"{"zone":"UTC"}"#).await;
    stream.call(1, "door_open", "{}").await;
    stream.finish("tool_calls").await;
    let exchange = world.model.next().await;
    let messages = exchange.body["messages"].as_array().unwrap();
    assert_eq!(messages[2]["tool_calls"][0]["function"]["name"], "clock_now");
    let results: Vec<&str> = messages[3..].iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert!(results.iter().any(|text| text.contains("\"zone\":\"UTC\"")), "{results:?}");
    assert!(results.iter().any(|text| text.contains("denied")), "{results:?}");
    let stream = exchange.stream();
    stream.text("It is late.").await;
    stream.finish("stop").await;
    let answer = page.answer().await;
    let states: Vec<_> = answer.tools.iter().map(|tool| (tool.name.as_str(), tool.state)).collect();
    assert_eq!(states, [("clock.now", ToolState::Done), ("door_open", ToolState::Denied)]);
    let counted = world.agent.status().await;
    assert_eq!((counted.tool_calls_total, counted.tool_calls_denied_total), (2, 1));
    assert_eq!((counted.input_tokens_total, counted.turns_completed_total, counted.messages), (14, 1, 2));
}

#[tokio::test]
async fn sessions_are_named_renamed_and_deleted() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.say(&ToAgent::RenameSession { session: session.clone(), title: "  My\nchat ".into() }).await;
    let title = page.expect("the title", |message| match message {
        ToPage::Sessions { sessions } => sessions.first().map(|s| s.title.clone()).filter(|title| !title.is_empty()),
        _ => None,
    });
    assert_eq!(title.await, "My chat");
    page.say(&ToAgent::RenameSession { session: session.clone(), title: " \n".into() }).await;
    assert_eq!(page.failed().await.0, "bad_request");
    page.send(&session, 10, "Hi").await;
    let running = world.model.next().await;
    page.say(&ToAgent::DeleteSession { session: session.clone() }).await;
    running.given_up().await;
    page.expect("an empty list", |message| match message {
        ToPage::Sessions { sessions } => sessions.is_empty().then_some(()),
        _ => None,
    })
    .await;
    page.say(&ToAgent::Open { session: session.clone() }).await;
    assert_eq!(page.failed().await.0, "not_found");
    page.say(&ToAgent::Send { session, id: id(11), text: "Hi".into() }).await;
    assert_eq!(page.failed().await.0, "not_found");
    until("the turn to be gone", || async { (world.agent.status().await.turns_running == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_long_session_is_read_page_by_page() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    for n in 0..30 {
        page.send(&session, 100 + n, &format!("question {n}")).await;
        world.model.says(&format!("answer {n}")).await;
        page.answer().await;
    }
    let (newest, more, _) = page.open(&session).await;
    assert_eq!((newest.len(), more, newest[0].seq), (50, true, 11));
    page.say(&ToAgent::Older { session, before: 11 }).await;
    let (oldest, more, _) = page.history().await;
    assert_eq!((oldest.len(), more, oldest[0].text.as_str()), (10, false, "question 0"));
}

#[tokio::test]
async fn what_was_done_is_shown_backwards() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Hi").await;
    world.model.says("Hello").await;
    page.answer().await;
    let get = async |query: &str| {
        let (status, _, text) = world.agent.get(&format!("/api/audit{query}"), &[("x-bot-device", DEVICE)]).await;
        (status, serde_json::from_str::<Shown>(&text).ok())
    };
    let (status, shown) = get(&format!("?before={}", u64::MAX)).await;
    let shown = shown.unwrap();
    assert_eq!((status, shown.more), (200, false));
    let kinds: Vec<&str> = shown.entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert!(kinds.contains(&"turn.started"), "{kinds:?}");
    let last = shown.entries.last().unwrap();
    assert_eq!(last.n, 1);
    assert_eq!(get("?before=2").await.1.unwrap().entries, std::slice::from_ref(last));
    assert_eq!(get("?before=x").await.0, 400);
    assert_eq!(world.agent.get("/api/audit?before=9", &[]).await.0, 401);
}

#[tokio::test]
async fn a_session_is_exported_as_markdown() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Hi").await;
    world.model.says("Hello **you**").await;
    page.answer().await;
    let path = format!("/api/sessions/{session}/export");
    let (status, headers, text) = world.agent.get(&path, &[("x-bot-device", DEVICE)]).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/markdown; charset=utf-8"));
    assert!(text.starts_with("# Hi\n") && text.contains("**You**, 20") && text.ends_with("Hello **you**\n"), "{text}");
    assert_eq!(world.agent.get(&path, &[]).await.0, 401);
    assert_eq!(world.agent.get("/api/sessions/nope/export", &[("x-bot-device", DEVICE)]).await.0, 404);
    let transcript: Transcript = world.agent.admin.get(&format!("/sessions/{session}")).await.unwrap();
    assert_eq!(transcript.messages.len(), 2);
    let list: SessionList = world.agent.admin.get("/sessions").await.unwrap();
    assert_eq!(list.sessions[0].messages, 2);
}

#[tokio::test]
async fn pages_see_what_a_turn_waits_for() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    page.send(&session, 10, "Hello").await;
    let exchange = world.model.next().await;
    let said = |name: &str| exchange.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(said("x-bot-progress").as_deref(), Some("1"));
    assert_eq!((said("x-bot-priority").as_deref(), said("x-bot-name").as_deref()), (Some("chat"), Some("plain")));
    let stream = exchange.stream();
    let queued = |position, waited_millis| Progress::Queued { position, ahead_millis: None, waited_millis };
    for progress in [queued(2, 0), queued(2, 1000), queued(1, 2000), Progress::Waiting { waited_millis: 40_000 }] {
        stream.raw(progress.comment()).await;
    }
    let mut told = Vec::new();
    while told.len() < 3 {
        let next = page.expect("progress", |message| match message {
            ToPage::Progress { progress, .. } => Some(*progress),
            _ => None,
        });
        told.push(next.await);
    }
    let waiting = Progress::Waiting { waited_millis: 40_000 };
    assert_eq!(told, [queued(2, 0), queued(1, 2000), waiting], "what changes, not the time");
    let mut late = world.agent.page().await;
    late.say(&ToAgent::Open { session: session.clone() }).await;
    let seen = late.expect("history", |message| match message {
        ToPage::History { turn, .. } => turn.clone(),
        _ => None,
    });
    assert_eq!(seen.await.progress, Some(waiting), "as it is now");
    stream.text("Hi").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.text, "Hi");
}

#[tokio::test]
async fn a_conversation_that_overflows_is_tried_once_more_with_less() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    for n in 0..4 {
        page.send(&session, 10 + n, &"words ".repeat(300)).await;
        world.model.says("I see").await;
        page.answer().await;
    }
    page.send(&session, 20, "And now?").await;
    let overflow =
        || json!({"message": "5000 tokens exceed 3000", "type": "x", "param": null, "code": "context_length_exceeded"});
    let first = world.model.next().await;
    let sent = first.prompt().len();
    first.error(400, &overflow());
    let second = world.model.next().await;
    assert!(second.prompt().len() < sent);
    second.error(400, &overflow());
    let answer = page.answer().await;
    assert!(!answer.shortened);
    let note = answer.note.unwrap();
    assert_eq!(note.code, NoteCode::Failed);
    let detail = note.detail.unwrap();
    assert!(detail.contains("5000") && detail.contains("3000"), "{detail}");
    assert_eq!(page.ended().await, TurnOutcome::Failed);

    page.send(&session, 21, "And now?").await;
    world.model.next().await.error(400, &overflow());
    world.model.says("With less, yes").await;
    let answer = page.answer().await;
    assert_eq!((answer.text.as_str(), answer.note.as_ref(), answer.shortened), ("With less, yes", None, true));
    let path = format!("/api/sessions/{session}/export");
    let (_, _, text) = world.agent.get(&path, &[("x-bot-device", DEVICE)]).await;
    assert!(
        text.ends_with(
            "With less, yes\n\n*(older parts of the chat were left out: it is longer than the model takes)*\n"
        )
    );

    // From now on the window is known: nothing is sent that does not fit.
    page.send(&session, 22, "And then?").await;
    let third = world.model.next().await;
    assert!(third.prompt().len() < sent, "{} of {sent}", third.prompt().len());
    let stream = third.stream();
    stream.text("At once").await;
    stream.finish("stop").await;
    let answer = page.answer().await;
    assert_eq!((answer.text.as_str(), answer.shortened), ("At once", false));
}

#[tokio::test]
async fn what_does_not_fit_the_window_is_left_out() {
    let world = World::start().await;
    world.model.set_window(Some(1024));
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    for n in 0..4 {
        page.send(&session, 10 + n, &format!("{n} {}", "word ".repeat(100))).await;
        let body = world.model.says("I see").await;
        let users = prompt(&body).iter().filter(|(role, _)| role == "user").count();
        assert!(users <= 4);
        assert!(body.to_string().len() < 1024 * 4, "over the window");
        page.answer().await;
    }
}
