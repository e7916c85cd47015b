//! What valid files mean.

mod surroundings;

use std::path::Path;

use platform_types::agent::{Effect, SessionKind};
use platform_types::egress::{AnswerFilter, Credential, Field, Shape};
use platform_types::spark::Backend;
use platform_types::{Port, ProfileName, SecretName};
use serde_json::json;
use supervisor_config::config::{Allows, Consent, Limits};
use supervisor_config::{Config, Finding, Surroundings, diff, effective, instructions, read};

const SMALLEST: &str = "[profile.personal]\nport = 18789\n";

/// The example of the contracts; its secrets and tools exist.
const CONTRACTS: &str = r#"
name = "bot"
timezone = "Europe/Berlin"
metrics = "127.0.0.1:9469"

[spark]
url = "https://spark.example.ts.net/v1"
model = "openai/gpt-oss-120b"
key = { secret = "spark-key" }

[profile.personal]
port = 18789
address = "https://vm102.example.ts.net"
[profile.ops]
port = 18790
address = "https://vm102.example.ts.net:8443"

[profile.personal.upstream.home-assistant]
preset = "home-assistant"
url = "http://192.168.1.20:8123"
networks = ["192.168.1.0/24"]
bearer = { secret = "ha-token" }
entities = ["light.kitchen", "climate.living"]
scenes = ["scene.movie"]
confirm = ["lock.front_door"]

[profile.personal.bot.home]
instructions = "bots/home.md"
tools = ["home.status", "home.read", "home.scene", "home.set"]
documents = []

[backup]
schedule = "0 3 * * *"
keep = { daily = 7, weekly = 5, monthly = 12 }
drill = "0 5 * * 0"
paths = []
"#;

fn with_home_tools() -> Surroundings {
    let mut surroundings = surroundings::rich();
    surroundings.tools.extend(["home.status", "home.read", "home.scene", "home.set"].map(str::to_owned));
    surroundings
}

/// With the tools that the example's bots list.
fn with_own_tools() -> Surroundings {
    let mut surroundings = surroundings::rich();
    let notes = ["note.write", "note.search", "note.show", "note.edit", "note.list"];
    let memory = ["memory.remember", "memory.forget", "memory.search"];
    let home = ["home.status", "home.read", "home.set", "home.scene"];
    let ops = ["platform.health", "platform.logs", "spark.health", "spark.models", "spark.switch"];
    let jobs = ["jobs.list", "jobs.show", "jobs.requeue"];
    let project = ["doc.list", "doc.read", "doc.search", "plan.write", "plan.show", "plan.list"];
    let all = notes.into_iter().chain(memory).chain(home).chain(ops).chain(jobs).chain(project);
    surroundings.tools.extend(all.map(str::to_owned));
    surroundings
}

fn accept(text: &str) -> Config {
    Config::parse(text, &with_home_tools()).unwrap_or_else(|findings| panic!("{}", lines(&findings)))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn profile(name: &str) -> ProfileName {
    ProfileName::new(name).expect("a name")
}

#[test]
fn models_of_bots_are_those_beside_the_default_one() {
    let text = "[spark]\nurl = \"http://10.0.0.7/v1\"\nmodel = \"a/A\"\n[profile.one]\nport = 1\n[profile.one.bot.x]\n\
                [profile.one.bot.y]\nmodel = \"b/B\"\n[profile.two]\nport = 2\n[profile.two.bot.z]\nmodel = \"b/B\"\n\
                [profile.two.bot.w]\nmodel = \"a/a\"\n";
    let config = Config::parse(text, &surroundings::rich()).unwrap();
    let models: Vec<String> = config.models_of_bots().iter().map(ToString::to_string).collect();
    assert_eq!(models, ["a/a", "b/B"]);
}

#[test]
fn the_smallest_file_gets_every_default() {
    let config = accept(SMALLEST);
    assert_eq!(config.backend(), Backend::Demo);
    let personal = &config.profiles[&profile("personal")];
    assert_eq!(personal.limits, Limits::DEFAULT);
    assert_eq!(personal.origin(), "http://127.0.0.1:18789");
    assert!(personal.bots[0].is_demo());
    insta::assert_snapshot!(effective(&config));
}

#[test]
fn the_example_of_the_contracts() {
    let reading = read(CONTRACTS, &with_home_tools());
    let config = reading.config.expect("no errors");
    let keys: Vec<_> = reading.findings.iter().map(|finding| finding.key.as_str()).collect();
    let not_in_force = ["backup.drill"];
    assert_eq!(keys, not_in_force);
    assert_eq!(config.profiles[&profile("ops")].origin(), "https://vm102.example.ts.net:8443");
    assert_eq!(config.secrets_in_force().into_iter().map(String::from).collect::<Vec<_>>(), ["ha-token", "spark-key"]);
    let by_profile = config.secrets_by_profile();
    assert_eq!(by_profile[&profile("personal")].iter().map(SecretName::as_str).collect::<Vec<_>>(), ["ha-token"]);
    assert!(by_profile[&profile("ops")].is_empty());
    insta::assert_snapshot!(effective(&config));
}

#[test]
fn the_shipped_example_is_valid_with_and_without_its_comments() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/platform.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let reading = read(&text, &with_own_tools());
    assert_eq!(lines(&reading.findings), "");
    let ports: Vec<_> = reading.config.unwrap().profiles.values().map(|profile| profile.port.get()).collect();
    assert_eq!(ports, [18790, 18789]);

    let uncommented: Vec<_> = text.lines().map(|line| uncommented(line).unwrap_or(line)).collect();
    let reading = read(&uncommented.join("\n"), &with_own_tools());
    assert_eq!(lines(&reading.findings), "");
    let config = reading.config.unwrap();
    assert!(config.spark.is_some() && config.backup.repository.is_some());
    assert_eq!(config.profiles[&profile("personal")].limits, Limits::DEFAULT);
}

