//! A long chat: its older part is summarised behind an answer, and the summary stands for it from then on.

use platform_types::chat::{Message, ToPage, Transcript};
use serde_json::{Value, json};

use crate::support::agent::World;
use crate::support::model::prompt;
use crate::support::page::Page;

const SUMMARY: &str = "## Decisions\n- The tea is green.\n\n## Open tasks\n- Buy a pot.";

struct Chat {
    world: World,
    page: Page,
    session: String,
    sent: u32,
}

impl Chat {
    async fn start() -> Self {
        let world = World::start().await;
        let mut page = world.agent.page().await;
        let session = page.session(1, "plain").await;
        Self { world, page, session, sent: 100 }
    }

    /// One exchange; what the model was asked.
    async fn exchange(&mut self, text: &str) -> Value {
        self.sent += 1;
        self.page.send(&self.session, self.sent, text).await;
        let body = self.world.model.says("I see.").await;
        self.page.ended().await;
        body
    }

    /// Exchanges until the history is long: the next call of the model is for the summary.
    async fn long(&mut self) {
        for n in 0..5 {
            let body = self.exchange(&format!("{n}: {}", "Tea is to be green. ".repeat(120))).await;
            assert!(!is_summary(&body), "not yet");
        }
    }

    /// The message that came anew with a summary.
    async fn summarised(&mut self) -> Message {
        self.page
            .expect("a summary", |frame| match frame {
                ToPage::Message { message, .. } if message.summary.is_some() => Some(message.clone()),
                _ => None,
            })
            .await
    }

    async fn transcript(&self) -> Transcript {
        self.world.agent.admin.get(&format!("/sessions/{}", self.session)).await.unwrap()
    }
}

fn is_summary(body: &Value) -> bool {
    prompt(body)[0].1.starts_with("You summarise the earlier part of a chat")
}

#[tokio::test]
async fn the_older_part_is_summarised_and_the_messages_stay() {
    let mut chat = Chat::start().await;
    chat.long().await;
    let asked = chat.world.model.next().await;
    assert!(is_summary(&asked.body) && asked.prompt()[1].1.contains("Person: 0: Tea is"), "{:?}", asked.body);
    assert_eq!(asked.headers["x-bot-priority"], "cron", "people go first");
    assert_eq!(asked.body["tools"], Value::Null);
    let stream = asked.stream();
    stream.text(SUMMARY).await;
    stream.finish("stop").await;
    let message = chat.summarised().await;
    let summary = message.summary.unwrap();
    assert!(summary.text == SUMMARY && !summary.tree.is_empty());

    let said = prompt(&chat.exchange("And now?").await);
    assert_eq!(said[0].1, "You are plain.");
    assert!(said[1].1.starts_with("Summary of the earlier part") && said[1].1.ends_with(SUMMARY), "{}", said[1].1);
    assert!(said[3].1.starts_with("4: ") || said[3].1.starts_with("3: "), "{:.40}", said[3].1);

    let transcript = chat.transcript().await;
    assert_eq!(transcript.messages.len(), 12, "nothing of what was said is gone");
    let shown: Vec<u64> =
        transcript.messages.iter().filter(|message| message.summary.is_some()).map(|message| message.seq).collect();
    assert_eq!(shown, [message.seq]);
    let (_, _, text) = chat
        .world
        .agent
        .get(&format!("/api/sessions/{}/export", chat.session), &[("x-bot-device", &"0".repeat(64))])
        .await;
    assert!(text.contains("> - The tea is green.") && text.contains("0: Tea is to be"), "{text:.300}");

    // The next one is made of this one and of what came since; a restart changes nothing.
    chat.world.restart().await;
    chat.page = chat.world.agent.page().await;
    let (history, ..) = chat.page.open(&chat.session).await;
    assert!(history.iter().any(|message| message.summary.is_some()));
    for n in 0..3 {
        chat.exchange(&format!("later {n}: {}", "Coffee is to be black. ".repeat(110))).await;
    }
    let asked = chat.world.model.next().await;
    assert!(asked.prompt()[1].1.starts_with(&format!("Summary so far:\n{SUMMARY}")), "{:?}", asked.body);
    let stream = asked.stream();
    stream.text("## Decisions\n- Tea is green, coffee black.").await;
    stream.finish("stop").await;
    chat.summarised().await;
    assert_eq!(chat.transcript().await.messages.iter().filter(|message| message.summary.is_some()).count(), 2);
}

#[tokio::test]
async fn a_summary_that_fails_leaves_everything_as_it_was() {
    let mut chat = Chat::start().await;
    chat.long().await;
    // Refused, cut off, too long: after three in a row nobody asks any more.
    chat.world.model.next().await.error(500, &json!({"message": "out of memory"}));
    for (text, reason) in [("half of", "length"), (&*"x".repeat(7000), "stop")] {
        let body = chat.exchange("And now?").await;
        assert!(!is_summary(&body) && !prompt(&body)[1].1.starts_with("Summary"));
        let asked = chat.world.model.next().await;
        assert!(is_summary(&asked.body));
        let stream = asked.stream();
        stream.text(text).await;
        stream.finish(reason).await;
    }
    for n in 0..6 {
        let body = chat.exchange(&format!("more {n}: {}", "Tea is to be green. ".repeat(150))).await;
        assert!(!is_summary(&body), "nobody asks any more");
    }
    let said = prompt(&chat.exchange("What was the first thing?").await);
    assert!(!said.iter().any(|(_, text)| text.starts_with("0: ")), "the oldest is left out");
    assert!(said.iter().any(|(_, text)| text.starts_with("more 5: ")), "the newest is not");
    assert!(chat.transcript().await.messages.iter().all(|message| message.summary.is_none()));
}

#[tokio::test]
async fn a_person_who_writes_meanwhile_is_answered_at_once() {
    let mut chat = Chat::start().await;
    chat.long().await;
    let asked = chat.world.model.next().await;
    let body = chat.exchange("I am here again").await;
    assert!(!is_summary(&body), "the answer does not wait for the summary");
    let stream = asked.stream();
    stream.text(SUMMARY).await;
    stream.finish("stop").await;
    chat.summarised().await;
    let said = prompt(&chat.exchange("And now?").await);
    assert!(said[1].1.ends_with(SUMMARY) && said.iter().any(|(_, text)| text == "I am here again"));
}
