//! A paired device decides about another one, and takes a new key. The test is the supervisor.

use platform_types::ProfileName;
use platform_types::device::{Act, ActOutcome, DeviceAct, SignedAct};
use platform_types::egress::Verdict;
use platform_types::gate::{Device, GateEvent, PairingDecision, Scope};
use serde_json::{Value, json};

use crate::pairing::{Events, challenge, decide as pairing_decided, pair};
use crate::support::browser::Socket;
use crate::support::{Agent, Answer, Rig, TestDevice};

const ALL: [Scope; 3] = [Scope::Chat, Scope::Approve, Scope::Admin];

fn with(device: &TestDevice, scopes: &[Scope]) -> Device {
    Device { scopes: scopes.to_vec(), ..device.paired() }
}

impl Events {
    pub async fn act(&mut self) -> DeviceAct {
        loop {
            if let GateEvent::Act(act) = self.next().await {
                return act;
            }
        }
    }
}

impl Rig {
    /// The gate's own page that asks about devices; its ticket, and what it is shown.
    async fn devices_page(&self, device: &TestDevice) -> (Socket, String, Value) {
        let mut socket = self.dial_at("/gate/ws").await;
        let challenge = socket.hear().await;
        socket.say(&device.auth(&challenge)).await;
        let ready = socket.hear().await;
        socket.say(&json!({"type": "devices"})).await;
        let shown = devices(&mut socket).await;
        (socket, ready["ticket"].as_str().unwrap().to_owned(), shown)
    }

    async fn own_route(&self, ticket: &str, target: &str, body: &Value) -> Answer {
        let (origin, bearer) = (self.origin(), format!("Bearer {ticket}"));
        self.ask("POST", target, &[("origin", &origin), ("authorization", &bearer)], &body.to_string()).await
    }

    pub async fn settle(&self, id: &str, outcome: &ActOutcome) {
        let _: Value = self.admin.post(&format!("/acts/{id}"), outcome).await.unwrap();
    }
}

async fn devices(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.hear().await;
        if frame["type"] == "devices" {
            return frame;
        }
    }
}

/// The word of `by` on the request that is shown.
fn word(by: &TestDevice, asking: &Value, verdict: Verdict, scopes: &[Scope]) -> Value {
    let act = Act::Admit {
        request: asking["id"].as_str().unwrap().to_owned(),
        device: serde_json::from_value(asking["device"].clone()).unwrap(),
        name: asking["name"].as_str().unwrap().to_owned(),
        verdict,
        scopes: scopes.to_vec(),
    };
    json!({"verdict": verdict, "scopes": scopes, "signature": signed(by, &act)})
}

fn signed(by: &TestDevice, act: &Act) -> String {
    let profile = ProfileName::new("personal").unwrap();
    by.sign_text(&SignedAct { profile: &profile, by: &by.id, act }.to_string())
}

#[tokio::test]
async fn a_device_with_the_scope_lets_another_one_in() {
    let rig = Rig::start().await;
    let (admin, asking) = (TestDevice::new(1), TestDevice::new(2));
    rig.push(|config| config.devices = vec![with(&admin, &ALL)]).await;
    let (mut page, ticket, shown) = rig.devices_page(&admin).await;
    assert_eq!((&shown["scopes"], &shown["requests"]), (&json!(["chat", "approve", "admin"]), &json!([])));

    assert_eq!(pair(&rig, &asking, None).await.status, 202);
    let shown = devices(&mut page).await;
    let request = &shown["requests"][0];
    assert_eq!((&request["device"], &request["name"]), (&json!(asking.id), &json!("Anna's phone")));
    let id = request["id"].as_str().unwrap().to_owned();

    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let act = events.act().await;
        assert_eq!((&act.by, &act.signature), (&admin.id, &signed(&admin, &act.act)));
        let Act::Admit { request, device, verdict, scopes, .. } = &act.act else { panic!("{act:?}") };
        assert_eq!((request, device, verdict, scopes.as_slice()), (&id, &asking.id, &Verdict::Allow, &ALL[..2]));
        let device = with(&asking, scopes);
        pairing_decided(&rig, &id, &PairingDecision::Accepted { device }).await.unwrap();
        rig.settle(&act.id, &ActOutcome::Done { device: None }).await;
    };
    let target = format!("/gate/pairings/{id}");
    let allow = word(&admin, request, Verdict::Allow, &ALL[..2]);
    let (answer, ()) = tokio::join!(rig.own_route(&ticket, &target, &allow), supervisor);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(devices(&mut page).await["requests"], json!([]));

    let _agent = Agent::echo(&rig.agent_socket(1));
    let (_socket, ready) = rig.connect(&asking).await;
    assert_eq!(ready["scopes"], json!(["chat", "approve"]));
    assert_eq!(rig.own_route(&ticket, &target, &allow).await.status, 404, "decided once");
}

