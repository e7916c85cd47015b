//! What holds for every request, every rule, every answer and every secret.

use gate_rules::{Admitted, Stripper, digest, filter, shown};
use platform_types::ProfileName;
use platform_types::egress::{AnswerFilter, Method, Rule, Shape, Upstream};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use crate::support::{
    again, ask_with, chats, confirm, fields, house, jobs, one_of, optional, required, rule, upstream,
};

/// Pieces that make bytes look like a request.
const PIECES: &[&str] = &[
    "/",
    "api",
    "states",
    "rest",
    "v1",
    "jobs",
    "sendMessage",
    "services",
    "light",
    "lock",
    "turn_on",
    "unlock",
    "?",
    "&",
    "=",
    "%",
    "%2f",
    "%00",
    "%25",
    "..",
    ".",
    "light.kitchen",
    "lock.door",
    "select",
    "id,kind,status",
    "limit",
    "20",
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\"entity_id\"",
    "\"chat_id\"",
    "17",
    "\"text\"",
    "true",
    "null",
    "1e9",
    "-0",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{0}",
    "ä",
    " ",
    "\r\n",
    "+",
    ";",
    "#",
    "\\",
];

fn upstreams() -> impl Strategy<Value = Upstream> {
    select(vec![house(), jobs(), chats(), wide()])
}

/// Rules that take as much as rules can.
fn wide() -> Upstream {
    let text = || Shape::Text { max_chars: 40 };
    let number = || Shape::Number { min: -1_000_000, max: 1_000_000 };
    let inner = fields([("n", optional(number())), ("t", optional(text()))]);
    let items = Shape::List { of: Box::new(Shape::Object { fields: inner }), max_items: 3 };
    let put = Rule {
        params: [("name".to_owned(), text())].into(),
        query: fields([("q", optional(text())), ("n", optional(number()))]),
        headers: vec!["accept".to_owned(), "prefer: return=minimal".to_owned()],
        body: Some(fields([
            ("items", optional(items)),
            ("size", optional(number())),
            ("yes", optional(Shape::Boolean)),
        ])),
        ..rule("put", Method::Put, "/a/{name}/b")
    };
    let get = Rule { query: fields([("q", required(text()))]), ..rule("get", Method::Get, "/a/") };
    upstream("wide", vec![put, get])
}

/// A request of [`wide`], near enough to pass often.
fn near() -> impl Strategy<Value = (String, Vec<u8>, Option<String>)> {
    let text = || "[ -~äß漢👍\n\t]{0,12}";
    let number = prop_oneof![any::<i32>().prop_map(Value::from), (-1.0e6..1.0e6f64).prop_map(Value::from)];
    let item = (option::of(number.clone()), option::of(text())).prop_map(|(n, t)| {
        let n = n.map(|n| ("n".to_owned(), n));
        let t = t.map(|t| ("t".to_owned(), json!(t)));
        Value::Object(n.into_iter().chain(t).collect())
    });
    let body = (option::of(vec(item, 0..3)), option::of(number), option::of(any::<bool>()));
    let body = body.prop_map(|(items, size, yes)| {
        let mut map = Map::new();
        map.extend(yes.map(|yes| ("yes".to_owned(), json!(yes))));
        map.extend(size.map(|size| ("size".to_owned(), size)));
        map.extend(items.map(|items| ("items".to_owned(), json!(items))));
        serde_json::to_string_pretty(&Value::Object(map)).expect("JSON").into_bytes()
    });
    let raw = "([a-zA-Z0-9._~!*'(),;:@$&=+-]|%[2-6][0-9a-f]|%c3%a4){1,10}";
    let query = option::of(("q|n", "([a-z0-9.+-]|%2[0-9a-f]|%c3%a4){0,8}").prop_map(|(k, v)| format!("{k}={v}")));
    (raw, query, body, option::of("[!-~]([ -~]{0,10}[!-~])?")).prop_map(|(name, query, body, accept)| {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        (format!("/a/{name}/b{query}"), body, accept)
    })
}

fn ask_wide(target: &str, body: &[u8], accept: Option<&str>) -> Option<Admitted> {
    let mut headers: Vec<(&str, &[u8])> = vec![("content-type", b"application/json")];
    headers.extend(accept.map(|accept| ("accept", accept.as_bytes())));
    ask_with(&wide(), ("PUT", target), &headers, body).ok()
}

