//! Confirmations: asked, decided, carried out once.

use gate::limits::Limits;
use platform_types::egress::{Card, CardState, Decider, Outcome, SignedDecision, Verdict};
use platform_types::gate::{CardList, Device, Scope};
use platform_types::{ErrorCode, ProfileName};
use serde_json::{Value, json};

use crate::support::browser::Socket;
use crate::support::upstream::{SECRET, TestUpstream, answer, home};
use crate::support::{Agent, Answer, Rig, TestDevice};

const UNLOCK: &str = "/api/services/lock/unlock";

pub fn approver(device: &TestDevice) -> Device {
    Device { scopes: vec![Scope::Chat, Scope::Approve], ..device.paired() }
}

impl Rig {
    /// Asks to unlock; the card as the operator sees it.
    async fn asked(&self) -> Card {
        let body = json!({"entity_id": "lock.front"});
        let fields = [("x-bot-reason", "der Briefträger\u{202e}"), ("x-bot-turn", "t7")];
        let asked = self.out_with("POST", ("home", UNLOCK), &fields, Some(&body)).await;
        assert_eq!(asked.status, 202, "{:?}", asked.body);
        let id = asked.json()["id"].as_str().unwrap().to_owned();
        self.card(&id).await
    }

    async fn card(&self, id: &str) -> Card {
        let list: CardList = self.admin.get("/confirmations").await.unwrap();
        list.cards.into_iter().find(|card| card.id == id).unwrap()
    }

