//! What `platform.toml` lets through, the gate understands, and means the same: the supervisor's and the gate's crates know
//! nothing of each other, so this is held here.

use std::collections::{BTreeMap, BTreeSet};

use gate_rules::{Admitted, Denied, Request, admit, check, fill, fill_path};
use platform_types::egress::Upstream;
use platform_types::{ProfileName, SecretName};
use supervisor_config::{Config, Surroundings};

const HOUSE: &str = r#"
preset = "home-assistant"
url = "http://192.168.1.20:8123"
networks = ["192.168.1.0/24"]
bearer = { secret = "key" }
read = ["lock.shed", "sensor.door"]
entities = ["light.kitchen", "climate.living", "cover.garage", "fan.bath", "switch.heater", "script.bed",
            "media_player.hall", "vacuum.tom", "button.bell", "input_boolean.guests", "alarm_control_panel.home"]
scenes = ["scene.movie"]
confirm = ["lock.front_door", "switch.heater", "cover.garage", "alarm_control_panel.home"]
"#;
const JOBS: &str = r#"
preset = "supabase-jobs"
url = "https://jobs.example"
header = { name = "apikey", secret = "key" }
table = "jobs"
"#;
const COMPARED: &str = r#"
preset = "supabase-jobs"
url = "https://jobs.example"
header = { name = "apikey", secret = "key" }
bearer = { secret = "key" }
table = "jobs"
kinds = ["report", "sync"]
requeue = "compare-and-set"
"#;
const TELEGRAM: &str = r#"
preset = "telegram"
url = "https://api.telegram.org"
token = { secret = "key" }
"#;

fn config(text: &str) -> Option<Config> {
    let surroundings = Surroundings {
        secrets: BTreeSet::from([SecretName::new("key").expect("a name")]),
        tools: ["clock.now".to_owned()].into(),
        ..Surroundings::default()
    };
    Config::parse(&format!("[profile.p]\nport = 1\n[profile.p.upstream.up]\n{text}"), &surroundings).ok()
}

fn upstream(text: &str) -> Option<Upstream> {
    config(text)?.profiles[&ProfileName::new("p").expect("a name")].upstreams_for_gate(&BTreeMap::new()).pop()
}

fn ask(up: &Upstream, (method, target): (&str, &str), body: &str) -> Result<Admitted, Denied> {
    let headers: &[(&str, &[u8])] = if body.is_empty() { &[] } else { &[("content-type", b"application/json")] };
    admit(up, &Request { method, target, headers, body: body.as_bytes() }, &|id| id == "17")
}

fn get(target: &str) -> (&str, &str) {
    ("GET", target)
}

fn post(target: &str) -> (&str, &str) {
    ("POST", target)
}

#[test]
fn every_preset_passes_the_check_of_the_gate() {
    for text in
        [HOUSE, JOBS, COMPARED, TELEGRAM, "preset = \"home-assistant\"\nurl = \"http://h\"", "url = \"http://h\""]
    {
        assert_eq!(check(&upstream(text).expect("accepted")), Ok(()), "{text}");
    }
}

#[test]
fn facts_and_words_are_filled_from_every_confirmed_request() {
    let jobs = "/rest/v1/jobs?id=eq.7&kind=in.(report,sync)&status=in.(failed,dead)&updated_at=eq.2026-11-22T10:45:12.468314%2B00:00\
                &select=id,kind,status,attempts,last_error,updated_at";
    let check = |text: &str, request: (&str, &str), body: &str, (words, fact): (&str, &str)| {
        let up = upstream(text).expect("accepted");
        let admitted = ask(&up, request, body).unwrap_or_else(|denied| panic!("{request:?}: {denied}"));
        let confirm =
            up.rules[admitted.rule].confirm.as_ref().unwrap_or_else(|| panic!("{request:?} is not confirmed"));
        assert_eq!(fill(&confirm.words, &admitted.values), words);
        assert_eq!(fill_path(&confirm.facts[0].path, &admitted.values).as_deref(), Some(fact));
    };
    let unlock = ("POST", "/api/services/lock/unlock");
    let entity = r#"{"entity_id":"lock.front_door"}"#;
    check(HOUSE, unlock, entity, ("Unlock lock.front_door", "/api/states/lock.front_door"));
    let row = "/rest/v1/jobs?id=eq.7&select=kind,status,attempts,last_error";
    let body = r#"{"status":"queued","attempts":0,"run_at":"now","locked_at":null,"locked_by":null}"#;
    check(COMPARED, ("PATCH", jobs), body, ("Queue job 7 again", row));
    let body = r#"{"p_job_id":7,"p_actor":"bot"}"#;
    check(JOBS, ("POST", "/rest/v1/rpc/requeue_job"), body, ("Queue job 7 again", row));
}

