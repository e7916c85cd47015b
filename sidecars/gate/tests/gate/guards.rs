//! What has to hold at the upstream before a request goes out, and lists on cards.

use platform_types::SecretName;
use platform_types::egress::{Card, Credential, Each, Guard, Holds, Outcome, Verdict};
use platform_types::gate::CardList;
use serde_json::json;

use crate::support::Rig;
use crate::support::agent::field;
use crate::support::upstream::{TestUpstream, answer};

const LIGHT: &str = "/api/services/light/turn_on";
const UNLOCK: &str = "/api/services/lock/unlock";

fn guard(holds: Holds) -> Guard {
    Guard {
        path: "/api/states/{entity_id}".into(),
        pointer: "/attributes/sets".into(),
        holds,
        otherwise: "it sets something else".into(),
    }
}

/// A house whose states have `sets`, and whose rules have a guard each.
async fn house(sets: &'static str) -> (Rig, TestUpstream) {
    let upstream = TestUpstream::start(move |head| {
        let body = match head.split(' ').nth(1) {
            Some("/api/states/lock.front") => {
                json!({ "state": "locked", "attributes": { "sets": "lock" } }).to_string()
            }
            Some(path) if path.starts_with("/api/states/") => {
                format!(r#"{{"state":"on","attributes":{{"sets":{sets}}}}}"#)
            }
            _ => "{}".to_owned(),
        };
        Some(vec![answer("200 OK", "content-type: application/json\r\n", &body)])
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    let list = Holds::NoneBeginsWith { prefixes: vec!["lock.".into()] };
    rig.push(|config| {
        let rules = &mut config.upstreams[0].rules;
        rules[1].guards = vec![guard(list)];
        rules[3].guards = vec![guard(Holds::OneOf { values: vec!["lock".into()] })];
    })
    .await;
    (rig, upstream)
}

async fn light(rig: &Rig) -> (u16, String) {
    let answer = rig.out("POST", "home", LIGHT, Some(&json!({ "entity_id": "light.kitchen" }))).await;
    let why = if answer.status == 200 { String::new() } else { answer.code() };
    (answer.status, why)
}

#[tokio::test]
async fn what_does_not_hold_does_not_pass() {
    let (rig, mut upstream) = house(r#"["light.a","light.b"]"#).await;
    assert_eq!(light(&rig).await, (200, String::new()));
    assert!(upstream.request().await.0.starts_with("GET /api/states/light.kitchen"), "asked first");
    assert!(upstream.request().await.0.starts_with("POST /api/services/light/turn_on"));
    for sets in [r#"["light.a","lock.b"]"#, "null", r#""light.a""#, "[1]"] {
        let (rig, mut upstream) = house(sets).await;
        assert_eq!(light(&rig).await, (403, "egress_denied".to_owned()), "{sets}");
        upstream.request().await;
        assert!(upstream.is_quiet(), "{sets}: nothing but the question went out");
        assert_eq!(rig.kinds().await, ["egress.denied"]);
    }
}

#[tokio::test]
async fn a_person_is_not_asked_about_what_does_not_hold() {
    let (rig, _upstream) = house("[]").await;
    let asked = rig.out("POST", "home", UNLOCK, Some(&json!({ "entity_id": "lock.front" }))).await;
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    rig.push(|config| config.upstreams[0].rules[3].guards = vec![guard(Holds::OneOf { values: vec!["door".into()] })])
        .await;
    let refused = rig.out("POST", "home", UNLOCK, Some(&json!({ "entity_id": "lock.front" }))).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "egress_denied"));
    // The guard is part of the rule: what was asked before it changed is over.
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let outcome = rig.out("GET", "gate", &format!("/confirmations/{id}"), None).await;
    assert_eq!(serde_json::from_slice::<Outcome>(&outcome.body).unwrap(), Outcome::Superseded);
}

#[tokio::test]
async fn it_has_to_hold_when_it_is_released_too() {
    let looks = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = looks.clone();
    let mut upstream = TestUpstream::start(move |head| {
        // The first look is the guard's, the second one the card's.
        let first = head.starts_with("GET") && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2;
        let sets = if first { "lock" } else { "door" };
        let body = json!({ "state": "locked", "attributes": { "sets": sets } }).to_string();
        Some(vec![answer("200 OK", "content-type: application/json\r\n", &body)])
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    rig.push(|config| config.upstreams[0].rules[3].guards = vec![guard(Holds::OneOf { values: vec!["lock".into()] })])
        .await;
    let asked = rig.out("POST", "home", UNLOCK, Some(&json!({ "entity_id": "lock.front" }))).await;
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    let card = card(&rig, &id).await;
    let decision = json!({ "verdict": Verdict::Allow, "digest": card.digest, "user": "root" });
    rig.admin.post::<_, Card>(&format!("/confirmations/{id}"), &decision).await.unwrap();
    rig.until(|status| status.egress_failed_total == 1).await;
    let outcome = rig.out("GET", "gate", &format!("/confirmations/{id}"), None).await;
    let outcome = serde_json::from_slice::<Outcome>(&outcome.body).unwrap();
    assert_eq!(outcome, Outcome::Failed { message: "it sets something else".to_owned() });
    for _ in 0..3 {
        assert!(upstream.request().await.0.starts_with("GET "));
    }
    assert!(upstream.is_quiet(), "it was not sent");
}

async fn card(rig: &Rig, id: &str) -> Card {
    let list: CardList = rig.admin.get("/confirmations").await.unwrap();
    list.cards.into_iter().find(|card| card.id == id).unwrap()
}

#[tokio::test]
async fn a_card_shows_how_each_of_a_list_stands() {
    let items: Vec<String> = (0..25).map(|n| format!("light.n{n}")).collect();
    let list = json!({ "state": "locked", "attributes": { "sets": items } }).to_string();
    let upstream = TestUpstream::start(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, body) = match path.as_str() {
            "/api/states/lock.front" => ("200 OK", list.clone()),
            "/api/states/light.n1" => ("404 Not Found", "{}".to_owned()),
            _ => ("200 OK", format!(r#"{{"state":"on\u202e{}"}}"#, path.len())),
        };
        Some(vec![answer(status, "content-type: application/json\r\n", &body)])
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    rig.push(|config| {
        let fact = &mut config.upstreams[0].rules[3].confirm.as_mut().unwrap().facts[0];
        fact.pointer = "/attributes/sets".into();
        fact.each = Some(Each { path: "/api/states/{item}".into(), pointer: "/state".into() });
    })
    .await;
    let asked = rig.out("POST", "home", UNLOCK, Some(&json!({ "entity_id": "lock.front" }))).await;
    let card = card(&rig, asked.json()["id"].as_str().unwrap()).await;
    let (_, shown) = &card.facts[0];
    assert!(shown.starts_with("light.n0: on") && shown.contains("light.n1: (not known: status 404)"), "{shown}");
    assert!(shown.ends_with("and 5 more") && !shown.contains('\u{202e}'), "{shown}");
}

#[tokio::test]
async fn a_header_and_a_bearer_go_together_and_are_both_taken_out() {
    let mut upstream = TestUpstream::json(json!({ "state": "the key is key-1234, the token token-5678" })).await;
    let rig = Rig::with_home(&upstream).await;
    rig.secret("home-token", "key-1234");
    rig.secret("home-bearer", "token-5678");
    let name = |name: &str| SecretName::new(name).unwrap();
    let both = Credential::Both { name: "apikey".into(), secret: name("home-token"), bearer: name("home-bearer") };
    rig.push(|config| config.upstreams[0].credential = Some(both)).await;
    let told = rig.out("GET", "home", "/api/few", None).await;
    let (head, _) = upstream.request().await;
    assert_eq!((field(&head, "apikey"), field(&head, "authorization")), (Some("key-1234"), Some("Bearer token-5678")));
    let text = String::from_utf8(told.body.to_vec()).unwrap();
    assert!(!text.contains("key-1234") && !text.contains("token-5678"), "{text}");
    std::fs::remove_file(rig.directory.path().join("secrets/home-bearer")).unwrap();
    assert_eq!(rig.out("GET", "home", "/api/few", None).await.code(), "upstream_unauthorized");
}
