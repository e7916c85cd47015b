//! Senders in a ledger in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn profile() -> ProfileName {
    ProfileName::new("personal").unwrap()
}

fn chat() -> UpstreamName {
    UpstreamName::new("chat").unwrap()
}

fn request(sender: i64, code: char, at: i64) -> SenderRequest {
    SenderRequest {
        id: format!("{sender:016}{at:016}"),
        channel: chat(),
        sender: ChatId(sender),
        name: format!("sender {sender}"),
        code_sha256: code.to_string().repeat(64),
        at: Timestamp(at),
        expires_at: Timestamp(at + CODE_MILLIS),
    }
}

fn offer(store: &Store, request: &SenderRequest, now: i64) -> SenderOffer {
    store.offer_sender(&profile(), request, Timestamp(now)).unwrap()
}

fn approve(store: &Store, code: char, now: i64) -> SenderApproval {
    store.approve_sender(&profile(), Some(&code.to_string().repeat(64)), Timestamp(now)).unwrap()
}

fn told(store: &Store, now: i64) -> GateSenders {
    store.gate_registry(&profile(), Timestamp(now)).unwrap().senders
}

#[test]
fn a_code_lets_one_sender_in_once() {
    let store = Store::in_memory().unwrap();
    assert_eq!(offer(&store, &request(7, 'a', 0), 0), SenderOffer::New);
    assert_eq!(offer(&store, &request(7, 'a', 0), 1), SenderOffer::Known);
    assert_eq!(
        told(&store, 1).pending,
        [(chat(), PendingSender { sender: ChatId(7), expires_at: Timestamp(CODE_MILLIS) })]
    );
    let SenderApproval::Approved(record) = approve(&store, 'a', 2) else { panic!("approved") };
    assert_eq!((record.id, record.name.as_str(), record.state), (ChatId(7), "sender 7", SenderState::Approved));
    assert_eq!(told(&store, 2), GateSenders { approved: vec![(chat(), ChatId(7))], ..GateSenders::default() });
    assert_eq!(approve(&store, 'a', 3), SenderApproval::Wrong, "a code is used once");
    assert_eq!(
        offer(&store, &request(7, 'a', 0), 4),
        SenderOffer::Decided,
        "a gate that repeats itself changes nothing"
    );
    let other = ProfileName::new("ops").unwrap();
    assert!(store.senders(&other).unwrap().is_empty());
}

#[test]
fn a_code_is_over_after_its_hour() {
    let store = Store::in_memory().unwrap();
    offer(&store, &request(7, 'a', 0), 0);
    assert!(store.pending_senders(&profile(), Timestamp(CODE_MILLIS)).unwrap().is_empty());
    assert_eq!(approve(&store, 'a', CODE_MILLIS), SenderApproval::Wrong);
    assert_eq!(offer(&store, &request(7, 'a', 0), CODE_MILLIS), SenderOffer::Expired);
    let ahead = SenderRequest { expires_at: Timestamp(i64::MAX), ..request(8, 'b', 0) };
    offer(&store, &ahead, 5);
    assert_eq!(store.pending_senders(&profile(), Timestamp(6)).unwrap().last().unwrap().expires_at.0, 5 + CODE_MILLIS);
}

#[test]
fn wrong_codes_end_the_trying_also_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("supervisor.db");
    let store = Store::open(&path).unwrap();
    offer(&store, &request(7, 'a', 0), 0);
    for n in 0..i64::from(MAX_WRONG_CODES) {
        assert_eq!(approve(&store, 'f', n), SenderApproval::Wrong);
    }
    drop(store);
    let store = Store::open(&path).unwrap();
    let wait = SenderApproval::Wait(Timestamp(WRONG_CODES_MILLIS));
    assert_eq!(approve(&store, 'a', 10), wait, "not even the right one is tried");
    assert_eq!(store.approve_sender(&profile(), None, Timestamp(10)).unwrap(), wait);
    assert!(matches!(approve(&store, 'a', WRONG_CODES_MILLIS), SenderApproval::Approved(_)));
    let ops = ProfileName::new("ops").unwrap();
    assert_eq!(
        store.approve_sender(&ops, None, Timestamp(10)).unwrap(),
        SenderApproval::Wrong,
        "each profile for itself"
    );
}

