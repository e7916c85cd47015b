//! A model that misbehaves, and a disk that is full.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use platform_types::chat::{NoteCode, ToAgent, ToPage, TurnOutcome};
use platform_types::health::Readiness;
use serde_json::{Value, json};

use crate::support::agent::{World, bot};
use crate::support::model::{Stream, results};
use crate::support::page::id;
use crate::support::until;

/// Sends one message, lets `answer` play the model, and gives back the detail of the failure.
async fn failure(world: &World, n: u32, answer: impl AsyncFnOnce(Stream)) -> (String, String) {
    let mut page = world.agent.page().await;
    let session = page.session(n, "plain").await;
    page.send(&session, 1000 + n, "Hi").await;
    answer(world.model.next().await.stream()).await;
    let message = page.answer().await;
    assert_eq!(page.ended().await, TurnOutcome::Failed);
    let note = message.note.unwrap();
    assert_eq!(note.code, NoteCode::Failed);
    (message.text, note.detail.unwrap())
}

#[tokio::test]
async fn answers_that_are_not_the_protocol() {
    let world = World::start().await;
    let check = async |n, raw: &str, text: &str, words: &str| {
        let (said, detail) = failure(&world, n, async |stream| stream.raw(raw).await).await;
        assert_eq!(said, text, "{raw:?}");
        assert!(detail.contains(words), "{raw:?}: {detail}");
    };
    check(1, "", "", "broke off").await;
    check(2, "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n", "half", "broke off").await;
    check(3, "data: garbage\n\n", "", "not the protocol").await;
    check(4, "data: \u{fffd}{}\n\n", "", "not the protocol").await;
    check(5, "data: {\"error\":{\"message\":\"GPU on fire\",\"code\":500}}\n\n", "", "GPU on fire").await;
    check(6, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", "", "empty answer")
        .await;
    check(7, &"x".repeat(1100 * 1024), "", "endless line").await;
}

#[tokio::test]
async fn answers_that_are_odd_but_fine() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    page.send(&session, 10, "Hi").await;
    let stream = world.model.next().await.stream();
    let emoji =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\r\n\r\n: ping\r\n\r\n";
    stream.raw(emoji).await;
    stream.chunk(json!({"choices": [{"delta": {"reasoning_content": "hm", "reasoning": "hm", "content": ""}}], "usage": null})).await;
    stream.chunk(json!({"choices": [{"index": 1, "delta": {"content": "not mine"}}]})).await;
    stream.text("fine").await;
    // No [DONE], no usage: the connection just ends.
    stream.chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})).await;
    drop(stream);
    let answer = page.answer().await;
    assert_eq!((answer.text.as_str(), answer.note.unwrap().code), ("fine", NoteCode::Length));
}

#[tokio::test]
async fn an_error_of_spark_is_shown_in_its_words() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    page.send(&session, 10, "Hi").await;
    let error = json!({"message": "The box does not list demo/echo.", "type": "x", "param": "model", "code": "model_not_found"});
    world.model.next().await.error(404, &error);
    assert_eq!(page.answer().await.note.unwrap().detail.unwrap(), "The box does not list demo/echo.");
    std::fs::remove_file(world.directory.path().join("run/bot/llm/llm.sock")).unwrap();
    page.send(&session, 11, "Hi").await;
    assert!(page.answer().await.note.unwrap().detail.unwrap().contains("does not answer"));
}

