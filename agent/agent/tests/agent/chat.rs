//! What people do: talk, stop, reload, resend.

use platform_types::chat::{Author, TurnOutcome};

use crate::support::agent::World;

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
