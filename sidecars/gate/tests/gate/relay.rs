//! Cards of spark on the gate's own page. The test is the supervisor.

use platform_types::device::{Act, ActOutcome};
use platform_types::egress::{Card, CardState, Decider, Verdict};
use platform_types::gate::CardList;
use platform_types::{Timestamp, UpstreamName};
use serde_json::{Value, json};

use crate::confirm::{approver, signed};
use crate::pairing::Events;
use crate::support::{Rig, TestDevice};

fn card() -> Card {
    Card {
        id: "c".repeat(32),
        upstream: UpstreamName::new("model-box").unwrap(),
        rule: "switch".to_owned(),
        words: "Switch the model box from a to b".to_owned(),
        facts: vec![("loaded now".to_owned(), "a".to_owned())],
        request: "ssh bot@spark:2222\n\nswitch b".to_owned(),
        digest: "d".repeat(64),
        reason: None,
        created_at: Timestamp(1),
        expires_at: Timestamp(i64::MAX),
        state: CardState::Pending,
    }
}

impl Rig {
    async fn relays(&self, cards: &[Card]) {
        let _: Value = self.admin.put("/cards", &CardList { cards: cards.to_vec() }).await.unwrap();
    }
}

#[tokio::test]
async fn a_card_of_spark_is_shown_and_a_devices_word_is_handed_on() {
    let rig = Rig::start().await;
    let device = TestDevice::new(1);
    rig.push(|config| config.devices = vec![approver(&device)]).await;
    let (mut page, ticket, shown) = rig.confirm_page(&device).await;
    assert_eq!(shown["cards"], json!([]));
    let card = card();
    rig.relays(std::slice::from_ref(&card)).await;
    assert_eq!(page.hear().await["cards"], json!([card]));
    let own: CardList = rig.admin.get("/confirmations").await.unwrap();
    assert_eq!(own.cards, [], "it is not the gate's own");

    let mut events = Events::listen(&rig).await;
    let word = signed(&device, &card.id, &card.digest, Verdict::Allow);
    let supervisor = async {
        let act = events.act().await;
        assert_eq!((&act.by, json!(act.signature)), (&device.id, word["signature"].clone()));
        let expect =
            Act::Confirm { confirmation: card.id.clone(), digest: card.digest.clone(), verdict: Verdict::Allow };
        assert_eq!(act.act, expect);
        rig.settle(&act.id, &ActOutcome::Done { device: None }).await;
    };
    let (answer, ()) = tokio::join!(rig.decide(&ticket, &card.id, &word), supervisor);
    assert_eq!(answer.status, 200, "{answer:?}");

    let by = Decider::Device { id: device.id.clone(), name: "phone".to_owned() };
    let state = CardState::Decided { decision: Verdict::Allow, by, at: Timestamp(2) };
    let decided = Card { state, ..card.clone() };
    rig.relays(std::slice::from_ref(&decided)).await;
    assert_eq!(page.hear().await["cards"], json!([decided]));
    assert_eq!(rig.decide(&ticket, &card.id, &word).await.status, 409, "decided");
    rig.relays(&[]).await;
    assert_eq!(page.hear().await["cards"], json!([]));
    assert_eq!(rig.decide(&ticket, &card.id, &word).await.status, 404);
}

#[tokio::test]
async fn only_a_word_that_counts_is_handed_on() {
    let rig = Rig::start().await;
    let (device, chat) = (TestDevice::new(1), TestDevice::new(2));
    rig.push(|config| config.devices = vec![approver(&device), chat.paired()]).await;
    let card = card();
    rig.relays(std::slice::from_ref(&card)).await;
    let (_page, ticket, _) = rig.confirm_page(&device).await;
    let (_other, chat_ticket, _) = rig.confirm_page(&chat).await;
    let check = async |ticket: &str, word: Value, status: u16| {
        assert_eq!(rig.decide(ticket, &card.id, &word).await.status, status, "{word}");
    };
    check(&chat_ticket, signed(&chat, &card.id, &card.digest, Verdict::Allow), 403).await;
    check(&chat_ticket, signed(&device, &card.id, &card.digest, Verdict::Allow), 403).await;
    check(&ticket, signed(&chat, &card.id, &card.digest, Verdict::Allow), 401).await;
    check(&ticket, signed(&device, &"e".repeat(32), &card.digest, Verdict::Allow), 401).await;
    check(&ticket, signed(&device, &card.id, &"e".repeat(64), Verdict::Allow), 409).await;
    let mut bent = signed(&device, &card.id, &card.digest, Verdict::Deny);
    bent["verdict"] = json!("allow");
    check(&ticket, bent, 401).await;

    // What spark does not take is said.
    let mut events = Events::listen(&rig).await;
    let word = signed(&device, &card.id, &card.digest, Verdict::Deny);
    let supervisor = async {
        let act = events.act().await;
        rig.settle(&act.id, &ActOutcome::Refused { reason: "another switch runs".to_owned() }).await;
    };
    let (answer, ()) = tokio::join!(rig.decide(&ticket, &card.id, &word), supervisor);
    assert_eq!((answer.status, answer.code().as_str()), (409, "conflict"));
}