#[test]
fn few_wait_and_a_new_code_replaces_the_old_one() {
    let store = Store::in_memory().unwrap();
    let most = i64::try_from(MAX_PENDING_SENDERS).unwrap();
    for sender in 0..most {
        assert_eq!(offer(&store, &request(sender, 'a', 0), 0), SenderOffer::New);
    }
    assert_eq!(offer(&store, &request(most, 'b', 0), 0), SenderOffer::Full);
    assert_eq!(offer(&store, &request(0, 'c', 1), 1), SenderOffer::New);
    assert_eq!(store.pending_senders(&profile(), Timestamp(1)).unwrap().len(), MAX_PENDING_SENDERS);
    store.block_sender(&profile(), &chat(), ChatId(1), Timestamp(2)).unwrap().unwrap();
    assert_eq!(offer(&store, &request(most, 'b', 2), 2), SenderOffer::New, "who is blocked takes no place");
    assert_eq!(offer(&store, &request(1, 'b', 3), 3), SenderOffer::Decided);
}

#[test]
fn a_block_holds_until_it_is_forgotten() {
    let store = Store::in_memory().unwrap();
    offer(&store, &request(7, 'a', 0), 0);
    assert!(matches!(approve(&store, 'a', 1), SenderApproval::Approved(_)));
    let blocked = store.block_sender(&profile(), &chat(), ChatId(7), Timestamp(2)).unwrap().unwrap();
    assert_eq!((blocked.name.as_str(), blocked.state), ("sender 7", SenderState::Blocked));
    assert_eq!(told(&store, 2), GateSenders { blocked: vec![(chat(), ChatId(7))], ..GateSenders::default() });
    assert!(store.forget_sender(&profile(), &chat(), ChatId(7)).unwrap().is_some());
    assert!(store.forget_sender(&profile(), &chat(), ChatId(7)).unwrap().is_none());
    assert_eq!(told(&store, 3), GateSenders::default());
    assert_eq!(offer(&store, &request(7, 'b', 3), 3), SenderOffer::New);
}

#[test]
fn the_memory_for_senders_is_bounded() {
    let store = Store::in_memory().unwrap();
    for id in 0..i64::from(MAX_SENDERS) {
        assert!(store.block_sender(&profile(), &chat(), ChatId(id), Timestamp(0)).unwrap().is_some());
    }
    assert_eq!(store.block_sender(&profile(), &chat(), ChatId(-1), Timestamp(0)).unwrap(), None);
    assert!(
        store.block_sender(&profile(), &chat(), ChatId(3), Timestamp(0)).unwrap().is_some(),
        "a known one may change"
    );
    offer(&store, &request(9999, 'a', 0), 0);
    assert_eq!(approve(&store, 'a', 0), SenderApproval::Full);
}

proptest! {
    /// Whatever happens in which order: nobody is approved whose own code was not typed, and who is blocked is told to nobody
    /// as approved.
    #[test]
    fn only_a_typed_code_lets_in(steps in proptest::collection::vec((0..5u8, 0..4_i64, 0..4_i64), 1..40)) {
        let store = Store::in_memory().unwrap();
        let letter = |sender: i64| char::from(b'a' + u8::try_from(sender).unwrap());
        let mut expected: BTreeMap<i64, SenderState> = BTreeMap::new();
        for (n, (step, sender, other)) in (1..).zip(steps) {
            match step {
                0 | 1 => drop(offer(&store, &request(sender, letter(sender), n), n)),
                2 => if let SenderApproval::Approved(record) = approve(&store, letter(other), n) {
                    prop_assert_eq!(record.id, ChatId(other));
                    prop_assert_ne!(expected.get(&other), Some(&SenderState::Blocked));
                    expected.insert(other, SenderState::Approved);
                },
                3 => {
                    store.block_sender(&profile(), &chat(), ChatId(sender), Timestamp(n)).unwrap();
                    expected.insert(sender, SenderState::Blocked);
                }
                _ => {
                    store.forget_sender(&profile(), &chat(), ChatId(sender)).unwrap();
                    expected.remove(&sender);
                }
            }
            let senders = told(&store, n);
            let of = |state| -> Vec<(UpstreamName, ChatId)> {
                expected.iter().filter(|(_, found)| **found == state).map(|(id, _)| (chat(), ChatId(*id))).collect()
            };
            prop_assert_eq!(senders.approved, of(SenderState::Approved));
            prop_assert_eq!(senders.blocked, of(SenderState::Blocked));
            prop_assert!(senders.pending.len() <= MAX_PENDING_SENDERS);
        }
    }
}