/// `# key = value` or `# [section]` without the number sign.
fn uncommented(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("# ")?;
    let first = rest.split(' ').next()?;
    let is_key =
        rest[first.len()..].starts_with(" = ") && first.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_key || first.starts_with('[')).then_some(rest)
}

#[test]
fn spellings_are_made_one() {
    let check = |line: &str, expect: &str| {
        let text = format!("{line}\n[profile.p]\nport = 1\n").replace("SPARK", "[spark]\nmodel = \"m\"\nurl");
        let shown = effective(&accept(&text));
        assert!(shown.lines().any(|line| line == expect), "{expect} is not in\n{shown}");
    };
    check("timezone = \"europe/berlin\"", "timezone = \"Europe/Berlin\"");
    check("SPARK = \"http://box:8000/v1///\"", "url = \"http://box:8000/v1\"");
    check("SPARK = \"HTTPS://Box/openai/v1\"", "url = \"https://box/openai/v1\"");
    let check = |line: &str, expect: &str| {
        let shown = effective(&accept(&format!("{SMALLEST}{line}\n")));
        assert!(shown.lines().any(|line| line == expect), "{expect} is not in\n{shown}");
    };
    check("address = \"HTTPS://VM102.Example.ts.net:443/\"", "address = \"https://vm102.example.ts.net\"");
    check("address = \"http://localhost:18789\"", "address = \"http://localhost:18789\"");
    check("address = \"http://[::1]:80\"", "address = \"http://[::1]\"");
    check("memory = \"2048M\"", "memory = \"2GiB\"");
    check("memory = \"1G\"", "memory = \"1GiB\"");
    check("memory = \"1025 MiB\"", "memory = \"1025MiB\"");
    check("cpus = 2", "cpus = 2.0");
    check("cpus = 0.25", "cpus = 0.25");
    check("bot.home = {}", "title = \"Home\"");
    check("bot.home = { instructions = \"bots/home.md\" }", "instructions = \"bots/home.md\"");
    check("upstream.x = { url = \"http://h/\", address = \"fd00::1\" }", "address = \"fd00::1\"");
}

#[test]
fn bots_keep_the_order_of_the_file_and_profiles_do_not_need_it() {
    let text = "[profile.b.bot.zoe]\n[profile.b.bot.adam]\n[profile.a]\nport = 1\n[profile.b]\nport = 2\n";
    let config = accept(text);
    let names: Vec<_> = config.profiles[&profile("b")].bots.iter().map(|bot| bot.name.as_str()).collect();
    assert_eq!(names, ["zoe", "adam"]);
    assert_eq!(config.profiles[&profile("b")].port, Port::new(2).unwrap());
    assert!(config.profiles[&profile("b")].bots[0].tools.is_empty(), "a bot gets only the tools that it is given");
}

#[test]
fn upstreams_are_read_whole() {
    let text = r#"
        [profile.p]
        port = 1
        [profile.p.upstream.jobs]
        preset = "supabase-jobs"
        url = "https://jobs.example/"
        header = { name = "apikey", secret = "jobs-key" }
        table = "jobs"
        [profile.p.upstream.own]
        url = "https://api.example"
        [[profile.p.upstream.own.rule]]
        method = "POST"
        path = "/open"
        body = { state = ["on", 1, 1.5, true], n = { integer = [1, 9], optional = true }, b = "boolean", t = { text = 20 } }
        query = { limit = ["10"], id = { after = "eq.", integer = [1, 100] } }
        headers = ["accept", "prefer:return=minimal"]
        confirm = true
        card = "Set {state} of {id}"
        answer = ["id", "job.state"]
        [[profile.p.policy]]
        effect = "deny"
        tool = "clock.*"
        bot = "assistant"
        session = "script"
        when = { zone = ["UTC", 1] }
        why = "Nobody is there"
    "#;
    let config = accept(text);
    let upstreams: Vec<_> = config.profiles[&profile("p")].upstreams.values().collect();
    assert_eq!(upstreams[0].url, "https://jobs.example");
    assert!(matches!(&upstreams[0].credential, Some(Credential::Header { name, .. }) if name == "apikey"));
    let Allows::Rules(rules) = &upstreams[1].allows else { panic!("rules") };
    assert_eq!(rules[0].consent, Consent::Card("Set {state} of {id}".to_owned()));
    assert_eq!(rules[0].headers, ["accept", "prefer: return=minimal"]);
    let body = rules[0].body.as_ref().expect("a body");
    let values = vec![json!("on"), json!(1), json!(1.5), json!(true)];
    assert_eq!(body["state"], Field { shape: Shape::OneOf { values }, required: true });
    assert_eq!(body["n"], Field { shape: Shape::Integer { min: 1, max: 9 }, required: false });
    let after = Shape::After { prefix: "eq.".to_owned(), then: Box::new(Shape::Integer { min: 1, max: 100 }) };
    assert_eq!(rules[0].query["id"], Field { shape: after, required: true });
    assert_eq!(rules[0].answer, AnswerFilter::Members { members: vec!["id".to_owned(), "job.state".to_owned()] });
    let policy = &config.profiles[&profile("p")].policy[0];
    assert_eq!(
        (policy.effect, policy.session, policy.tool.as_str()),
        (Effect::Deny, Some(SessionKind::Script), "clock.*")
    );
    assert_eq!(policy.when["zone"], [json!("UTC"), json!(1)]);
    assert_eq!(Config::parse(&effective(&config), &surroundings::rich()).unwrap(), config);
}

