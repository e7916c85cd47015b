//! Configuration, sockets, keys, readiness.

use std::os::unix::fs::PermissionsExt as _;

use http::Method;
use platform_kit::client::CallError;
use platform_types::health::{Readiness, Release};
use platform_types::spark::Backend;
use platform_types::{ModelId, ProfileName};
use spark::place::{Limits, Watch};

use crate::running::{Running, chat, within};
use crate::scripted::*;

fn refused(outcome: Result<(), CallError>) -> (u16, String) {
    match outcome.unwrap_err() {
        CallError::Refused { status, message, .. } => (status.as_u16(), message),
        other => panic!("{other}"),
    }
}

async fn readiness(running: &Running) -> (u16, Readiness) {
    let (status, body) = running.admin().exchange::<()>(Method::GET, "/readyz", None).await.unwrap();
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn what_is_told_after_a_push_is_about_the_box_that_was_pushed() {
    let scripted = ScriptedBox::start(listing(vec![])).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    assert_eq!(readiness(&running).await.1.notes, Vec::<String>::new());
    let Backend::Box { url, key, .. } = scripted.backend() else { panic!("it is a box") };
    let other = Backend::Box { url, key, model: ModelId::new("other").unwrap() };
    running.push(2, other, &["personal"]).await.unwrap();
    let notes = readiness(&running).await.1.notes;
    assert!(notes.len() == 1 && notes[0].contains("does not list \"other\""), "{notes:?}");
    // One that is silent is waited for, and not for long.
    let silent = ScriptedBox::start(|_| vec![Step::UntilGone]).await;
    running.push(3, silent.backend(), &["personal"]).await.unwrap();
    let notes = readiness(&running).await.1.notes;
    assert!(notes.len() == 1 && notes[0].contains("has not answered yet"), "{notes:?}");
}

#[tokio::test]
async fn it_is_not_ready_before_its_first_configuration() {
    let running = Running::start(Limits::default());
    let (status, ready) = readiness(&running).await;
    assert_eq!((status, ready.ready, ready.revision), (503, false, None));
    assert_eq!(ready.reasons, ["waiting for the first configuration"]);
    platform_kit::admin::healthcheck(&running.place.admin_socket()).await.unwrap();
    let release: Release = running.admin().get("/release").await.unwrap();
    assert_eq!(release.version, env!("CARGO_PKG_VERSION"));
    for target in ["/health", "/models"] {
        assert!(running.admin().get::<serde_json::Value>(target).await.is_err());
    }

    running.push(3, Backend::Demo, &["personal"]).await.unwrap();
    let (status, ready) = readiness(&running).await;
    assert_eq!((status, ready.ready, ready.revision.map(|revision| revision.0)), (200, true, Some(3)));
}

#[tokio::test]
async fn canaries_are_reported() {
    let running = Running::with(Backend::Demo, Limits::default()).await;
    std::fs::write(running.place.state.join(".canary"), "tweet\n").unwrap();
    let (_, ready) = readiness(&running).await;
    assert_eq!(ready.canaries.len(), 4);
    assert_eq!(ready.canaries[running.place.state.to_str().unwrap()], "tweet");
    assert_eq!(ready.canaries[running.place.secrets.to_str().unwrap()], "");
}

#[tokio::test]
async fn sockets_come_and_go_with_profiles() {
    let running = Running::start(Limits::default());
    let path = |profile: &str| running.place.llm_socket(&ProfileName::new(profile).unwrap());
    running.push(1, Backend::Demo, &["personal"]).await.unwrap();
    assert!(path("personal").exists() && !path("ops").exists());
    assert_eq!(std::fs::metadata(path("personal")).unwrap().permissions().mode() & 0o777, 0o666);
    running.push(2, Backend::Demo, &["personal", "ops"]).await.unwrap();
    assert_eq!(running.lane("ops").ask(chat("demo/echo", "hi", "")).await.status, 200);
    running.push(3, Backend::Demo, &["ops"]).await.unwrap();
    assert!(!path("personal").exists());
    assert_eq!(running.lane("ops").ask(chat("demo/echo", "hi", "")).await.status, 200);
    running.push(3, Backend::Demo, &["ops"]).await.unwrap();

    // A socket file that somebody removed is missed, and comes back with the next push.
    std::fs::remove_file(path("ops")).unwrap();
    let (status, ready) = readiness(&running).await;
    assert_eq!(status, 503);
    assert!(ready.reasons[0].contains("llm.sock is gone"), "{ready:?}");
    running.push(3, Backend::Demo, &["ops"]).await.unwrap();
    assert_eq!(running.lane("ops").ask(chat("demo/echo", "hi", "")).await.status, 200);
}

#[tokio::test]
async fn a_configuration_counts_as_a_whole_or_not_at_all() {
    let running = Running::with(Backend::Demo, Limits::default()).await;
    let (status, message) = refused(running.push(0, Backend::Demo, &["personal"]).await);
    assert_eq!((status, message.as_str()), (409, "revision 0 is older than 1, which is in force"));
    let (status, message) = refused(running.push(2, Backend::Demo, &["personal", "nobody-made-this"]).await);
    assert!(status == 500 && message.contains("nobody-made-this/llm.sock"), "{message}");
    for url in ["ftp://x/v1", "spark/v1", "http://user:pw@x/v1", "http://x/v1?a=b", "unix:/x", ""] {
        let backend = Backend::Box { url: url.to_owned(), model: ModelId::new(MODEL).unwrap(), key: None };
        let (status, message) = refused(running.push(2, backend, &["personal"]).await);
        assert!(status == 400 && message.contains("[spark].url"), "{message}");
    }
    let (status, body) = running
        .admin()
        .exchange(Method::PUT, "/config", Some(&serde_json::json!({"revision": 5, "unknown": 1})))
        .await
        .unwrap();
    assert_eq!(status, 400, "{body:?}");
    let (_, ready) = readiness(&running).await;
    assert_eq!(ready.revision.map(|revision| revision.0), Some(1));
    assert_eq!(running.lane("ops").ask(chat("demo/echo", "hi", "")).await.status, 200, "everything is as it was");
}

#[tokio::test]
async fn a_running_answer_keeps_its_box() {
    let steps = vec![stream_head(), send(&chunk("a")), Step::Hold, send(&ending())];
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    let (answer, ()) = tokio::join!(lane.ask(chat(MODEL, "hi", r#","stream":true"#)), async {
        scripted.until_seen("the chat", |seen| seen.iter().any(|seen| !seen.is_list())).await;
        running.push(2, Backend::Demo, &["personal"]).await.unwrap();
        scripted.go();
    });
    assert_eq!(answer.text, [chunk("a"), ending()].concat());
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.refusal().0, "model_not_found");
}

fn write_key(running: &Running, text: &str, mode: u32) {
    let path = running.place.secrets.join("spark-key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_key_is_read_anew_and_never_shown() {
    let scripted = ScriptedBox::start(|seen| {
        let key =
            seen.head.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap_or("none").to_owned();
        match (seen.is_list(), key.as_str()) {
            (true, _) => list(),
            (_, "second-key") => whole(200, "", &plain(MODEL)),
            _ => {
                whole(401, "", &format!(r#"{{"error":{{"message":"Incorrect API key provided: {key}","code":401}}}}"#))
            }
        }
    })
    .await;
    let running = Running::start(Limits::default());
    running.push(1, scripted.backend_with_key("spark-key"), &["personal"]).await.unwrap();
    let lane = running.lane("personal");

    let (code, message) = lane.ask(chat(MODEL, "hi", "")).await.refusal();
    assert!(code == "upstream_unauthorized" && message.contains("botctl secret set spark-key"), "{message}");
    assert!(scripted.seen().is_empty(), "without its key nothing is sent");
    let (status, ready) = readiness(&running).await;
    assert!(status == 200 && ready.notes.iter().any(|note| note.contains("botctl secret set spark-key")), "{ready:?}");

    write_key(&running, "first-key\n", 0o644);
    assert!(lane.ask(chat(MODEL, "hi", "")).await.refusal().1.contains("chmod 600"));
    assert!(scripted.seen().is_empty());

    write_key(&running, "first-key\n", 0o400);
    let (code, message) = lane.ask(chat(MODEL, "hi", "")).await.refusal();
    assert_eq!(code, "upstream_unauthorized");
    assert!(message.contains("Incorrect API key provided: [key]") && !message.contains("first-key"), "{message}");

    write_key(&running, "second-key\n", 0o400);
    assert_eq!(lane.ask(chat(MODEL, "hi", "")).await.status, 200);
    assert_eq!(running.lane("personal").0.get::<serde_json::Value>("/health").await.unwrap()["model_listed"], true);
}

#[tokio::test]
async fn one_question_for_all_who_ask_at_once() {
    let scripted = ScriptedBox::start(|_| [vec![Step::Hold], list()].concat()).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    let asks = futures_util::future::join_all((0..6).map(|_| lane.0.get::<serde_json::Value>("/v1/models")));
    let (lists, ()) = tokio::join!(asks, async {
        scripted.until_seen("a question", |seen| !seen.is_empty()).await;
        scripted.go();
    });
    assert!(lists.iter().all(Result::is_ok));
    assert_eq!(scripted.seen().len(), 1);
}

/// Waits until `/readyz` has these notes.
async fn noted(running: &Running, what: &str, wanted: impl Fn(&[String]) -> bool) {
    within(what, async { while !wanted(&readiness(running).await.1.notes) {} }).await;
}

#[tokio::test]
async fn the_notes_are_true_while_nobody_chats() {
    let (listed, models) = tokio::sync::watch::channel(format!(r#"{{"data":[{{"id":"{MODEL}"}}]}}"#));
    let scripted = ScriptedBox::start(move |_| whole(200, "", &models.borrow())).await;
    let tick = std::time::Duration::from_millis(5);
    let limits = Limits { watch: Watch { well: tick, unwell: tick, open: tick }, ..Limits::default() };

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", nobody.local_addr().unwrap());
    drop(nobody);
    let down = Backend::Box { url: url.clone(), model: ModelId::new(MODEL).unwrap(), key: None };
    let running = Running::with(down, limits).await;
    noted(&running, "a box that is down", |notes| notes.len() == 1 && notes[0].contains(&url)).await;

    running.push(2, scripted.backend(), &["personal"]).await.unwrap();
    scripted.until_seen("it is asked again and again", |seen| seen.len() > 3).await;
    noted(&running, "a box that is well", <[String]>::is_empty).await;
    listed.send_replace(r#"{"data":[{"id":"other"}]}"#.to_owned());
    noted(&running, "a model that has gone", |notes| notes.len() == 1 && notes[0].contains("it lists: other")).await;
    let asked = scripted.seen();
    assert!(asked.iter().all(|seen| seen.is_list() && seen.body.is_empty()), "nothing that would load a model");

    running.push(3, Backend::Demo, &["personal"]).await.unwrap();
    noted(&running, "the demo model", |notes| notes[0].contains("no model box")).await;
    let after = scripted.seen().len();
    assert_eq!(running.lane("personal").ask(chat("demo/echo", "hi", "")).await.status, 200);
    assert!(
        scripted.seen().len() <= after + 1,
        "a box that is configured no more is not asked, but for what was under way"
    );
}

#[tokio::test]
async fn a_model_of_a_bot_that_is_not_there_is_noted() {
    let body = format!(r#"{{"data":[{{"id":"{MODEL}"}},{{"id":"off","status":{{"value":"unloaded"}}}}]}}"#);
    let scripted = ScriptedBox::start(move |_| whole(200, "", &body)).await;
    let mut running = Running::start(Limits::default());
    running.models = [MODEL, "off", "tiny/model-1.A"].map(|id| ModelId::new(id).unwrap()).to_vec();
    running.push(1, scripted.backend(), &["personal"]).await.unwrap();
    let words = "a bot's model: the model box does not list \"tiny/model-1.A\"; it lists: ";
    noted(&running, "one of three", |notes| notes.len() == 1 && notes[0].starts_with(words)).await;
    running.models.pop();
    running.push(2, scripted.backend(), &["personal"]).await.unwrap();
    noted(&running, "none", <[String]>::is_empty).await;
}

#[tokio::test]
async fn whoever_only_looks_does_not_wait_for_a_slow_box() {
    let scripted = ScriptedBox::start(|_| vec![Step::UntilGone]).await;
    let limits = Limits { look: std::time::Duration::from_millis(50), ..Limits::default() };
    let running = Running::with(scripted.backend(), limits).await;
    let health: platform_types::spark::SparkHealth = running.admin().get("/health").await.unwrap();
    assert!(!health.answering && health.problem.unwrap().contains("did not begin to answer in time"));
    assert!(running.lane("ops").0.get::<serde_json::Value>("/v1/models").await.is_err());
}

#[tokio::test]
async fn it_drains_when_told_to_stop() {
    let steps = vec![stream_head(), send(&chunk("a")), Step::Hold, send(&ending())];
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = Running::with(scripted.backend(), Limits::default()).await;
    let lane = running.lane("personal");
    let (answer, ()) = tokio::join!(lane.ask(chat(MODEL, "hi", r#","stream":true"#)), async {
        scripted.until_seen("the chat", |seen| seen.iter().any(|seen| !seen.is_list())).await;
        drop(running);
        scripted.go();
    });
    assert_eq!(answer.text, [chunk("a"), ending()].concat());
    within("the socket is closed", async { while lane.0.get::<serde_json::Value>("/v1/models").await.is_ok() {} })
        .await;
}
