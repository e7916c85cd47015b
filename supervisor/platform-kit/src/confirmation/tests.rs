//! What holds whoever owns them.

use std::path::{Path, PathBuf};

use platform_types::egress::{Card, CardState, Decider, Outcome, Verdict};
use platform_types::{ErrorCode, ProfileName, Timestamp, UpstreamName};
use serde::{Deserialize, Serialize};

use super::{Bounds, Confirmation, Phase, Step, Store};
use crate::Failure;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Wish {
    asker: Option<ProfileName>,
    card: Card,
    phase: Phase<End>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    Came(u16),
    #[serde(skip_serializing)]
    Unwritable,
}

impl Confirmation for Wish {
    type End = End;
    const WHAT: &'static str = "request";

    fn card(&self) -> &Card {
        &self.card
    }

    fn phase(&self) -> &Phase<End> {
        &self.phase
    }

    fn stand(&mut self) -> (&mut Phase<End>, &mut CardState) {
        (&mut self.phase, &mut self.card.state)
    }

    fn asker(&self) -> Option<&ProfileName> {
        self.asker.as_ref()
    }
}

const BOUNDS: Bounds =
    Bounds { pending: 2, one_at_a_time: true, over: 4, over_millis: 1_000, journal_bytes: 1024 * 1024 };

/// A wish of this millisecond, good for 100.
fn wish(id: &str, at: i64) -> Wish {
    let card = Card {
        id: id.to_owned(),
        upstream: UpstreamName::new("home").unwrap(),
        rule: "unlock".to_owned(),
        words: String::new(),
        facts: Vec::new(),
        request: String::new(),
        digest: format!("digest of {id}"),
        reason: None,
        created_at: Timestamp(at),
        expires_at: Timestamp(at + 100),
        state: CardState::Pending,
    };
    Wish { asker: None, card, phase: Phase::Pending }
}

fn anna() -> Decider {
    Decider::Operator { user: "anna".to_owned() }
}

/// A store in a folder of its own.
struct Rig {
    folder: tempfile::TempDir,
    bounds: Bounds,
    store: Store<Wish>,
}

impl Rig {
    fn new(bounds: Bounds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(file(folder.path()), bounds, Timestamp(5)).unwrap();
        Self { folder, bounds, store }
    }

    /// Another process on the same file.
    fn again(self, now: i64) -> Self {
        let store = Store::open(file(self.folder.path()), self.bounds, Timestamp(now)).unwrap();
        Self { store, ..self }
    }

    fn asked(&self, id: &str, at: i64) {
        self.store.create(wish(id, at)).unwrap();
    }

    fn decided(&self, id: &str, verdict: Verdict, now: i64) -> Result<Wish, Failure> {
        self.store.decide(id, &format!("digest of {id}"), (verdict, anna()), Timestamp(now))
    }

