//! Home Assistant: the state of listed entities, services on them, scenes.
//!
//! A service's answer lists every state that changed meanwhile, other entities' too, so only its status comes back; the bot
//! reads the state again. States carry tokens in their attributes (`access_token`, `entity_picture`), so named members pass
//! and nothing else. Home Assistant does not check ranges everywhere: they are checked here.

use platform_types::egress::{Field, Method, Rule, Shape};

use super::{confirm, members, named, one_of, optional, required, rule};

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

/// Entities may be read and set, scenes turned on; entities of `confirmed` are set after a confirmation each time.
pub fn rules(entities: &[String], scenes: &[String], confirmed: &[String]) -> Vec<Rule> {
    let mut rules = vec![Rule { answer: members(&["message"]), ..rule("api", Method::Get, "/api/") }];
    let mut all: Vec<&String> = entities.iter().chain(scenes).chain(confirmed).collect();
    all.sort_unstable();
    all.dedup();
    if !all.is_empty() {
        rules.push(Rule {
            params: [("entity".to_owned(), one_of(all.iter().map(|id| id.as_str())))].into(),
            answer: members(STATE_MEMBERS),
            ..rule("state", Method::Get, "/api/states/{entity}")
        });
    }
    let free = |id: &&str| !confirmed.iter().any(|confirmed| confirmed == id);
    let free: Vec<&str> = entities.iter().chain(scenes).map(String::as_str).filter(free).collect();
    let confirmed: Vec<&str> = confirmed.iter().map(String::as_str).collect();
    for service in services() {
        if !service.guarded {
            rules.extend(service_rule(&service, &free, false));
        }
        rules.extend(service_rule(&service, &confirmed, true));
    }
    rules
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
    let facts = [
        ("name", "/api/states/{entity_id}", "/attributes/friendly_name"),
        ("state now", "/api/states/{entity_id}", "/state"),
    ];
    let suffix = if confirmed { " confirmed" } else { "" };
    Some(Rule {
        body: Some(body),
        confirm: confirmed.then(|| confirm(words, facts)),
        ..rule(&format!("{domain}.{name}{suffix}"), Method::Post, &format!("/api/services/{domain}/{name}"))
    })
}

pub(crate) fn domain_of(entity: &str) -> &str {
    entity.split('.').next().unwrap_or_default()
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