fn digest_of(upstream: &Upstream, admitted: &Admitted) -> String {
    digest(&ProfileName::new("personal").expect("a name"), upstream, admitted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * ProptestConfig::default().cases))]

    #[test]
    fn no_bytes_break_the_rules(
        upstream in upstreams(),
        method in select(vec!["GET", "POST", "PUT", "", "get"]),
        target in vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat()),
        header in vec(any::<u8>(), 0..20),
        body in prop_oneof![vec(any::<u8>(), 0..60), vec(select(PIECES), 0..20).prop_map(|p| p.concat().into_bytes())],
        typed in any::<bool>(),
    ) {
        let kind: &[u8] = if typed { b"application/json" } else { &header };
        let headers: &[(&str, &[u8])] = &[("content-type", kind), ("accept-language", &header)];
        match ask_with(&upstream, (method, &target), headers, &body) {
            Ok(admitted) => prop_assert_eq!(again(&upstream, &admitted), Ok(admitted)),
            Err(denied) => prop_assert!(denied.to_string().len() < 1000),
        }
    }

    #[test]
    fn what_is_admitted_reads_as_itself((target, body, accept) in near()) {
        let Some(admitted) = ask_wide(&target, &body, accept.as_deref()) else { return Ok(()) };
        prop_assert_eq!(again(&wide(), &admitted), Ok(admitted.clone()));
        prop_assert!(admitted.path.bytes().chain(admitted.query.bytes()).all(|byte| byte.is_ascii_graphic()));
        prop_assert!(admitted.path.starts_with("/a/") && !admitted.path.contains("//") && !admitted.path.contains("/../"));
        prop_assert!(!shown(&admitted).contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn a_changed_byte_changes_the_digest_or_is_denied(
        (target, body, accept) in near(),
        place in 0..4usize,
        at in any::<Index>(),
        to in any::<u8>(),
    ) {
        let upstream = wide();
        let Some(admitted) = ask_wide(&target, &body, accept.as_deref()) else { return Ok(()) };
        let mut changed = admitted.clone();
        let change = |bytes: &mut Vec<u8>| {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
        };
        let change_text = |text: &mut String| {
            let mut bytes = std::mem::take(text).into_bytes();
            change(&mut bytes);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        };
        match place {
            0 => change_text(&mut changed.path),
            1 => change_text(&mut changed.query),
            2 => changed.headers.iter_mut().for_each(|(_, value)| change_text(value)),
            _ => changed.body.iter_mut().for_each(&change),
        }
        if changed == admitted {
            return Ok(());
        }
        prop_assert_ne!(digest_of(&upstream, &changed), digest_of(&upstream, &admitted));
        if let Ok(read) = again(&upstream, &changed) {
            let same = (&read.path, &read.query, &read.headers, &read.body)
                == (&admitted.path, &admitted.query, &admitted.headers, &admitted.body);
            prop_assert_eq!(same, digest_of(&upstream, &read) == digest_of(&upstream, &admitted));
        }
    }

    #[test]
    fn a_further_rule_takes_nothing_away_and_lifts_no_confirmation(
        (target, body, accept) in near(),
        confirmed in any::<[bool; 2]>(),
        narrow in any::<bool>(),
        first in any::<bool>(),
    ) {
        let mut before = wide();
        before.rules[0].confirm = confirmed[0].then(|| confirm("Put"));
        let shape = if narrow { one_of(&["x", "a"]) } else { Shape::Text { max_chars: 99 } };
        let further = Rule {
            name: "further".to_owned(),
            params: [("name".to_owned(), shape)].into(),
            confirm: confirmed[1].then(|| confirm("Put")),
            ..before.rules[0].clone()
        };
        let mut after = before.clone();
        after.rules.insert(if first { 0 } else { after.rules.len() }, further);
        let mut headers: Vec<(&str, &[u8])> = vec![("content-type", b"application/json")];
        headers.extend(accept.iter().map(|accept| ("accept", accept.as_bytes())));
        let ask = |upstream: &Upstream| ask_with(upstream, ("PUT", &target), &headers, &body);
        let asks = |upstream: &Upstream, admitted: &Admitted| upstream.rules[admitted.rule].confirm.is_some();
        match (ask(&before), ask(&after)) {
            (Ok(old), Ok(new)) => {
                prop_assert!(!asks(&before, &old) || asks(&after, &new));
                prop_assert_eq!((old.path, old.query, old.body), (new.path, new.query, new.body));
            }
            (Ok(old), Err(denied)) => prop_assert!(false, "{:?} was taken away: {}", old, denied),
            (Err(_), Ok(new)) => prop_assert_eq!(&after.rules[new.rule].name, "further"),
            (Err(_), Err(_)) => {}
        }
    }

    #[test]
    fn a_filter_never_yields_what_is_not_named(answer in json_values(), members in vec("[ab](\\.[abc]){0,2}", 0..3)) {
        let text = serde_json::to_vec(&answer).expect("JSON");
        let Ok(kept) = filter(&AnswerFilter::Members { members: members.clone() }, &text) else { return Ok(()) };
        let kept: Value = serde_json::from_slice(&kept).expect("JSON");
        let named = |path: &str| members.iter().any(|member| {
            path == member || path.starts_with(&format!("{member}.")) || member.starts_with(&format!("{path}."))
        });
        for path in paths(&kept, "") {
            prop_assert!(named(&path), "{} of {} by {:?}", path, kept, members);
        }
    }

    #[test]
    fn a_secret_does_not_come_through(
        secret in "[!-Z^-~]{6,40}",
        before in "[ -~]{0,9}",
        after in "[ -~]{0,9}",
        dress in 0..7usize,
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let dressed = dressed(dress, before.as_bytes(), secret.as_bytes(), after.as_bytes());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(dressed.len() + 1)).chain([0, dressed.len()]).collect();
        cuts.sort_unstable();
        let mut stripper = Stripper::new(&[&secret]);
        let mut out = Vec::new();
        for cut in cuts.windows(2) {
            out.extend(stripper.push(&dressed[cut[0]..cut[1]]));
        }
        out.extend(stripper.finish());
        let mut whole = Stripper::new(&[&secret]);
        let mut at_once = whole.push(&dressed);
        at_once.extend(whole.finish());
        prop_assert_eq!(&out, &at_once, "the cuts do not matter");
        let out = String::from_utf8(out).expect("ASCII");
        prop_assert!(out.contains("[secret]"), "{out}");
        for read in [out.clone(), undressed(&out)] {
            prop_assert!(!read.contains(&secret), "{}", read);
        }
    }

    #[test]
    fn what_holds_no_secret_comes_through_whole(text in vec(any::<u8>(), 0..200), cut in any::<Index>()) {
        let mut stripper = Stripper::new(&["110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"]);
        let cut = cut.index(text.len() + 1);
        let mut out = stripper.push(&text[..cut]);
        out.extend(stripper.push(&text[cut..]));
        out.extend(stripper.finish());
        prop_assert_eq!(out, text);
    }
}

