//! Tricks of a taken-over agent and of a hostile model, one line each.

use platform_types::egress::{MAX_BODY_BYTES, Method, Rule, Shape, Upstream};

use crate::support::{JSON, again, ask, ask_with, body, chats, house, jobs, one_of, rule, upstream};

fn refused(upstream: &Upstream, requests: &[(&str, &str, &str)]) {
    for (method, target, body) in requests {
        let answer = ask(upstream, method, target, body);
        assert!(answer.is_err(), "{method} {target} {body} passed as {answer:?}");
    }
}

#[test]
fn what_is_meant_passes() {
    let check = |upstream: &Upstream, (method, target, text): (&str, &str, &str), expect: &str| {
        let admitted = ask(upstream, method, target, text).unwrap_or_else(|denied| panic!("{target}: {denied}"));
        assert_eq!(gate_rules::shown(&admitted).lines().next(), Some(expect));
        assert_eq!(again(upstream, &admitted).as_ref(), Ok(&admitted), "written, it reads as itself");
    };
    check(&house(), ("GET", "/api/states/light.kitchen", ""), "GET /api/states/light.kitchen");
    check(&house(), ("GET", "/%61pi/states/light%2ekitchen?", ""), "GET /api/states/light.kitchen");
    let light = r#"{"brightness":7,"entity_id":"light.kitchen"}"#;
    check(&house(), ("POST", "/api/services/light/turn_on", light), "POST /api/services/light/turn_on");
    check(
        &jobs(),
        ("GET", "/rest/v1/jobs?limit=20&status=in.(failed,dead)&select=id,kind,status", ""),
        "GET /rest/v1/jobs?limit=20&select=id%2Ckind%2Cstatus&status=in.%28failed%2Cdead%29",
    );
    let text = r#"{"chat_id":17,"text":"a\nb 👍","link_preview_options":{"is_disabled":true}}"#;
    check(&chats(), ("POST", "/sendMessage", text), "POST /sendMessage");
}

#[test]
fn paths_that_mean_something_else() {
    refused(
        &house(),
        &[
            ("GET", "/api/states", ""),
            ("GET", "/api/states/", ""),
            ("GET", "/api/states/light.kitchen/", ""),
            ("GET", "/api/states/lock.back", ""),
            ("GET", "/api/states/light.kitchen%2f..%2flock.back", ""),
            ("GET", "/api/states/light.kitchen/../lock.back", ""),
            ("GET", "/api/states/%2e%2e/config", ""),
            ("GET", "/api/states//light.kitchen", ""),
            ("GET", "//api/states/light.kitchen", ""),
            ("GET", "/api/states/light.kitchen%00", ""),
            ("GET", "/api/states/light.kitchen;x", ""),
            ("GET", "/api/states/light.kitchen%3bx", ""),
            ("GET", "/api/states/LIGHT.kitchen", ""),
            ("GET", "/API/states/light.kitchen", ""),
            ("GET", "/api/states/light%252ekitchen", ""),
            ("GET", "/api/states/light\u{ff0e}kitchen", ""),
            ("GET", "/api/states/light%ef%bc%8ekitchen", ""),
            ("GET", "/api/states/light.kitchen%e2%80%8b", ""),
            ("GET", "/api/states/light.kitchen?x=1", ""),
            ("GET", "/api/states/light.kitchen#/../config", ""),
            ("GET", "http://house.example/api/states/light.kitchen", ""),
            ("GET", "https://elsewhere.example@house.example/", ""),
            ("GET", "/api/states/{entity}", ""),
            ("GET", "/api/states/light.kitchen HTTP/1.1\r\nhost: x\r\n\r\n", ""),
        ],
    );
}

#[test]
fn methods_that_mean_something_else() {
    for method in ["get", "GET ", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "GET\0", ""] {
        refused(&house(), &[(method, "/api/states/light.kitchen", "")]);
    }
}

