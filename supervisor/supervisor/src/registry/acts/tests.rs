//! What a gate reports is checked against the ledger, whatever the gate says that it checked.

use axum::extract::Path;
use axum::routing::post;
use axum::{Json, Router};
use ed25519_dalek::{Signer as _, SigningKey};
use platform_types::Timestamp;
use platform_types::gate::PairingAttempt;
use platform_types::switch::SwitchDecision;
use supervisor_store::PairingRecord;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::example::{self, Daemon, NOW, profile};
use crate::state::Command;

const ALL: [Scope; 3] = [Scope::Chat, Scope::Approve, Scope::Admin];

struct Device {
    key: SigningKey,
    id: DeviceId,
}

impl Device {
    fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let id = code::device_id(&BASE64URL_NOPAD.encode(key.verifying_key().as_bytes())).unwrap();
        Self { key, id }
    }

    fn public_key(&self) -> String {
        BASE64URL_NOPAD.encode(self.key.verifying_key().as_bytes())
    }

    fn sign(&self, text: &str) -> String {
        BASE64URL_NOPAD.encode(&self.key.sign(text.as_bytes()).to_bytes())
    }

    /// Asks to be paired.
    fn asks(&self, shared: &Shared) -> PairingRecord {
        let attempt = PairingAttempt {
            id: self.id.as_str()[..32].to_owned(),
            device: self.id.clone(),
            public_key: self.public_key(),
            name: "Anna's phone".to_owned(),
            at: NOW,
            code_sha256: None,
            login: None,
        };
        shared.store.offer_pairing(&profile("ops"), &attempt, NOW).unwrap();
        let waiting = shared.store.pending_pairings(&profile("ops"), NOW).unwrap();
        waiting.into_iter().find(|found| found.device == self.id).unwrap()
    }

    fn paired(self, shared: &Shared, scopes: &[Scope]) -> Self {
        let request = self.asks(shared);
        shared.store.approve_pairing(&profile("ops"), &request.id, scopes, NOW).unwrap();
        self
    }

    fn act(&self, act: Act) -> DeviceAct {
        let text = SignedAct { profile: &profile("ops"), by: &self.id, act: &act }.to_string();
        DeviceAct { id: "1".repeat(32), by: self.id.clone(), signature: self.sign(&text), act }
    }

    fn admits(&self, request: &PairingRecord, verdict: Verdict, scopes: &[Scope]) -> DeviceAct {
        let PairingRecord { id, device, name, .. } = request.clone();
        self.act(Act::Admit { request: id, device, name, verdict, scopes: scopes.to_vec() })
    }

    fn takes(&self, new: &Self) -> DeviceAct {
        let mut act = self.act(Act::Rotate {
            device: new.id.clone(),
            public_key: new.public_key(),
            host: "localhost:18790".to_owned(),
            nonce: "n".to_owned(),
            time: Timestamp(1),
            proof: String::new(),
        });
        let text = SignedAct { profile: &profile("ops"), by: &self.id, act: &act.act }.to_string();
        if let Act::Rotate { proof, .. } = &mut act.act {
            *proof = new.sign(&text);
        }
        act
    }
}

fn daemon(directory: &tempfile::TempDir) -> (Shared, impl Sized) {
    let Daemon { shared, mut commands, world } = example::daemon(directory.path());
    platform_kit::task::spawn("test reconciler", async move {
        while let Some(command) = commands.recv().await {
            if let Command::RegistryChanged { reply, .. } = command {
                let _ = reply.send(true);
            }
        }
    });
    (shared, world)
}

async fn reason(shared: &Shared, act: &DeviceAct) -> String {
    match perform(shared, &profile("ops"), act).await {
        ActOutcome::Refused { reason } => reason,
        done @ ActOutcome::Done { .. } => panic!("{done:?}"),
    }
}

fn scopes_of(shared: &Shared, device: &Device) -> Option<Vec<Scope>> {
    let registry = shared.store.gate_registry(&profile("ops"), NOW).unwrap();
    registry.devices.into_iter().find(|found| found.id == device.id).map(|found| found.scopes)
}

