//! What a bot remembers, as people see and change it.

use platform_types::BotName;
use platform_types::agent::AgentConfig;
use platform_types::audit::Page as AuditPage;
use platform_types::chat::{ToAgent, ToPage};
use platform_types::memory::{Fact, Forget, Memory, MemoryList};

use crate::support::agent::{DEVICE, World, bot, config};
use crate::support::page::Page;

fn learning() -> BotName {
    BotName::new("learning").unwrap()
}

async fn world() -> (World, Page) {
    let bots = vec![bot("learning", &["memory.remember"]), bot("home", &["memory.search"]), bot("plain", &[])];
    let world = World::with(AgentConfig { bots, ..config(1) }).await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "learning").await;
    page.send(&session, 100, "Remember this").await;
    let shared = r#"{"fact":"Is called Sam.","shared":true}"#;
    world.model.calls(&[("memory_remember", r#"{"fact":"Learns Italian."}"#), ("memory_remember", shared)]).await;
    world.model.says("Done.").await;
    page.ended().await;
    (world, page)
}

async fn memory(page: &mut Page, wish: ToAgent) -> Memory {
    page.say(&wish).await;
    page.expect("the memory", |frame| match frame {
        ToPage::Memory { memory } => Some(memory.clone()),
        ToPage::Failed { message, .. } => panic!("{message}"),
        _ => None,
    })
    .await
}

fn texts(memory: &Memory) -> Vec<&str> {
    let mut texts: Vec<&str> = memory.facts.iter().map(|fact| fact.text.as_str()).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test]
async fn a_person_sees_changes_and_deletes_it_on_the_page() {
    let (world, mut page) = world().await;
    let seen = memory(&mut page, ToAgent::Memory { bot: learning() }).await;
    assert_eq!(texts(&seen), ["Is called Sam.", "Learns Italian."]);
    assert!(seen.facts.iter().all(|fact| fact.in_prompt && fact.date.len() == 10) && seen.prompt_bytes == 3000);
    let id = |memory: &Memory, text: &str| memory.facts.iter().find(|fact| fact.text == text).unwrap().id.clone();
    let edit = ToAgent::EditFact { bot: learning(), id: id(&seen, "Learns Italian."), text: "Learns Spanish.".into() };
    let seen = memory(&mut page, edit).await;
    assert_eq!(texts(&seen), ["Is called Sam.", "Learns Spanish."]);
    let forget = ToAgent::ForgetFact { bot: learning(), id: id(&seen, "Is called Sam.") };
    assert_eq!(texts(&memory(&mut page, forget).await), ["Learns Spanish."]);
    assert!(memory(&mut page, ToAgent::Memory { bot: BotName::new("home").unwrap() }).await.facts.is_empty());

    for (wish, words) in [
        (ToAgent::Memory { bot: BotName::new("plain").unwrap() }, "has no memory"),
        (ToAgent::ForgetFact { bot: learning(), id: "deadbeef".into() }, "no fact"),
        (ToAgent::EditFact { bot: learning(), id: id(&seen, "Learns Spanish."), text: " ".into() }, "empty"),
    ] {
        page.say(&wish).await;
        let (_, message) = page.failed().await;
        assert!(message.contains(words), "{message}");
    }
    let audit: AuditPage = world.agent.admin.get("/audit").await.unwrap();
    let changes: Vec<(&str, &str)> = audit
        .entries
        .iter()
        .filter(|entry| entry.kind.starts_with("memory."))
        .map(|entry| (entry.kind.as_str(), entry.actor.as_str()))
        .collect();
    let device = format!("device {DEVICE}");
    assert_eq!(changes, [("memory.edited", device.as_str()), ("memory.forgotten", device.as_str())]);
    assert!(!serde_json::to_string(&audit.entries).unwrap().contains("Spanish"), "never the words");
}

#[tokio::test]
async fn the_operator_sees_it_and_has_it_forgotten() {
    let (world, mut page) = world().await;
    let list: MemoryList = world.agent.admin.get("/memory").await.unwrap();
    let bots: Vec<(&str, usize)> =
        list.memories.iter().map(|memory| (memory.bot.as_str(), memory.facts.len())).collect();
    assert_eq!(bots, [("learning", 2), ("home", 1)]);
    let fact = list.memories[0].facts.iter().find(|fact| !fact.shared).unwrap().clone();
    let forget = Forget { bot: learning(), id: fact.id.clone(), user: "root".into() };
    let forgotten: Fact = world.agent.admin.post("/memory/forget", &forget).await.unwrap();
    assert_eq!(forgotten, fact);
    assert!(world.agent.admin.post::<_, Fact>("/memory/forget", &forget).await.is_err());
    assert_eq!(texts(&memory(&mut page, ToAgent::Memory { bot: learning() }).await), ["Is called Sam."]);
}
