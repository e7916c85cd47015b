//! The way out: rules, addresses, credentials, answers.

use std::time::Duration;

use platform_types::audit::Page;
use platform_types::egress::Credential;
use platform_types::health::Readiness;
use platform_types::{SecretName, UpstreamName};
use serde_json::json;

use crate::support::Rig;
use crate::support::agent::field;
use crate::support::upstream::{SECRET, TestUpstream, answer, home};

const STATE: &str = "/api/states/light.kitchen";

#[tokio::test]
async fn only_what_the_gate_wrote_goes_out() {
    let mut upstream = TestUpstream::json(json!({"state": "on"})).await;
    let rig = Rig::with_home(&upstream).await;
    let fields = [
        ("authorization", "Bearer of-the-agent"),
        ("cookie", "a=b"),
        ("x-forwarded-for", "1.2.3.4"),
        ("accept-encoding", "gzip"),
        ("x-bot-turn", "t1"),
    ];
    let got = rig.out_with("GET", ("home", "/api/states/%6cight.kitchen"), &fields, None).await;
    assert_eq!((got.status, got.json()["state"].as_str()), (200, Some("on")));
    let (head, body) = upstream.request().await;
    assert!(head.starts_with(&format!("GET {STATE} HTTP/1.1\r\n")), "{head}");
    assert_eq!(field(&head, "authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(field(&head, "accept-encoding"), Some("identity"));
    assert_eq!(field(&head, "host"), Some(format!("127.0.0.1:{}", upstream.port).as_str()));
    assert_eq!((field(&head, "cookie"), field(&head, "x-forwarded-for"), body.as_str()), (None, None, ""));

    let got =
        rig.out("POST", "home", "/api/services/light/turn_on", Some(&json!({"entity_id": "light.kitchen"}))).await;
    assert_eq!(got.status, 200);
    assert_eq!(upstream.request().await.1, "{\"entity_id\":\"light.kitchen\"}");
    let entries = rig.audit().await;
    let last = entries.last().unwrap();
    assert_eq!((last.kind.as_str(), last.actor.as_str()), ("egress.allowed", "agent"));
    assert_eq!(
        last.data,
        json!({"upstream": "home", "rule": "light", "method": "POST", "path": "/api/services/light/turn_on",
            "turn": null, "status": 200})
    );
    assert_eq!(entries[entries.len() - 2].data["turn"], "t1");
    let status = rig.status().await;
    assert_eq!((status.egress_allowed_total, status.egress_denied_total), (2, 0));
}

#[tokio::test]
async fn what_no_rule_allows_stays_here() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let unlisted = json!({"entity_id": "light.cellar"});
    let more = json!({"entity_id": "light.kitchen", "brightness": 3});
    for (method, host, target, body) in [
        ("GET", "home", "/api/states", None),
        ("GET", "home", "/api/states/sensor.door", None),
        ("GET", "home", "/api/states/../config", None),
        ("GET", "home", "/api/states/light.kitchen%2f..%2f..", None),
        ("GET", "home", "/api/states/light.kitchen?x=1", None),
        ("DELETE", "home", STATE, None),
        ("POST", "home", "/api/services/light/turn_on", Some(&unlisted)),
        ("POST", "home", "/api/services/light/turn_on", Some(&more)),
        ("GET", "other", STATE, None),
        ("GET", "HOME", STATE, None),
        ("GET", "home:80", STATE, None),
        ("GET", "127.0.0.1", STATE, None),
    ] {
        let refused = rig.out(method, host, target, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (403, "egress_denied"), "{method} {host} {target}");
    }
    assert!(upstream.is_quiet());
    assert_eq!(rig.status().await.egress_denied_total, 12);
    assert_eq!(rig.kinds().await, ["egress.denied"; 12]);
}

#[tokio::test]
async fn without_configuration_nothing_passes() {
    let rig = Rig::bare(gate::limits::Limits::default()).await;
    assert_eq!(rig.out("GET", "home", STATE, None).await.status, 503);
}

#[tokio::test]
async fn names_are_resolved_once_and_every_address_is_checked() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let url = format!("http://house.example:{}", upstream.port);
    rig.push(|config| config.upstreams = vec![home(&url)]).await;
    let denied = |answer: crate::support::Answer| (answer.status, answer.code());
    // Nothing of it may be elsewhere, not even beside a good address.
    for bad in [&["10.0.0.1"][..], &["127.0.0.1", "169.254.169.254"], &["::1"], &["::ffff:127.0.0.1"]] {
        rig.names.set("house.example", &[bad]);
        assert_eq!(denied(rig.out("GET", "home", STATE, None).await), (403, "egress_denied".into()), "{bad:?}");
    }
    assert!(upstream.is_quiet());
    // It changes its mind: what was checked is what is connected to, and the next request is checked anew.
    rig.names.set("house.example", &[&["127.0.0.1"], &["10.0.0.1"]]);
    assert_eq!(rig.out("GET", "home", STATE, None).await.status, 200);
    assert_eq!(field(&upstream.request().await.0, "host"), Some(format!("house.example:{}", upstream.port).as_str()));
    assert_eq!(denied(rig.out("GET", "home", STATE, None).await), (403, "egress_denied".into()));
    // A pinned address needs no name, and is checked like any other.
    rig.push(|config| config.upstreams[0].address = Some("127.0.0.1".parse().unwrap())).await;
    assert_eq!(rig.out("GET", "home", STATE, None).await.status, 200);
    rig.push(|config| config.upstreams[0].networks = vec!["10.0.0.0/8".into()]).await;
    assert_eq!(denied(rig.out("GET", "home", STATE, None).await), (403, "egress_denied".into()));
    rig.push(|config| config.upstreams[0].address = None).await;
    rig.push(|config| config.upstreams[0].url = "http://nowhere.example".into()).await;
    assert_eq!(denied(rig.out("GET", "home", STATE, None).await), (502, "upstream_unreachable".into()));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = TestUpstream::json(json!({"got": "it"})).await;
    let location = format!("location: http://127.0.0.1:{}/secret\r\nset-cookie: a=b\r\n", other.port);
    let upstream = TestUpstream::start(move |_| Some(vec![answer("302 Found", &location, "")])).await;
    let rig = Rig::with_home(&upstream).await;
    let got = rig.out("GET", "home", STATE, None).await;
    assert_eq!((got.status, got.header("location"), got.header("set-cookie")), (302, "", ""));
    let mut other = other;
    assert!(other.is_quiet());
}

