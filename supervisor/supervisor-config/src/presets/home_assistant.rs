//! Home Assistant: the state of listed entities, services on them, scenes.
//!
//! A service's answer lists every state that changed meanwhile, other entities' too, so only its status comes back; the bot
//! reads the state again. States carry tokens in their attributes (`access_token`, `entity_picture`), so named members pass
//! and nothing else. Home Assistant does not check ranges everywhere: they are checked here.

use std::collections::BTreeMap;

use platform_types::egress::{Confirm, Each, Field, Guard, Holds, Method, Rule, Shape};
use platform_types::ways::{May, SCENE, Thing, domain_of};

use super::{confirm, members, named, one_of, optional, required, rule};
use crate::config::House;

/// What of a state a bot may see.
const STATE_MEMBERS: &[&str] = &[
    "entity_id",
    "state",
    "last_changed",
    "last_updated",
    "attributes.battery_level",
    "attributes.brightness",
    "attributes.color_temp_kelvin",
    "attributes.current_humidity",
    "attributes.current_position",
    "attributes.current_temperature",
    "attributes.device_class",
    "attributes.friendly_name",
    "attributes.humidity",
    "attributes.hvac_action",
    "attributes.hvac_mode",
    "attributes.hvac_modes",
    "attributes.is_volume_muted",
    "attributes.max_temp",
    "attributes.min_temp",
    "attributes.percentage",
    "attributes.target_temp_high",
    "attributes.target_temp_low",
    "attributes.temperature",
    "attributes.unit_of_measurement",
    "attributes.volume_level",
];

/// What of a scene's state a bot may see: `attributes.entity_id` are the ids of what it sets.
const SCENE_MEMBERS: &[&str] =
    &["entity_id", "state", "last_changed", "attributes.entity_id", "attributes.friendly_name"];

/// Domains of what lets people in or out: they are set after a confirmation only.
pub const RISKY: [&str; 3] = ["lock", "cover", "alarm_control_panel"];

/// What a scene sets unasked has none of these before its first dot: of a group Home Assistant sets the members.
fn not_by_scenes() -> Vec<String> {
    RISKY.into_iter().chain(["group"]).map(|domain| format!("{domain}.")).collect()
}

const HVAC_MODES: [&str; 7] = ["off", "heat", "cool", "heat_cool", "auto", "dry", "fan_only"];

/// A service, beside the entity: its other fields, and what a person reads before it runs.
struct Service {
    domain: &'static str,
    name: &'static str,
    words: &'static str,
    fields: Vec<(&'static str, Field)>,
    /// Passes with a confirmation only.
    guarded: bool,
}

/// Entities may be read, those of `entities` set, scenes turned on; those of `confirm` after a confirmation each time. A scene that
/// is turned on without one touches nothing that is [`RISKY`].
pub fn rules(house: &House) -> Vec<Rule> {
    let House { read, entities, scenes, confirm } = house;
    let mut rules = vec![
        Rule { answer: members(&["message"]), ..rule("api", Method::Get, "/api/") },
        Rule { answer: members(&["state", "version"]), ..rule("config", Method::Get, "/api/config") },
    ];
    let mut all: Vec<&str> = [read, entities, scenes, confirm].into_iter().flatten().map(String::as_str).collect();
    all.sort_unstable();
    all.dedup();
    let (of_scenes, others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|id| domain_of(id) == SCENE);
    let state = |name: &str, ids: Vec<&str>, answer: &[&str]| Rule {
        params: [("entity".to_owned(), one_of(ids))].into(),
        answer: members(answer),
        ..rule(name, Method::Get, "/api/states/{entity}")
    };
    if !others.is_empty() {
        rules.push(state("state", others, STATE_MEMBERS));
    }
    if !of_scenes.is_empty() {
        rules.push(state("scene", of_scenes, SCENE_MEMBERS));
    }
    let free: Vec<&str> =
        entities.iter().chain(scenes).filter(|id| !confirm.contains(id)).map(String::as_str).collect();
    let confirmed: Vec<&str> = confirm.iter().map(String::as_str).collect();
    for service in services() {
        if !service.guarded {
            rules.extend(service_rule(&service, &free, false));
        }
        rules.extend(service_rule(&service, &confirmed, true));
    }
    rules
}

/// What tools are told: each id once, and the most that may be done with it.
pub fn things(house: &House) -> Vec<Thing> {
    let House { read, entities, scenes, confirm } = house;
    let settable = services();
    let mut things: BTreeMap<&str, May> = BTreeMap::new();
    for (ids, may) in [(read, May::Read), (entities, May::Set), (scenes, May::Set), (confirm, May::Confirm)] {
        for id in ids {
            let is_settable = settable.iter().any(|service| service.domain == domain_of(id));
            let may = if is_settable { may } else { May::Read };
            let known = things.entry(id).or_insert(may);
            *known = may.max(*known);
        }
    }
    things.into_iter().map(|(id, may)| Thing { id: id.to_owned(), may }).collect()
}

fn service_rule(service: &Service, entities: &[&str], confirmed: bool) -> Option<Rule> {
    let Service { domain, name, words, fields, guarded: _ } = service;
    let mut own: Vec<&str> = entities.iter().copied().filter(|id| domain_of(id) == *domain).collect();
    own.sort_unstable();
    own.dedup();
    if own.is_empty() {
        return None;
    }
    let mut body = named([("entity_id", required(one_of(own)))]);
    body.extend(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())));
    let suffix = if confirmed { " confirmed" } else { "" };
    Some(Rule {
        body: Some(body),
        confirm: confirmed.then(|| asked(domain, words)),
        guards: if *domain == SCENE && !confirmed { vec![harmless()] } else { Vec::new() },
        ..rule(&format!("{domain}.{name}{suffix}"), Method::Post, &format!("/api/services/{domain}/{name}"))
    })
}