#[tokio::test]
async fn a_device_lets_another_one_in_and_the_record_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, _world) = daemon(&directory);
    let admin = Device::new(1).paired(&shared, &ALL);
    let (phone, tablet) = (Device::new(2), Device::new(3));
    let act = admin.admits(&phone.asks(&shared), Verdict::Allow, &ALL[..2]);
    assert_eq!(perform(&shared, &profile("ops"), &act).await, ActOutcome::Done { device: None });
    assert_eq!(scopes_of(&shared, &phone), Some(ALL[..2].to_vec()));
    assert!(reason(&shared, &act).await.contains("meanwhile"), "once");
    let act = admin.admits(&tablet.asks(&shared), Verdict::Deny, &[]);
    assert_eq!(perform(&shared, &profile("ops"), &act).await, ActOutcome::Done { device: None });
    assert_eq!(scopes_of(&shared, &tablet), None);
    let entries = shared.store.audit_after(0, 100).unwrap();
    let actor = format!("device {} (Anna's phone)", admin.id);
    let kinds: Vec<_> = entries.iter().filter(|entry| entry.actor == actor).map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["device.approved", "pairing.refused"]);
}

#[tokio::test]
async fn what_the_ledger_does_not_allow_is_refused_whatever_the_gate_says() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, _world) = daemon(&directory);
    let admin = Device::new(1).paired(&shared, &[Scope::Chat, Scope::Admin]);
    let chat = Device::new(2).paired(&shared, &ALL[..2]);
    let stranger = Device::new(3);
    let phone = Device::new(4);
    let request = phone.asks(&shared);
    let one = &ALL[..1];
    assert!(reason(&shared, &stranger.admits(&request, Verdict::Allow, one)).await.contains("signature"));
    assert!(reason(&shared, &phone.admits(&request, Verdict::Allow, one)).await.contains("signature"));
    assert!(reason(&shared, &chat.admits(&request, Verdict::Allow, one)).await.contains("scope admin"));
    assert!(reason(&shared, &admin.admits(&request, Verdict::Allow, &ALL)).await.contains("has itself"));
    assert!(reason(&shared, &admin.admits(&request, Verdict::Deny, one)).await.contains("has itself"));
    let mut bent = admin.admits(&request, Verdict::Allow, one);
    bent.signature = chat.admits(&request, Verdict::Allow, one).signature;
    assert!(reason(&shared, &bent).await.contains("signature"));
    let renamed = PairingRecord { name: "Root's laptop".to_owned(), ..request.clone() };
    assert!(reason(&shared, &admin.admits(&renamed, Verdict::Allow, one)).await.contains("meanwhile"));
    let swapped = PairingRecord { device: stranger.id.clone(), ..request.clone() };
    assert!(reason(&shared, &admin.admits(&swapped, Verdict::Allow, one)).await.contains("meanwhile"));
    shared.store.revoke_device(&profile("ops"), &admin.id, NOW).unwrap();
    assert!(reason(&shared, &admin.admits(&request, Verdict::Allow, one)).await.contains("no access"));
    assert_eq!(scopes_of(&shared, &phone), None);
}

#[tokio::test]
async fn a_device_takes_a_new_key() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, _world) = daemon(&directory);
    let old = Device::new(1).paired(&shared, &ALL);
    let other = Device::new(2).paired(&shared, &ALL);
    let (new, third) = (Device::new(3), Device::new(4));
    let mut unproven = old.takes(&new);
    if let Act::Rotate { proof, .. } = &mut unproven.act {
        *proof = unproven.signature.clone();
    }
    assert!(reason(&shared, &unproven).await.contains("not proven"));
    assert!(reason(&shared, &old.takes(&other)).await.contains("in use"));
    let act = old.takes(&new);
    let done = perform(&shared, &profile("ops"), &act).await;
    let ActOutcome::Done { device: Some(device) } = &done else { panic!("{done:?}") };
    assert_eq!((&device.id, device.name.as_str(), device.scopes.as_slice()), (&new.id, "Anna's phone", &ALL[..]));
    assert_eq!((scopes_of(&shared, &old), scopes_of(&shared, &new)), (None, Some(ALL.to_vec())));
    assert_eq!(perform(&shared, &profile("ops"), &act).await, done, "asked again after a lost answer");
    assert!(reason(&shared, &old.takes(&third)).await.contains("no access"), "the old key is worth nothing");
    let phone = Device::new(5).asks(&shared);
    assert!(reason(&shared, &old.admits(&phone, Verdict::Allow, &ALL[..1])).await.contains("no access"));
}

