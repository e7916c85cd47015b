//! Fits the file to the schema: every unknown key, wrong type, missing key and number out of range is found here, and left
//! out of the result. What remains fits [`crate::raw`].
//!
//! Messages never quote a value of the wrong type: it may be a secret that was written in the wrong place.

use serde_json::{Map, Number, Value};
use toml::de::{DeTable, DeValue};

use crate::path::KeyPath;
use crate::report::Report;
use crate::schema::{keys, kind, toml_of};
use crate::suggest::{listed, nearest};

/// The part of the file that fits the schema.
pub(crate) fn fit(schema: &Value, report: &mut Report<'_>) -> Value {
    let top = report.document().top();
    Value::Object(table(schema, top, &KeyPath::top(), report))
}

fn table(schema: &Value, table: &DeTable<'_>, path: &KeyPath, report: &mut Report<'_>) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let any = schema.get("additionalProperties").filter(|any| any.is_object());
    let mut fitting = Map::new();
    let mut in_file_order: Vec<_> = table.iter().collect();
    in_file_order.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in in_file_order {
        let key = key.get_ref();
        let path = path.key(key);
        let Some(schema) = properties.and_then(|known| known.get(key.as_ref())).or(any) else {
            unknown(properties, &path, key, report);
            continue;
        };
        if let Some(value) = fit_value(schema, value.get_ref(), &path, report) {
            fitting.insert(key.to_string(), value);
        }
    }
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !table.contains_key(required) {
            missing(schema, &path.key(required), required, report);
        }
    }
    fitting
}

fn fit_value(schema: &Value, value: &DeValue<'_>, path: &KeyPath, report: &mut Report<'_>) -> Option<Value> {
    let schema = alternative(schema, value);
    match (type_of(schema), value) {
        ("object", DeValue::Table(inner)) => Some(Value::Object(table(schema, inner, path, report))),
        ("array", DeValue::Array(items)) => {
            let schema = schema.get("items").unwrap_or(&Value::Null);
            let fitting = items.iter().enumerate();
            let fitting = fitting.filter_map(|(at, item)| fit_value(schema, item.get_ref(), &path.index(at), report));
            Some(Value::Array(fitting.collect()))
        }
        (SCALAR, DeValue::String(text)) => Some(Value::String(text.to_string())),
        ("string", DeValue::String(text)) => choice(schema, text, path, report),
        ("boolean" | SCALAR, DeValue::Boolean(value)) => Some(Value::Bool(*value)),
        ("integer" | "number" | SCALAR, DeValue::Integer(integer)) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            in_range(schema, (number.map(Number::from), integer.as_str()), path, report)
        }
        ("number" | SCALAR, DeValue::Float(float)) => {
            let number = float.as_str().parse().ok().and_then(Number::from_f64);
            in_range(schema, (number, float.as_str()), path, report)
        }
        _ => {
            wrong_type(schema, value, path, report);
            None
        }
    }
}

/// The type of a schema that takes any single value.
const SCALAR: &str = "scalar";

fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(_)) => SCALAR,
        _ => "",
    }
}

/// Of several ways to write a value, the one with this type.
fn alternative<'a>(schema: &'a Value, value: &DeValue<'_>) -> &'a Value {
    let written = match value {
        DeValue::String(_) => "string",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => SCALAR,
    };
    let mut ways = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    ways.find(|way| type_of(way) == written).unwrap_or(schema)
}

/// A text, one of the choices where the schema has some.
fn choice(schema: &Value, text: &str, path: &KeyPath, report: &mut Report<'_>) -> Option<Value> {
    let choices = schema.get("enum").and_then(Value::as_array);
    let known = || choices.into_iter().flatten().filter_map(Value::as_str);
    if choices.is_none() || known().any(|choice| choice == text) {
        return Some(Value::String(text.to_owned()));
    }
    let remedy = match nearest(text, known()) {
        Some(choice) => format!("Did you mean {choice:?}?"),
        None => format!("Choose from {}.", listed(known())),
    };
    report.error(path, format!("{text:?} is not one of the choices"), remedy);
    None
}

