//! Senders in a ledger that was lost.

use super::*;
use crate::senders::SenderState;

#[test]
fn senders_have_to_be_approved_again_and_who_was_blocked_stays_so() {
    let place = Place::new();
    {
        let store = place.open().store;
        store.block_sender(&profile(), &asking(9).channel, ChatId(9), NOW).unwrap();
        assert!(store.keep_copy().unwrap());
    }
    place.remove("supervisor.db");
    let store = place.open().store;
    let senders = store.senders(&profile()).unwrap();
    let states: Vec<_> = senders.iter().map(|sender| (sender.id.0, sender.state)).collect();
    assert_eq!(states, [(7, SenderState::Revoked), (9, SenderState::Blocked)]);
    let told = store.gate_registry(&profile(), LATER).unwrap().senders;
    assert!(told.approved.is_empty() && told.pending.is_empty());
    assert_eq!(told.blocked.len(), 1);
    approve_sender(&store, 7);
    assert_eq!(store.gate_registry(&profile(), NOW).unwrap().senders.approved.len(), 1);
}

#[test]
fn an_older_ledger_is_told_by_a_sender_who_was_blocked_since() {
    let place = Place::new();
    let older = std::fs::read(place.path("supervisor.db")).unwrap();
    place.open().store.block_sender(&profile(), &asking(7).channel, ChatId(7), NOW).unwrap();
    for name in ["supervisor.db-wal", "supervisor.db-shm"] {
        let _ = std::fs::remove_file(place.path(name));
    }
    std::fs::write(place.path("supervisor.db"), older).unwrap();
    let opened = place.open();
    assert!(opened.recovered.is_some());
    assert!(opened.store.gate_registry(&profile(), LATER).unwrap().senders.approved.is_empty());
}