    fn phase(&self, id: &str) -> Phase<End> {
        self.store.get(id).unwrap().phase
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("wishes.ndjson")
}

fn code<T: std::fmt::Debug>(result: Result<T, Failure>) -> ErrorCode {
    result.unwrap_err().code
}

#[test]
fn no_step_leads_back() {
    let id = || "a".to_owned();
    let word = |verdict| Step::Decided { id: id(), verdict, by: anna(), at: Timestamp(1) };
    let steps: [Step<Wish>; 6] = [
        word(Verdict::Allow),
        word(Verdict::Deny),
        Step::Expired { id: id() },
        Step::Superseded { id: id() },
        Step::Begun { id: id(), at: Timestamp(2) },
        Step::Ended { id: id(), end: End::Came(7) },
    ];
    let begun = Phase::Begun { at: Timestamp(2) };
    let ended = Phase::Ended { end: End::Came(7) };
    // From a phase, where each of the steps leads.
    let ways = [
        (
            Phase::Pending,
            [Some(Phase::Allowed), Some(Phase::Denied), Some(Phase::Expired), Some(Phase::Superseded), None, None],
        ),
        (Phase::Allowed, [None, None, None, None, Some(begun.clone()), Some(ended.clone())]),
        (begun, [None, None, None, None, None, Some(ended.clone())]),
        (Phase::Denied, [const { None }; 6]),
        (Phase::Expired, [const { None }; 6]),
        (Phase::Superseded, [const { None }; 6]),
        (ended, [const { None }; 6]),
    ];
    for (phase, leads) in ways {
        for (step, to) in steps.iter().zip(leads) {
            let before = Wish { phase: phase.clone(), ..wish("a", 0) };
            let mut after = before.clone();
            assert_eq!(after.take(step), to.is_some(), "{phase:?} {step:?}");
            match to {
                Some(to) => assert_eq!(after.phase, to, "{step:?}"),
                None => assert_eq!(after, before, "{step:?}"),
            }
        }
    }
}

#[test]
fn one_is_used_once_across_restarts() {
    let rig = Rig::new(BOUNDS);
    rig.asked("a", 10);
    assert_eq!(code(rig.store.begin("a", Timestamp(11))), ErrorCode::Conflict, "nobody allowed it");
    let other = rig.store.decide("a", "another digest", (Verdict::Allow, anna()), Timestamp(11));
    assert_eq!(code(other), ErrorCode::Conflict);
    assert_eq!(code(rig.decided("b", Verdict::Allow, 11)), ErrorCode::NotFound);
    let allowed = rig.decided("a", Verdict::Allow, 12).unwrap();
    let by = CardState::Decided { decision: Verdict::Allow, by: anna(), at: Timestamp(12) };
    assert_eq!(allowed.card.state, by);
    assert_eq!(code(rig.decided("a", Verdict::Deny, 13)), ErrorCode::Conflict);
    let rig = rig.again(14);
    assert_eq!(rig.phase("a"), Phase::Allowed);
    rig.store.begin("a", Timestamp(15)).unwrap();
    assert_eq!(code(rig.store.begin("a", Timestamp(16))), ErrorCode::Conflict);
    let rig = rig.again(17).again(18);
    assert_eq!(code(rig.store.begin("a", Timestamp(19))), ErrorCode::Conflict);
    let under_way = rig.store.under_way();
    assert_eq!((under_way.len(), &under_way[0].phase), (1, &Phase::Begun { at: Timestamp(15) }));
    rig.store.close("a", End::Came(7));
    rig.store.close("a", End::Came(8));
    assert_eq!(rig.phase("a"), Phase::Ended { end: End::Came(7) });
    assert_eq!(rig.again(20).phase("a"), Phase::Ended { end: End::Came(7) });
}

#[test]
fn what_nobody_decides_ends() {
    let rig = Rig::new(BOUNDS);
    rig.asked("a", 10);
    rig.asked("b", 20);
    assert_eq!(rig.store.next_expiry(), Some(Timestamp(110)));
    assert!(rig.store.sweep(Timestamp(109)).is_empty());
    let expired: Vec<String> = rig.store.sweep(Timestamp(110)).into_iter().map(|wish| wish.card.id).collect();
    assert_eq!(expired, ["a"]);
    assert_eq!(code(rig.decided("b", Verdict::Allow, 120)), ErrorCode::Conflict, "a word comes too late");
    rig.asked("c", 130);
    let ended: Vec<String> = rig.store.supersede(|wish| wish.card.id != "c").into_iter().map(|w| w.card.id).collect();
    assert_eq!(ended, ["c"]);
    assert_eq!((rig.store.pending(), rig.store.next_expiry()), (0, None));
    let rig = rig.again(140);
    let told = |id: &str| rig.phase(id).outcome(Timestamp(0), |_| Outcome::Unknown);
    assert_eq!(["a", "b", "c"].map(told), [Outcome::Expired, Outcome::Expired, Outcome::Superseded]);
}

#[test]
fn each_asker_has_places_and_one_runs_at_a_time() {
    let rig = Rig::new(BOUNDS);
    let of_ops = |id: &str| Wish { asker: Some(ProfileName::new("ops").unwrap()), ..wish(id, 10) };
    rig.asked("a", 10);
    rig.asked("b", 10);
    let refused = rig.store.create(wish("c", 10)).unwrap_err();
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (ErrorCode::RateLimited, "2 requests wait for a person already")
    );
    rig.store.create(of_ops("d")).unwrap();
    assert_eq!(code(rig.store.create(of_ops("d"))), ErrorCode::Conflict, "its id is taken");
    rig.decided("a", Verdict::Allow, 11).unwrap();
    assert_eq!(code(rig.decided("b", Verdict::Allow, 11)), ErrorCode::Conflict, "another runs");
    rig.decided("b", Verdict::Deny, 11).unwrap();
    rig.store.close("a", End::Came(7));
    rig.decided("d", Verdict::Allow, 12).unwrap();

