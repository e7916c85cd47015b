//! The registry against gates in the test's hands, over real sockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64URL_NOPAD;
use futures_util::stream;
use platform_kit::socket::bind;
use platform_types::gate::{Caller, GateEvent, PairingAttempt, PairingDecision, Scope};
use platform_types::layout::RunDir;
use platform_types::{ProfileName, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{code, gates, operations};
use crate::api::wire::registry as wire;
use crate::example::{self, Daemon, NOW, profile};
use crate::state::{Command, Shared, World};

mod senders;
mod switch;

/// Everything here happens in milliseconds; a test that waits longer is broken.
const DEADLINE: Duration = Duration::from_secs(10);

const ANNA: &str = "operator anna";

/// A gate: says what it is told to say on every new stream, and remembers what it heard.
#[derive(Clone)]
struct Gate {
    /// Said first on every connection: what is undecided.
    undecided: Arc<Mutex<Vec<GateEvent>>>,
    live: watch::Sender<Option<GateEvent>>,
    heard: mpsc::UnboundedSender<(String, PairingDecision)>,
}

impl Gate {
    fn serve(shared: &Shared, name: &ProfileName) -> (Self, mpsc::UnboundedReceiver<(String, PairingDecision)>) {
        let (heard, decisions) = mpsc::unbounded_channel();
        let gate = Self { undecided: Arc::default(), live: watch::Sender::new(None), heard };
        std::fs::create_dir_all(shared.roots.run_dir(&RunDir::GateAdmin(name.clone()))).unwrap();
        let listener = bind(&shared.roots.gate_admin(name), 0o600).unwrap();
        let router = Router::new()
            .route("/events", get(events))
            .route("/pairings/{id}", post(decision))
            .with_state(gate.clone());
        let stop = CancellationToken::new();
        platform_kit::task::spawn("test gate", platform_kit::serve::unix(listener, router, stop, Duration::ZERO));
        (gate, decisions)
    }

    fn say(&self, event: GateEvent) {
        self.live.send_replace(Some(event));
    }
}

async fn events(State(gate): State<Gate>) -> Body {
    let line = |event: &GateEvent| serde_json::to_string(event).unwrap() + "\n";
    let first: String = gate.undecided.lock().unwrap().iter().map(line).collect();
    let later = stream::unfold(gate.live.subscribe(), move |mut live| async move {
        live.changed().await.ok()?;
        let text = live.borrow_and_update().as_ref().map(line).unwrap_or_default();
        Some((Ok::<_, std::io::Error>(text), live))
    });
    Body::from_stream(futures_util::StreamExt::chain(stream::iter([Ok(first + "\n")]), later))
}

async fn decision(State(gate): State<Gate>, Path(id): Path<String>, Json(word): Json<PairingDecision>) -> Json<()> {
    gate.heard.send((id, word)).unwrap();
    Json(())
}

/// What a supervisor shares, and what has to live as long. Every push is confirmed.
fn daemon() -> (Shared, (tempfile::TempDir, watch::Sender<World>)) {
    let directory = tempfile::tempdir().unwrap();
    let Daemon { shared, commands, world } = example::daemon(directory.path());
    confirm_pushes(commands);
    (shared, (directory, world))
}

/// Confirms every push, as the reconciler does.
fn confirm_pushes(mut commands: mpsc::Receiver<Command>) {
    platform_kit::task::spawn("test reconciler", async move {
        while let Some(command) = commands.recv().await {
            if let Command::RegistryChanged { reply, .. } = command {
                let _ = reply.send(true);
            }
        }
    });
}

fn attempt(seed: u8, code: Option<&str>) -> PairingAttempt {
    let public_key = BASE64URL_NOPAD.encode(&[seed; 32]);
    PairingAttempt {
        id: format!("{seed:032x}"),
        device: code::device_id(&public_key).unwrap(),
        public_key,
        name: format!("phone {seed}"),
        at: NOW,
        code_sha256: code.map(code::sha256_hex),
        login: None,
    }
}

async fn next(decisions: &mut mpsc::UnboundedReceiver<(String, PairingDecision)>) -> (String, PairingDecision) {
    tokio::time::timeout(DEADLINE, decisions.recv()).await.expect("in time").expect("a decision")
}

fn setup_code(link: &wire::Link) -> &str {
    link.url.rsplit("#setup=").next().unwrap()
}

#[tokio::test]
async fn a_link_pairs_the_first_device_with_everything_and_the_second_not_at_all() {
    let (shared, _alive) = daemon();
    let name = profile("personal");
    let (gate, mut decisions) = Gate::serve(&shared, &name);
    let stop = CancellationToken::new();
    let listening = platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));

    let link = operations::create_link(&shared, &name, ANNA, None).await.unwrap();
    assert!(link.url.starts_with("https://vm102.example.ts.net/#setup="), "{}", link.url);
    assert!(link.pushed);
    assert_eq!(link.expires_at.millis_since(NOW), 15 * 60_000);
    gate.undecided.lock().unwrap().push(GateEvent::Pairing(attempt(1, Some(setup_code(&link)))));
    gate.say(GateEvent::Pairing(attempt(1, Some(setup_code(&link)))));
    let (id, word) = next(&mut decisions).await;
    let PairingDecision::Accepted { device } = word else { panic!("{word:?}") };
    assert_eq!(id, attempt(1, None).id);
    assert_eq!(device.scopes, [Scope::Chat, Scope::Approve, Scope::Admin]);
    assert_eq!(shared.store.gate_registry(&name, NOW).unwrap().devices, [device]);
    assert_eq!(shared.store.gate_registry(&name, NOW).unwrap().setup_links, []);

    gate.say(GateEvent::Pairing(attempt(2, Some(setup_code(&link)))));
    let refused = loop {
        if let (id, PairingDecision::Refused { reason }) = next(&mut decisions).await {
            break (id, reason);
        }
    };
    assert_eq!(refused.0, attempt(2, None).id);
    assert!(refused.1.contains("used already"), "{}", refused.1);
    stop.cancel();
    listening.await.unwrap();
}