fn dressed(dress: usize, before: &[u8], secret: &[u8], after: &[u8]) -> Vec<u8> {
    let all = [before, secret, after].concat();
    let each = |write: &dyn Fn(u8) -> String| all.iter().map(|byte| write(*byte)).collect::<String>().into_bytes();
    match dress {
        0 => all,
        1 => data_encoding::BASE64.encode(&all).into_bytes(),
        2 => data_encoding::BASE64URL_NOPAD.encode(&all).into_bytes(),
        3 => each(&|byte| format!("%{byte:02x}")),
        4 => each(&|byte| {
            if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
        }),
        5 => each(&|byte| format!("\\u00{byte:02x}")),
        _ => data_encoding::HEXUPPER.encode(&all).into_bytes(),
    }
}

/// Read once as JSON and once as a query: what a reader might make of it.
fn undressed(text: &str) -> String {
    let json: String = serde_json::from_str(&format!("\"{}\"", text.replace('"', "\\\""))).unwrap_or_default();
    json + &percent_encoding::percent_decode_str(text).decode_utf8_lossy()
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from), Just(json!("x"))];
    leaf.prop_recursive(4, 30, 4, |inner| {
        let map = proptest::collection::btree_map("[abcd]", inner.clone(), 0..4);
        prop_oneof![
            vec(inner, 0..3).prop_map(Value::from),
            map.prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

/// The path of every member.
fn paths(value: &Value, above: &str) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let each = map.iter().flat_map(|(name, value)| {
                let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                [vec![path.clone()], paths(value, &path)].concat()
            });
            each.collect()
        }
        Value::Array(items) => items.iter().flat_map(|item| paths(item, above)).collect(),
        _ => Vec::new(),
    }
}