#[test]
fn a_difference_names_each_key() {
    let new = CONTRACTS
        .replace("timezone = \"Europe/Berlin\"", "timezone = \"Europe/Vienna\"")
        .replace("port = 18790", "port = 18791\npids = 256")
        .replace("key = { secret = \"spark-key\" }", "")
        .replace("[profile.personal.bot.home]", "[profile.third]\nport = 18792\n[profile.personal.bot.home]");
    let changed = diff(&accept(CONTRACTS), &accept(&new));
    insta::assert_snapshot!(changed.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn another_order_of_bots_is_a_difference() {
    let text = |first: &str, second: &str| {
        format!("{SMALLEST}[profile.personal.bot.{first}]\n[profile.personal.bot.{second}]\n")
    };
    let changed = diff(&accept(&text("a", "b")), &accept(&text("b", "a")));
    assert_eq!(
        changed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["profile.personal.bot: a, b -> b, a [pushed live]"]
    );
}

#[test]
fn your_instructions_override_the_shipped_ones() {
    let mut files = surroundings::rich().instructions;
    let config = accept(&format!("{SMALLEST}[profile.personal.bot.home]\ninstructions = \"bots/house.md\"\n"));
    let home = &config.profiles[&profile("personal")].bots[0];
    assert_eq!(instructions(home, &files), "You run the house.");

    let config = accept(SMALLEST);
    let assistant = &config.profiles[&profile("personal")].bots[0];
    let shipped = instructions(assistant, &files).to_owned();
    assert!(shipped.contains("language of the person"));
    assert!(instructions::overridden(&files).is_empty());

    files.insert("bots/assistant.md".to_owned(), "Be a pirate.\n".to_owned());
    assert_eq!(instructions(assistant, &files), "Be a pirate.");
    let overridden = instructions::overridden(&files);
    assert_eq!(overridden.len(), 1);
    assert_eq!((overridden[0].shipped.trim(), overridden[0].yours.trim()), (shipped.as_str(), "Be a pirate."));

    files.remove("bots/house.md");
    assert_eq!(instructions(home, &files), "Be a pirate.", "a file that has gone falls back to the default of now");
}

#[test]
fn line_breaks_of_windows_and_a_byte_order_mark_are_accepted() {
    let text = format!("\u{feff}{}", CONTRACTS.replace('\n', "\r\n"));
    assert_eq!(accept(&text), accept(CONTRACTS));
}

#[test]
fn bounds_hold() {
    let check = |text: &str, expect: &str| {
        let findings = Config::parse(text, &surroundings::rich()).expect_err("refused");
        let last = findings.last().unwrap();
        assert_eq!(last.to_string(), expect);
        assert!(findings.len() <= 101);
    };
    let unknown = (0..130).map(|n| format!("zz{n} = 1\n")).collect::<Vec<_>>().concat();
    check(
        &format!("{unknown}{SMALLEST}"),
        "platform.toml:100: 30 more findings are not shown\n    Mend the ones above, then check again.",
    );
    check(
        &format!("{SMALLEST}{}", "# padding\n".repeat(30_000)),
        "platform.toml:1: the file is longer than 256 KiB\n    \
         Keep only the platform's configuration in it; instructions belong into bots/*.md.",
    );
    let rule = "[[profile.personal.policy]]\neffect = \"ask\"\ntool = \"*\"\n";
    check(
        &format!("{SMALLEST}{}", rule.repeat(257)),
        "platform.toml:3: profile.personal.policy: 257 rules are more than 256\n    \
         Use fewer rules: what no rule names follows the tool's class.",
    );
    let bots = (0..33).map(|n| format!("[profile.personal.bot.b{n}]\n")).collect::<Vec<_>>().concat();
    check(
        &format!("{SMALLEST}{bots}"),
        "platform.toml:3: profile.personal.bot: 33 bots are more than 32\n    \
         Use fewer bots, or spread them over profiles.",
    );
}
