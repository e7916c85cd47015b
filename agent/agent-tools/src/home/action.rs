//! Actions and the services behind them: what a model may ask for, in which range, and when it is reached. Pure.

use serde_json::{Map, Number, Value};

use super::state::State;

/// What a model may do with entities of a domain.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    pub domain: &'static str,
    /// The model's word.
    pub word: &'static str,
    pub service: &'static str,
    pub takes: Takes,
    pub goal: Goal,
}

/// The value that an action needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Takes {
    Nothing,
    /// A whole number of percent, in this field.
    Percent(&'static str),
    /// A whole number, in this field and range.
    Whole(&'static str, i64, i64),
    /// Percent, sent as a fraction of one.
    Fraction(&'static str),
    /// Degrees, in this field; the range is the device's own, within that of the gate.
    Degrees(&'static str),
    /// One of the texts that this attribute lists, in this field.
    Listed(&'static str, &'static str),
}

/// When it is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// One of these states.
    State(&'static [&'static str]),
    /// The state that was asked for.
    Asked,
    /// This attribute is the value times the factor, give or take the tolerance.
    Near(&'static str, f64, f64),
    /// Another state, or another time of change, than before.
    Changed,
    /// It is at rest.
    Rest,
}

/// Degrees that the gate lets through.
const DEGREES: (f64, f64) = (5.0, 30.0);

const fn plain(domain: &'static str, word: &'static str, service: &'static str, goal: Goal) -> Action {
    Action { domain, word, service, takes: Takes::Nothing, goal }
}

const fn with((domain, word, service): (&'static str, &'static str, &'static str), takes: Takes, goal: Goal) -> Action {
    Action { domain, word, service, takes, goal }
}

const ON: Goal = Goal::State(&["on"]);
const OFF: Goal = Goal::State(&["off"]);

/// All of them. The gate's preset lets the same services through.
pub const ACTIONS: &[Action] = &[
    plain("light", "on", "turn_on", ON),
    plain("light", "off", "turn_off", OFF),
    plain("light", "toggle", "toggle", Goal::Changed),
    with(("light", "brightness", "turn_on"), Takes::Percent("brightness_pct"), Goal::Near("brightness", 2.55, 4.0)),
    with(
        ("light", "color_temperature", "turn_on"),
        Takes::Whole("color_temp_kelvin", 1500, 10_000),
        Goal::Near("color_temp_kelvin", 1.0, 100.0),
    ),
    plain("switch", "on", "turn_on", ON),
    plain("switch", "off", "turn_off", OFF),
    plain("switch", "toggle", "toggle", Goal::Changed),
    plain("input_boolean", "on", "turn_on", ON),
    plain("input_boolean", "off", "turn_off", OFF),
    plain("input_boolean", "toggle", "toggle", Goal::Changed),
    plain("fan", "on", "turn_on", ON),
    plain("fan", "off", "turn_off", OFF),
    plain("fan", "toggle", "toggle", Goal::Changed),
    // Fans have steps, so what is reached may be some way off.
    with(("fan", "speed", "set_percentage"), Takes::Percent("percentage"), Goal::Near("percentage", 1.0, 20.0)),
    with(
        ("climate", "temperature", "set_temperature"),
        Takes::Degrees("temperature"),
        Goal::Near("temperature", 1.0, 0.3),
    ),
    with(("climate", "mode", "set_hvac_mode"), Takes::Listed("hvac_mode", "hvac_modes"), Goal::Asked),
    plain("cover", "open", "open_cover", Goal::State(&["open"])),
    plain("cover", "close", "close_cover", Goal::State(&["closed"])),
    plain("cover", "stop", "stop_cover", Goal::Rest),
    with(
        ("cover", "position", "set_cover_position"),
        Takes::Percent("position"),
        Goal::Near("current_position", 1.0, 3.0),
    ),
    plain("lock", "lock", "lock", Goal::State(&["locked"])),
    plain("lock", "unlock", "unlock", Goal::State(&["unlocked", "open"])),
    plain("media_player", "play", "media_play", Goal::State(&["playing"])),
    plain("media_player", "pause", "media_pause", Goal::State(&["paused"])),
    plain("media_player", "stop", "media_stop", Goal::State(&["idle", "off", "standby", "paused"])),
    with(
        ("media_player", "volume", "volume_set"),
        Takes::Fraction("volume_level"),
        Goal::Near("volume_level", 0.01, 0.02),
    ),
    plain("vacuum", "start", "start", Goal::State(&["cleaning"])),
    plain("vacuum", "pause", "pause", Goal::State(&["paused", "idle"])),
    plain("vacuum", "return", "return_to_base", Goal::State(&["returning", "docked"])),
    plain("script", "run", "turn_on", Goal::Rest),
    plain("button", "press", "press", Goal::Changed),
    plain("alarm_control_panel", "arm_home", "alarm_arm_home", Goal::State(&["armed_home"])),
    plain("alarm_control_panel", "arm_away", "alarm_arm_away", Goal::State(&["armed_away"])),
    plain("alarm_control_panel", "disarm", "alarm_disarm", Goal::State(&["disarmed"])),
];

/// The actions of a domain.
pub fn of_domain(domain: &str) -> impl Iterator<Item = &'static Action> {
    ACTIONS.iter().filter(move |action| action.domain == domain)
}

/// A value as a model wrote it.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    Number(f64),
    Text(String),
}

impl Given {
    /// `40`, `"40"` and `"40 %"` are the same.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().trim_end_matches(['%', '°', 'C', 'K']).trim().parse().ok(),
        }
        .filter(|number: &f64| number.is_finite())
    }
}

