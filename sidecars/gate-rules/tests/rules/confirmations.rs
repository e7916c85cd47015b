//! What a person reads and signs is what is sent.

use gate_rules::{digest, fill, fill_path, shown, with_id};
use platform_types::ProfileName;
use platform_types::egress::Confirm;

use crate::support::{again, ask, chats, confirm, house, jobs};

fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).expect("a name")
}

#[test]
fn the_id_is_in_the_body_and_in_the_digest() {
    let jobs = jobs();
    let admitted = ask(&jobs, "POST", "/rest/v1/rpc/requeue_job", r#"{"p_job_id":7}"#).unwrap();
    let rule = &jobs.rules[admitted.rule];
    let confirm = rule.confirm.as_ref().unwrap();
    let one = with_id(admitted.clone(), confirm, &"1".repeat(32));
    let two = with_id(admitted.clone(), confirm, &"2".repeat(32));
    let body = format!(r#"{{"p_job_id":7,"p_request_id":"{}"}}"#, "1".repeat(32));
    assert_eq!(one.body.as_deref(), Some(body.as_bytes()));
    assert_eq!(fill(&confirm.words, &one.values), "Requeue job 7");
    let digest = |admitted| digest(&profile("ops"), &jobs, admitted);
    assert_ne!(digest(&one), digest(&two));
    assert_ne!(digest(&one), digest(&admitted));
    assert!(again(&jobs, &one).is_err(), "the agent cannot choose the id");
    let without = Confirm { id_field: None, ..confirm.clone() };
    assert_eq!(with_id(admitted.clone(), &without, "x"), admitted);
}

#[test]
fn the_digest_covers_profile_upstream_and_rule() {
    let house = house();
    let admitted = ask(&house, "GET", "/api/states/lock.door", "").unwrap();
    let digest_of = |upstream, admitted| digest(&profile("personal"), upstream, admitted);
    let known = digest_of(&house, &admitted);
    assert_eq!(known, "afad3a8e7e214f8f6aaf75d9b145baed671a20e92082bd116aaa8452e6fd4a0c", "the encoding is kept");
    assert_ne!(known, digest(&profile("ops"), &house, &admitted));
    let mut other = house.clone();
    other.url = "https://elsewhere.example".to_owned();
    assert_ne!(known, digest_of(&other, &admitted));
    let mut other = house.clone();
    other.rules[0].name = "another".to_owned();
    assert_ne!(known, digest_of(&other, &admitted));
    let mut moved = admitted.clone();
    moved.path = "/api/states/lock.doo".to_owned();
    moved.query = "r".to_owned();
    assert_ne!(known, digest_of(&house, &moved), "parts do not run together");
}

#[test]
fn the_card_shows_everything_and_nothing_moves() {
    let text = "{\"chat_id\":17,\"text\":\"pay \u{202e}lap\u{200b}\u{e0041}\\nGET /\",\"link_preview_options\":{\"is_disabled\":true}}";
    let admitted = ask(&chats(), "POST", "/sendMessage", text).unwrap();
    let expect = r#"POST /sendMessage
content-type: application/json

{
  "chat_id": 17,
  "link_preview_options": {
    "is_disabled": true
  },
  "text": "pay \u{202e}lap\u{200b}\u{e0041}\nGET /"
}"#;
    assert_eq!(shown(&admitted), expect);
    assert_eq!(
        fill("Send {text} to {chat_id}", &admitted.values),
        r"Send pay \u{202e}lap\u{200b}\u{e0041}\nGET / to 17"
    );
    assert_eq!(fill_path("/chat/{text}", &admitted.values), None);
}

#[test]
fn words_and_facts_of_the_lock() {
    let house = house();
    let admitted = ask(&house, "POST", "/api/services/lock/unlock", r#"{"entity_id":"lock.door"}"#).unwrap();
    let confirm = house.rules[admitted.rule].confirm.as_ref().unwrap();
    assert_eq!(fill(&confirm.words, &admitted.values), "Unlock lock.door");
    let path = fill_path(&confirm.facts[0].path, &admitted.values).unwrap();
    assert_eq!(path, "/api/states/lock.door");
    assert!(ask(&house, "GET", &path, "").is_ok());
}

#[test]
fn a_confirmation_needs_an_id_field_of_its_own() {
    let mut jobs = jobs();
    jobs.rules[1].confirm = Some(Confirm { id_field: Some("p_job_id".to_owned()), ..confirm("Requeue") });
    assert!(gate_rules::check(&jobs).is_err());
}