#[tokio::test]
async fn a_request_waits_for_the_operator_whose_word_reaches_the_browser() {
    let (shared, _alive) = daemon();
    let name = profile("ops");
    let (gate, mut decisions) = Gate::serve(&shared, &name);
    let stop = CancellationToken::new();
    platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));
    // Said on the stream's beginning: a gate repeats what is undecided.
    gate.undecided.lock().unwrap().extend([1, 2].map(|seed| GateEvent::Pairing(attempt(seed, None))));
    gate.say(GateEvent::Pairing(attempt(2, None)));
    let waiting = wait_for(&shared, &name, 2).await;
    assert_eq!(waiting.devices, []);

    let code = code::short(&attempt(1, None).device);
    let approve = wire::ApproveRequest { code: code.clone(), scopes: Some(vec![Scope::Approve]) };
    let changed = operations::approve(&shared, &name, ANNA, approve.clone()).await.unwrap();
    assert_eq!(changed.device.scopes, [Scope::Chat, Scope::Approve]);
    assert!(matches!(next(&mut decisions).await, (id, PairingDecision::Accepted { .. }) if id == attempt(1, None).id));
    let again = operations::approve(&shared, &name, ANNA, approve).await.unwrap_err();
    assert!(again.message.contains("no waiting request"), "{}", again.message);

    operations::refuse(&shared, &name, ANNA, &code::short(&attempt(2, None).device)).await.unwrap();
    assert!(matches!(next(&mut decisions).await, (id, PairingDecision::Refused { .. }) if id == attempt(2, None).id));

    let revoked = operations::revoke(&shared, &name, ANNA, &code).await.unwrap();
    assert_eq!(revoked.device.revoked_at, Some(NOW));
    assert_eq!(shared.store.gate_registry(&name, NOW).unwrap().devices, []);
    let kinds: Vec<String> =
        shared.store.newest_events(50).unwrap().into_iter().map(|record| record.event.kind).collect();
    for kind in ["pairing_requested", "device_approved", "pairing_refused", "device_revoked"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind} is not in {kinds:?}");
    }
    stop.cancel();
}

#[tokio::test]
async fn what_a_gate_says_is_checked_again() {
    let (shared, _alive) = daemon();
    let name = profile("personal");
    let (gate, mut decisions) = Gate::serve(&shared, &name);
    let stop = CancellationToken::new();
    platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));
    let forged = PairingAttempt { device: attempt(9, None).device, ..attempt(1, None) };
    gate.undecided.lock().unwrap().push(GateEvent::Pairing(forged));
    let far = Caller::Token { name: "ci".to_owned() };
    gate.undecided.lock().unwrap().push(GateEvent::Seen { who: far, at: Timestamp(i64::MAX) });
    let (_, word) = next(&mut decisions).await;
    assert!(matches!(word, PairingDecision::Refused { reason } if reason.contains("does not belong to the key")));
    assert_eq!(operations::list_devices(&shared, &name).await.unwrap().requests, []);
    stop.cancel();
}