/// The card: how the entity stands now; of a scene, how everything stands that it sets.
fn asked(domain: &str, words: &str) -> Confirm {
    let state = "/api/states/{entity_id}";
    let name = ("name", state, "/attributes/friendly_name");
    if domain != SCENE {
        return confirm(words, [name, ("state now", state, "/state")]);
    }
    let mut asked = confirm(words, [name, ("sets", state, "/attributes/entity_id")]);
    if let Some(sets) = asked.facts.last_mut() {
        sets.each = Some(Each { path: "/api/states/{item}".to_owned(), pointer: "/state".to_owned() });
    }
    asked
}

/// What a scene sets is Home Assistant's to say, and may change there: so the gate looks each time.
fn harmless() -> Guard {
    Guard {
        path: "/api/states/{entity_id}".to_owned(),
        pointer: "/attributes/entity_id".to_owned(),
        holds: Holds::NoneBeginsWith { prefixes: not_by_scenes() },
        otherwise:
            "the scene is not known, or sets a lock, a cover or an alarm, or a group, which may have one: it has to \
                    stand in `confirm`"
                .to_owned(),
    }
}

fn services() -> Vec<Service> {
    let plain = |domain, name, words| Service { domain, name, words, fields: vec![], guarded: false };
    let with = |domain, name, words, fields| Service { domain, name, words, fields, guarded: false };
    let guarded = |domain, name, words| Service { domain, name, words, fields: vec![], guarded: true };
    let percent = || Shape::Integer { min: 0, max: 100 };
    let mut services = Vec::new();
    for domain in ["light", "switch", "fan", "input_boolean"] {
        let light = [
            ("brightness_pct", optional(percent())),
            ("color_temp_kelvin", optional(Shape::Integer { min: 1500, max: 10_000 })),
        ];
        let fields = if domain == "light" { light.into() } else { vec![] };
        services.push(with(domain, "turn_on", "Turn on {entity_id}", fields));
        services.push(plain(domain, "turn_off", "Turn off {entity_id}"));
        services.push(plain(domain, "toggle", "Switch {entity_id} over"));
    }
    let temperature = vec![("temperature", required(Shape::Number { min: 5, max: 30 }))];
    let mode = vec![("hvac_mode", required(one_of(HVAC_MODES)))];
    let position = vec![("position", required(percent()))];
    let speed = vec![("percentage", required(percent()))];
    let volume = vec![("volume_level", required(Shape::Number { min: 0, max: 1 }))];
    services.extend([
        with("fan", "set_percentage", "Set {entity_id} to {percentage} %", speed),
        with("climate", "set_temperature", "Set {entity_id} to {temperature} degrees", temperature),
        with("climate", "set_hvac_mode", "Set {entity_id} to {hvac_mode}", mode),
        plain("cover", "open_cover", "Open {entity_id}"),
        plain("cover", "close_cover", "Close {entity_id}"),
        plain("cover", "stop_cover", "Stop {entity_id}"),
        with("cover", "set_cover_position", "Open {entity_id} to {position} %", position),
        plain("lock", "lock", "Lock {entity_id}"),
        guarded("lock", "unlock", "Unlock {entity_id}"),
        plain("media_player", "media_play", "Play on {entity_id}"),
        plain("media_player", "media_pause", "Pause {entity_id}"),
        plain("media_player", "media_stop", "Stop {entity_id}"),
        with("media_player", "volume_set", "Set the volume of {entity_id} to {volume_level}", volume),
        plain("vacuum", "start", "Start {entity_id}"),
        plain("vacuum", "pause", "Pause {entity_id}"),
        plain("vacuum", "return_to_base", "Send {entity_id} home"),
        plain("scene", "turn_on", "Turn on {entity_id}"),
        plain("script", "turn_on", "Run {entity_id}"),
        plain("button", "press", "Press {entity_id}"),
        guarded("alarm_control_panel", "alarm_arm_home", "Arm {entity_id} for staying at home"),
        guarded("alarm_control_panel", "alarm_arm_away", "Arm {entity_id} for leaving"),
        guarded("alarm_control_panel", "alarm_disarm", "Disarm {entity_id}"),
    ]);
    services
}
