//! Every way in which a ledger can be lost, on real files.

use std::path::{Path, PathBuf};

use platform_types::channel::{ChatId, SenderRequest};
use platform_types::gate::Scope;
use platform_types::{DeviceId, Generation, ProfileName, Revision, Timestamp, UpstreamName};

use supervisor_plan::ledger::Lease;
use supervisor_plan::observed::ContainerId;

use super::*;
use crate::devices::NewDevice;
use crate::devices::links::{LinkRecord, Redemption};
use crate::senders::SenderApproval;

mod senders;

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(2_000_000);

/// The directory of an installation with a device, a token, a live link, a uid and a generation.
struct Place {
    directory: tempfile::TempDir,
    install: String,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let Opened { store, recovered } = Store::open_guarded(&directory.path().join("supervisor.db"), NOW).unwrap();
        assert_eq!(recovered, None, "a first start is no recovery");
        let mut ledger = store.load_ledger().unwrap();
        ledger.ids.of("agent-personal");
        ledger.revision = Revision(9);
        ledger.generations.insert(profile(), Generation(3));
        ledger.leases.insert(profile(), lease(2));
        store.save_ledger(&ledger).unwrap();
        pair(&store, '1');
        link(&store, 'b');
        approve_sender(&store, 7);
        store.offer_sender(&profile(), &asking(8), NOW).unwrap();
        assert!(store.create_token(&profile(), "ci", &"c".repeat(64), NOW).unwrap());
        let install = store.install_id().unwrap();
        Self { directory, install }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self) -> Opened {
        Store::open_guarded(&self.path("supervisor.db"), LATER).unwrap()
    }

    fn error(&self) -> OpenError {
        Store::open_guarded(&self.path("supervisor.db"), LATER).unwrap_err()
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    fn damage(&self, name: &str) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0xa5);
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Same installation, nobody comes in, nothing is given away twice, and it is said.
    fn assert_recovered(&self, opened: Opened) -> Recovered {
        let Opened { store, recovered } = opened;
        let recovered = recovered.expect("it was recovered");
        assert!(recovered.message.contains("botctl open"), "{}", recovered.message);
        let ledger = store.load_ledger().unwrap();
        assert_eq!((&store.install_id().unwrap(), &ledger.install), (&self.install, &self.install));
        assert_eq!(ledger.ids.get("agent-personal"), Some(supervisor_plan::ledger::FIRST_ID));
        assert_eq!(ledger.generations[&profile()], Generation(3));
        assert_eq!(ledger.leases[&profile()], lease(2));
        assert_eq!(store.gate_registry(&profile(), LATER).unwrap(), crate::GateRegistry::default());
        let events = store.newest_events(1).unwrap();
        assert_eq!((events[0].event.kind.as_str(), &events[0].event.message), (RECOVERED, &recovered.message));
        assert_eq!(store.restored_at().unwrap(), Some(LATER));
        for path in &recovered.set_aside {
            assert!(path.exists(), "{}", path.display());
        }
        pair(&store, '7');
        assert_eq!(store.gate_registry(&profile(), LATER).unwrap().devices.len(), 1, "pairing works again");
        drop(store);
        assert_eq!(self.open().recovered, None, "the next start is an ordinary one");
        recovered
    }
}

fn profile() -> ProfileName {
    ProfileName::new("personal").unwrap()
}

fn lease(generation: u64) -> Lease {
    Lease { generation: Generation(generation), container: ContainerId("a".to_owned()), at: NOW }
}

fn link(store: &Store, code: char) -> String {
    let code_sha256 = code.to_string().repeat(64);
    let link = LinkRecord {
        profile: profile(),
        code_sha256: code_sha256.clone(),
        scopes: Some(vec![Scope::Chat]),
        created_at: NOW,
        expires_at: LATER.plus_millis(900_000),
        used_at: None,
        used_by: None,
    };
    store.create_link(&link).unwrap();
    code_sha256
}

fn device(digit: char) -> NewDevice {
    let id = DeviceId::new(digit.to_string().repeat(64)).unwrap();
    NewDevice { id, public_key: format!("key-{digit}"), name: format!("phone {digit}") }
}

fn asking(sender: i64) -> SenderRequest {
    SenderRequest {
        id: format!("{sender:032}"),
        channel: UpstreamName::new("chat").unwrap(),
        sender: ChatId(sender),
        name: String::new(),
        code_sha256: "e".repeat(64),
        at: NOW,
        expires_at: LATER,
    }
}