#[tokio::test]
async fn of_two_gates_that_report_the_same_code_one_is_told_yes() {
    let (shared, _alive) = daemon();
    let name = profile("personal");
    let link = operations::create_link(&shared, &name, ANNA, None).await.unwrap();
    let (gate, mut decisions) = Gate::serve(&shared, &name);
    // Two listeners at one gate are what a supervisor and its successor would be for a moment.
    let stop = CancellationToken::new();
    let racing: Vec<GateEvent> =
        (1..=8).map(|seed| GateEvent::Pairing(attempt(seed, Some(setup_code(&link))))).collect();
    gate.undecided.lock().unwrap().extend(racing);
    for _ in 0..2 {
        platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));
    }
    let mut accepted = std::collections::BTreeSet::new();
    for _ in 0..16 {
        if let (id, PairingDecision::Accepted { .. }) = next(&mut decisions).await {
            accepted.insert(id);
        }
    }
    assert_eq!(accepted.len(), 1, "{accepted:?}");
    assert_eq!(shared.store.devices(&name).unwrap().len(), 1);
    stop.cancel();
}

#[tokio::test]
async fn a_token_is_shown_once_and_its_digest_is_pushed() {
    let (shared, _alive) = daemon();
    let name = profile("personal");
    let created = operations::create_token(&shared, &name, ANNA, "laptop script").await.unwrap();
    assert_eq!(created.base_url, "https://vm102.example.ts.net/v1");
    let pushed = shared.store.gate_registry(&name, NOW).unwrap().tokens;
    assert_eq!(pushed[0].token_sha256, code::sha256_hex(&created.token));
    assert!(!format!("{created:?}").contains(&created.token));
    assert!(operations::create_token(&shared, &name, ANNA, "laptop script").await.is_err());
    for bad in ["", " x", "a\u{1b}b", &"x".repeat(49)] {
        assert!(operations::create_token(&shared, &name, ANNA, bad).await.is_err(), "{bad:?}");
    }
    operations::revoke_token(&shared, &name, ANNA, "laptop script").await.unwrap();
    assert!(operations::revoke_token(&shared, &name, ANNA, "laptop script").await.is_err());
    assert_eq!(shared.store.gate_registry(&name, NOW).unwrap().tokens, []);
    let unknown = operations::create_link(&shared, &profile("nobody"), ANNA, None).await.unwrap_err();
    assert_eq!(unknown.message, "there is no profile nobody; there is ops, personal");
}

async fn wait_for(shared: &Shared, name: &ProfileName, requests: usize) -> wire::Devices {
    let look = async {
        loop {
            let devices = operations::list_devices(shared, name).await.unwrap();
            if devices.requests.len() == requests {
                return devices;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("in time")
}

#[tokio::test]
async fn a_device_gets_other_scopes_and_a_name_and_all_of_it_is_on_record() {
    let (shared, _alive) = daemon();
    let name = profile("ops");
    let link = operations::create_link(&shared, &name, ANNA, None).await.unwrap();
    let code_sha256 = code::sha256_hex(setup_code(&link));
    let attempt = attempt(1, None);
    let device = supervisor_store::NewDevice {
        id: attempt.device.clone(),
        public_key: attempt.public_key.clone(),
        name: "phone".to_owned(),
    };
    shared.store.redeem_link(&name, &code_sha256, &device, NOW).unwrap();
    let code = code::short(&attempt.device);
    let scopes = |scopes: &[Scope]| wire::ScopeRequest { code: code.clone(), scopes: scopes.to_vec() };
    let changed = operations::set_scopes(&shared, &name, ANNA, scopes(&[Scope::Approve])).await.unwrap();
    assert_eq!(changed.device.scopes, [Scope::Chat, Scope::Approve]);
    let rename = |name: &str| wire::RenameRequest { code: code.clone(), name: name.to_owned() };
    for bad in ["", " x", "a\u{1b}b", &"x".repeat(49)] {
        assert!(operations::rename(&shared, &name, ANNA, rename(bad)).await.is_err(), "{bad:?}");
    }
    operations::rename(&shared, &name, ANNA, rename("kitchen")).await.unwrap();
    let pushed = shared.store.gate_registry(&name, NOW).unwrap().devices;
    assert_eq!((pushed[0].name.as_str(), pushed[0].scopes.len()), ("kitchen", 2));
    operations::revoke(&shared, &name, ANNA, &code).await.unwrap();
    assert!(operations::set_scopes(&shared, &name, ANNA, scopes(&[Scope::Admin])).await.is_err());
    let entries = shared.store.audit_after(0, 10).unwrap();
    let kinds: Vec<&str> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["link.created", "device.scoped", "device.renamed", "device.revoked"]);
    assert!(entries.iter().all(|entry| entry.actor == ANNA));
    platform_kit::chain::verify(platform_kit::chain::genesis(), [], &entries).unwrap();
}
