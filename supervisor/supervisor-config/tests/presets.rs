//! What the presets mean: one line for each rule that a gate enforces.

mod surroundings;

use std::collections::BTreeMap;

use platform_types::ProfileName;
use platform_types::egress::{Credential, Upstream};
use supervisor_config::Config;

fn upstream(text: &str) -> Upstream {
    let text = format!("[profile.p]\nport = 1\n[profile.p.upstream.up]\n{text}");
    let config = Config::parse(&text, &surroundings::rich()).expect("no errors");
    let profile = &config.profiles[&ProfileName::new("p").expect("a name")];
    let mut upstreams = profile.upstreams_for_gate(&BTreeMap::new());
    assert_eq!(upstreams.len(), 1);
    upstreams.remove(0)
}

fn rules(upstream: &Upstream) -> String {
    let lines = upstream.rules.iter().map(|rule| serde_json::to_string(rule).expect("JSON"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_house() {
    let up = upstream(
        "preset = \"home-assistant\"\nurl = \"http://192.168.1.20:8123/\"\naddress = \"192.168.1.20\"\n\
         networks = [\"192.168.1.0/24\"]\nbearer = { secret = \"ha-token\" }\n\
         read = [\"lock.shed\", \"sensor.door\"]\nentities = [\"light.kitchen\", \"climate.living\", \"switch.heater\"]\n\
         scenes = [\"scene.movie\"]\nconfirm = [\"lock.front_door\", \"scene.leave\", \"switch.heater\"]",
    );
    assert_eq!((up.url.as_str(), up.networks.len()), ("http://192.168.1.20:8123", 1));
    assert!(matches!(up.credential, Some(Credential::Bearer { .. })));
    insta::assert_snapshot!(rules(&up));
}

#[test]
fn an_entity_is_set_without_a_confirmation_only_where_the_file_says_so() {
    let lists = "preset = \"home-assistant\"\nurl = \"http://h\"\nread = [\"lock.a\"]\nentities = [\"switch.b\"]\nconfirm = [\"switch.b\"]";
    for rule in upstream(lists).rules {
        let body = serde_json::to_string(&rule.body).expect("JSON");
        assert!(rule.confirm.is_some() || !body.contains("switch.b"), "{} sets switch.b", rule.name);
        assert!(!body.contains("lock.a"), "{} sets lock.a", rule.name);
    }
    let nothing = upstream("preset = \"home-assistant\"\nurl = \"http://h\"");
    assert_eq!(nothing.rules.iter().map(|rule| rule.path.as_str()).collect::<Vec<_>>(), ["/api/", "/api/config"]);
}

#[test]
fn a_table_of_jobs() {
    let up = upstream(
        "preset = \"supabase-jobs\"\nurl = \"https://jobs.example\"\ntable = \"jobs\"\n\
         header = { name = \"apikey\", secret = \"jobs-key\" }",
    );
    insta::assert_snapshot!(rules(&up));
    for rule in up.rules.iter().filter(|rule| rule.method != platform_types::egress::Method::Get) {
        assert!(rule.confirm.is_some(), "{} changes something without a confirmation", rule.name);
    }
}

#[test]
fn jobs_of_some_kinds() {
    let text = |requeue: &str| {
        format!(
            "preset = \"supabase-jobs\"\nurl = \"https://jobs.example\"\ntable = \"jobs\"\nkinds = [\"report\", \"sync\"]\n\
             requeue = \"{requeue}\"\nbearer = {{ secret = \"ha-token\" }}\nheader = {{ name = \"apikey\", secret = \"jobs-key\" }}"
        )
    };
    let up = upstream(&text("compare-and-set"));
    assert!(matches!(&up.credential, Some(Credential::Both { bearer, .. }) if bearer.as_str() == "ha-token"));
    insta::assert_snapshot!(rules(&up));
    let by_function = upstream(&text("function"));
    assert_eq!(by_function.rules[0], up.rules[0]);
    assert_eq!(by_function.rules[1].guards.len(), 1);
}

#[test]
fn tools_are_told_what_there_is() {
    let text = "[profile.p]\nport = 1\n[profile.p.upstream.house]\npreset = \"home-assistant\"\nurl = \"http://h\"\n\
                read = [\"sensor.a\", \"lock.a\"]\nentities = [\"light.a\", \"switch.b\", \"sensor.b\"]\n\
                scenes = [\"scene.a\", \"scene.b\"]\nconfirm = [\"switch.b\", \"scene.b\", \"lock.b\"]\n\
                [profile.p.upstream.jobs]\npreset = \"supabase-jobs\"\nurl = \"http://h\"\ntable = \"t\"";
    let config = Config::parse(text, &surroundings::rich()).expect("no errors");
    let profile = &config.profiles[&ProfileName::new("p").expect("a name")];
    let house = profile.house_for_tools().expect("a house");
    let things: Vec<String> = house.things.iter().map(|thing| format!("{} {:?}", thing.id, thing.may)).collect();
    let expect = [
        "light.a Set",
        "lock.a Read",
        "lock.b Confirm",
        "scene.a Set",
        "scene.b Confirm",
        "sensor.a Read",
        "sensor.b Read",
        "switch.b Confirm",
    ];
    assert_eq!(things, expect);
    let jobs = profile.jobs_for_tools().expect("jobs");
    assert_eq!((jobs.table.as_str(), jobs.requeue.as_str(), jobs.kinds.len()), ("t", "function", 0));
}

#[test]
fn a_bot_of_telegram() {
    let up =
        upstream("preset = \"telegram\"\nurl = \"https://api.telegram.org\"\ntoken = { secret = \"telegram-token\" }");
    assert!(matches!(&up.credential, Some(Credential::Path { prefix, .. }) if prefix == "bot"));
    insta::assert_snapshot!(rules(&up));
}

#[test]
fn a_button_opens_the_pages_of_the_profiles_own_gate_or_none() {
    let telegram = "preset = \"telegram\"\nurl = \"https://api.telegram.org\"\ntoken = { secret = \"telegram-token\" }";
    assert!(!rules(&upstream(telegram)).contains("\"url\""), "without an address no button has one");
    let text = format!(
        "[profile.p]\nport = 1\naddress = \"https://box.tail1234.ts.net\"\n[profile.p.upstream.up]\n{telegram}"
    );
    let config = Config::parse(&text, &surroundings::rich()).expect("no errors");
    let profile = &config.profiles[&ProfileName::new("p").expect("a name")];
    let rules = rules(&profile.upstreams_for_gate(&BTreeMap::new()).remove(0));
    let only =
        r#""url":{"shape":{"type":"one_of","values":["https://box.tail1234.ts.net/confirmations"]},"required":false}"#;
    assert_eq!((rules.matches(only).count(), rules.matches("\"url\"").count()), (2, 2), "{rules}");
}

#[test]
fn written_rules_have_names_of_their_own() {
    let up = upstream(
        "url = \"https://api.example\"\nrule = [{ method = \"GET\", path = \"/a\" }, { method = \"GET\", path = \"/a\" }, \
         { method = \"POST\", path = \"/a\", body = { n = \"boolean\" }, confirm = true, card = \"Do {n}\" }]",
    );
    insta::assert_snapshot!(rules(&up));
}