fn approve_sender(store: &Store, sender: i64) {
    store.offer_sender(&profile(), &asking(sender), NOW).unwrap();
    let approval = store.approve_sender(&profile(), Some(&"e".repeat(64)), NOW).unwrap();
    assert!(matches!(approval, SenderApproval::Approved(_)), "{approval:?}");
}

fn pair(store: &Store, digit: char) {
    let code = link(store, digit);
    let redeemed = store.redeem_link(&profile(), &code, &device(digit), NOW).unwrap();
    assert!(matches!(redeemed, Redemption::Accepted(_)), "{redeemed:?}");
}

fn revoke(store: &Store, digit: char) {
    assert!(store.revoke_device(&profile(), &device(digit).id, NOW).unwrap());
}

#[test]
fn a_lost_ledger_comes_back_from_its_copy_without_letting_anybody_in() {
    let place = Place::new();
    assert!(place.open().store.keep_copy().unwrap());
    place.remove("supervisor.db");
    let opened = place.open();
    let devices = opened.store.devices(&profile()).unwrap();
    assert_eq!(devices.iter().map(|device| device.revoked_at).collect::<Vec<_>>(), [Some(LATER)]);
    let recovered = place.assert_recovered(opened);
    assert!(recovered.message.contains("copy"), "{}", recovered.message);
}

#[test]
fn without_a_copy_the_installation_is_still_the_same() {
    let place = Place::new();
    place.remove("supervisor.db");
    let opened = place.open();
    assert_eq!(opened.store.devices(&profile()).unwrap(), []);
    place.assert_recovered(opened);
}

#[test]
fn a_ledger_that_was_cut_to_nothing_is_a_lost_one() {
    let place = Place::new();
    std::fs::write(place.path("supervisor.db"), "").unwrap();
    let recovered = place.assert_recovered(place.open());
    assert_eq!(recovered.set_aside, [place.path("supervisor.db.leftover-2000000")]);
}

#[test]
fn a_damaged_ledger_is_kept_under_another_name() {
    let place = Place::new();
    assert!(place.open().store.keep_copy().unwrap());
    place.damage("supervisor.db");
    let damaged = std::fs::read(place.path("supervisor.db")).unwrap();
    let recovered = place.assert_recovered(place.open());
    assert_eq!(recovered.set_aside, [place.path("supervisor.db.damaged-2000000")]);
    assert_eq!(std::fs::read(&recovered.set_aside[0]).unwrap(), damaged);
}

#[test]
fn a_damaged_copy_is_set_aside_too() {
    let place = Place::new();
    assert!(place.open().store.keep_copy().unwrap());
    place.damage("supervisor.db.copy");
    place.remove("supervisor.db");
    let recovered = place.assert_recovered(place.open());
    assert_eq!(recovered.set_aside, [place.path("supervisor.db.copy.damaged-2000000")]);
}

#[test]
fn what_a_lost_ledger_left_beside_it_does_not_spoil_the_next() {
    let place = Place::new();
    assert!(place.open().store.keep_copy().unwrap());
    place.remove("supervisor.db");
    std::fs::write(place.path("supervisor.db-wal"), "an old log").unwrap();
    let recovered = place.assert_recovered(place.open());
    assert_eq!(recovered.set_aside, [place.path("supervisor.db.leftover-2000000-wal")]);
}

#[test]
fn an_older_copy_that_somebody_put_back_is_noticed() {
    let place = Place::new();
    let old = std::fs::read(place.path("supervisor.db")).unwrap();
    let store = place.open().store;
    revoke(&store, '1');
    drop(store);
    std::fs::write(place.path("supervisor.db"), old).unwrap();
    let recovered = place.assert_recovered(place.open());
    assert!(recovered.message.contains("older"), "{}", recovered.message);
}

#[test]
fn a_ledger_that_is_older_than_what_runs_lets_nobody_in() {
    let place = Place::new();
    let store = place.open().store;
    let recovered = store.declare_older("generation 5 of personal runs", LATER).unwrap();
    assert!(recovered.message.contains("generation 5"), "{}", recovered.message);
    place.assert_recovered(Opened { store, recovered: Some(recovered) });
}