#[tokio::test]
async fn keys_are_not_changed_faster_than_the_operator_revokes() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, _world) = daemon(&directory);
    let stolen = Device::new(1).paired(&shared, &ALL);
    let (second, third) = (Device::new(2), Device::new(3));
    perform(&shared, &profile("ops"), &stolen.takes(&second)).await;
    let why = reason(&shared, &second.takes(&third)).await;
    assert!(why.contains("the next one in 60 min"), "{why}");
    assert_eq!(scopes_of(&shared, &third), None);
    let shown = code::short(&stolen.id);
    let revoked = operations::devices::revoke(&shared, &profile("ops"), "operator anna", &shown).await.unwrap();
    assert_eq!(revoked.device.id, second.id);
    assert_eq!(scopes_of(&shared, &second), None);
    let again = operations::devices::revoke(&shared, &profile("ops"), "operator anna", &shown).await;
    assert_eq!(again.unwrap_err().code, ErrorCode::NotFound);
}

/// A spark that takes every word; what it heard.
fn spark(shared: &Shared) -> tokio::sync::mpsc::UnboundedReceiver<(String, SwitchDecision)> {
    let (heard, words) = tokio::sync::mpsc::unbounded_channel();
    let socket = shared.roots.spark_admin();
    std::fs::create_dir_all(socket.parent().unwrap()).unwrap();
    let listener = platform_kit::socket::bind(&socket, 0o600).unwrap();
    let decided = async move |Path(id): Path<String>, Json(word): Json<SwitchDecision>| {
        heard.send((id, word)).unwrap();
        Json(serde_json::json!({}))
    };
    let router = Router::new().route("/confirmations/{id}", post(decided));
    let serving = platform_kit::serve::unix(listener, router, CancellationToken::new(), std::time::Duration::ZERO);
    platform_kit::task::spawn("test spark", serving);
    words
}

fn confirms(device: &Device, id: &str) -> DeviceAct {
    device.act(Act::Confirm { confirmation: id.to_owned(), digest: "d".repeat(64), verdict: Verdict::Allow })
}

#[tokio::test]
async fn a_word_about_a_switch_goes_to_spark_with_its_signature() {
    let directory = tempfile::tempdir().unwrap();
    let (shared, _world) = daemon(&directory);
    let (may, chat) = (Device::new(1).paired(&shared, &ALL[..2]), Device::new(2).paired(&shared, &ALL[..1]));
    let (id, stranger) = ("c".repeat(32), Device::new(3));
    assert!(reason(&shared, &confirms(&may, &id)).await.contains("spark does not"), "nobody is there");
    let mut words = spark(&shared);
    assert_eq!(perform(&shared, &profile("ops"), &confirms(&may, &id)).await, ActOutcome::Done { device: None });
    let (heard, word) = words.recv().await.unwrap();
    let signature = confirms(&may, &id).signature;
    let (device, digest) = (may.id.clone(), "d".repeat(64));
    let expect = SwitchDecision::Device { profile: profile("ops"), device, verdict: Verdict::Allow, digest, signature };
    assert_eq!((heard, word), (id.clone(), expect));
    let entries = shared.store.audit_after(0, 100).unwrap();
    assert!(entries.iter().any(|entry| entry.kind == "switch.decided" && entry.actor.contains(may.id.as_str())));

    assert!(reason(&shared, &confirms(&chat, &id)).await.contains("scope approve"));
    assert!(reason(&shared, &confirms(&stranger, &id)).await.contains("signature"));
    assert!(reason(&shared, &confirms(&may, "../switch")).await.contains("not the id"));
    let mut bent = confirms(&may, &id);
    bent.signature = confirms(&may, &"e".repeat(32)).signature;
    assert!(reason(&shared, &bent).await.contains("signature"));
    shared.store.revoke_device(&profile("ops"), &may.id, NOW).unwrap();
    assert!(reason(&shared, &confirms(&may, &id)).await.contains("no access"));
    assert!(words.try_recv().is_err(), "spark heard one word");
}