#[test]
fn what_the_presets_let_through() {
    let check = |text: &str, request: (&str, &str), body: &str, passes: bool| {
        let up = upstream(text).expect("accepted");
        let plain = ask(&up, request, body).is_ok_and(|admitted| up.rules[admitted.rule].confirm.is_none());
        assert_eq!(plain, passes, "{request:?} {body}");
    };
    check(HOUSE, get("/api/states/light.kitchen"), "", true);
    check(HOUSE, get("/api/states/lock.front_door"), "", true);
    check(HOUSE, get("/api/states"), "", false);
    check(HOUSE, get("/api/config"), "", true);
    check(HOUSE, get("/api/states/light.other"), "", false);
    check(HOUSE, post("/api/services/light/turn_on"), r#"{"entity_id":"light.kitchen","brightness_pct":40}"#, true);
    check(HOUSE, post("/api/services/light/turn_on"), r#"{"entity_id":"all"}"#, false);
    check(HOUSE, post("/api/services/light/turn_on"), r#"{"entity_id":"switch.heater"}"#, false);
    check(HOUSE, post("/api/services/homeassistant/turn_off"), r#"{"entity_id":"light.kitchen"}"#, false);
    check(
        HOUSE,
        post("/api/services/climate/set_temperature"),
        r#"{"entity_id":"climate.living","temperature":21.5}"#,
        true,
    );
    check(
        HOUSE,
        post("/api/services/climate/set_temperature"),
        r#"{"entity_id":"climate.living","temperature":99}"#,
        false,
    );
    check(HOUSE, post("/api/services/scene/turn_on"), r#"{"entity_id":"scene.movie"}"#, true);
    check(HOUSE, post("/api/services/scene/apply"), r#"{"entities":{"lock.front_door":"unlocked"}}"#, false);
    check(HOUSE, post("/api/services/switch/turn_on"), r#"{"entity_id":"switch.heater"}"#, false);
    check(HOUSE, post("/api/services/cover/open_cover"), r#"{"entity_id":"cover.garage"}"#, false);
    check(HOUSE, post("/api/services/lock/lock"), r#"{"entity_id":"lock.shed"}"#, false);
    check(HOUSE, post("/api/services/lock/unlock"), r#"{"entity_id":"lock.shed"}"#, false);
    check(
        HOUSE,
        post("/api/services/alarm_control_panel/alarm_disarm"),
        r#"{"entity_id":"alarm_control_panel.home"}"#,
        false,
    );
    for path in ["/api/template", "/api/events/x", "/api/states/light.kitchen", "/api/conversation/process"] {
        check(HOUSE, post(path), r#"{"template":"x"}"#, false);
    }
    let list = "/rest/v1/jobs?select=id,kind,status,attempts,last_error,updated_at&limit=20";
    check(JOBS, get(list), "", true);
    check(JOBS, get(&format!("{list}&status=in.(failed,dead)&order=updated_at.desc")), "", true);
    check(JOBS, get("/rest/v1/jobs?select=*&limit=20"), "", false);
    check(JOBS, get(&format!("{list}&id=gt.0")), "", false);
    check(JOBS, get(&format!("{list}&or=(id.gt.0)")), "", false);
    check(JOBS, ("DELETE", "/rest/v1/jobs?id=eq.1"), "", false);
    check(COMPARED, get(list), "", false);
    check(COMPARED, get(&format!("{list}&kind=in.(report,sync)")), "", true);
    check(COMPARED, get(&format!("{list}&kind=eq.sync")), "", true);
    check(COMPARED, get(&format!("{list}&kind=eq.billing")), "", false);
    check(COMPARED, get(&format!("{list}&kind=in.(report,billing)")), "", false);
    let send =
        |rest: &str| format!(r#"{{"chat_id":17,"text":"hi","link_preview_options":{{"is_disabled":true}}{rest}}}"#);
    check(TELEGRAM, get("/getMe"), "", true);
    check(TELEGRAM, post("/getUpdates"), r#"{"offset":1,"timeout":50,"allowed_updates":["message"]}"#, true);
    check(TELEGRAM, post("/sendMessage"), &send(""), true);
    check(TELEGRAM, post("/sendMessage"), &send("").replace("17", "18"), false);
    check(TELEGRAM, post("/sendMessage"), &send("").replace("true", "false"), false);
    let button = |key: &str| send(&format!(r#","reply_markup":{{"inline_keyboard":[[{{"text":"a","{key}":"b"}}]]}}"#));
    check(TELEGRAM, post("/sendMessage"), &button("callback_data"), true);
    check(TELEGRAM, post("/sendMessage"), &button("url"), false);
    for method in ["/setWebhook", "/deleteWebhook", "/sendPhoto", "/logOut", "/close", "/forwardMessage"] {
        check(TELEGRAM, post(method), r#"{"url":"https://evil.example","chat_id":17}"#, false);
    }
}

#[test]
fn no_change_of_jobs_goes_without_all_of_its_filters() {
    let up = upstream(COMPARED).expect("accepted");
    let filters = [
        "id=eq.7",
        "kind=in.(report,sync)",
        "status=in.(failed,dead)",
        "updated_at=eq.2026-11-22T10:45:12",
        "select=id,kind,status,attempts,last_error,updated_at",
    ];
    let patch = |filters: &[&str]| {
        let target = format!("/rest/v1/jobs?{}", filters.join("&"));
        ask(&up, ("PATCH", &target), r#"{"status":"queued","attempts":0}"#)
    };
    assert!(patch(&filters).is_ok());
    for left_out in 0..filters.len() {
        let some: Vec<_> = filters.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, one)| *one).collect();
        assert!(patch(&some).is_err(), "{some:?}");
    }
}

/// Each written rule is refused with a finding, or the gate takes it: nothing is accepted here and closed there.
#[test]
fn a_written_rule_is_refused_here_or_taken_there() {
    let paths =
        ["/", "/a", "/a/{id}", "/a//b", "/..", "/a/{id}/{id}", "/{x}", "a", "/%41", "/a b", "/a;b", "/{}", "/ü"];
    let params = ["", "params = { id = \"boolean\" }", "params = { id = { text = 9, optional = true } }"];
    let headers =
        ["", "host", "accept", "prefer", "prefer: x", "prefer:", "X-A", "x-forwarded-for", "accept: ä", "key"];
    let rests = [
        "",
        "query = { id = \"boolean\", q = [1, 1.5, \"x\", true] }",
        "query = { q = { after = \"eq.\", integer = [1, 9] } }",
        "query = { q = { after = \" \", text = 9 } }",
        "query = { q = [] }",
        "query = { \"\" = [1] }",
        "body = {}",
        "body = { id = { number = [9, 1] } }",
        "body = { id = [1] }\nconfirm = true\ncard = \"Take {id}\"",
        "confirm = true\ncard = \"Take {nothing}\"",
        "answer = [\"a.b\"]",
        "answer = [\".\"]",
    ];
    let by_path = paths.iter().flat_map(|path| params.iter().map(move |params| (*path, *params, "", "")));
    let by_rest = headers.iter().flat_map(|header| rests.iter().map(move |rest| ("/a", "", *header, *rest)));
    let (mut taken, mut refused) = (0, 0);
    for (path, params, header, rest) in by_path.chain(by_rest) {
        for method in ["GET", "POST"] {
            let headers = if header.is_empty() { String::new() } else { format!("headers = [{header:?}]") };
            let unasked = method == "POST" && !rest.contains("confirm");
            let why = if unasked { "unconfirmed = \"It does no harm\"" } else { "" };
            let text = format!(
                "url = \"http://h\"\nheader = {{ name = \"key\", secret = \"key\" }}\n\
                 [[profile.p.upstream.up.rule]]\nmethod = \"{method}\"\npath = \"{path}\"\n{params}\n{headers}\n{rest}\n{why}\n"
            );
            match upstream(&text) {
                Some(up) => {
                    assert_eq!(check(&up), Ok(()), "{text}");
                    taken += 1;
                }
                None => refused += 1,
            }
        }
    }
    assert!(taken > 30 && refused > 100, "{taken} taken, {refused} refused");
}
