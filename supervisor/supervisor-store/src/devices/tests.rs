//! Links are used once, devices come and go.

use super::links::{LinkRecord, Redemption};
use super::rotate::{BETWEEN_ROTATIONS_MILLIS, Rotation};
use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn profile() -> ProfileName {
    ProfileName::new("personal").unwrap()
}

fn device(digit: char) -> NewDevice {
    NewDevice {
        id: DeviceId::new(digit.to_string().repeat(64)).unwrap(),
        public_key: format!("key-{digit}"),
        name: format!("phone {digit}"),
    }
}

fn link(store: &Store, code: char, at: Timestamp, scopes: Option<Vec<Scope>>) -> String {
    let code_sha256 = code.to_string().repeat(64);
    store
        .create_link(&LinkRecord {
            profile: profile(),
            code_sha256: code_sha256.clone(),
            scopes,
            created_at: at,
            expires_at: at.plus_millis(900_000),
            used_at: None,
            used_by: None,
        })
        .unwrap();
    code_sha256
}

fn redeem(store: &Store, code: &str, device: &NewDevice, now: Timestamp) -> Redemption {
    store.redeem_link(&profile(), code, device, now).unwrap()
}

#[test]
fn a_link_works_once_and_its_user_may_ask_again() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    let Redemption::Accepted(first) = redeem(&store, &code, &device('1'), NOW) else { panic!("not accepted") };
    assert_eq!(first.scopes, [Scope::Chat, Scope::Approve, Scope::Admin]);
    assert_eq!(redeem(&store, &code, &device('1'), NOW), Redemption::Accepted(first));
    assert_eq!(redeem(&store, &code, &device('2'), NOW), Redemption::Used);
    assert_eq!(redeem(&store, &"f".repeat(64), &device('2'), NOW), Redemption::Unknown);
    let other = ProfileName::new("ops").unwrap();
    assert_eq!(store.redeem_link(&other, &code, &device('1'), NOW).unwrap(), Redemption::Unknown);
}

#[test]
fn scopes_come_from_the_link_or_from_being_first() {
    let store = Store::in_memory().unwrap();
    let granted = |code: char, digit: char, explicit: Option<Vec<Scope>>| {
        let code = link(&store, code, NOW, explicit);
        match redeem(&store, &code, &device(digit), NOW) {
            Redemption::Accepted(record) => record.scopes,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(granted('a', '1', None).len(), 3);
    assert_eq!(granted('b', '2', None), [Scope::Chat]);
    assert_eq!(granted('c', '3', Some(vec![Scope::Chat, Scope::Approve])), [Scope::Chat, Scope::Approve]);
}

#[test]
fn a_link_expires() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    assert_eq!(store.gate_registry(&profile(), NOW).unwrap().setup_links.len(), 1);
    let late = NOW.plus_millis(900_000);
    assert_eq!(redeem(&store, &code, &device('1'), late), Redemption::Expired);
    assert_eq!(store.gate_registry(&profile(), late).unwrap(), GateRegistry::default());
}

#[test]
fn of_a_hundred_devices_that_race_for_a_link_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("supervisor.db");
    let store = Store::open(&path).unwrap();
    let code = link(&store, 'a', NOW, None);
    // Two connections, as two processes would have, and many threads on each.
    let stores = [store.clone(), Store::open(&path).unwrap()];
    let outcomes: Vec<Redemption> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..100)
            .map(|n| {
                let (store, code) = (&stores[n % 2], &code);
                scope.spawn(move || {
                    let id = DeviceId::new(format!("{n:064x}")).unwrap();
                    let device = NewDevice { id, public_key: format!("key {n}"), name: String::new() };
                    redeem(store, code, &device, NOW)
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Redemption::Accepted(_))).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Redemption::Used).count(), 99);
    assert_eq!(store.devices(&profile()).unwrap().len(), 1);
}

#[test]
fn a_ninth_link_retires_the_oldest() {
    let store = Store::in_memory().unwrap();
    let codes: Vec<String> =
        "abcdef012".chars().zip(0..).map(|(code, n)| link(&store, code, NOW.plus_millis(n), None)).collect();
    let now = NOW.plus_millis(10);
    assert_eq!(store.gate_registry(&profile(), now).unwrap().setup_links.len(), 8);
    assert_eq!(redeem(&store, &codes[0], &device('1'), now), Redemption::Expired);
    assert!(matches!(redeem(&store, &codes[1], &device('1'), now), Redemption::Accepted(_)));
}

#[test]
fn a_revoked_device_is_gone_from_the_gate_and_comes_back_only_by_a_new_link() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    redeem(&store, &code, &device('1'), NOW);
    assert_eq!(store.gate_registry(&profile(), NOW).unwrap().devices.len(), 1);
    assert!(store.revoke_device(&profile(), &device('1').id, NOW).unwrap());
    assert!(!store.revoke_device(&profile(), &device('1').id, NOW).unwrap());
    assert_eq!(store.gate_registry(&profile(), NOW).unwrap().devices, []);
    assert_eq!(redeem(&store, &code, &device('1'), NOW), Redemption::Used);
    let code = link(&store, 'b', NOW, None);
    assert!(matches!(redeem(&store, &code, &device('1'), NOW), Redemption::Accepted(_)));
    assert_eq!(store.devices(&profile()).unwrap()[0].revoked_at, None);
}

