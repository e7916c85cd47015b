//! Configurations that make no sense are refused, each for its own reason.

use gate_rules::check;
use platform_types::egress::{AnswerFilter, Confirm, Credential, Fact, Method, Rule, Shape, Upstream};
use platform_types::{SecretName, UpstreamName};
use serde_json::json;

use crate::support::{chats, confirm, fields, house, jobs, one_of, optional, required, rule, upstream};

#[test]
fn good_upstreams_pass() {
    for upstream in [house(), jobs(), chats(), upstream("empty", vec![])] {
        assert_eq!(check(&upstream), Ok(()), "{}", upstream.name);
    }
}

fn problem(upstream: &Upstream) -> String {
    let problems = check(upstream).expect_err("there is a problem");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[test]
fn what_is_wrong_with_an_upstream() {
    let secret = || SecretName::new("key").expect("a name");
    let check = |change: &dyn Fn(&mut Upstream), expect: &str| {
        let mut upstream = jobs();
        change(&mut upstream);
        let found = problem(&upstream);
        assert!(found.contains(expect), "{found:?} does not say {expect:?}");
    };
    check(&|up| up.name = UpstreamName::new("gate").expect("a name"), "no upstream may be called");
    for url in [
        "ftp://h",
        "h",
        "https://",
        "https://h/",
        "https://u@h",
        "https://h?x=1",
        "https://h#x",
        "https://h/../a",
        "https://h//a",
        "https://h a",
    ] {
        check(&|up| url.clone_into(&mut up.url), "its URL is not");
    }
    check(&|up| up.networks = vec!["10.0.0.1".to_owned()], "is not a network");
    for name in ["host", "Cookie", "X-Forwarded-For", "a b", ""] {
        check(
            &|up| up.credential = Some(Credential::Header { name: name.to_owned(), secret: secret() }),
            "cannot travel",
        );
    }
    let beside =
        |up: &mut Upstream| up.credential = Some(Credential::Query { name: "limit".to_owned(), secret: secret() });
    check(&beside, "it passes on what the credential is sent in");
    let beside = |up: &mut Upstream| {
        up.credential = Some(Credential::Header { name: "Accept-Language".to_owned(), secret: secret() });
    };
    check(&beside, "it passes on what the credential is sent in");
    check(
        &|up| up.credential = Some(Credential::Path { prefix: "a/b".to_owned(), secret: secret() }),
        "more than one segment",
    );
    check(&|up| up.rules[1].name = "list".to_owned(), "another rule has it");
}

#[test]
fn what_is_wrong_with_a_rule() {
    let check = |rule: Rule, expect: &str| {
        let found = problem(&upstream("one", vec![rule]));
        assert!(found.contains(expect), "{found:?} does not say {expect:?}");
    };
    let get = |path: &str| rule("r", Method::Get, path);
    let post = || rule("r", Method::Post, "/x");
    check(get("x"), "does not begin with a slash");
    check(get("/a/{id}"), "\"id\" has no shape");
    check(Rule { params: [("id".to_owned(), Shape::Boolean)].into(), ..get("/a") }, "belongs to no parameter");
    check(Rule { params: [("id".to_owned(), Shape::Boolean)].into(), ..get("/{id}/{id}") }, "stands twice");
    for path in ["/a//b", "/a/../b", "/a/x{id}", "/a/%41", "/a?b", "/a/{", "/a\\b"] {
        check(get(path), "matches nothing");
    }
    let list = || Shape::List { of: Box::new(Shape::Boolean), max_items: 1 };
    check(Rule { params: [("id".to_owned(), list())].into(), ..get("/{id}") }, "cannot stand in a path");
    check(Rule { query: fields([("q", optional(list()))]), ..get("/x") }, "cannot stand in a path or a query");
    check(Rule { query: fields([("q", optional(one_of(&[])))]), ..get("/x") }, "no value is allowed");
    let values = Shape::OneOf { values: vec![json!([1])] };
    check(Rule { query: fields([("q", optional(values))]), ..get("/x") }, "no single value");
    let range = Shape::Integer { min: 2, max: 1 };
    check(Rule { body: Some(fields([("n", optional(range))])), ..post() }, "the least is more than the most");
    check(Rule { body: Some(fields([])), ..get("/x") }, "a GET has no body");
    let twice = fields([("id", required(Shape::Boolean))]);
    let both = Rule { query: twice.clone(), body: Some(twice), ..post() };
    assert_eq!(gate_rules::check(&upstream("one", vec![both.clone()])), Ok(()));
    check(Rule { confirm: Some(confirm("Take {id}")), ..both }, "names two values");
    let after = |prefix: &str, then| Shape::After { prefix: prefix.to_owned(), then: Box::new(then) };
    check(Rule { query: fields([("q", required(after("", Shape::Boolean)))]), ..get("/x") }, "is empty");
    check(Rule { query: fields([("q", required(after("eq.", list())))]), ..get("/x") }, "only a single value");
    let members = AnswerFilter::Members { members: vec!["a..b".to_owned()] };
    check(Rule { answer: members, ..get("/x") }, "has no name");
}

#[test]
fn headers_that_are_never_passed_on() {
    let header = |header: &str| {
        problem(&upstream("one", vec![Rule { headers: vec![header.to_owned()], ..rule("r", Method::Get, "/x") }]))
    };
    let names = [
        "authorization",
        "cookie",
        "host",
        "content-length",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "x-forwarded-for",
        "x-forwarded-anything",
        "proxy-authorization",
        "te",
        "upgrade",
        "expect",
        "accept-encoding",
        "x-http-method-override",
        "x-bot-reason",
        "sec-fetch-site",
        "tailscale-user-login",
        "authorization: Bearer x",
    ];
    for name in names {
        assert!(header(name).contains("is not passed on"), "{name}");
    }
    for name in ["prefer", "accept-profile", "content-profile"] {
        assert!(header(name).contains("needs a value"), "{name}");
    }
    for name in ["Accept", "a b", "", "a\r\nb", "ä"] {
        assert!(header(name).contains("is not the name of a header"), "{name:?}");
    }
    for value in ["prefer: a\r\nb", "prefer:", "prefer: ä"] {
        assert!(header(value).contains("is not plain text"), "{value:?}");
    }
}

#[test]
fn confirmations_that_cannot_be_read_or_decided() {
    let unlock = |confirm: Confirm| {
        let mut house = house();
        house.rules[2].confirm = Some(confirm);
        house.rules[2].query = fields([("force", optional(Shape::Boolean))]);
        problem(&house)
    };
    let fact = |path: &str, pointer: &str| Confirm {
        facts: vec![Fact { label: "state".to_owned(), path: path.to_owned(), pointer: pointer.to_owned(), each: None }],
        ..confirm("Unlock")
    };
    let check = |confirm: Confirm, expect: &str| {
        let found = unlock(confirm);
        assert!(found.contains(expect), "{found:?} does not say {expect:?}");
    };
    check(confirm(" "), "has no words");
    check(confirm("Unlock {door}"), "which is no value of the request");
    check(fact("api", ""), "does not begin with one slash");
    check(fact("//elsewhere", ""), "does not begin with one slash");
    check(fact("/a", "state"), "does not begin with a slash");
    check(fact("/a/{force}", ""), "which a request may lack");
    check(Confirm { id_field: Some("entity_id".to_owned()), ..confirm("x") }, "cannot get the confirmation's id");
    check(Confirm { expires_seconds: 0, ..confirm("x") }, "expires after");
    check(Confirm { expires_seconds: 86_401, ..confirm("x") }, "expires after");
}