#[tokio::test]
async fn what_is_not_signed_by_a_device_that_may_is_refused() {
    let rig = Rig::start().await;
    let (admin, chat, asking) = (TestDevice::new(1), TestDevice::new(2), TestDevice::new(3));
    let narrow = [Scope::Chat, Scope::Admin];
    rig.push(|config| config.devices = vec![with(&admin, &narrow), with(&chat, &ALL[..2])]).await;
    pair(&rig, &asking, None).await;
    let (_page, ticket, shown) = rig.devices_page(&admin).await;
    let (_other, chat_ticket, seen) = rig.devices_page(&chat).await;
    assert_eq!(seen["requests"], json!([]), "who asks is not for a device without the scope");
    let request = &shown["requests"][0];
    let target = format!("/gate/pairings/{}", request["id"].as_str().unwrap());
    let check = async |ticket: &str, body: Value, status: u16, code: &str| {
        let answer = rig.own_route(ticket, &target, &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    };
    check(&chat_ticket, word(&chat, request, Verdict::Allow, &ALL[..1]), 403, "forbidden").await;
    check(&chat_ticket, word(&admin, request, Verdict::Allow, &ALL[..1]), 403, "forbidden").await;
    check(&ticket, word(&admin, request, Verdict::Allow, &ALL), 403, "forbidden").await;
    check(&ticket, word(&admin, request, Verdict::Allow, &[Scope::Admin, Scope::Chat]), 400, "bad_request").await;
    check(&ticket, word(&admin, request, Verdict::Allow, &[]), 400, "bad_request").await;
    check(&ticket, word(&admin, request, Verdict::Deny, &ALL[..1]), 400, "bad_request").await;
    check(&ticket, word(&chat, request, Verdict::Allow, &ALL[..1]), 401, "unauthorized").await;
    // Signed for other scopes, another verdict, another device.
    let mut bent = word(&admin, request, Verdict::Allow, &ALL[..1]);
    bent["scopes"] = json!(["chat", "admin"]);
    check(&ticket, bent, 401, "unauthorized").await;
    let mut bent = word(&admin, request, Verdict::Deny, &[]);
    bent["verdict"] = json!("allow");
    bent["scopes"] = json!(["chat"]);
    check(&ticket, bent, 401, "unauthorized").await;
    let mut other = request.clone();
    other["device"] = json!(chat.id);
    check(&ticket, word(&admin, &other, Verdict::Allow, &ALL[..1]), 401, "unauthorized").await;
    check("no-such-ticket", word(&admin, request, Verdict::Allow, &ALL[..1]), 401, "unauthorized").await;

    let foreign = rig.ask("POST", &target, &[("authorization", &format!("Bearer {ticket}"))], "{}").await;
    assert_eq!((foreign.status, foreign.code().as_str()), (403, "foreign_origin"));
}

#[tokio::test]
async fn a_request_with_a_link_is_not_a_devices_to_decide_and_a_refusal_is_told() {
    let rig = Rig::start().await;
    let (admin, asking) = (TestDevice::new(1), TestDevice::new(2));
    rig.push(|config| config.devices = vec![with(&admin, &ALL)]).await;
    pair(&rig, &asking, None).await;
    let (_page, ticket, shown) = rig.devices_page(&admin).await;
    let request = &shown["requests"][0];
    let target = format!("/gate/pairings/{}", request["id"].as_str().unwrap());
    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let act = events.act().await;
        // A supervisor that connects again hears what is undecided.
        let mut again = Events::listen(&rig).await;
        assert_eq!(again.act().await, act);
        rig.settle(&act.id, &ActOutcome::Refused { reason: "too many devices".into() }).await;
    };
    let deny = word(&admin, request, Verdict::Deny, &[]);
    let (answer, ()) = tokio::join!(rig.own_route(&ticket, &target, &deny), supervisor);
    assert_eq!((answer.status, answer.code().as_str()), (409, "conflict"));
    assert!(answer.json()["error"]["message"].as_str().unwrap().contains("too many devices"));
}

