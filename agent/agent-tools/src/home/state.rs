//! A state as Home Assistant tells it, and as a model gets it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The device does not answer Home Assistant.
pub const UNAVAILABLE: &str = "unavailable";
/// A lock that could not move.
const JAMMED: &str = "jammed";
/// On the way to another state.
const MOVING: [&str; 8] = ["locking", "unlocking", "opening", "closing", "arming", "disarming", "pending", "buffering"];

/// What passed the gate of one entity's state.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(clippy::struct_field_names, reason = "Home Assistant's names")]
pub struct State {
    pub entity_id: String,
    pub state: String,
    #[serde(default)]
    pub last_changed: Option<String>,
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

impl State {
    pub fn name(&self) -> Option<&str> {
        self.attributes.get("friendly_name").and_then(Value::as_str)
    }

    pub fn number(&self, attribute: &str) -> Option<f64> {
        self.attributes.get(attribute).and_then(Value::as_f64)
    }

    /// Texts in a list, such as the modes of a thermostat.
    pub fn texts(&self, attribute: &str) -> Vec<&str> {
        let list = self.attributes.get(attribute).and_then(Value::as_array);
        list.map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    pub fn is_moving(&self) -> bool {
        MOVING.contains(&self.state.as_str())
    }

    /// Why nothing good comes of waiting.
    pub fn trouble(&self) -> Option<&'static str> {
        match self.state.as_str() {
            UNAVAILABLE => Some("is unavailable: its device does not answer Home Assistant"),
            JAMMED => Some("is jammed: it did not move all the way, somebody has to look at it"),
            _ => None,
        }
    }

    /// For a model: what is known, in percent where people think in percent.
    pub fn details(&self) -> BTreeMap<String, Value> {
        let known = self.attributes.iter().filter(|(name, value)| !value.is_null() && *name != "friendly_name");
        known
            .map(|(name, value)| match (name.as_str(), value.as_f64()) {
                ("brightness", Some(of_255)) => ("brightness_percent".to_owned(), whole(of_255 / 2.55)),
                ("volume_level", Some(of_1)) => ("volume_percent".to_owned(), whole(of_1 * 100.0)),
                _ => (name.clone(), value.clone()),
            })
            .collect()
    }
}

fn whole(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
    let rounded = number.round() as i64;
    Value::from(rounded)
}
