//! Who is told what.

use std::collections::BTreeSet;

use platform_types::gate::SetupLink;
use platform_types::{Generation, Port, SecretName, Timestamp};
use supervisor_config::Surroundings;

use super::*;

const TOML: &str = "[spark]\nurl = \"https://spark.example/v1\"\nmodel = \"m\"\nkey = { secret = \"spark-key\" }\n\
                    [profile.ops]\nport = 18790\n\
                    [[profile.ops.policy]]\neffect = \"deny\"\ntool = \"clock.now\"\n\
                    [profile.ops.upstream.house]\nurl = \"https://house.example\"\nca = \"certs/house.pem\"\n\
                    bearer = { secret = \"house-token\" }\n\
                    [[profile.ops.upstream.house.rule]]\nmethod = \"GET\"\npath = \"/state\"\n";

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn config() -> Config {
    let surroundings = Surroundings {
        secrets: ["spark-key", "house-token"].map(|name| SecretName::new(name).unwrap()).into(),
        certificates: BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
        tools: BTreeSet::from(["clock.now".to_owned()]),
        ..Surroundings::default()
    };
    supervisor_config::read(TOML, &surroundings).config.expect("a good configuration")
}

type Registries = BTreeMap<ProfileName, GateRegistry>;

fn composed(
    config: &Config,
    registries: &Registries,
    stamps: &BTreeMap<Target, Vec<String>>,
) -> BTreeMap<Target, Payload> {
    compose(&Sources {
        config,
        instructions: &BTreeMap::new(),
        certificates: &BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
        registries,
        agent_uids: &BTreeMap::from([(ProfileName::new("ops").unwrap(), 210_002)]),
        secret_stamps: stamps,
        botctl: Some("/srv/x/lib/bin/botctl --root /srv/x"),
    })
}

fn digests(registry: GateRegistry, (target, stamp): (&str, &str)) -> BTreeMap<String, String> {
    let registries = BTreeMap::from([(ProfileName::new("ops").unwrap(), registry)]);
    let stamps = BTreeMap::from([(target.parse().unwrap(), vec![stamp.to_owned()])]);
    let payloads = composed(&config(), &registries, &stamps);
    payloads.into_iter().map(|(target, payload)| (target.to_string(), payload.digest)).collect()
}

#[test]
fn each_target_has_its_own_reasons_to_be_told_again() {
    let link = SetupLink { code_sha256: "0".repeat(64), expires_at: Timestamp(9) };
    let with_link = GateRegistry { setup_links: vec![link], ..GateRegistry::default() };
    let nothing = ("backup", "");
    let base = digests(GateRegistry::default(), nothing);
    assert_eq!(base, digests(GateRegistry::default(), nothing), "nothing changed");
    let changed = |other: &BTreeMap<String, String>| -> Vec<String> {
        base.iter().filter(|(target, digest)| other[*target] != **digest).map(|(target, _)| target.clone()).collect()
    };
    assert_eq!(changed(&digests(with_link, nothing)), ["ops/gate"]);
    assert_eq!(changed(&digests(GateRegistry::default(), ("spark", "b"))), ["spark"]);
    assert_eq!(changed(&digests(GateRegistry::default(), ("ops/gate", "b"))), ["ops/gate"]);
}

#[test]
fn the_gate_is_told_the_rules_and_the_agent_the_names_and_its_policy() {
    let profile = ProfileName::new("ops").unwrap();
    let payloads = composed(&config(), &BTreeMap::new(), &BTreeMap::new());
    let Document::Gate(gate) = &payloads[&Target::gate(&profile)].document else { panic!("a gate's document") };
    let [house] = gate.upstreams.as_slice() else { panic!("one upstream") };
    assert_eq!((house.name.as_str(), house.rules.len()), ("house", 1));
    assert_eq!(gate.botctl.as_deref(), Some("/srv/x/lib/bin/botctl --root /srv/x"));
    assert_eq!(house.ca.as_deref(), Some(CERTIFICATE));
    assert_eq!(
        house.credential.as_ref().map(|credential| credential.secrets().next().expect("one").as_str()),
        Some("house-token")
    );
    let Document::Agent(agent) = &payloads[&Target::agent(&profile)].document else { panic!("an agent's document") };
    assert_eq!((agent.upstreams.as_slice(), agent.policy.len()), ([house.name.clone()].as_slice(), 1));
    assert!(!serde_json::to_string(agent).unwrap().contains("house-token"));
}