/// A number within the schema's bounds, beside its text; `None` is one that nothing here can hold.
fn in_range(
    schema: &Value,
    (number, text): (Option<Number>, &str),
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<Value> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let fits = |number: &Number| {
        let number = number.as_f64().unwrap_or(f64::NAN);
        number.is_finite()
            && bound("minimum").is_none_or(|least| number >= least)
            && bound("maximum").is_none_or(|most| number <= most)
    };
    if let Some(number) = number.filter(fits) {
        return Some(Value::Number(number));
    }
    let written = |name: &str| schema.get(name).map(toml_of).unwrap_or_default();
    let remedy = format!("Write a {} from {} to {}.", kind(schema), written("minimum"), written("maximum"));
    report.error(path, format!("{text} is out of range"), remedy);
    None
}

fn wrong_type(schema: &Value, value: &DeValue<'_>, path: &KeyPath, report: &mut Report<'_>) {
    let stands = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let wanted = match type_of(schema) {
        SCALAR => "a single value",
        "" => "a list, a word or a table",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "text in quotes",
    };
    let named = if schema.get("additionalProperties").is_some_and(Value::is_object) { ".NAME" } else { "" };
    let plain = || match wanted {
        "a single value" => "Write text, a number, or true or false.".to_owned(),
        "a list" => "Write it in brackets: [...]".to_owned(),
        _ => format!("Write it as a section: [{path}{named}]"),
    };
    let remedy = example(schema, path).unwrap_or_else(plain);
    report.error(path, format!("{stands} stands here, {wanted} is needed"), remedy);
}

fn missing(schema: &Value, path: &KeyPath, key: &str, report: &mut Report<'_>) {
    let property = schema.get("properties").and_then(|properties| properties.get(key)).unwrap_or(&Value::Null);
    let remedy =
        example(property, path).unwrap_or_else(|| "Add at least one section such as [profile.personal].".to_owned());
    report.error(path, "it is missing", remedy);
}

fn unknown(properties: Option<&Map<String, Value>>, path: &KeyPath, key: &str, report: &mut Report<'_>) {
    let known = || properties.into_iter().flat_map(Map::keys).map(String::as_str);
    let remedy = match (nearest(key, known()), home_of(key, path)) {
        (Some(near), _) => format!("Did you mean `{near}`?"),
        (None, Some(home)) => format!("It belongs {home}; move it there."),
        (None, None) => {
            let mut known: Vec<&str> = known().collect();
            known.sort_unstable();
            format!("Remove it; the keys here are {}.", listed(known))
        }
    };
    report.error(path, "there is no such key", remedy);
}

/// Where a key belongs that stands at the top instead of in its section, or in a section instead of at the top.
fn home_of(key: &str, path: &KeyPath) -> Option<String> {
    let at_top = path.steps().len() == 1;
    let mut homes = keys().iter().filter_map(|known| match known.path.rsplit_once('.') {
        Some((section, last)) if last == key && at_top => Some(format!("under [{section}]")),
        None if known.path == key && !at_top => Some("at the top of the file, before the first section".to_owned()),
        _ => None,
    });
    let home = homes.next()?;
    homes.next().is_none().then_some(home)
}

/// `Write for example: port = 18789`, from the schema's example.
fn example(schema: &Value, path: &KeyPath) -> Option<String> {
    let example = schema.get("examples").and_then(|examples| examples.get(0));
    let item = || {
        let items = schema.get("items")?;
        items.get("examples")?.get(0)
    };
    match example.or_else(item) {
        Some(example) => Some(format!("Write for example: {} = {}", path.last(), toml_of(example))),
        None if schema.get("type").is_some_and(|kind| kind == "string") => Some("Put it in quotes.".to_owned()),
        None => None,
    }
}
