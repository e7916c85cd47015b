//! A box that shows its key in its errors.

use std::os::unix::fs::PermissionsExt as _;

use platform_types::spark::SparkHealth;
use spark::place::Limits;

use crate::running::{Running, chat};
use crate::scripted::*;
use crate::servers::log::Originals;

const KEY: &str = "sk/box-1";
const STREAM: &str = r#","stream":true"#;

async fn behind(scripted: &ScriptedBox) -> Running {
    let running = Running::start(Limits::default());
    let path = running.place.secrets.join("spark-key");
    std::fs::write(&path, KEY).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    running.push(1, scripted.backend_with_key("spark-key"), &["personal"]).await.unwrap();
    running
}

/// What the client got, and the log.
async fn told(steps: Vec<Step>, extra: &str) -> (String, String) {
    let originals = Originals::default();
    let _logging = tracing::subscriber::set_default(originals.clone());
    let scripted = ScriptedBox::start(listing(steps)).await;
    let running = behind(&scripted).await;
    let answer = running.lane("personal").ask(chat(MODEL, "hi", extra)).await;
    running.counted("the request has ended", |status| status.inflight == 0 && status.errors_total == 1).await;
    assert!(scripted.chats()[0].head.contains(KEY), "the box knows it");
    (answer.text, originals.last())
}

#[tokio::test]
async fn an_error_in_the_place_of_an_answer_is_told_without_the_key() {
    let flat = r#"{"object":"error","message":"wrong key sk/box-1","code":401}"#;
    let nested = r#"{"error":{"message":"wrong key sk\/box-1","code":500}}"#;
    for (steps, extra) in [
        (whole(200, "", flat), ""),
        (whole(200, "", nested), ""),
        (whole(500, "", nested), ""),
        (whole(200, "", "<p>wrong key sk/box-1</p>"), ""),
        (whole(200, "", r#"{"choices":[],"why":"wrong key sk/box-1"}"#), ""),
        (stream(&format!("data: {flat}\n\n")), STREAM),
        (stream(&format!("data: {nested}\n\n")), STREAM),
        (stream(&format!(": ping\n\ndata: {nested}\n\n")), STREAM),
        (stream("error: wrong key sk/box-1\n\n"), STREAM),
        (stream("<p>wrong key sk/box-1\n\n</p>"), STREAM),
        (stream("<p>wrong key sk/box-1"), STREAM),
        (stream("data: wrong key sk/box-1\n\n"), STREAM),
    ] {
        let (text, original) = told(steps.clone(), extra).await;
        assert!(text.contains("wrong key [key]"), "{steps:?}: {text}");
        assert!(!text.contains("box-1") && !original.contains("box-1"), "{steps:?}: {text} {original}");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_goes_on_without_the_key() {
    let nested = r#"{"error":{"message":"wrong key sk\/box-1","code":500}}"#;
    for (error, passes) in [
        (format!("data: {nested}\r\n\r\n"), "data: {\"error\":{\"code\":500,\"message\":\"wrong key [key]\"}}\n\n"),
        (
            format!("event: error\ndata: {nested}\n\n"),
            "event: error\ndata: {\"error\":{\"code\":500,\"message\":\"wrong key [key]\"}}\n\n",
        ),
        // The end of the stream, without its blank line.
        (format!("data: {nested}"), "data: {\"error\":{\"code\":500,\"message\":\"wrong key [key]\"}}\n\n"),
    ] {
        let (text, original) = told(stream(&[&chunk("a"), &error[..]].concat()), STREAM).await;
        assert_eq!(text, [&chunk("a"), passes].concat());
        assert!(original.contains("wrong key [key]"), "{original}");
    }
    for error in [
        "error: {\"message\":\"wrong key sk/box-1\",\"code\":500}\n\n",
        "data: {\"object\":\"error\",\"message\":\"wrong key sk/box-1\"}\n\n",
    ] {
        let (text, original) = told(stream(&[&chunk("a"), error].concat()), STREAM).await;
        assert!(text.contains("wrong key [key]") && !text.contains("box-1"), "{text}");
        assert!(original.contains("wrong key [key]") && !original.contains("box-1"), "{original}");
    }
}

#[tokio::test]
async fn another_name_and_a_list_that_is_none_are_told_without_the_key() {
    for (steps, extra) in [
        (whole(200, "", &plain("not-sk/box-1")), ""),
        (stream(&[chunk("a").replace(MODEL, "not-sk/box-1"), ending()].concat()), STREAM),
        (stream(&[": ping\n\n", &chunk("a").replace(MODEL, "not-sk/box-1"), &ending()].concat()), STREAM),
    ] {
        let (text, _) = told(steps, extra).await;
        assert!(text.contains("not-[key]") && !text.contains("box-1"), "{text}");
    }
    for list in [whole(200, "", "no key like sk/box-1"), whole(401, "", "no key like sk/box-1")] {
        let scripted = ScriptedBox::start(move |_| list.clone()).await;
        let running = behind(&scripted).await;
        let health: SparkHealth = running.lane("personal").0.get("/health").await.unwrap();
        let problem = health.problem.unwrap();
        assert!(problem.contains("no key like [key]"), "{problem}");
    }
}
