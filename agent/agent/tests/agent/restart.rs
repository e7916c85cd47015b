//! kill -9 and SIGTERM at bad moments: nothing that was acknowledged is lost, nothing is done twice.

use platform_types::chat::{NoteCode, ToAgent, TurnOutcome};

use crate::support::agent::World;
use crate::support::page::id;
use crate::support::until;

#[tokio::test]
async fn killed_in_the_middle_of_an_answer() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Tell me").await;
    let stream = world.model.next().await.stream();
    stream.text("Once upon").await;
    page.delta().await;
    let database = world.state().join("current/agent.db");
    until("the partial answer to be kept", || async {
        let connection = rusqlite::Connection::open(&database).unwrap();
        let kept = "SELECT count(*) FROM turns WHERE partial_text = 'Once upon'";
        (connection.query_row(kept, [], |row| row.get::<_, i64>(0)).ok()? == 1).then_some(())
    })
    .await;
    world.crash().await;

    let mut page = world.agent.page().await;
    assert!(!page.sessions[0].running);
    let (messages, _, turn) = page.open(&session).await;
    assert_eq!((messages.len(), turn), (2, None));
    assert_eq!(messages[1].text, "Once upon");
    assert_eq!(messages[1].note.as_ref().unwrap().code, NoteCode::Interrupted);
    assert_eq!(world.agent.status().await.turns_interrupted_total, 1);
    page.send(&session, 11, "Go on").await;
    let body = world.model.says("a time").await;
    assert!(body.to_string().contains("Once upon"));
    assert_eq!(page.answer().await.text, "a time");
}

#[tokio::test]
async fn killed_before_the_first_word_and_with_messages_in_line() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "first").await;
    let _first = world.model.next().await;
    page.send(&session, 11, "second").await;
    world.crash().await;

    // What nobody had begun to answer is answered now.
    let exchange = world.model.next().await;
    let texts: Vec<String> = exchange.prompt().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["You are assistant.", "first", "(no answer)", "second"]);
    let mut page = world.agent.page().await;
    let (messages, _, turn) = page.open(&session).await;
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[2].note.as_ref().unwrap().code, NoteCode::Interrupted);
    assert!(turn.is_some());
    let stream = exchange.stream();
    stream.text("done").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.seq, 4);
}

#[tokio::test]
async fn no_acknowledged_message_is_lost_however_often_it_is_killed() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    for round in 0..5 {
        page.send(&session, 100 + round, &format!("message {round}")).await;
        world.crash().await;
        page = world.agent.page().await;
        let (messages, _, _) = page.open(&session).await;
        let kept: Vec<&str> = messages.iter().map(|m| m.text.as_str()).filter(|text| !text.is_empty()).collect();
        let expect: Vec<String> = (0..=round).map(|n| format!("message {n}")).collect();
        assert_eq!(kept, expect);
        let seqs: Vec<u64> = messages.iter().map(|m| m.seq).collect();
        assert_eq!(seqs, (1..=messages.len() as u64).collect::<Vec<_>>(), "numbered without gaps");
    }
}

#[tokio::test]
async fn terminated_it_lets_a_running_answer_finish() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Quick").await;
    let stream = world.model.next().await.stream();
    stream.text("Almost").await;
    page.delta().await;
    world.agent.terminate();
    page.say(&ToAgent::Ping { n: 1 }).await;
    until("the drain to begin", || async { page_refuses(&world).await.then_some(()) }).await;
    page.say(&ToAgent::Send { session: session.clone(), id: id(11), text: "later".into() }).await;
    assert_eq!(page.failed().await.0, "agent_unavailable");
    stream.text(" done").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.text, "Almost done");
    assert_eq!(page.ended().await, TurnOutcome::Completed);
    assert_eq!(page.closed().await, Some(1012));
    assert!(world.agent.ended().await.success());
    assert!(!world.state().join("current/agent.db-wal").exists(), "closed in good order");
}

async fn page_refuses(world: &World) -> bool {
    crate::support::page::Page::try_connect(&world.agent.http, Some(crate::support::agent::DEVICE)).await.is_err()
}

#[tokio::test]
async fn drained_it_closes_what_does_not_finish() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Slow").await;
    let stream = world.model.next().await.stream();
    stream.text("Never").await;
    page.delta().await;
    page.send(&session, 11, "Waiting").await;
    let begun = std::time::Instant::now();
    world.agent.admin.post::<(), ()>("/drain", &()).await.unwrap();
    assert!(begun.elapsed().as_secs() < 20);
    assert!(world.agent.ended().await.success());
    assert_eq!(page.ended().await, TurnOutcome::Interrupted);

    world.agent = crate::support::agent::Agent::start(world.directory.path(), 2).await;
    world.agent.activate().await.unwrap();
    let body = world.model.says("Now").await;
    assert!(body.to_string().contains("Waiting"));
    let mut page = world.agent.page().await;
    until("the waiting message's answer", || async {
        let transcript: platform_types::chat::Transcript =
            world.agent.admin.get(&format!("/sessions/{session}")).await.unwrap();
        (transcript.messages.len() == 4).then_some(())
    })
    .await;
    let (messages, _, _) = page.open(&session).await;
    assert_eq!(messages[2].note.as_ref().unwrap().code, NoteCode::Interrupted);
    assert_eq!(messages[2].text, "Never");
    assert_eq!(messages[3].text, "Now");
}

#[tokio::test]
async fn restarted_in_good_order_everything_is_there() {
    let mut world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    page.send(&session, 10, "Hi").await;
    world.model.says("Hello").await;
    page.answer().await;
    world.restart().await;
    let mut page = world.agent.page().await;
    let (messages, _, _) = page.open(&session).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(world.agent.status().await.turns_interrupted_total, 0);
}