#[test]
fn bodies_that_can_be_read_in_two_ways_or_say_more() {
    let bodies = [
        r"{}",
        r#"{"entity_id":"lock.door"}"#,
        r#"{"entity_id":"light.kitchen","entity_id":"lock.door"}"#,
        r#"{"entity_id":"light.kitchen","\u0065ntity_id":"lock.door"}"#,
        r#"{"entity_id":"light.kitchen","Entity_Id":"lock.door"}"#,
        r#"{"entity_id":"light.kitchen","brightness":"7"}"#,
        r#"{"entity_id":"light.kitchen","brightness":7.0}"#,
        r#"{"entity_id":"light.kitchen","brightness":7e0}"#,
        r#"{"entity_id":"light.kitchen","brightness":256}"#,
        r#"{"entity_id":"light.kitchen","brightness":18446744073709551617}"#,
        r#"{"entity_id":"light.kitchen","brightness":-0}"#,
        r#"{"entity_id":"light.kitchen","brightness":null}"#,
        r#"{"entity_id":"light.kitchen","brightness":true}"#,
        r#"{"entity_id":"light.kitchen","area_id":"house"}"#,
        r#"{"entity_id":"light.kitchen","":1}"#,
        r#"{"entity_id":["light.kitchen","lock.door"]}"#,
        r#"{"entity_id":["light.kitchen"]}"#,
        r#"{"entity_id":"light.kitchen,lock.door"}"#,
        r#"{"entity_id":"all"}"#,
        r#"{"entity_id":" light.kitchen"}"#,
        r#"{"entity_id":"light.kitchen\u0000"}"#,
        "{\"entity_id\":\"light.kit\u{441}hen\"}",
        "{\"entity_id\":\"light.kitchen\u{200b}\"}",
        r#"[{"entity_id":"light.kitchen"}]"#,
        r#"{"entity_id":"light.kitchen"}{"entity_id":"lock.door"}"#,
        r#"{"entity_id":"light.kitchen"} x"#,
        r#"{"entity_id":"light.kitchen",}"#,
        r"{'entity_id':'light.kitchen'}",
        "{\"entity_id\":\"light.kitchen\"/**/}",
        "\u{feff}{\"entity_id\":\"light.kitchen\"}",
        "entity_id=light.kitchen",
        "null",
        " ",
    ];
    for body in bodies {
        refused(&house(), &[("POST", "/api/services/light/turn_on", body)]);
    }
    refused(&house(), &[("GET", "/api/states/light.kitchen", "{}"), ("POST", "/api/services/light/turn_on", "")]);
    let long = format!(r#"{{"entity_id":"light.kitchen"}}{}"#, " ".repeat(MAX_BODY_BYTES));
    refused(&house(), &[("POST", "/api/services/light/turn_on", &long)]);
}

#[test]
fn a_body_has_one_type() {
    let text = br#"{"entity_id":"light.kitchen"}"#;
    let target = ("POST", "/api/services/light/turn_on");
    let check = |headers: &[(&str, &[u8])], passes: bool| {
        assert_eq!(ask_with(&house(), target, headers, text).is_ok(), passes, "{headers:?}");
    };
    check(&[JSON], true);
    check(&[("Content-Type", b"Application/JSON")], true);
    check(&[], false);
    check(&[JSON, JSON], false);
    check(&[JSON, ("content-type", b"text/plain")], false);
    check(&[("content-type", b"text/plain")], false);
    check(&[("content-type", b"application/json; charset=utf-7")], false);
    check(&[("content-type", b"application/json;charset=utf-16")], false);
    check(&[("content-type", b"application/x-www-form-urlencoded")], false);
    check(&[("content-type", b"application/vnd.api+json")], false);
    let utf16: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(ask_with(&house(), target, &[JSON], &utf16).is_err());
}

#[test]
fn embeds_operators_and_other_schemas_of_postgrest() {
    let target = |query: &str| format!("/rest/v1/jobs?{query}");
    let good = "select=id,kind,status&limit=20";
    assert!(ask(&jobs(), "GET", &target(good), "").is_ok());
    let queries = [
        "",
        "limit=20",
        "select=*&limit=20",
        "select=id,kind,status,users(*)&limit=20",
        "select=id,kind,status,payload&limit=20",
        "select=id,kind,status&limit=20&select=*",
        "select=id,kind,status&limit=20&or=(id.gt.0)",
        "select=id,kind,status&limit=20&and=(id.gt.0)",
        "select=id,kind,status&limit=20&not.or=(id.gt.0)",
        "select=id,kind,status&limit=20&users.id=eq.1",
        "select=id,kind,status&limit=20&payload->>token=like.a*",
        "select=id,kind,status&limit=20&order=payload",
        "select=id,kind,status&limit=20&status=like.*",
        "select=id,kind,status&limit=20&status=in.(failed,dead)&status=eq.done",
        "select=id,kind,status&limit=20&%73tatus=eq.done",
        "select=id,kind,status&limit=x",
        "select=id,kind,status&limit=0",
        "select=id,kind,status&limit=51",
        "select=id,kind,status&limit=020",
        "select=id,kind,status&limit=20.0",
        "select=id,kind,status&limit=20&offset=9",
        "select=id,kind,status&limit=20;order=x",
        "select=id,kind,status&limit=20&",
        "select=id,kind,status&&limit=20",
        "select=id,kind,status&limit",
        "select=id,kind,status&limit=20&apikey=x",
        "select=id,kind,status%00&limit=20",
        "select=id%252Ckind%252Cstatus&limit=20",
        "SELECT=id,kind,status&limit=20",
        "select[]=id,kind,status&limit=20",
    ];
    for query in queries {
        refused(&jobs(), &[("GET", &target(query), "")]);
    }
    refused(&jobs(), &[("GET", "/rest/v1/users?select=id,kind,status&limit=20", "")]);
    for method in ["POST", "PATCH", "DELETE"] {
        refused(&jobs(), &[(method, &target(good), "")]);
    }
}

#[test]
fn headers_are_the_rules_and_no_others() {
    let target = ("GET", "/rest/v1/jobs?select=id,kind,status&limit=20");
    let pass = |headers: &[(&str, &[u8])]| ask_with(&jobs(), target, headers, b"").map(|admitted| admitted.headers);
    let own = ("prefer".to_owned(), "count=exact".to_owned());
    let left_out: &[(&str, &[u8])] = &[
        ("authorization", b"Bearer x"),
        ("cookie", b"a=b"),
        ("host", b"elsewhere"),
        ("accept-profile", b"auth"),
        ("content-profile", b"auth"),
        ("range", b"0-999"),
        ("x-http-method-override", b"DELETE"),
        ("x-forwarded-for", b"127.0.0.1"),
        ("transfer-encoding", b"chunked"),
        ("content-length", b"99"),
        ("connection", b"close, authorization"),
        ("expect", b"100-continue"),
        ("accept-encoding", b"gzip"),
        ("upgrade", b"websocket"),
        ("apikey", b"x"),
        ("x-bot-reason", b"because"),
        ("content-type", b"text/xml"),
    ];
    assert_eq!(pass(left_out), Ok(vec![own.clone()]));
    assert_eq!(pass(&[("Prefer", b"count=exact")]), Ok(vec![own.clone()]));
    let language = ("accept-language".to_owned(), "de, en".to_owned());
    assert_eq!(pass(&[("Accept-Language", b"de, en")]), Ok(vec![language, own]));
    let long = [b'a'; 1025];
    let refused: &[&[(&str, &[u8])]] = &[
        &[("prefer", b"tx=rollback")],
        &[("prefer", b"count=exact"), ("Prefer", b"resolution=merge-duplicates")],
        &[("prefer", b"count=exact, tx=rollback")],
        &[("accept-language", b"de"), ("accept-language", b"en")],
        &[("accept-language", b"de\r\nauthorization: x")],
        &[("accept-language", b"de\0")],
        &[("accept-language", b" de")],
        &[("accept-language", b"d\xc3\xa9")],
        &[("accept-language", b"\xff")],
        &[("accept-language", &long)],
    ];
    for headers in refused {
        assert!(pass(headers).is_err(), "{headers:?}");
    }
}

#[test]
fn messages_to_strangers_links_and_buttons() {
    let send = |body: &str| ask(&chats(), "POST", "/sendMessage", body);
    let tail = r#""text":"hi","link_preview_options":{"is_disabled":true}"#;
    for chat in ["17", "\"17\""] {
        assert!(send(&format!("{{\"chat_id\":{chat},{tail}}}")).is_ok());
    }
    for chat in ["18", "\"18\"", "\"@channel\"", "17.0", "\"017\"", "\"17 \"", "[17]", "null", "-17", "1700e-2"] {
        assert!(send(&format!("{{\"chat_id\":{chat},{tail}}}")).is_err(), "{chat}");
    }
    let bodies = [
        r#"{"chat_id":17,"text":"hi"}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":false}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true,"url":"https://evil.example"}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true,"is_disabled":false}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true},"parse_mode":"HTML"}"#,
        r#"{"chat_id":17,"text":"a\u0000b","link_preview_options":{"is_disabled":true}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":"{\"is_disabled\":true}"}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true},"reply_markup":
            {"inline_keyboard":[[{"text":"x","callback_data":"y","url":"https://evil.example"}]]}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true},"reply_markup":
            {"inline_keyboard":[[{"text":"x","url":"https://evil.example"}]]}}"#,
        r#"{"chat_id":17,"text":"hi","link_preview_options":{"is_disabled":true},"reply_markup":
            {"inline_keyboard":[[],[],[],[]]}}"#,
    ];
    for body in bodies {
        assert!(send(body).is_err(), "{body}");
    }
    let long =
        format!(r#"{{"chat_id":17,"text":"{}","link_preview_options":{{"is_disabled":true}}}}"#, "ä".repeat(4097));
    assert!(send(&long).is_err());
    refused(&chats(), &[("POST", "/setWebhook", r#"{"url":"https://evil.example"}"#)]);
    refused(&chats(), &[("POST", "/SendMessage", &format!("{{\"chat_id\":17,{tail}}}"))]);
}

#[test]
fn two_rules_never_add_up_and_a_confirmed_one_comes_first() {
    let wide = Rule {
        params: [("service".to_owned(), one_of(&["lock", "unlock"]))].into(),
        body: Some(crate::support::fields([("entity_id", crate::support::required(one_of(&["lock.door"])))])),
        ..rule("wide", Method::Post, "/api/services/lock/{service}")
    };
    let mut both = house();
    both.rules.insert(0, wide);
    let target = "/api/services/lock/unlock";
    let admitted = ask(&both, "POST", target, r#"{"entity_id":"lock.door"}"#).unwrap();
    assert_eq!(both.rules[admitted.rule].name, "unlock");
    let admitted = ask(&both, "POST", "/api/services/lock/lock", r#"{"entity_id":"lock.door"}"#).unwrap();
    assert_eq!(both.rules[admitted.rule].name, "wide");

    let number = |name: &str, key: &str| Rule {
        query: crate::support::fields([(key, crate::support::optional(Shape::Boolean))]),
        ..rule(name, Method::Get, "/x")
    };
    let parts = upstream("parts", vec![number("a", "a"), number("b", "b")]);
    assert!(ask(&parts, "GET", "/x?a=true", "").is_ok() && ask(&parts, "GET", "/x?b=true", "").is_ok());
    assert!(ask(&parts, "GET", "/x?a=true&b=true", "").is_err());
}

#[test]
fn a_denial_names_the_closest_rule_and_no_value() {
    let check = |upstream: &Upstream, (method, target, body): (&str, &str, &str), expect: &str| {
        assert_eq!(ask(upstream, method, target, body).unwrap_err().to_string(), expect);
    };
    let nothing = "no rule allows it: none has the path /api/config";
    check(&house(), ("GET", "/api/config?token=hunter2", ""), nothing);
    check(&upstream("empty", vec![]), ("GET", "/api/config", ""), nothing);
    check(&house(), ("GET", "/a\r\nb", ""), "no rule allows it: the path has a character that is not printable ASCII");
    check(
        &house(),
        ("DELETE", "/api/states/light.kitchen", ""),
        "no rule allows it; the closest is \"state\": the method is not GET",
    );
    check(
        &house(),
        ("POST", "/api/services/light/turn_on", r#"{"entity_id":"hunter2"}"#),
        "no rule allows it; the closest is \"light\": body.entity_id: allowed: \"light.kitchen\"",
    );
    check(
        &jobs(),
        ("GET", "/rest/v1/jobs?select=*&limit=1", ""),
        "no rule allows it; the closest is \"list\": query.select: allowed: \"id,kind,status\"",
    );
}

#[test]
fn keys_are_written_in_one_order_and_spelling() {
    let written = ask(
        &house(),
        "POST",
        "/api/services/light/turn_on",
        " { \"entity_id\" : \"light\\u002ekitchen\" ,\n\"brightness\":7 } ",
    );
    let written = written.unwrap();
    assert_eq!(written.body.as_deref(), Some(br#"{"brightness":7,"entity_id":"light.kitchen"}"#.as_slice()));
    assert_eq!(body(&written)["brightness"], 7);
    assert_eq!(written.values["entity_id"], "light.kitchen");
}
