//! The tools against answers as Home Assistant gave them, with what the gate takes away taken away.

use platform_types::UpstreamName;
use platform_types::ways::{House, May, Thing};
use serde_json::{Value, json};

use super::fake::{plan, state, world};
use super::read::HomeRead;
use super::scene::HomeScene;
use super::set::HomeSet;
use super::status::HomeStatus;
use crate::testing::{CONFIRMATION, Gate, call, refused, to_confirm};
use crate::tool::{Context, Reach, Tool as _};

async fn set(gate: &Gate, context: &Context, arguments: Value) -> Result<Value, String> {
    call(&HomeSet(gate.egress.clone()), arguments, context).await
}

fn failed(outcome: Result<Value, String>, expect: &str) {
    let words = outcome.expect_err("an error");
    assert!(words.contains(expect), "{words}");
}

#[tokio::test]
async fn ids_that_are_not_configured_ask_nobody() {
    let (_, gate, context) = world();
    failed(set(&gate, &context, json!({ "entity": "Bed Light", "action": "on" })).await, "nearest: light.bed,");
    failed(set(&gate, &context, json!({ "entity": "sensor.hall", "action": "on" })).await, "can only be read");
    failed(set(&gate, &context, json!({ "entity": "scene.movie", "action": "on" })).await, "home.scene");
    failed(
        set(&gate, &context, json!({ "entity": "light.bed", "action": "explode" })).await,
        "it has: on, off, toggle, brightness",
    );
    let scene = HomeScene(gate.egress.clone());
    failed(call(&scene, json!({ "scene": "scene.moovie" }), &context).await, "nearest: scene.movie,");
    let read = HomeRead(gate.egress.clone());
    failed(call(&read, json!({ "entity": "sensor.hal" }), &context).await, "nearest: sensor.hall,");
    assert_eq!(gate.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_told_is_what_was_read_back() {
    let (fake, gate, context) = world();
    plan(&fake, "light.bed", json!(["off", { "state": "on", "attributes": { "brightness": 102 } }]));
    let done = set(&gate, &context, json!({ "entity": "light.bed", "action": "brightness", "value": "40 %" })).await;
    let expect = json!({ "entity": "light.bed", "name": "Bed Light", "before": "off", "state": "on", "reached": true });
    assert_eq!(done.unwrap(), expect);
    let [asked] = gate.changes().try_into().unwrap();
    assert_eq!(asked.target, "/api/services/light/turn_on");
    assert_eq!(asked.body, json!({ "entity_id": "light.bed", "brightness_pct": 40 }));
    // The same answer of 200, and nothing happens.
    plan(&fake, "light.bed", json!([]));
    failed(
        set(&gate, &context, json!({ "entity": "light.bed", "action": "off" })).await,
        "took the order, but 1 s later light.bed is not as asked for: its state is \"on\"",
    );
}

#[tokio::test]
async fn values_are_checked_before_anything_is_sent() {
    let (_, gate, context) = world();
    for (entity, action, value, expect) in [
        ("light.bed", "brightness", json!(140), "out of range: 0 to 100"),
        ("light.bed", "brightness", json!(40.5), "out of range"),
        ("light.bed", "brightness", json!(null), "needs a value: 0 to 100 (percent)"),
        ("light.bed", "on", json!(1), "takes no value"),
        ("light.bed", "color_temperature", json!(100), "out of range: 1500 to 10000"),
        ("climate.hvac", "temperature", json!(99), "out of range: 7 to 30 degrees"),
        ("climate.hvac", "temperature", json!("warm"), "needs a value: 7 to 30 (degrees)"),
        ("climate.hvac", "mode", json!("dry"), "needs a value: off, heat, cool"),
    ] {
        failed(set(&gate, &context, json!({ "entity": entity, "action": action, "value": value })).await, expect);
    }
    assert_eq!(gate.changes(), []);
}

#[tokio::test]
async fn a_lock_is_waited_for() {
    let (fake, gate, context) = world();
    plan(&fake, "lock.front", json!(["locking", "locking", "locked"]));
    let lock = json!({ "entity": "lock.front", "action": "lock", "reason": "it is late" });
    let done = set(&gate, &context, lock.clone()).await.unwrap();
    assert_eq!(
        (&done["before"], &done["state"], &done["reached"]),
        (&json!("unlocked"), &json!("locked"), &json!(true))
    );
    let asked = gate.changes();
    assert_eq!((asked.len(), asked[0].reason.as_deref()), (1, Some("it is late")));
    // Nobody is asked about what is so already.
    let again = set(&gate, &context, lock).await.unwrap();
    assert!(again["note"].as_str().unwrap().contains("nobody was asked"), "{again}");
    assert_eq!(gate.changes(), []);
    // One that jams, and one that takes longer.
    plan(&fake, "lock.front", json!(["unlocking", "jammed"]));
    failed(set(&gate, &context, json!({ "entity": "lock.front", "action": "unlock" })).await, "lock.front is jammed");
    plan(&fake, "lock.front", json!(["unlocking"]));
    let slow = set(&gate, &context, json!({ "entity": "lock.front", "action": "unlock" })).await.unwrap();
    assert_eq!(
        (&slow["reached"], &slow["note"]),
        (&json!(false), &json!("still unlocking after 1 s; read it again later"))
    );
}

#[tokio::test]
async fn a_person_decides() {
    let (_, gate, context) = world();
    drop(gate);
    for (outcome, expect) in [
        ("denied", "a person denied it"),
        ("expired", "nobody confirmed it in time"),
        (
            "unknown",
            "not known. Do not repeat it; find out by reading, or tell the person; the state of lock.front is \"locked\"",
        ),
    ] {
        let gate = Gate::start(move |asked| match (asked.host.as_str(), asked.method.as_str()) {
            ("gate", _) => {
                assert_eq!(asked.target, format!("/confirmations/{CONFIRMATION}"));
                (200, json!({ "state": outcome }))
            }
            (_, "GET") => (200, state("lock.front", "locked", json!({})).1),
            _ => to_confirm(),
        });
        failed(set(&gate, &context, json!({ "entity": "lock.front", "action": "unlock" })).await, expect);
        assert_eq!(gate.changes().len(), 1);
    }
}

#[tokio::test]
async fn refusals_have_their_reason() {
    let (fake, gate, context) = world();
    let on = || json!({ "entity": "light.bed", "action": "on" });
    let read = HomeRead(gate.egress.clone());
    let entity = || json!({ "entity": "light.bed" });
    // Gone in Home Assistant, or not loaded yet.
    failed(set(&gate, &context, json!({ "entity": "light.gone", "action": "on" })).await, "removed or renamed");
    fake.lock().unwrap().running = vec!["STARTING".into()];
    failed(set(&gate, &context, json!({ "entity": "light.gone", "action": "on" })).await, "is starting");
    // The token, or what its user may do.
    fake.lock().unwrap().service = Some((401, Value::Null));
    failed(set(&gate, &context, on()).await, "does not allow it: its user may not change light.bed");
    fake.lock().unwrap().all = Some((401, Value::Null));
    failed(call(&read, entity(), &context).await, "does not allow it: light.bed may not be read");
    fake.lock().unwrap().api = Some((401, Value::Null));
    failed(call(&read, entity(), &context).await, "does not accept the token");
    // Not there.
    fake.lock().unwrap().all = Some(refused(502, "upstream_unreachable", "house cannot be reached"));
    failed(call(&read, entity(), &context).await, "it is off, or restarting; try again in a minute");
    failed(call(&HomeStatus(gate.egress.clone()), json!({}), &context).await, "it is off, or restarting");
    fake.lock().unwrap().all = None;
    fake.lock().unwrap().service = Some((400, Value::Null));
    failed(set(&gate, &context, on()).await, "it does not fit this device (400)");
    // A device that does not answer is not asked.
    fake.lock().unwrap().turn("light.bed", &json!({ "state": "unavailable" }));
    gate.asked();
    failed(set(&gate, &context, on()).await, "its device does not answer Home Assistant; nothing was sent");
    assert_eq!(gate.changes(), []);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_after() {
    let (fake, gate, context) = world();
    let broken = refused(502, "upstream_incomplete", "house closed the connection before it answered");
    fake.lock().unwrap().service = Some(broken.clone());
    let outcome = set(&gate, &context, json!({ "entity": "light.bed", "action": "on" })).await;
    failed(outcome, "whether the order arrived is not known; the state of light.bed is \"off\"");
    assert_eq!(gate.changes().len(), 1);
    fake.lock().unwrap().service = Some(broken);
    fake.lock().unwrap().moving.insert("light.bed".into(), vec![json!({ "state": "off" }), json!({ "state": "on" })]);
    let done = set(&gate, &context, json!({ "entity": "light.bed", "action": "on" })).await.unwrap();
    assert!(done["note"].as_str().unwrap().contains("the server's answer was lost"), "{done}");
    assert_eq!(gate.changes().len(), 1);
}

#[tokio::test]
async fn a_scene_tells_what_it_set() {
    let (fake, gate, context) = world();
    let scene = HomeScene(gate.egress.clone());
    plan(&fake, "scene.movie", json!(["2026-11-22T11:26:28.573444+00:00"]));
    plan(&fake, "light.bed", json!(["on"]));
    let seen = call(&scene, json!({ "scene": "scene.movie" }), &context).await.unwrap();
    let expect = json!({
        "scene": "scene.movie", "name": "Movie Night", "turned_on": true,
        "entities": [{ "id": "light.bed", "state": "on" }], "not_shown": 1,
    });
    assert_eq!(seen, expect);
    // A lock in it jams.
    plan(&fake, "scene.leaving", json!(["2026-11-22T11:27:28.573444+00:00"]));
    plan(&fake, "lock.front", json!(["locking", "jammed"]));
    let seen = call(&scene, json!({ "scene": "scene.leaving" }), &context).await.unwrap();
    assert!(seen["problems"][0].as_str().unwrap().contains("lock.front is jammed"), "{seen}");
    // One that the gate does not let through.
    fake.lock().unwrap().service = Some(refused(403, "egress_denied", "the scene sets a lock"));
    failed(call(&scene, json!({ "scene": "scene.movie" }), &context).await, "the scene sets a lock");
}

#[tokio::test]
async fn the_house_at_a_glance() {
    let (_, gate, context) = world();
    let status = HomeStatus(gate.egress.clone());
    let seen = call(&status, json!({}), &context).await.unwrap();
    assert_eq!((&seen["running"], &seen["version"]), (&json!(true), &json!("2024.3.3")));
    assert_eq!(seen["scenes"], json!(["scene.leaving", "scene.movie"]));
    let of = |id: &str| seen["entities"].as_array().unwrap().iter().find(|entity| entity["id"] == id).unwrap().clone();
    assert_eq!(
        of("lock.front"),
        json!({ "id": "lock.front", "name": "Front Door", "state": "unlocked", "may": "confirm" })
    );
    assert_eq!(of("sensor.hall")["unit"], "°C");
    assert!(of("light.gone")["problem"].as_str().unwrap().contains("removed"), "{seen}");
    let few = call(&status, json!({ "prefix": "sensor." }), &context).await.unwrap();
    assert_eq!(few["entities"].as_array().unwrap().len(), 1);
    let read = call(&HomeRead(gate.egress.clone()), json!({ "entity": "climate.hvac" }), &context).await.unwrap();
    assert_eq!(read["actions"], json!(["temperature", "mode"]));
    assert_eq!(read["details"]["temperature"], 21.0);
}

#[test]
fn descriptions_name_what_there_is() {
    let house = House {
        upstream: UpstreamName::new("house").unwrap(),
        things: vec![
            Thing { id: "light.bed".into(), may: May::Set },
            Thing { id: "lock.front".into(), may: May::Confirm },
            Thing { id: "scene.movie".into(), may: May::Set },
        ],
    };
    let egress = crate::Egress::new("/nowhere.sock");
    let reach = Reach { house: Some(&house), ..Reach::default() };
    let set = HomeSet(egress.clone()).describe(reach).unwrap();
    assert!(set.contains("Entities: light.bed, lock.front (a person confirms)."), "{set}");
    assert!(set.contains("light: on, off, toggle, brightness, color_temperature; lock: lock, unlock."), "{set}");
    assert!(HomeScene(egress.clone()).describe(reach).unwrap().ends_with("Scenes: scene.movie."));
    assert!(HomeSet(egress.clone()).describe(Reach::default()).is_none());
    let many = (0..500).map(|n| Thing { id: format!("light.number_{n:03}"), may: May::Set });
    let house = House { things: many.collect(), ..house };
    let long = HomeSet(egress).describe(Reach { house: Some(&house), ..Reach::default() }).unwrap();
    assert!(long.len() < 1000 && long.contains("more in home.status"), "{} {long}", long.len());
}