#[tokio::test]
async fn the_secret_is_taken_out_of_answers() {
    let upstream = TestUpstream::start(|head| {
        let (first, second) = SECRET.split_at(9);
        Some(if head.contains("/api/few") {
            let escaped = SECRET.bytes().fold(String::new(), |text, byte| format!("{text}\\u{byte:04x}"));
            vec![answer("200 OK", "", &format!("{{\"state\":\"{escaped}\",\"token\":\"x\"}}"))]
        } else {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/{SECRET}\r\nx-echo: {SECRET}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
            let pieces = [head, chunk(&format!("a {first}")), chunk(&format!("{second} z")), "0\r\n\r\n".into()];
            pieces.into_iter().map(String::into_bytes).collect()
        })
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    for target in [STATE, "/api/few"] {
        let got = rig.out("GET", "home", target, None).await;
        assert_eq!(got.status, 200);
        let text = String::from_utf8_lossy(&got.body).into_owned();
        assert!(!text.contains(SECRET) && !text.contains("token"), "{text}");
        assert!(!format!("{:?}", got.headers).contains(SECRET), "{:?}", got.headers);
        assert_eq!(got.header("x-echo"), "");
    }
    let got = rig.out("GET", "home", STATE, None).await;
    assert!(got.body.starts_with(b"a ") && got.body.ends_with(b" z"), "{:?}", got.body);
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_errors() {
    let long = "x".repeat(platform_types::egress::MAX_ANSWER_BYTES + 1);
    let cases: [(&str, Vec<u8>, u16, &str); 6] = [
        ("gzip", answer("200 OK", "content-encoding: gzip\r\n", "{}"), 502, "upstream_invalid"),
        ("two", answer("200 OK", "content-encoding: identity, br\r\n", "{}"), 502, "upstream_invalid"),
        ("long", answer("200 OK", "", &long), 502, "upstream_invalid"),
        ("no http", b"SSH-2.0-x\r\n\r\n".to_vec(), 502, "upstream_invalid"),
        ("cut", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec(), 502, "upstream_incomplete"),
        ("nothing", Vec::new(), 502, "upstream_incomplete"),
    ];
    for (what, bytes, status, code) in cases {
        let upstream = TestUpstream::start(move |_| Some(vec![bytes.clone()])).await;
        let rig = Rig::with_home(&upstream).await;
        let got = rig.out("GET", "home", STATE, None).await;
        assert_eq!((got.status, got.code().as_str()), (status, code), "{what}");
        assert_eq!(rig.status().await.egress_failed_total, 1, "{what}");
        assert_eq!(rig.kinds().await, ["egress.failed"], "{what}");
    }
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_given_up() {
    let upstream = TestUpstream::start(|_| None).await;
    let mut limits = gate::limits::Limits::default();
    limits.egress.answer_time = Duration::from_millis(50);
    let rig = Rig::start_with(limits).await;
    rig.secret("home-token", SECRET);
    let url = format!("http://127.0.0.1:{}", upstream.port);
    rig.push(|config| config.upstreams = vec![home(&url)]).await;
    let got = rig.out("GET", "home", STATE, None).await;
    assert_eq!((got.status, got.code().as_str()), (504, "upstream_timeout_first_byte"));
}

#[tokio::test]
async fn what_the_agent_does_not_wait_for_is_done_and_recorded() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let body = json!({"entity_id": "light.kitchen"}).to_string();
    let head = format!(
        "POST /api/services/light/turn_on HTTP/1.1\r\nhost: home\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let stream = tokio::net::UnixStream::connect(rig.egress_socket()).await.unwrap();
    let mut stream = stream;
    tokio::io::AsyncWriteExt::write_all(&mut stream, (head + &body).as_bytes()).await.unwrap();
    upstream.request().await;
    drop(stream);
    rig.until(|status| status.egress_allowed_total == 1).await;
    assert_eq!(rig.kinds().await, ["egress.allowed"]);
}

#[tokio::test]
async fn credentials_go_where_the_upstream_wants_them_and_rotate() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let secret = || SecretName::new("home-token").unwrap();
    rig.secret("home-token", "1234:ab-C_d");
    let cases = [
        (Credential::Header { name: "apikey".into(), secret: secret() }, "GET /api/few HTTP", Some("1234:ab-C_d")),
        (Credential::Query { name: "key".into(), secret: secret() }, "GET /api/few?key=1234%3Aab-C_d HTTP", None),
        (Credential::Path { prefix: "bot".into(), secret: secret() }, "GET /bot1234:ab-C_d/api/few HTTP", None),
    ];
    for (credential, start, header) in cases {
        rig.push(|config| config.upstreams[0].credential = Some(credential)).await;
        rig.out("GET", "home", "/api/few", None).await;
        let (head, _) = upstream.request().await;
        assert!(head.starts_with(start), "{head}");
        assert_eq!(field(&head, "apikey"), header);
    }
    rig.secret("home-token", "a/../b");
    let refused = rig.out("GET", "home", "/api/few", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "upstream_unauthorized"));
    rig.secret("home-token", "5678");
    rig.out("GET", "home", "/api/few", None).await;
    assert!(upstream.request().await.0.starts_with("GET /bot5678/api/few HTTP"));
    std::fs::remove_file(rig.directory.path().join("secrets/home-token")).unwrap();
    let refused = rig.out("GET", "home", "/api/few", None).await;
    assert_eq!((refused.status, refused.code().as_str()), (502, "upstream_unauthorized"));
    let readiness: Readiness = rig.admin.get("/readyz").await.unwrap();
    assert!(readiness.ready && readiness.notes[0].contains("botctl secret set home-token"), "{:?}", readiness.notes);
}

#[tokio::test]
async fn an_upstream_that_makes_no_sense_is_closed_alone() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let url = format!("http://127.0.0.1:{}", upstream.port);
    rig.push(|config| {
        let mut bad = home(&url);
        bad.name = UpstreamName::new("bad").unwrap();
        bad.rules[0].params.clear();
        let mut gate = home(&url);
        gate.name = UpstreamName::new("gate").unwrap();
        let mut ftp = home("ftp://127.0.0.1");
        ftp.name = UpstreamName::new("ftp").unwrap();
        config.upstreams.extend([bad, gate, ftp]);
    })
    .await;
    assert_eq!(rig.out("GET", "home", STATE, None).await.status, 200);
    upstream.request().await;
    for name in ["bad", "ftp"] {
        assert_eq!(rig.out("GET", name, STATE, None).await.code(), "egress_denied", "{name}");
    }
    assert_eq!(rig.out("GET", "gate", STATE, None).await.status, 404);
    assert!(upstream.is_quiet());
    let readiness: Readiness = rig.admin.get("/readyz").await.unwrap();
    assert!(readiness.ready);
    for name in ["bad", "gate", "ftp"] {
        let says = |note: &String| note.starts_with(&format!("upstream {name} is closed: "));
        assert!(readiness.notes.iter().any(says), "{name}: {:?}", readiness.notes);
    }
}

#[tokio::test]
async fn nothing_is_smuggled() {
    let mut upstream = TestUpstream::json(json!({})).await;
    let rig = Rig::with_home(&upstream).await;
    let second = "GET /api/states/light.kitchen HTTP/1.1\r\nhost: home\r\n\r\n";
    for head in [
        "POST /api/services/light/turn_on HTTP/1.1\r\nhost: home\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: home\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: home\r\ncontent-length: 0\r\ncontent-length: 5\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: home\r\nhost: gate\r\n\r\n",
        "GET http://home/api/states/light.kitchen HTTP/1.1\r\nhost: home\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: home\r\ncontent-length: 60\r\n\r\n",
        "GET /x HTTP/1.1\r\nhost: home\r\n folded: x\r\n\r\n",
        "GET /api/states/light.kitchen HTTP/1.1\r\nhost: home\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "GET /api/states/light.kitchen HTTP/1.0\r\nhost: home\r\n\r\n",
    ] {
        let answer = rig.out_raw(format!("{head}{second}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head}: {answer}");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_flood_is_told_to_slow_down_and_leaves_few_lines() {
    let upstream = TestUpstream::json(json!({})).await;
    let mut limits = gate::limits::Limits::default();
    (limits.egress.requests, limits.egress.denied_lines) = (20, 3);
    let rig = Rig::start_with(limits).await;
    let mut slowed = 0;
    for _ in 0..30 {
        slowed += usize::from(rig.out("GET", "home", "/api/states", None).await.status == 429);
    }
    assert_eq!(slowed, 10);
    rig.clock.advance(10_000);
    rig.out("GET", "home", "/api/states", None).await;
    let entries = rig.audit().await;
    let lines: Vec<_> = entries.iter().filter(|entry| entry.kind == "egress.denied").collect();
    assert_eq!((lines.len(), lines[3].data["denied_before"].as_u64()), (4, Some(17)));
    drop(upstream);
}

#[tokio::test]
async fn anchors_are_kept_and_the_supervisor_reads_them() {
    let rig = Rig::start().await;
    let anchor = |n: u64, digit: &str| json!({"n": n, "hash": digit.repeat(64)});
    // What an agent said of the end of its chain does not keep out what it says later.
    let end = u64::MAX;
    for (n, digit, status) in
        [(3, "a", 204), (3, "a", 204), (3, "b", 204), (end, "a", 204), (9, "c", 204), (0, "a", 400)]
    {
        let answer = rig.out("POST", "gate", "/anchor", Some(&anchor(n, digit))).await;
        assert_eq!(answer.status, status, "{n} {digit}");
    }
    assert_eq!(rig.out("POST", "gate", "/anchor", Some(&json!({"n": 10, "hash": "x"}))).await.status, 400);
    let page: Page = rig.admin.get("/audit?after=0").await.unwrap();
    assert_eq!(page.anchors.iter().map(|kept| kept.head.n).collect::<Vec<_>>(), [3, 3, end, 9]);
    let page: Page = rig.admin.get("/audit?after=1").await.unwrap();
    assert!(page.anchors.is_empty());
}

#[tokio::test]
async fn the_agent_has_no_other_routes() {
    let rig = Rig::start().await;
    let id = "0".repeat(32);
    for (method, target) in [
        ("GET", "/".to_owned()),
        ("GET", "/gate/confirmations".to_owned()),
        ("POST", format!("/gate/confirmations/{id}")),
        ("POST", format!("/confirmations/{id}")),
        ("GET", "/confirmations".to_owned()),
        ("GET", "/confirmations/x".to_owned()),
        ("GET", format!("/confirmations/{id}")),
        ("GET", "/gate/ws".to_owned()),
        ("PUT", "/config".to_owned()),
        ("GET", "/audit".to_owned()),
        ("GET", "/anchor".to_owned()),
    ] {
        let answer = rig.out(method, "gate", &target, None).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{method} {target}");
    }
}
