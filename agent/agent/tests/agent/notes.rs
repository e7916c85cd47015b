//! Conversations in which a bot keeps notes and remembers, with a model that the test plays.

use platform_types::agent::AgentConfig;
use platform_types::chat::ToolState;
use serde_json::Value;

use crate::support::agent::{World, bot, config};
use crate::support::model::{prompt, results};
use crate::support::page::Page;

const TOOLS: [&str; 8] = [
    "note.write",
    "note.search",
    "note.show",
    "note.edit",
    "note.list",
    "memory.remember",
    "memory.forget",
    "memory.search",
];

fn learning() -> AgentConfig {
    AgentConfig { bots: vec![bot("learning", &TOOLS), bot("plain", &["clock.now"])], ..config(1) }
}

struct Chat {
    world: World,
    page: Page,
    session: String,
    sent: u32,
}

impl Chat {
    async fn start() -> Self {
        let world = World::with(learning()).await;
        let mut page = world.agent.page().await;
        let session = page.session(1, "learning").await;
        Self { world, page, session, sent: 100 }
    }

    async fn send(&mut self, text: &str) {
        self.sent += 1;
        self.page.send(&self.session, self.sent, text).await;
    }

    /// The bot makes one call; what the model is asked with its result.
    async fn call(&mut self, name: &str, arguments: &str) -> (ToolState, String, Value) {
        self.send("Go").await;
        self.world.model.calls(&[(name, arguments)]).await;
        let body = self.world.model.says("Done.").await;
        let answer = self.page.answer().await;
        (answer.tools[0].state, results(&body).pop().unwrap(), body)
    }

    async fn done(&mut self, name: &str, arguments: &str) -> Value {
        let (state, result, _) = self.call(name, arguments).await;
        assert_eq!(state, ToolState::Done, "{result}");
        serde_json::from_str(&result).unwrap()
    }
}