/// An action with its value, checked against the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub goal: Goal,
    /// Fields beside the entity.
    pub fields: Map<String, Value>,
    /// What is compared with the goal.
    asked: Option<Given>,
}

/// The order, or what is wrong with it in words.
pub fn order(action: &Action, given: Option<Given>, before: &State) -> Result<Order, String> {
    let needs = |what: &str| format!("{} of {} needs a value: {what}", action.word, before.entity_id);
    let number = |what: &str| given.as_ref().and_then(Given::number).ok_or_else(|| needs(what));
    let mut goal = action.goal;
    let (field, value) = match action.takes {
        Takes::Nothing => {
            return match given {
                None => Ok(Order { goal, fields: Map::new(), asked: None }),
                Some(_) => Err(format!("{} of {} takes no value", action.word, before.entity_id)),
            };
        }
        Takes::Percent(field) | Takes::Fraction(field) => {
            let percent = whole(number("0 to 100 (percent)")?, (0, 100), "percent")?;
            if action.domain == "light" && percent == 0 {
                goal = OFF;
            }
            let fraction = matches!(action.takes, Takes::Fraction(_));
            (field, if fraction { decimal(f64::from(percent) / 100.0) } else { Value::from(percent) })
        }
        Takes::Whole(field, min, max) => {
            let range = (i32::try_from(min).unwrap_or(i32::MIN), i32::try_from(max).unwrap_or(i32::MAX));
            (field, Value::from(whole(number(&format!("{min} to {max}"))?, range, "whole number")?))
        }
        Takes::Degrees(field) => {
            let min = before.number("min_temp").map_or(DEGREES.0, |min| min.max(DEGREES.0));
            let max = before.number("max_temp").map_or(DEGREES.1, |max| max.min(DEGREES.1));
            let degrees = number(&format!("{min} to {max} (degrees)"))?;
            if !(min..=max).contains(&degrees) {
                return Err(format!("{degrees} is out of range: {min} to {max} degrees"));
            }
            (field, decimal(degrees))
        }
        Takes::Listed(field, attribute) => {
            let listed = before.texts(attribute);
            let text = match &given {
                Some(Given::Text(text)) if listed.contains(&text.as_str()) => text.clone(),
                _ => return Err(needs(&listed.join(", "))),
            };
            (field, Value::String(text))
        }
    };
    Ok(Order { goal, fields: Map::from_iter([(field.to_owned(), value)]), asked: given })
}

fn whole(number: f64, (min, max): (i32, i32), what: &str) -> Result<i32, String> {
    #[expect(clippy::cast_possible_truncation, reason = "compared with the number that it came from")]
    let rounded = number as i32;
    if (f64::from(rounded) - number).abs() > f64::EPSILON || !(min..=max).contains(&rounded) {
        return Err(format!("{number} is out of range: {min} to {max}, a {what}"));
    }
    Ok(rounded)
}

fn decimal(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

impl Order {
    /// Whether `now` is what was ordered; `before` is how it was.
    pub fn is_reached(&self, before: &State, now: &State) -> bool {
        match self.goal {
            Goal::State(states) => states.contains(&now.state.as_str()),
            Goal::Asked => matches!(&self.asked, Some(Given::Text(text)) if *text == now.state),
            Goal::Near(attribute, factor, tolerance) => {
                let wanted = self.asked.as_ref().and_then(Given::number).map(|number| number * factor);
                wanted.zip(now.number(attribute)).is_some_and(|(wanted, seen)| (wanted - seen).abs() <= tolerance)
            }
            Goal::Changed => !now.is_moving() && (now.state != before.state || now.last_changed != before.last_changed),
            Goal::Rest => !now.is_moving(),
        }
    }

    /// Whether it can be said, before anything is sent, that it is so already.
    pub fn is_comparable(&self) -> bool {
        matches!(self.goal, Goal::State(_) | Goal::Asked | Goal::Near(..))
    }
}
