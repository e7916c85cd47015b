//! Senders of channels: from a gate's report to the operator's word.

use platform_types::channel::{CODE_MILLIS, ChatId, SenderRequest};
use platform_types::{ErrorCode, UpstreamName};

use super::*;
use crate::api::wire::senders::{SenderName, SenderState};

fn sender(id: i64, code: &str) -> SenderRequest {
    SenderRequest {
        id: format!("{id:032x}"),
        channel: UpstreamName::new("chat").unwrap(),
        sender: ChatId(id),
        name: "Anna\u{1b}[2J".to_owned(),
        code_sha256: code::sha256_hex(code),
        at: NOW,
        expires_at: NOW.plus_millis(CODE_MILLIS),
    }
}

#[tokio::test]
async fn a_sender_is_let_in_by_his_code_and_silenced_by_his_name() {
    let (shared, _alive) = daemon();
    let name = profile("personal");
    let (gate, _decisions) = Gate::serve(&shared, &name);
    let stop = CancellationToken::new();
    let listening = platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));
    let improper = SenderRequest { code_sha256: "k7qx".to_owned(), ..sender(8, "K7QXM2PD") };
    gate.undecided.lock().unwrap().extend([improper, sender(7, "K7QXM2PD")].map(GateEvent::Sender));
    let waiting = tokio::time::timeout(DEADLINE, async {
        loop {
            let list = operations::list_senders(&shared, &name).await.unwrap();
            if !list.requests.is_empty() {
                return list;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("in time");
    let [request] = waiting.requests.as_slice() else { panic!("one waits: {waiting:?}") };
    assert_eq!((request.id, request.name.as_str()), (ChatId(7), r"Anna\u{1b}[2J"));
    let shown = serde_json::to_string(&waiting).unwrap();
    assert!(!shown.contains(&code::sha256_hex("K7QXM2PD")), "{shown}");

    for typed in ["AAAA-BBBB", "", "7"] {
        let error = operations::approve_sender(&shared, &name, ANNA, typed).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "{typed:?}");
    }
    let approved = operations::approve_sender(&shared, &name, ANNA, "k7qx m2pd").await.unwrap();
    assert_eq!((approved.sender.state, approved.pushed), (SenderState::Approved, true));
    for _ in 0..2 {
        let error = operations::approve_sender(&shared, &name, ANNA, "k7qx-m2pd").await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotFound, "used once");
    }
    let error = operations::approve_sender(&shared, &name, ANNA, "AAAA-CCCC").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::RateLimited, "five were wrong: {}", error.message);

    let who = |channel: &str| SenderName { channel: UpstreamName::new(channel).unwrap(), id: ChatId(7) };
    let error = operations::block_sender(&shared, &name, ANNA, who("caht")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let blocked = operations::block_sender(&shared, &name, ANNA, who("chat")).await.unwrap();
    assert_eq!(blocked.sender.state, SenderState::Blocked);
    assert_eq!(shared.store.gate_registry(&name, NOW).unwrap().senders.approved, []);
    operations::forget_sender(&shared, &name, ANNA, who("chat")).await.unwrap();
    assert_eq!(operations::list_senders(&shared, &name).await.unwrap().senders, []);
    let entries = shared.store.audit_after(0, 100).unwrap();
    let kinds: Vec<&str> =
        entries.iter().map(|entry| entry.kind.as_str()).filter(|kind| kind.starts_with("sender.")).collect();
    let wrong = ["sender.wrong_code"; 3].into_iter().chain(["sender.approved"]).chain(["sender.wrong_code"; 2]);
    assert_eq!(kinds, wrong.chain(["sender.blocked", "sender.forgotten"]).collect::<Vec<_>>());
    stop.cancel();
    listening.await.unwrap();
}