#[tokio::test]
async fn a_note_is_captured_found_shown_and_edited_without_a_question() {
    let mut chat = Chat::start().await;
    let arguments = r#"{"title":"Grüner Tee","facts":["70 °C","Zwei Minuten"],"tags":["tee"],"sources":["Oma"]}"#;
    let saved = chat.done("note_write", arguments).await;
    assert_eq!((saved["name"].as_str(), saved["facts"].as_u64()), (Some("gruener-tee"), Some(2)));
    let file = chat.world.state().join("current/workspace/notes/gruener-tee.md");
    assert!(std::fs::read_to_string(&file).unwrap().contains("- 70 °C\n- Zwei Minuten\n"));
    let found = chat.done("note_search", r#"{"query":"minute"}"#).await;
    assert_eq!(found["notes"][0]["facts"][0], "Zwei Minuten");
    let edit = r#"{"name":"Grüner Tee","add":["Nicht bitter"],"remove":["70 °C"]}"#;
    assert_eq!(chat.done("note_edit", edit).await["earlier_version"], 1);
    let shown = chat.done("note_show", r#"{"name":"gruener-tee"}"#).await;
    assert!(shown["text"].as_str().unwrap().ends_with("- Zwei Minuten\n- Nicht bitter\n"));
    assert_eq!(shown["earlier_versions"][0]["changed_by"], "bot learning");
    let first = chat.done("note_show", r#"{"name":"gruener-tee","version":1}"#).await;
    assert!(first["text"].as_str().unwrap().contains("- 70 °C"));
    assert_eq!(chat.done("note_list", r#"{"tag":"tee"}"#).await["notes"][0]["name"], "gruener-tee");
}

#[tokio::test]
async fn errors_tell_the_model_what_to_do() {
    let mut chat = Chat::start().await;
    chat.done("note_write", r#"{"title":"Tea","facts":["one"]}"#).await;
    for (name, arguments, words) in [
        ("note_write", r#"{"title":"Tea","facts":["two"]}"#, "change it with note_edit"),
        ("note_write", r#"{"title":"Pot","facts":[]}"#, "at least one fact"),
        ("note_show", r#"{"name":"../../agent.db"}"#, "cannot be a name"),
        ("note_show", r#"{"name":"coffee"}"#, "note_search"),
        ("note_edit", r#"{"name":"tea","remove":["three"]}"#, "no fact of the note says"),
        ("note_edit", r#"{"name":"tea"}"#, "nothing to change"),
        ("note_edit", r#"{"name":"tea","append":"x"}"#, "unknown field `append`"),
        ("memory_forget", r#"{"id":"x"}"#, "memory_search"),
        ("note_show", "{name: tea", "cannot be read"),
    ] {
        let (state, result, _) = chat.call(name, arguments).await;
        assert_eq!(state, ToolState::Failed, "{name} {arguments}");
        assert!(result.contains(words), "{name} {arguments}: {result}");
    }
}

#[tokio::test]
async fn arguments_of_a_small_model_are_mended_and_shown_as_they_are_run() {
    let mut chat = Chat::start().await;
    chat.send("Go").await;
    chat.world.model.calls(&[("note_write", "```json\n{'title': 'Tea', facts: ['hot',],}\n```")]).await;
    let body = chat.world.model.says("Done.").await;
    let answer = chat.page.answer().await;
    let mended = r#"{"facts":["hot"],"title":"Tea"}"#;
    assert_eq!((answer.tools[0].state, answer.tools[0].arguments.as_str()), (ToolState::Done, mended));
    let said = &body["messages"].as_array().unwrap().iter().find(|message| message["role"] == "assistant").unwrap();
    assert_eq!(said["tool_calls"][0]["function"]["arguments"], mended);
}

#[tokio::test]
async fn what_is_remembered_stands_behind_the_fixed_part() {
    let mut chat = Chat::start().await;
    let kept = chat.done("memory_remember", r#"{"fact":"Learns Italian."}"#).await;
    chat.done("memory_remember", r#"{"fact":"Is called Sam.","shared":true}"#).await;
    let (_, _, body) = chat.call("memory_search", r#"{"query":"italian"}"#).await;
    let said = prompt(&body);
    assert_eq!(said[0], ("system".to_owned(), "You are learning.".to_owned()), "the fixed part is what it was");
    assert_eq!((said[1].0.as_str(), said[2].0.as_str()), ("user", "assistant"));
    let id = kept["id"].as_str().unwrap();
    assert!(said[1].1.contains("Is called Sam.") && said[1].1.contains(&format!("- [{id}] Learns Italian.\n")));
    chat.done("memory_forget", &format!(r#"{{"id":"{id}"}}"#)).await;
    chat.send("And now?").await;
    let said = prompt(&chat.world.model.says("Fine.").await);
    assert!(!said[1].1.contains("Italian") && said[1].1.contains("Sam"));
    chat.page.answer().await;

    // A bot without these tools has no memory, not even the shared one.
    let session = chat.page.session(2, "plain").await;
    chat.page.send(&session, 900, "Hello").await;
    let said = prompt(&chat.world.model.says("Hello.").await);
    assert_eq!(said.len(), 2, "{said:?}");
}

#[tokio::test]
async fn notes_and_memory_outlive_a_crash() {
    let mut chat = Chat::start().await;
    chat.done("note_write", r#"{"title":"Tea","facts":["hot"]}"#).await;
    chat.done("memory_remember", r#"{"fact":"Learns Italian."}"#).await;
    chat.world.crash().await;
    chat.page = chat.world.agent.page().await;
    chat.session = chat.page.session(3, "learning").await;
    assert_eq!(chat.done("note_search", r#"{"query":"hot"}"#).await["notes"][0]["name"], "tea");
    assert_eq!(chat.done("memory_search", r#"{"query":""}"#).await["facts"][0]["fact"], "Learns Italian.");
}
