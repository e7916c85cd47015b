//! Spark's cards reach the gate of the profile that asked, and a gate that comes back is told again.

use axum::extract::Query;
use axum::routing::put;
use platform_types::egress::{Card, CardState};
use platform_types::gate::CardList;
use platform_types::switch::{SwitchCard, SwitchCards};
use platform_types::{SecretName, UpstreamName};
use supervisor_config::Surroundings;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;

const SWITCH: &str = "[spark]\nurl = \"https://spark.example/v1\"\nmodel = \"m\"\n[spark.switch]\naddress = \"bot@spark:2222\"\n\
                      host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh\"\n\
                      key = { secret = \"spark-ssh\" }\nmodels = [\"m\"]\nprofiles = [\"ops\"]\n\
                      [profile.ops]\nport = 18790\n[profile.personal]\nport = 18789\n";

fn card(seed: u8, profile: Option<&str>) -> SwitchCard {
    let card = Card {
        id: format!("{seed:032x}"),
        upstream: UpstreamName::new("model-box").unwrap(),
        rule: "switch".to_owned(),
        words: "Switch".to_owned(),
        facts: Vec::new(),
        request: String::new(),
        digest: "d".repeat(64),
        reason: None,
        created_at: NOW,
        expires_at: NOW.plus_millis(300_000),
        state: CardState::Pending,
    };
    SwitchCard { profile: profile.map(example::profile), card }
}

/// A spark whose cards are in the test's hands. News are told, as the real one does.
fn spark(shared: &Shared) -> watch::Sender<SwitchCards> {
    let cards = watch::Sender::new(SwitchCards { version: 1, cards: Vec::new() });
    std::fs::create_dir_all(shared.roots.run_dir(&RunDir::SparkAdmin)).unwrap();
    let listener = bind(&shared.roots.spark_admin(), 0o600).unwrap();
    let told = cards.clone();
    let list = async move |Query(after): Query<std::collections::HashMap<String, u64>>| {
        let mut news = told.subscribe();
        let now = news.wait_for(|cards| after.get("after") != Some(&cards.version)).await.unwrap().clone();
        Json(now)
    };
    let router = Router::new().route("/confirmations", get(list));
    let serving = platform_kit::serve::unix(listener, router, CancellationToken::new(), Duration::ZERO);
    platform_kit::task::spawn("test spark", serving);
    cards
}

/// A gate that shows cards; what it was told. It ends with the token.
fn gate(shared: &Shared, name: &str, stop: CancellationToken) -> UnboundedReceiver<Vec<String>> {
    let (told, shown) = mpsc::unbounded_channel();
    let name = profile(name);
    std::fs::create_dir_all(shared.roots.run_dir(&RunDir::GateAdmin(name.clone()))).unwrap();
    let listener = bind(&shared.roots.gate_admin(&name), 0o600).unwrap();
    let show = async move |Json(list): Json<CardList>| {
        told.send(list.cards.into_iter().map(|card| card.id).collect()).unwrap();
        Json(())
    };
    let ended = stop.clone();
    let events = async move || {
        let first = stream::iter([Ok::<_, std::io::Error>("\n")]);
        let end = stream::once(async move {
            ended.cancelled().await;
            Err(std::io::Error::other("the gate is gone"))
        });
        Body::from_stream(futures_util::StreamExt::chain(first, end))
    };
    let router = Router::new().route("/cards", put(show)).route("/events", get(events));
    let serving = platform_kit::serve::unix(listener, router, stop, Duration::ZERO);
    platform_kit::task::spawn("test gate", serving);
    shown
}

async fn told(shown: &mut UnboundedReceiver<Vec<String>>) -> Vec<String> {
    tokio::time::timeout(DEADLINE, shown.recv()).await.expect("in time").expect("cards")
}

#[tokio::test]
async fn cards_go_to_the_gate_of_the_profile_that_asked() {
    let directory = tempfile::tempdir().unwrap();
    let Daemon { shared, commands: _commands, world } = example::daemon(directory.path());
    let surroundings = Surroundings {
        secrets: [SecretName::new("spark-ssh").unwrap()].into(),
        tools: ["clock.now".to_owned()].into(),
        ..Surroundings::default()
    };
    let config = supervisor_config::read(SWITCH, &surroundings).config.expect("a good configuration");
    world.send_modify(|world| world.config = Arc::new(config));
    let cards = spark(&shared);
    let (stop, first) = (CancellationToken::new(), CancellationToken::new());
    let (mut ops, mut personal) =
        (gate(&shared, "ops", first.clone()), gate(&shared, "personal", CancellationToken::new()));
    let listening = platform_kit::task::spawn("listen", gates::listen(shared.clone(), stop.clone()));
    let nothing: Vec<String> = Vec::new();
    assert_eq!((told(&mut ops).await, told(&mut personal).await), (nothing.clone(), nothing.clone()));

    let two = vec![card(2, None), card(1, Some("ops"))];
    cards.send_replace(SwitchCards { version: 2, cards: two });
    assert_eq!(told(&mut ops).await, [format!("{:032x}", 1)], "not what the operator asked");

    first.cancel();
    while shared.roots.gate_admin(&profile("ops")).exists() {
        std::fs::remove_file(shared.roots.gate_admin(&profile("ops"))).unwrap();
    }
    let mut ops = gate(&shared, "ops", CancellationToken::new());
    assert_eq!(told(&mut ops).await, [format!("{:032x}", 1)], "a gate that comes back is told again");

    world.send_modify(|world| world.config = Arc::new(example::config()));
    cards.send_replace(SwitchCards { version: 3, cards: Vec::new() });
    assert_eq!(told(&mut ops).await, nothing, "without a switch nothing is shown");
    assert!(personal.try_recv().is_err(), "another profile's gate heard of none of it");
    stop.cancel();
    listening.await.unwrap();
}