    let rig = Rig::new(Bounds { one_at_a_time: false, ..BOUNDS });
    for id in ["a", "b"] {
        rig.asked(id, 10);
        rig.decided(id, Verdict::Allow, 11).unwrap();
    }
    assert_eq!(rig.store.under_way().len(), 2);
}

#[test]
fn the_number_grows_with_each_change_and_with_nothing_else() {
    let rig = Rig::new(BOUNDS);
    let number = |rig: &Rig| *rig.store.version().borrow();
    let before = number(&rig);
    rig.asked("a", 10);
    assert_eq!(number(&rig), before + 1);
    assert_eq!(code(rig.decided("b", Verdict::Allow, 11)), ErrorCode::NotFound);
    rig.store.sweep(Timestamp(11));
    assert_eq!(number(&rig), before + 1);
    rig.store.touch();
    assert_eq!(number(&rig), before + 2);
    let rig = rig.again(1_000);
    assert_ne!(number(&rig), before + 2, "whoever waits for news of the process before hears at once");
}

#[test]
fn what_is_over_is_forgotten_and_the_file_stays_short() {
    let rig = Rig::new(BOUNDS);
    rig.asked("waits", 9);
    for n in 0..200 {
        rig.asked(&format!("{n:03}"), 10);
        rig.decided(&format!("{n:03}"), Verdict::Deny, 11).unwrap();
    }
    assert!(rig.store.records().len() <= BOUNDS.over + super::store::SLACK + 1);
    let rig = rig.again(50);
    let ids: Vec<String> = rig.store.records().into_iter().map(|wish| wish.card.id).collect();
    assert_eq!(ids, ["199", "198", "197", "196", "waits"], "newest first");
    rig.store.sweep(Timestamp(1_010));
    assert_eq!(rig.store.records().len(), 5);
    rig.store.sweep(Timestamp(1_011));
    assert!(rig.store.records().is_empty(), "the one that waited has expired");

    let rig = Rig::new(Bounds { journal_bytes: 4_000, ..BOUNDS });
    for n in 0..20 {
        rig.asked(&format!("{n:03}"), 10);
        rig.decided(&format!("{n:03}"), Verdict::Deny, 11).unwrap();
    }
    assert!(std::fs::metadata(file(rig.folder.path())).unwrap().len() < 5_000);
}

#[test]
fn an_end_that_cannot_be_written_counts_until_the_process_ends() {
    let rig = Rig::new(BOUNDS);
    rig.asked("a", 10);
    rig.decided("a", Verdict::Allow, 11).unwrap();
    rig.store.begin("a", Timestamp(12)).unwrap();
    rig.store.close("a", End::Unwritable);
    assert_eq!(rig.phase("a"), Phase::Ended { end: End::Unwritable });
    assert_eq!(rig.again(13).phase("a"), Phase::Begun { at: Timestamp(12) });
}