/// What a page asks for that has both keys, or says so.
async fn new_key(
    rig: &Rig,
    (old, new): (&TestDevice, &TestDevice),
    (signer, prover): (&TestDevice, &TestDevice),
) -> Value {
    let challenge = challenge(rig).await;
    let act = Act::Rotate {
        device: new.id.clone(),
        public_key: new.public_key(),
        host: rig.host(),
        nonce: challenge["nonce"].as_str().unwrap().to_owned(),
        time: serde_json::from_value(challenge["time"].clone()).unwrap(),
        proof: String::new(),
    };
    let profile = ProfileName::new("personal").unwrap();
    let text = SignedAct { profile: &profile, by: &old.id, act: &act }.to_string();
    json!({
        "public_key": new.public_key(), "nonce": challenge["nonce"], "time": challenge["time"],
        "signature": signer.sign_text(&text), "proof": prover.sign_text(&text),
    })
}

#[tokio::test]
async fn a_device_takes_a_new_key_and_the_old_one_is_out_at_once() {
    let rig = Rig::start().await;
    let (old, new) = (TestDevice::new(1), TestDevice::new(2));
    rig.push(|config| config.devices = vec![with(&old, &ALL)]).await;
    let (mut page, ticket, _) = rig.devices_page(&old).await;
    let request = async |signer: &TestDevice, prover: &TestDevice| new_key(&rig, (&old, &new), (signer, prover)).await;
    let refused = async |body: Value| {
        let answer = rig.own_route(&ticket, "/gate/device/key", &body).await;
        (answer.status, answer.code())
    };
    let unauthorized = (401, "unauthorized".to_owned());
    assert_eq!(refused(request(&new, &new).await).await, unauthorized, "without the old key");
    assert_eq!(refused(request(&old, &old).await).await, unauthorized, "without the new key");
    let mut used = request(&old, &new).await;
    used["nonce"] = json!("0123456789abcdef0123456789abcdef");
    assert_eq!(refused(used).await, unauthorized, "without a nonce of the gate");
    let mut same = request(&old, &old).await;
    same["public_key"] = json!(old.public_key());
    assert_eq!(refused(same).await.0, 400, "a key that is paired is not new");

    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let act = events.act().await;
        assert!(matches!(&act.act, Act::Rotate { device, .. } if *device == new.id && act.by == old.id));
        rig.settle(&act.id, &ActOutcome::Done { device: Some(with(&new, &ALL)) }).await;
    };
    let body = request(&old, &new).await;
    let (answer, ()) = tokio::join!(rig.own_route(&ticket, "/gate/device/key", &body), supervisor);
    assert_eq!((answer.status, &answer.json()["device"]), (200, &json!(new.id)));
    assert_eq!(page.closed().await, 4401);
    assert_eq!(rig.own_route(&ticket, "/gate/device/key", &body).await.status, 401, "the ticket went with the key");
    let _agent = Agent::echo(&rig.agent_socket(1));
    rig.connect(&new).await;
    let mut socket = rig.enter(&old).await;
    assert_eq!(socket.hear().await["code"], "unauthorized");
}

#[tokio::test]
async fn a_late_answer_does_not_bring_a_revoked_key_back() {
    let rig = Rig::start().await;
    let (old, new) = (TestDevice::new(1), TestDevice::new(2));
    rig.push(|config| config.devices = vec![with(&old, &ALL)]).await;
    let (_page, ticket, _) = rig.devices_page(&old).await;
    let mut events = Events::listen(&rig).await;
    let supervisor = async {
        let act = events.act().await;
        rig.push(|config| config.devices.clear()).await;
        rig.settle(&act.id, &ActOutcome::Done { device: Some(with(&new, &ALL)) }).await;
    };
    let body = new_key(&rig, (&old, &new), (&old, &new)).await;
    let (answer, ()) = tokio::join!(rig.own_route(&ticket, "/gate/device/key", &body), supervisor);
    assert_eq!(answer.status, 200, "{answer:?}");
    for device in [&old, &new] {
        let mut socket = rig.enter(device).await;
        assert_eq!(socket.hear().await["code"], "unauthorized");
    }
}
