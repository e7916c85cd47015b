//! Standby, activation, configuration, health.

use platform_kit::client::CallError;
use platform_types::agent::Activate;
use platform_types::chat::ToPage;
use platform_types::health::{Readiness, Release};
use platform_types::{Generation, ProfileName};

use crate::support::agent::{Agent, DEVICE, World, bot, config, program};
use crate::support::page::Page;

fn code<T: std::fmt::Debug>(result: Result<T, CallError>) -> (u16, String) {
    match result {
        Err(CallError::Refused { status, code, .. }) => (status.as_u16(), code),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn in_standby_it_is_healthy_and_serves_nobody() {
    let world = World::standby().await;
    std::fs::write(world.state().join(".canary"), "tweet\n").unwrap();
    let ready: Readiness = world.agent.admin.get("/readyz").await.unwrap();
    assert_eq!((ready.ready, ready.generation, ready.revision), (true, None, None));
    assert!(ready.notes[0].contains("standby"));
    assert_eq!(ready.canaries[world.state().to_str().unwrap()], "tweet");
    assert_eq!(ready.canaries.len(), 5);
    assert_eq!(ready.canaries.values().filter(|text| text.is_empty()).count(), 4);
    let release: Release = world.agent.admin.get("/release").await.unwrap();
    assert_eq!((release.schema_writes, release.schema_reads_from, release.schema_readable_by), (9, 1, 9));

    assert!(Page::try_connect(&world.agent.http, Some(DEVICE)).await.is_err());
    for (target, header) in [("/api/sessions/x/export", "x-bot-device"), ("/v1/models", "x-bot-token")] {
        let (status, headers, body) = world.agent.get(target, &[(header, DEVICE)]).await;
        assert_eq!((status, headers.contains_key("retry-after")), (503, true), "{target}");
        assert!(body.contains("agent_unavailable"), "{body}");
    }
    assert_eq!(code(world.agent.admin.get::<()>("/sessions").await).0, 503);
    assert_eq!(code(world.agent.admin.put::<_, ()>("/config", &config(1)).await).0, 503);
    assert!(!world.state().join("current").exists(), "standby touches nothing");
}

#[tokio::test]
async fn only_its_own_generation_and_profile_activate_it() {
    let world = World::standby().await;
    let activate = |generation, config| {
        let activate = Activate { generation: Generation(generation), config };
        let admin = world.agent.admin.clone();
        async move { admin.post::<_, Readiness>("/activate", &activate).await }
    };
    assert_eq!(code(activate(2, config(1)).await), (409, "conflict".to_owned()));
    let mut wrong = config(1);
    wrong.profile = ProfileName::new("ops").unwrap();
    wrong.timezone = "Mars/Olympus".to_owned();
    wrong.bots.push(bot("assistant", &[]));
    let Err(CallError::Refused { message, .. }) = activate(1, wrong).await else { panic!("not refused") };
    assert!(["profile ops", "Mars/Olympus", "two bots"].iter().all(|word| message.contains(word)), "{message}");
    assert!(!world.state().join("current").exists());
    let ready = activate(1, config(3)).await.unwrap();
    assert_eq!((ready.ready, ready.generation, ready.revision.unwrap().0), (true, Some(Generation(1)), 3));
    assert_eq!(activate(1, config(4)).await.unwrap().revision.unwrap().0, 4, "again is no harm");
    assert_eq!(code(activate(1, config(2)).await).0, 409);
}

#[tokio::test]
async fn a_failed_activation_says_why_and_can_be_tried_again() {
    let world = World::start().await;
    let second = Agent::start(world.directory.path(), 2).await;
    let Err(CallError::Refused { message, .. }) = second.activate().await else { panic!("two writers") };
    assert!(message.contains("generation 1"), "{message}");
    let unready = second.admin.exchange::<()>(http::Method::GET, "/readyz", None).await.unwrap();
    assert_eq!(unready.0, 503);
    let unready: Readiness = serde_json::from_slice(&unready.1).unwrap();
    assert!(unready.reasons[0].contains("another agent"), "{unready:?}");
    let mut first = world.agent;
    first.terminate();
    first.ended().await;
    assert!(second.activate().await.unwrap().ready);
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_words() {
    let world = World::standby().await;
    std::fs::create_dir(world.state().join("current")).unwrap();
    let database = world.state().join("current/agent.db");
    rusqlite::Connection::open(&database).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let Err(CallError::Refused { message, .. }) = world.agent.activate().await else { panic!("not refused") };
    assert!(message.contains("schema 99") && message.contains("newer release"), "{message}");
}

#[tokio::test]
async fn a_configuration_is_pushed_live_and_never_goes_back() {
    let world = World::start().await;
    let mut page = world.agent.page().await;
    let session = page.session(1, "assistant").await;
    let mut next = config(5);
    next.bots[0].instructions = "Be brief.".to_owned();
    next.bots[0].tools.push("moon.phase".to_owned());
    next.bots.push(bot("third", &[]));
    world.agent.admin.put::<_, ()>("/config", &next).await.unwrap();
    let bots = page.expect("the new bots", |message| match message {
        ToPage::Welcome { bots, .. } => Some(bots.len()),
        _ => None,
    });
    assert_eq!(bots.await, 3);
    page.send(&session, 10, "Hi").await;
    let body = world.model.says("Hello").await;
    assert_eq!(body["messages"][0]["content"], "Be brief.");
    assert_eq!(code(world.agent.admin.put::<_, ()>("/config", &config(4)).await), (409, "conflict".to_owned()));
    let ready: Readiness = world.agent.admin.get("/readyz").await.unwrap();
    assert_eq!(ready.revision.unwrap().0, 5);
    assert!(ready.notes[0].contains("moon.phase"), "{ready:?}");

    next.revision.0 = 6;
    next.bots.remove(0);
    world.agent.admin.put::<_, ()>("/config", &next).await.unwrap();
    page.say(&platform_types::chat::ToAgent::Send { session, id: crate::support::page::id(11), text: "Hi".into() })
        .await;
    assert!(page.failed().await.1.contains("no longer configured"));
}

#[tokio::test]
async fn the_health_check_of_the_image() {
    let world = World::standby().await;
    let check = |generation| program(world.directory.path(), generation).arg("healthcheck").output();
    assert!(check(1).await.unwrap().status.success());
    let dead = check(7).await.unwrap();
    assert!(!dead.status.success());
    assert!(String::from_utf8_lossy(&dead.stderr).contains("does not answer"));
    let usage = program(world.directory.path(), 1).arg("dance").output().await.unwrap();
    assert!(String::from_utf8_lossy(&usage.stderr).contains("usage"));
    let bare = program(world.directory.path(), 1).env_clear().output().await.unwrap();
    let words = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(
        ["BOT_PROFILE", "BOT_GENERATION", "BOT_HTTP_SOCKET", "BOT_ADMIN_SOCKET"].iter().all(|n| words.contains(n)),
        "{words}"
    );
}