#[test]
fn a_channel_is_told_to_the_gate_with_its_senders_and_to_the_agent_without() {
    let (ops, chat) = (ProfileName::new("ops").unwrap(), UpstreamName::new("chat").unwrap());
    let toml = format!(
        "{TOML}[profile.ops.upstream.chat]\npreset = \"telegram\"\nurl = \"http://10.0.0.1\"\n\
         token = {{ secret = \"house-token\" }}\n[profile.ops.channel.chat]\nkind = \"loopback\"\nallow = [4]\n"
    );
    let surroundings = Surroundings {
        secrets: ["spark-key", "house-token"].map(|name| SecretName::new(name).unwrap()).into(),
        tools: BTreeSet::from(["clock.now".to_owned()]),
        certificates: BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
        ..Surroundings::default()
    };
    let config = supervisor_config::read(&toml, &surroundings).config.expect("a good configuration");
    let other = UpstreamName::new("other").unwrap();
    let senders = GateSenders {
        approved: vec![(chat.clone(), ChatId(7)), (other, ChatId(8))],
        blocked: vec![(chat.clone(), ChatId(9))],
        pending: Vec::new(),
    };
    let payloads = composed(
        &config,
        &BTreeMap::from([(ops.clone(), GateRegistry { senders, ..GateRegistry::default() })]),
        &BTreeMap::new(),
    );
    let Document::Gate(gate) = &payloads[&Target::gate(&ops)].document else { panic!("a gate's document") };
    let [channel] = gate.channels.as_slice() else { panic!("one channel") };
    assert_eq!((&channel.allow, &channel.approved_chats), (&vec![ChatId(4)], &vec![ChatId(7)]));
    assert_eq!(channel.blocked, [ChatId(9)]);
    let Document::Agent(agent) = &payloads[&Target::agent(&ops)].document else { panic!("an agent's document") };
    assert_eq!(agent.channels[0].name, chat);
    assert!(!agent.upstreams.contains(&chat), "no tool reaches a channel");
}

#[test]
fn spark_is_told_who_may_allow_a_switch() {
    let (ops, may, chat) = (ProfileName::new("ops").unwrap(), "a".repeat(64), "b".repeat(64));
    let host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB0QW2nXlK2uLo6T7vdOmFW0V4JkYBbl2j4tU3aVb9Xh";
    let toml = format!(
        "[spark]\nurl = \"https://spark.example/v1\"\nmodel = \"m\"\n[spark.switch]\n\
         address = \"bot@spark.example:2222\"\nhost_key = \"{host_key}\"\nkey = {{ secret = \"spark-key\" }}\n\
         models = [\"m\", \"n\"]\nprofiles = [\"ops\"]\n[profile.ops]\nport = 1\n[profile.home]\nport = 2\n"
    );
    let surroundings = Surroundings {
        secrets: [SecretName::new("spark-key").unwrap()].into(),
        tools: BTreeSet::from(["clock.now".to_owned()]),
        ..Surroundings::default()
    };
    let config = supervisor_config::read(&toml, &surroundings).config.expect("a good configuration");
    let device = |id: &str, scopes: &[Scope]| Device {
        id: platform_types::DeviceId::new(id).unwrap(),
        public_key: "key".to_owned(),
        name: "phone".to_owned(),
        scopes: scopes.to_vec(),
    };
    let devices = vec![device(&may, &[Scope::Chat, Scope::Approve]), device(&chat, &[Scope::Chat])];
    let registry = GateRegistry { devices, ..GateRegistry::default() };
    let payloads = composed(
        &config,
        &BTreeMap::from([(ops.clone(), registry.clone()), (ProfileName::new("home").unwrap(), registry)]),
        &BTreeMap::new(),
    );
    let Document::Spark(spark) = &payloads[&Target::spark()].document else { panic!("spark's document") };
    let switch = spark.switch.as_ref().expect("a switch");
    assert_eq!((switch.host.as_str(), switch.port.get(), switch.user.as_str()), ("spark.example", 2222, "bot"));
    let [asker] = switch.askers.as_slice() else { panic!("one profile may ask") };
    let ids: Vec<&str> = asker.approvers.iter().map(|approver| approver.id.as_str()).collect();
    assert_eq!((&asker.profile, ids), (&ops, vec![may.as_str()]));
    let models = |name: &str| match &payloads[&Target::agent(&ProfileName::new(name).unwrap())].document {
        Document::Agent(agent) => agent.switch_models.iter().map(ToString::to_string).collect::<Vec<_>>(),
        other => panic!("an agent's document: {other:?}"),
    };
    assert_eq!((models("ops"), models("home")), (vec!["m".to_owned(), "n".to_owned()], vec![]));
}

#[test]
fn revision_and_door_come_from_the_action() {
    let profile = ProfileName::new("ops").unwrap();
    let payloads = composed(&config(), &BTreeMap::new(), &BTreeMap::new());
    let gate = payloads[&Target::gate(&profile)].clone();
    let door = Door::Open { generation: Generation(3) };
    let push = Push { revision: Revision(7), config_digest: gate.digest.clone(), door: Some(door), port: None };
    let Document::Gate(config) = gate.document.clone().for_push(&push) else { panic!("a gate's document") };
    assert_eq!((config.revision, config.door, config.agent_uid), (Revision(7), door, 210_002));
    assert_eq!(config.port.get(), 18790);
    // One that waits for its replacement publishes another port still.
    let push = Push { port: Port::new(1), ..push };
    let Document::Gate(config) = gate.document.for_push(&push) else { panic!("a gate's document") };
    assert_eq!(config.port.get(), 1);
}