#[test]
fn uids_and_generations_of_a_younger_ledger_are_not_given_away_again() {
    let place = Place::new();
    assert!(place.open().store.keep_copy().unwrap());
    let store = place.open().store;
    let mut ledger = store.load_ledger().unwrap();
    let ops = ledger.ids.of("agent-ops");
    ledger.generations.insert(profile(), Generation(8));
    ledger.leases.insert(profile(), lease(7));
    store.save_ledger(&ledger).unwrap();
    drop(store);
    place.remove("supervisor.db");
    let mut ledger = place.open().store.load_ledger().unwrap();
    assert_eq!(ledger.generations[&profile()], Generation(8));
    assert_eq!(ledger.leases[&profile()], lease(7));
    assert_eq!(ledger.ids.get("agent-ops"), Some(ops));
    assert!(ledger.ids.of("gate-ops") > ops);
}

#[test]
fn nothing_but_the_ledger_means_that_a_file_beside_it_is_made() {
    let place = Place::new();
    for spoil in [|path: &Path| std::fs::remove_file(path).unwrap(), |path: &Path| std::fs::write(path, "{").unwrap()] {
        spoil(&place.path("supervisor.id"));
        let Opened { store, recovered } = place.open();
        assert_eq!(recovered, None);
        assert_eq!(store.gate_registry(&profile(), LATER).unwrap().devices.len(), 1);
        let Found::Mark(mark) = Mark::read(&place.path("supervisor.id")) else { panic!("it is there again") };
        assert_eq!(mark, store.read(Mark::of).unwrap());
    }
}

#[test]
fn what_belongs_to_another_installation_is_refused_with_what_to_do() {
    let (place, other) = (Place::new(), Place::new());
    std::fs::copy(other.path("supervisor.db"), place.path("supervisor.db")).unwrap();
    let error = place.error();
    assert!(matches!(error, OpenError::OtherInstallation { .. }), "{error}");
    assert!(error.to_string().contains("mv "), "{error}");
    place.remove("supervisor.db");
    assert!(other.open().store.keep_copy().unwrap());
    std::fs::copy(other.path("supervisor.db.copy"), place.path("supervisor.db.copy")).unwrap();
    assert!(matches!(place.error(), OpenError::OtherInstallation { .. }));
    assert!(!place.path("supervisor.db").exists(), "nothing was begun");
}

#[test]
fn when_everything_is_unreadable_it_says_what_to_do() {
    let place = Place::new();
    place.remove("supervisor.db");
    std::fs::write(place.path("supervisor.id"), "{").unwrap();
    let error = place.error();
    assert!(matches!(error, OpenError::Lost { .. }) && error.to_string().contains("mv "), "{error}");

    place.remove("supervisor.id");
    std::fs::write(place.path("supervisor.db"), "x".repeat(4096)).unwrap();
    let error = place.error();
    assert!(matches!(error, OpenError::Corrupt { .. }) && error.to_string().contains("mv "), "{error}");
}

#[test]
fn the_copy_is_private_complete_and_made_only_when_something_changed() {
    use std::os::unix::fs::MetadataExt as _;
    let place = Place::new();
    let store = place.open().store;
    assert!(store.keep_copy().unwrap());
    assert!(!store.keep_copy().unwrap());
    pair(&store, '2');
    assert!(store.keep_copy().unwrap());
    assert_eq!(std::fs::metadata(place.path("supervisor.db.copy")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(place.path("supervisor.id")).unwrap().mode() & 0o777, 0o600);
    assert!(!place.path("supervisor.db.copy.new").exists());
    let copy = Store::open(&place.path("supervisor.db.copy")).unwrap();
    assert_eq!(copy.devices(&profile()).unwrap(), store.devices(&profile()).unwrap());
    assert!(!Store::in_memory().unwrap().keep_copy().unwrap());
}

#[test]
fn nothing_is_given_away_that_the_file_cannot_remember() {
    let place = Place::new();
    let store = place.open().store;
    place.remove("supervisor.id");
    std::fs::create_dir(place.path("supervisor.id")).unwrap();
    revoke(&store, '1');
    let mut ledger = store.load_ledger().unwrap();
    ledger.ids.of("agent-ops");
    assert!(matches!(store.save_ledger(&ledger), Err(StoreError::Mark { .. })));
    std::fs::remove_dir(place.path("supervisor.id")).unwrap();
    store.save_ledger(&ledger).unwrap();
    assert!(place.path("supervisor.id").is_file());
}