    async fn outcome(&self, id: &str) -> Outcome {
        let answer = self.out("GET", "gate", &format!("/confirmations/{id}"), None).await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn operator(&self, card: &Card, verdict: Verdict) -> Result<Card, u16> {
        let decision = json!({"verdict": verdict, "digest": card.digest, "user": "root"});
        let outcome = self.admin.post(&format!("/confirmations/{}", card.id), &decision).await;
        outcome.map_err(|error| match error {
            platform_kit::client::CallError::Refused { status, .. } => status.as_u16(),
            error => panic!("{error}"),
        })
    }

    /// The gate's own page.
    pub async fn confirm_page(&self, device: &TestDevice) -> (Socket, String, Value) {
        let mut socket = self.dial_at("/gate/ws").await;
        let challenge = socket.hear().await;
        socket.say(&device.auth(&challenge)).await;
        let ready = socket.hear().await;
        let cards = socket.hear().await;
        assert_eq!(cards["type"], "cards", "{cards}");
        (socket, ready["ticket"].as_str().unwrap().to_owned(), cards)
    }

    pub async fn decide(&self, ticket: &str, id: &str, decision: &Value) -> Answer {
        let bearer = format!("Bearer {ticket}");
        let fields = [("origin", self.origin()), ("authorization", bearer)];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.ask("POST", &format!("/gate/confirmations/{id}"), &fields, &decision.to_string()).await
    }

    async fn restarted(self) -> Self {
        self.stop.cancel();
        crate::support::within(self.serving).await.unwrap();
        let rig = Self::bare_in(self.directory, Limits::default()).await;
        let config = self.config.into_inner().unwrap();
        rig.push(|next| {
            next.upstreams = config.upstreams;
            next.revision = config.revision;
        })
        .await;
        rig
    }
}

fn decision(device: &TestDevice, card: &Card, verdict: Verdict) -> Value {
    signed(device, &card.id, &card.digest, verdict)
}

pub fn signed(device: &TestDevice, id: &str, digest: &str, verdict: Verdict) -> Value {
    let profile = ProfileName::new("personal").unwrap();
    let text = SignedDecision { profile: &profile, device: &device.id, id, digest, verdict };
    json!({"verdict": verdict, "digest": digest, "signature": device.sign_text(&text.to_string())})
}

async fn lock() -> TestUpstream {
    TestUpstream::start(|head| {
        let body = if head.starts_with("GET") { r#"{"state":"locked"}"# } else { r#"[{"state":"unlocked"}]"# };
        Some(vec![answer("200 OK", "content-type: application/json\r\n", body)])
    })
    .await
}

#[tokio::test]
async fn a_device_decides_on_the_gates_own_page_without_an_agent() {
    let mut upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![approver(&device)]).await;
    let (mut page, ticket, none) = rig.confirm_page(&device).await;
    assert_eq!((none["cards"].as_array().unwrap().len(), none["approve"].as_bool()), (0, Some(true)));

    let card = rig.asked().await;
    assert!(upstream.request().await.0.starts_with("GET /api/states/lock.front "));
    assert!(upstream.is_quiet(), "nothing but the fact was asked");
    assert_eq!(card.words, "Unlock lock.front?");
    assert_eq!(card.facts, [("Now".to_owned(), "locked".to_owned())]);
    assert_eq!(card.reason.as_deref(), Some("der Briefträger\\u{202e}"));
    assert!(card.request.starts_with("POST /api/services/lock/unlock\n"), "{}", card.request);
    assert!(card.request.contains(&card.id) && !card.request.contains(SECRET), "{}", card.request);
    let shown = page.hear().await;
    assert_eq!(shown["cards"][0]["digest"], card.digest.as_str());
    page.say(&json!({"type": "ping", "n": 4})).await;
    assert_eq!(page.hear().await, json!({"type": "pong", "n": 4}));
    assert_eq!(rig.status().await.confirmations_pending, 1);

    let answer = rig.decide(&ticket, &card.id, &decision(&device, &card, Verdict::Allow)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let (head, body) = upstream.request().await;
    assert!(head.starts_with("POST /api/services/lock/unlock HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        json!({"entity_id": "lock.front", "request_id": card.id})
    );
    let outcome = rig.outcome(&card.id).await;
    assert_eq!(outcome, Outcome::Done { status: 200, body: Some(json!([{"state": "unlocked"}])) });
    // Once.
    let again = rig.decide(&ticket, &card.id, &decision(&device, &card, Verdict::Allow)).await;
    assert_eq!((again.status, again.code().as_str()), (409, "conflict"));
    assert_eq!(rig.operator(&card, Verdict::Allow).await, Err(409));
    assert!(upstream.is_quiet());
    let kinds = rig.kinds().await;
    let about: Vec<&str> = kinds.iter().filter_map(|kind| kind.strip_prefix("confirmation.")).collect();
    assert_eq!(about, ["created", "decided", "released", "ended"]);
    let decided = rig.audit().await.into_iter().find(|entry| entry.kind == "confirmation.decided").unwrap();
    assert_eq!(decided.actor, format!("device {}", device.id));
}

#[tokio::test]
async fn only_the_right_word_of_the_right_device_counts() {
    let mut upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let [chatter, device, stranger] = [1, 2, 3].map(TestDevice::new);
    rig.push(|config| config.devices = vec![chatter.paired(), approver(&device)]).await;
    let card = rig.asked().await;
    upstream.request().await;
    let (_chat, chat_ticket, seen) = rig.confirm_page(&chatter).await;
    assert_eq!((seen["cards"].as_array().unwrap().len(), seen["approve"].as_bool()), (1, Some(false)));
    let (_page, ticket, _) = rig.confirm_page(&device).await;
    let check = async |what: &str, ticket: &str, decision: Value, code: &str| {
        let answer = rig.decide(ticket, &card.id, &decision).await;
        assert_eq!(answer.code(), code, "{what}");
    };
    check("scope", &chat_ticket, decision(&chatter, &card, Verdict::Allow), "forbidden").await;
    check("no ticket", "x", decision(&device, &card, Verdict::Allow), "unauthorized").await;
    check("another's ticket", &chat_ticket, decision(&device, &card, Verdict::Allow), "forbidden").await;
    check("another's signature", &ticket, decision(&stranger, &card, Verdict::Allow), "unauthorized").await;
    let mut turned = decision(&device, &card, Verdict::Deny);
    turned["verdict"] = "allow".into();
    check("turned around", &ticket, turned, "unauthorized").await;
    let other = signed(&device, &"0".repeat(32), &card.digest, Verdict::Allow);
    check("of another card", &ticket, other, "unauthorized").await;
    check("of another request", &ticket, signed(&device, &card.id, &"0".repeat(64), Verdict::Allow), "conflict").await;
    let gone = rig.decide(&ticket, &"0".repeat(32), &signed(&device, &"0".repeat(32), "x", Verdict::Allow)).await;
    assert_eq!(gone.status, 404);
    let mut more = decision(&device, &card, Verdict::Allow);
    more["remember"] = true.into();
    check("more", &ticket, more, "bad_request").await;
    // From another site, or without saying from where.
    let bearer = format!("Bearer {ticket}");
    for fields in
        [&[("authorization", bearer.as_str())][..], &[("authorization", &bearer), ("origin", "http://evil.example")]]
    {
        let body = decision(&device, &card, Verdict::Allow).to_string();
        let answer = rig.ask("POST", &format!("/gate/confirmations/{}", card.id), fields, &body).await;
        assert_eq!(answer.code(), "foreign_origin");
    }
    assert_eq!(rig.card(&card.id).await.state, CardState::Pending);
    // The scope ends at once.
    rig.push(|config| config.devices = vec![chatter.paired(), device.paired()]).await;
    check("scope taken back", &ticket, decision(&device, &card, Verdict::Allow), "forbidden").await;
    rig.push(|config| config.devices = vec![chatter.paired(), approver(&device)]).await;
    let (_page, ticket, _) = rig.confirm_page(&device).await;
    assert_eq!(rig.decide(&ticket, &card.id, &decision(&device, &card, Verdict::Deny)).await.status, 200);
    check("too late", &ticket, decision(&device, &card, Verdict::Allow), "conflict").await;
    assert_eq!(rig.outcome(&card.id).await, Outcome::Denied);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn cards_are_polled_with_their_version() {
    let upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![device.paired()]).await;
    let _agent = Agent::echo(&rig.agent_socket(1));
    // The chat page's ticket is good for this.
    let (_chat, ready) = rig.connect(&device).await;
    let bearer = format!("Bearer {}", ready["ticket"].as_str().unwrap());
    let first = rig.ask("GET", "/gate/confirmations", &[("authorization", &bearer)], "").await;
    assert_eq!((first.status, first.json()["cards"].as_array().unwrap().len()), (200, 0));
    let fields = [("authorization", bearer.as_str()), ("if-none-match", first.header("etag"))];
    let (next, card) = tokio::join!(rig.ask("GET", "/gate/confirmations", &fields, ""), rig.asked());
    assert_eq!(next.json()["cards"][0]["id"], card.id.as_str());
    assert_ne!(next.header("etag"), first.header("etag"));
    assert_eq!(rig.ask("GET", "/gate/confirmations", &[], "").await.code(), "unauthorized");
}

#[tokio::test]
async fn the_operator_decides_and_a_fact_that_is_not_known_says_so() {
    let upstream = TestUpstream::start(|head| {
        let status = if head.starts_with("GET") { "503 Service Unavailable" } else { "200 OK" };
        Some(vec![answer(status, "", "")])
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    let card = rig.asked().await;
    assert_eq!(card.facts, [("Now".to_owned(), "(not known: status 503)".to_owned())]);
    let mut other = card.clone();
    other.digest = "0".repeat(64);
    assert_eq!(rig.operator(&other, Verdict::Allow).await, Err(409));
    other.id = "0".repeat(32);
    assert_eq!(rig.operator(&other, Verdict::Allow).await, Err(404));
    let decided = rig.operator(&card, Verdict::Allow).await.unwrap();
    let CardState::Decided { decision: Verdict::Allow, by: Decider::Operator { user }, .. } = decided.state else {
        panic!("{decided:?}");
    };
    assert_eq!(user, "root");
    assert_eq!(rig.outcome(&card.id).await, Outcome::Done { status: 200, body: None });
}

#[tokio::test]
async fn nobody_decided_in_time() {
    let upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let card = rig.asked().await;
    rig.clock.advance(599_999);
    assert_eq!(rig.card(&card.id).await.state, CardState::Pending);
    rig.clock.advance(1);
    assert_eq!(rig.outcome(&card.id).await, Outcome::Expired);
    assert_eq!(rig.operator(&card, Verdict::Allow).await, Err(409));
    assert_eq!(rig.kinds().await, ["confirmation.created", "confirmation.expired"]);
}

#[tokio::test]
async fn another_rule_supersedes() {
    let mut upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let device = TestDevice::new(9);
    // A push that changes something else does not.
    let card = rig.asked().await;
    rig.push(|config| config.devices = vec![device.paired()]).await;
    assert_eq!(rig.card(&card.id).await.state, CardState::Pending);
    let url = format!("http://127.0.0.1:{}", upstream.port);
    let changes: [&dyn Fn(&mut platform_types::egress::Upstream); 5] = [
        &|home| home.rules[3].confirm.as_mut().unwrap().words = "Do it?".into(),
        &|home| home.url = "http://127.0.0.1:1".into(),
        &|home| home.credential = None,
        &|home| home.rules[3].confirm = None,
        &|home| home.rules.truncate(3),
    ];
    for change in changes {
        let card = rig.asked().await;
        rig.push(|config| change(&mut config.upstreams[0])).await;
        assert_eq!(rig.outcome(&card.id).await, Outcome::Superseded);
        assert_eq!(rig.operator(&card, Verdict::Allow).await, Err(409));
        rig.push(|config| config.upstreams = vec![home(&url)]).await;
    }
    let card = rig.asked().await;
    rig.push(|config| config.upstreams.clear()).await;
    assert_eq!(rig.outcome(&card.id).await, Outcome::Superseded);
    while let Ok((head, _)) = upstream.requests.try_recv() {
        assert!(head.starts_with("GET "), "{head}");
    }
}

#[tokio::test]
async fn what_was_released_when_the_gate_died_is_unknown_and_never_repeated() {
    let mut upstream = TestUpstream::start(|head| {
        head.starts_with("GET").then(|| vec![answer("200 OK", "", r#"{"state":"locked"}"#)])
    })
    .await;
    let mut limits = Limits::default();
    limits.stop.drain = std::time::Duration::from_millis(50);
    let rig = Rig::start_with(limits).await;
    rig.secret("home-token", SECRET);
    let url = format!("http://127.0.0.1:{}", upstream.port);
    rig.push(|config| config.upstreams = vec![home(&url)]).await;
    let (waiting, card) = (rig.asked().await, rig.asked().await);
    for _ in 0..2 {
        assert!(upstream.request().await.0.starts_with("GET"));
    }
    rig.operator(&card, Verdict::Allow).await.unwrap();
    assert!(upstream.request().await.0.starts_with("POST"));
    let rig = rig.restarted().await;
    assert_eq!(rig.outcome(&card.id).await, Outcome::Unknown);
    assert_eq!(rig.operator(&card, Verdict::Allow).await, Err(409));
    // One that was not decided is still there.
    assert_eq!(rig.card(&waiting.id).await, waiting);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_unknown_and_no_connection_is_failed() {
    let upstream = TestUpstream::start(|head| {
        Some(if head.starts_with("GET") { vec![answer("200 OK", "", "{}")] } else { Vec::new() })
    })
    .await;
    let rig = Rig::with_home(&upstream).await;
    let (cut, refused) = (rig.asked().await, rig.asked().await);
    rig.operator(&cut, Verdict::Allow).await.unwrap();
    assert_eq!(rig.outcome(&cut.id).await, Outcome::Unknown);
    std::fs::remove_file(rig.directory.path().join("secrets/home-token")).unwrap();
    rig.operator(&refused, Verdict::Allow).await.unwrap();
    let outcome = rig.outcome(&refused.id).await;
    assert!(matches!(&outcome, Outcome::Failed { message } if message.contains("botctl secret set")), "{outcome:?}");
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let mut last = rig.asked().await;
    for _ in 1..platform_types::egress::MAX_PENDING_CONFIRMATIONS {
        last = rig.asked().await;
    }
    let body = json!({"entity_id": "lock.front"});
    let refused = rig.out("POST", "home", UNLOCK, Some(&body)).await;
    assert_eq!(refused.code(), ErrorCode::RateLimited.as_str());
    rig.operator(&last, Verdict::Deny).await.unwrap();
    rig.asked().await;
}

#[tokio::test]
async fn the_gates_own_routes_never_reach_the_agent() {
    let upstream = lock().await;
    let rig = Rig::with_home(&upstream).await;
    let mut agent = Agent::echo(&rig.agent_socket(1));
    for target in ["/confirmations", "/gate/confirmations", "/gate/ws", "/gate/x"] {
        let answer = rig.get(target).await;
        assert!(!answer.body.starts_with(b"{\"object\""), "{target}");
    }
    assert!(agent.heads.try_recv().is_err());
}
