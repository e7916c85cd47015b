//! A house in memory, behind a gate, for the tests of the tools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use platform_types::UpstreamName;
use platform_types::ways::{House, May, Thing};
use serde_json::{Value, json};

use crate::testing::{Asked, Gate, context, to_confirm};
use crate::tool::Context;

/// A house in memory. A service moves its entity to the next of the states that are planned for it, one a look.
#[derive(Default)]
pub struct Fake {
    pub states: BTreeMap<String, Value>,
    /// What a service brings, in the order of looks.
    pub plans: BTreeMap<String, Vec<Value>>,
    pub running: Vec<Value>,
    /// Answers in the place of services, and of everything.
    pub service: Option<(u16, Value)>,
    pub all: Option<(u16, Value)>,
    pub api: Option<(u16, Value)>,
    pub moving: BTreeMap<String, Vec<Value>>,
    pub changed: u32,
}

pub type Shared = Arc<Mutex<Fake>>;

impl Fake {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        if asked.host == "gate" {
            return (200, json!({ "state": "done", "status": 200, "body": null }));
        }
        assert_eq!(asked.host, "house");
        if asked.target == "/api/" {
            return self.api.clone().unwrap_or((200, json!({ "message": "API running." })));
        }
        if let Some(answer) = &self.all {
            return answer.clone();
        }
        match asked.target.strip_prefix("/api/") {
            Some("config") => {
                (200, json!({ "state": self.running.pop().unwrap_or("RUNNING".into()), "version": "2024.3.3" }))
            }
            Some(rest) if rest.starts_with("states/") => self.look(&rest["states/".len()..]),
            Some(rest) if rest.starts_with("services/") => self.serve(asked),
            _ => (404, Value::Null),
        }
    }

    fn look(&mut self, id: &str) -> (u16, Value) {
        if let Some(next) = self.moving.get_mut(id).and_then(|states| (!states.is_empty()).then(|| states.remove(0))) {
            self.turn(id, &next);
        }
        self.states.get(id).map_or((404, Value::Null), |state| (200, state.clone()))
    }

    pub fn turn(&mut self, id: &str, to: &Value) {
        self.changed += 1;
        let state = self.states.get_mut(id).expect("a state");
        state["state"] = to["state"].clone();
        state["last_changed"] = json!(format!("2026-11-22T11:26:{:02}.0+00:00", self.changed));
        for (name, value) in to["attributes"].as_object().into_iter().flatten() {
            state["attributes"][name] = value.clone();
        }
    }

    fn serve(&mut self, asked: &Asked) -> (u16, Value) {
        let id = asked.body["entity_id"].as_str().expect("an entity").to_owned();
        if let Some(answer) = self.service.take() {
            return answer;
        }
        self.moving.extend(self.plans.clone());
        if id.starts_with("lock.") || id == "scene.leaving" { to_confirm() } else { (200, Value::Null) }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
pub fn state(id: &str, state: &str, attributes: Value) -> (String, Value) {
    let body = json!({ "entity_id": id, "state": state, "last_changed": "2026-11-22T11:26:00.0+00:00", "attributes": attributes });
    (id.to_owned(), body)
}

pub fn world() -> (Shared, Gate, Context) {
    let states = [
        state("light.bed", "off", json!({ "friendly_name": "Bed Light", "brightness": null })),
        state("lock.front", "unlocked", json!({ "friendly_name": "Front Door" })),
        state(
            "climate.hvac",
            "cool",
            json!({ "hvac_modes": ["off", "heat", "cool"], "min_temp": 7, "max_temp": 35, "temperature": 21.0 }),
        ),
        state("sensor.hall", "19.5", json!({ "friendly_name": "Hall", "unit_of_measurement": "°C" })),
        state(
            "scene.movie",
            "unknown",
            json!({ "friendly_name": "Movie Night", "entity_id": ["light.bed", "light.other"] }),
        ),
        state("scene.leaving", "unknown", json!({ "entity_id": ["light.bed", "lock.front"] })),
    ];
    let fake = Arc::new(Mutex::new(Fake { states: states.into(), ..Fake::default() }));
    let served = Arc::clone(&fake);
    let gate = Gate::start(move |asked| served.lock().unwrap().answer(asked));
    let thing = |(id, may): (&str, May)| Thing { id: id.to_owned(), may };
    let things = [
        ("climate.hvac", May::Set),
        ("light.bed", May::Set),
        ("light.gone", May::Set),
        ("lock.front", May::Confirm),
        ("scene.leaving", May::Confirm),
        ("scene.movie", May::Set),
        ("sensor.hall", May::Read),
    ];
    let house = House { upstream: UpstreamName::new("house").unwrap(), things: things.map(thing).into() };
    (fake, gate, context(Some(house), None))
}

#[expect(clippy::needless_pass_by_value, reason = "written in place")]
pub fn plan(fake: &Shared, id: &str, states: Value) {
    let states = states.as_array().expect("a list").iter().map(|state| match state {
        Value::String(_) => json!({ "state": state }),
        _ => state.clone(),
    });
    fake.lock().unwrap().plans.insert(id.to_owned(), states.collect());
}