/// A small disk that is unmounted when the test ends, however it ends.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(path: std::path::PathBuf) -> Self {
        mount(Some("small-disk"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=2m")).unwrap();
        Self(path)
    }

    /// Takes all space that is left.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("ballast")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A leftover mount under /tmp does no harm beside the panic that is under way.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_heals_by_itself() {
    let world = World::standby().await;
    let disk = SmallDisk::mount(world.state());
    world.agent.activate().await.unwrap();
    let mut page = world.agent.page().await;
    let session = page.session(1, "plain").await;
    page.send(&session, 10, "Before").await;
    let stream = world.model.next().await.stream();
    stream.text(&"An answer. ".repeat(2000)).await;
    page.delta().await;
    disk.fill();
    stream.text("The last words.").await;
    stream.finish("stop").await;
    // They wait for a stored answer no longer than it takes to know that there is none yet.
    let last = |text: &str| text.ends_with("The last words.").then_some(());
    page.expect("the last words", |message| match message {
        ToPage::Delta { text, .. } => last(text),
        ToPage::Turn { turn, .. } => last(&turn.text),
        _ => None,
    })
    .await;
    let (code, words) = page.failed().await;
    assert_eq!(code, "internal");
    assert!(words.contains("disk") && words.contains("full"), "{words}");
    page.say(&ToAgent::Send { session: session.clone(), id: id(11), text: "While full ".repeat(1000) }).await;
    let (_, words) = page.failed().await;
    assert!(words.contains("full"), "{words}");
    let (status, body) = world.agent.admin.exchange::<()>(http::Method::GET, "/readyz", None).await.unwrap();
    let ready: Readiness = serde_json::from_slice(&body).unwrap();
    assert!(status == 503 || ready.ready, "a tiny write may still fit: {ready:?}");
    disk.free();
    assert_eq!(page.answer().await.text.len(), 22_015, "the answer was kept in memory");
    page.ended().await;
    page.send(&session, 11, "Again").await;
    // The model may have been asked about the message that did not fit: that turn was called off.
    let exchange = loop {
        let exchange = world.model.next().await;
        if exchange.prompt().last().is_some_and(|(_, text)| text == "Again") {
            break exchange;
        }
        exchange.given_up().await;
    };
    let stream = exchange.stream();
    stream.text("After").await;
    stream.finish("stop").await;
    assert_eq!(page.answer().await.text, "After");
    until("readiness", || async { world.agent.admin.get::<Readiness>("/readyz").await.ok() }).await;
    drop(page);
    drop(world);
    drop(disk);
}

/// The files below a folder and their bytes, without the ballast.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("ballast") {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn a_note_that_does_not_fit_leaves_the_earlier_text_whole() {
    let mut world = World::standby().await;
    // Nothing is summarised in between.
    world.model.set_window(Some(131_072));
    world.config.bots = vec![bot("learning", &["note.write", "note.show", "note.edit", "memory.remember"])];
    // The notes have a disk of their own: the conversation itself can be stored.
    let workspace = world.state().join("current/workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    let disk = SmallDisk::mount(workspace.clone());
    world.agent.activate_with(world.config.clone()).await.unwrap();
    let mut page = world.agent.page().await;
    let session = page.session(1, "learning").await;
    let mut sent = 10;
    let mut call = async |name: &str, arguments: Value| {
        sent += 1;
        page.send(&session, sent, "Go").await;
        world.model.calls(&[(name, &arguments.to_string())]).await;
        let result = results(&world.model.says("Done.").await).pop().unwrap();
        page.answer().await;
        result
    };
    let written = call("note_write", json!({"title": "Tea", "facts": ["Two minutes."]})).await;
    assert!(written.contains(r#""name":"tea""#), "{written}");
    call("memory_remember", json!({"fact": "Likes tea."})).await;
    let before = files(&workspace);
    disk.fill();
    let long: Vec<String> = (0..5).map(|n| format!("Fact {n} of tea. {}", "Leaves. ".repeat(40))).collect();
    for (name, arguments) in [
        ("note_edit", json!({"name": "tea", "add": long})),
        ("note_edit", json!({"name": "tea", "remove": ["Two minutes."], "add": ["Three minutes."]})),
        ("note_write", json!({"title": "Coffee", "facts": ["Four minutes."]})),
        ("memory_remember", json!({"fact": "Likes coffee."})),
    ] {
        let told = call(name, arguments).await;
        assert!(told.contains("the disk of the agent is full: nothing was written"), "{name}: {told}");
        assert_eq!(files(&workspace), before, "{name} left nothing half-written behind");
    }
    assert!(call("note_show", json!({"name": "tea"})).await.contains("- Two minutes."));
    disk.free();
    let edited = call("note_edit", json!({"name": "tea", "add": ["Not boiling."]})).await;
    assert!(edited.contains(r#""earlier_version":1"#), "{edited}");
    assert!(call("note_show", json!({"name": "tea"})).await.contains("- Not boiling."));
    drop(page);
    drop(world);
    drop(disk);
}
