//! Three upstreams as people configure them, and short ways to ask them.

use std::collections::BTreeMap;

use gate_rules::{Admitted, Denied, Request, admit};
use platform_types::UpstreamName;
use platform_types::egress::{AnswerFilter, Confirm, Fact, Field, Method, Rule, Shape, Upstream};
use serde_json::{Value, json};

pub fn one_of(values: &[&str]) -> Shape {
    Shape::OneOf { values: values.iter().map(|value| json!(value)).collect() }
}

pub fn required(shape: Shape) -> Field {
    Field { shape, required: true }
}

pub fn optional(shape: Shape) -> Field {
    Field { shape, required: false }
}

pub fn fields<const N: usize>(fields: [(&str, Field); N]) -> BTreeMap<String, Field> {
    fields.map(|(name, field)| (name.to_owned(), field)).into()
}

pub fn rule(name: &str, method: Method, path: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        method,
        path: path.to_owned(),
        params: BTreeMap::new(),
        query: BTreeMap::new(),
        headers: vec![],
        body: None,
        confirm: None,
        answer: AnswerFilter::Status,
        guards: vec![],
    }
}

pub fn upstream(name: &str, rules: Vec<Rule>) -> Upstream {
    Upstream {
        name: UpstreamName::new(name).expect("a name"),
        url: format!("https://{name}.example"),
        address: None,
        networks: vec![],
        credential: None,
        ca: None,
        rules,
    }
}

pub fn confirm(words: &str) -> Confirm {
    Confirm { words: words.to_owned(), facts: vec![], id_field: None, expires_seconds: 300 }
}

/// One light, one lock that is confirmed.
pub fn house() -> Upstream {
    let state = Rule {
        params: BTreeMap::from([("entity".to_owned(), one_of(&["light.kitchen", "lock.door"]))]),
        ..rule("state", Method::Get, "/api/states/{entity}")
    };
    let light = Rule {
        body: Some(fields([
            ("entity_id", required(one_of(&["light.kitchen"]))),
            ("brightness", optional(Shape::Integer { min: 0, max: 255 })),
        ])),
        ..rule("light", Method::Post, "/api/services/light/turn_on")
    };
    let fact = Fact {
        label: "state".to_owned(),
        path: "/api/states/{entity_id}".to_owned(),
        pointer: "/state".to_owned(),
        each: None,
    };
    let unlock = Rule {
        body: Some(fields([("entity_id", required(one_of(&["lock.door"])))])),
        confirm: Some(Confirm { facts: vec![fact], ..confirm("Unlock {entity_id}") }),
        ..rule("unlock", Method::Post, "/api/services/lock/unlock")
    };
    upstream("house", vec![state, light, unlock])
}

/// A table that may be read by fixed columns, and a function.
pub fn jobs() -> Upstream {
    let list = Rule {
        query: fields([
            ("select", required(one_of(&["id,kind,status"]))),
            ("status", optional(one_of(&["in.(failed,dead)", "eq.queued"]))),
            ("limit", required(Shape::Integer { min: 1, max: 50 })),
        ]),
        headers: vec!["prefer: count=exact".to_owned(), "accept-language".to_owned()],
        ..rule("list", Method::Get, "/rest/v1/jobs")
    };
    let requeue = Rule {
        body: Some(fields([("p_job_id", required(Shape::Integer { min: 1, max: i64::MAX }))])),
        confirm: Some(Confirm { id_field: Some("p_request_id".to_owned()), ..confirm("Requeue job {p_job_id}") }),
        ..rule("requeue", Method::Post, "/rest/v1/rpc/requeue_job")
    };
    upstream("jobs", vec![list, requeue])
}

/// A bot that writes to approved chats.
pub fn chats() -> Upstream {
    let preview = fields([("is_disabled", required(Shape::OneOf { values: vec![json!(true)] }))]);
    let button = fields([
        ("text", required(Shape::Text { max_chars: 64 })),
        ("callback_data", required(Shape::Text { max_chars: 64 })),
    ]);
    let list = |of: Shape, max_items| Shape::List { of: Box::new(of), max_items };
    let keyboard = fields([("inline_keyboard", required(list(list(Shape::Object { fields: button }, 3), 3)))]);
    let send = Rule {
        body: Some(fields([
            ("chat_id", required(Shape::ApprovedChat)),
            ("text", required(Shape::Text { max_chars: 4096 })),
            ("link_preview_options", required(Shape::Object { fields: preview })),
            ("reply_markup", optional(Shape::Object { fields: keyboard })),
        ])),
        ..rule("send", Method::Post, "/sendMessage")
    };
    upstream("chats", vec![send])
}

pub fn approved(id: &str) -> bool {
    id == "17"
}

pub const JSON: (&str, &[u8]) = ("content-type", b"application/json");

pub fn ask(upstream: &Upstream, method: &str, target: &str, body: &str) -> Result<Admitted, Denied> {
    let headers: &[(&str, &[u8])] = if body.is_empty() { &[] } else { &[JSON] };
    ask_with(upstream, (method, target), headers, body.as_bytes())
}

pub fn ask_with(
    upstream: &Upstream,
    (method, target): (&str, &str),
    headers: &[(&str, &[u8])],
    body: &[u8],
) -> Result<Admitted, Denied> {
    admit(upstream, &Request { method, target, headers, body }, &approved)
}

/// The admitted request, sent again as it is written.
pub fn again(upstream: &Upstream, admitted: &Admitted) -> Result<Admitted, Denied> {
    let Admitted { method, path, query, headers, body, .. } = admitted;
    let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    ask_with(upstream, (method.as_str(), &target), &headers, body.as_deref().unwrap_or_default())
}

pub fn body(admitted: &Admitted) -> Value {
    serde_json::from_slice(admitted.body.as_deref().expect("a body")).expect("JSON")
}