#[test]
fn being_seen_is_remembered_and_never_goes_back() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    redeem(&store, &code, &device('1'), NOW);
    let who = Caller::Device { id: device('1').id };
    store.touch(&profile(), &who, Timestamp(9)).unwrap();
    store.touch(&profile(), &who, Timestamp(5)).unwrap();
    assert_eq!(store.devices(&profile()).unwrap()[0].seen_at, Some(Timestamp(9)));
}
#[test]
fn a_device_gets_other_scopes_and_names_while_it_has_access() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    let Redemption::Accepted(record) = redeem(&store, &code, &device('1'), NOW) else { panic!("not accepted") };
    assert!(store.set_scopes(&profile(), &record.id, &[Scope::Chat]).unwrap());
    assert!(store.rename_device(&profile(), &record.id, "kitchen").unwrap());
    let pushed = store.gate_registry(&profile(), NOW).unwrap().devices;
    assert_eq!((pushed[0].scopes.as_slice(), pushed[0].name.as_str()), ([Scope::Chat].as_slice(), "kitchen"));
    store.revoke_device(&profile(), &record.id, NOW).unwrap();
    assert!(!store.set_scopes(&profile(), &record.id, &[Scope::Admin]).unwrap());
    assert!(!store.rename_device(&profile(), &record.id, "x").unwrap());
}

#[test]
fn the_registry_is_bounded_and_a_revoked_device_makes_room() {
    let store = Store::in_memory().unwrap();
    let numbered = |n: u32| NewDevice {
        id: DeviceId::new(format!("{n:0>64x}")).unwrap(),
        public_key: format!("key-{n}"),
        name: format!("phone {n}"),
    };
    let pair = |n: u32| {
        let code_sha256 = format!("{n:0>64x}");
        let link = LinkRecord {
            profile: profile(),
            code_sha256: code_sha256.clone(),
            scopes: None,
            created_at: NOW,
            expires_at: NOW.plus_millis(900_000),
            used_at: None,
            used_by: None,
        };
        store.create_link(&link).unwrap();
        (redeem(&store, &code_sha256, &numbered(n), NOW), code_sha256)
    };
    for n in 1..=MAX_DEVICES {
        assert!(matches!(pair(n).0, Redemption::Accepted(_)), "{n}");
    }
    let (full, code) = pair(MAX_DEVICES + 1);
    assert_eq!(full, Redemption::Full);
    store.revoke_device(&profile(), &numbered(7).id, NOW).unwrap();
    let again = redeem(&store, &code, &numbered(MAX_DEVICES + 1), NOW);
    assert!(matches!(again, Redemption::Accepted(_)), "the link was not used up: {again:?}");
}

#[test]
fn a_new_key_takes_the_place_of_the_old_one_in_one_step() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    let [old, new, third] = ['1', '2', '3'].map(device);
    redeem(&store, &code, &old, NOW);
    let rotate = |old: &NewDevice, new: &NewDevice, at: i64| {
        store.rotate_device(&profile(), &old.id, (&new.id, &new.public_key), NOW.plus_millis(at)).unwrap()
    };
    let Rotation::Done(record) = rotate(&old, &new, 5) else { panic!("not done") };
    assert_eq!((&record.id, record.name.as_str(), record.scopes.len()), (&new.id, "phone 1", 3));
    let pushed = store.gate_registry(&profile(), NOW).unwrap().devices;
    assert_eq!(pushed.iter().map(|device| &device.id).collect::<Vec<_>>(), [&new.id]);
    assert_eq!(rotate(&old, &new, 9), Rotation::Done(record), "asked again after a lost answer");
    assert_eq!(rotate(&old, &third, 9), Rotation::Gone, "an old key gives nothing away");
    assert_eq!(rotate(&third, &old, 9), Rotation::Gone);
    assert_eq!(rotate(&new, &old, 9), Rotation::Taken, "a key that is out does not come back");
    store.revoke_device(&profile(), &new.id, NOW.plus_millis(10)).unwrap();
    assert_eq!(rotate(&old, &new, 11), Rotation::Gone);
}

#[test]
fn a_rotated_key_stays_an_hour_and_the_old_code_leads_to_it() {
    let store = Store::in_memory().unwrap();
    let code = link(&store, 'a', NOW, None);
    let [first, second, third] = ['1', '2', '3'].map(device);
    redeem(&store, &code, &first, NOW);
    let rotate = |old: &NewDevice, new: &NewDevice, at: i64| {
        store.rotate_device(&profile(), &old.id, (&new.id, &new.public_key), NOW.plus_millis(at)).unwrap()
    };
    let successor = |of: &NewDevice| store.successor(&profile(), &of.id).unwrap().map(|record| record.id);
    assert_eq!(successor(&first), None);
    let done = rotate(&first, &second, 5);
    assert!(matches!(done, Rotation::Done(_)), "a paired device takes one right away");
    let then = 5 + BETWEEN_ROTATIONS_MILLIS;
    for at in [5, then - 1] {
        assert_eq!(rotate(&second, &third, at), Rotation::TooSoon(NOW.plus_millis(then)));
    }
    assert_eq!(rotate(&first, &second, then - 1), done, "the same key again is no other one");
    assert_eq!(store.devices(&profile()).unwrap().len(), 2, "nothing was added");
    assert!(matches!(rotate(&second, &third, then), Rotation::Done(_)));
    assert_eq!((successor(&first), successor(&second)), (Some(third.id.clone()), Some(third.id.clone())));
    store.revoke_device(&profile(), &third.id, NOW.plus_millis(then)).unwrap();
    assert_eq!(successor(&first), None);
    let code = link(&store, 'b', NOW, None);
    redeem(&store, &code, &first, NOW.plus_millis(1));
    assert_eq!(successor(&first), None, "paired anew, it is itself");
}
