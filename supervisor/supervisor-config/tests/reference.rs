//! `docs/reference/platform-toml.md` and the schema say the same.

mod surroundings;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use supervisor_config::schema::{Key, keys};
use supervisor_config::{Config, effective, read, schema};

fn row(Key { path, kind, default, meaning, example: _, change }: &Key) -> String {
    format!("| `{path}` | {kind} | {default} | {meaning} | {change} |")
}

#[test]
fn the_reference_has_a_row_for_each_key_as_the_schema_says_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/platform-toml.md");
    let text = std::fs::read_to_string(path).unwrap();
    let written: BTreeSet<String> = text.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let expected: BTreeSet<String> = keys().iter().map(row).collect();
    let missing: Vec<_> = expected.difference(&written).cloned().collect();
    let surplus: Vec<_> = written.difference(&expected).cloned().collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "add to the reference:\n{}\nremove from it:\n{}",
        missing.join("\n"),
        surplus.join("\n")
    );
}

#[test]
fn the_keys_are_few_and_each_is_explained() {
    assert!(keys().len() < 100, "{} keys", keys().len());
    for key in keys() {
        assert!(!key.default.is_empty() && !key.meaning.is_empty() && !key.kind.is_empty(), "{key:?}");
        let known = ["pushed live", "rollout", "replacement", "new containers"];
        assert!(known.contains(&key.change.as_str()), "{key:?}");
        assert!(!key.meaning.contains(['|', '\n']), "{key:?} does not fit into a table");
    }
}

#[test]
fn the_documented_defaults_are_the_real_ones() {
    let text = "[spark]\nurl = \"http://h/v1\"\nmodel = \"m\"\n[profile.profile]\nport = 1\nupstream.upstream = { url = \"http://h\", preset = \"home-assistant\" }\n\
                upstream.channel = { url = \"http://10.0.0.1\", preset = \"telegram\", token.secret = \"telegram-token\" }\n\
                channel.channel.kind = \"loopback\"\n[profile.profile.bot.bot]\n";
    let effective = effective(&Config::parse(text, &surroundings::rich()).unwrap());
    let effective: toml::Table = effective.parse().unwrap();
    let mut compared = 0;
    for key in keys() {
        let mut value = Some(toml::Value::Table(effective.clone()));
        for step in key.path.split('.') {
            value = value.and_then(|value| value.get(step.trim_matches(['<', '>'])).cloned());
        }
        let Some(documented) = key.default.strip_prefix('`').filter(|text| !text.contains("spark.model")) else {
            continue;
        };
        if let Some(value) = value {
            assert_eq!(format!("{value}`"), documented, "{}", key.path);
            compared += 1;
        }
    }
    assert!(compared >= 19, "only {compared} defaults were compared");
}

#[test]
fn every_example_fits_its_key() {
    let plain = keys().iter().filter(|key| !key.path.contains("[]"));
    let lines = plain.map(|key| format!("{} = {}\n", key.path.replace(['<', '>'], ""), key.example));
    let mut lists: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (list, key, example) in
        keys().iter().filter_map(|key| key.path.split_once("[].").map(|(list, last)| (list, last, &key.example)))
    {
        lists.entry(list.replace(['<', '>'], "")).or_default().push(format!("{key} = {example}"));
    }
    let lists = lists.iter().map(|(list, keys)| format!("{list} = [{{ {} }}]\n", keys.join(", ")));
    let text = lines.chain(lists).collect::<Vec<_>>().concat();
    let reading = read(&text, &surroundings::rich());
    // One upstream cannot have every credential, and the lists of every preset; one rule cannot be confirmed and not; a channel
    // needs one of its own name; the profile here is called profile.
    let allowed = [
        "are more than one credential",
        "does not belong to this preset",
        "each request of this rule is confirmed",
        "a server behind http has no certificate",
        "there is no upstream",
        "there is no channel",
        "does not have the tool",
        "not both",
        "there is no profile",
    ];
    for finding in reading.findings.iter().filter(|finding| finding.is_error()) {
        assert!(allowed.iter().any(|words| finding.message.contains(words)), "{finding}\nin\n{text}");
    }
}

#[test]
fn the_schema_is_one_for_editors() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let profile = &schema["properties"]["profile"]["additionalProperties"];
    assert_eq!(profile["required"], serde_json::json!(["port"]));
    assert_eq!(profile["properties"]["port"]["minimum"], 1);
    let text = schema.to_string();
    assert!(!text.contains("\"null\"") && !text.contains("$ref"), "{text}");
}
