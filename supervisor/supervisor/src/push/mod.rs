//! What each container is told: the whole configuration of one process, composed from what is desired.
//!
//! **Invariants.** A document is composed once a change, and its digest is part of what is desired, so that the planner
//! sees that a push is due. Revision and door come from the planner's action and are not part of the digest. No secret is
//! in a document, only names of files.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use platform_types::agent::{AgentConfig, Bot};
use platform_types::channel::{self, AgentChannel, ChatId};
use platform_types::gate::{Device, Door, GateConfig, Scope};
use platform_types::spark::SparkConfig;
use platform_types::switch::{Approver, Asker, SwitchConfig};
use platform_types::{ProfileName, Revision, UpstreamName};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use supervisor_config::Config;
use supervisor_config::config::{self, Profile};
use supervisor_plan::Target;
use supervisor_plan::action::Push;
use supervisor_store::{GateRegistry, GateSenders};

/// What a process is told, without revision and door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Gate(GateConfig),
    Agent(AgentConfig),
    Spark(SparkConfig),
}

/// A document and the digest by which the planner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    pub document: Document,
    pub digest: String,
}

/// What documents are composed from, besides the configuration.
#[derive(Debug, Clone)]
pub struct Sources<'a> {
    pub config: &'a Config,
    pub instructions: &'a BTreeMap<String, String>,
    pub certificates: &'a BTreeMap<String, String>,
    pub registries: &'a BTreeMap<ProfileName, GateRegistry>,
    pub agent_uids: &'a BTreeMap<ProfileName, u32>,
    /// Changes when a secret of a container was replaced, so that it is told to read it again.
    pub secret_stamps: &'a BTreeMap<Target, Vec<String>>,
}

/// The documents of everything that is configured.
pub fn compose(sources: &Sources<'_>) -> BTreeMap<Target, Payload> {
    let mut payloads = BTreeMap::new();
    let spark = SparkConfig {
        revision: Revision::default(),
        backend: sources.config.backend(),
        profiles: sources.config.profiles.keys().cloned().collect(),
        models: sources.config.models_of_bots(),
        limits: sources.config.spark_limits(),
        switch: switch(sources),
    };
    let digest = digest(&(&spark, sources.secret_stamps.get(&Target::spark())));
    payloads.insert(Target::spark(), Payload { document: Document::Spark(spark), digest });
    for (name, profile) in &sources.config.profiles {
        let agent = agent(sources, name, profile);
        let gate = gate(sources, name, profile);
        payloads
            .insert(Target::agent(name), Payload { digest: self::digest(&agent), document: Document::Agent(agent) });
        let target = Target::gate(name);
        let digest = self::digest(&(&gate, sources.secret_stamps.get(&target)));
        payloads.insert(target, Payload { digest, document: Document::Gate(gate) });
    }
    payloads
}

/// What is configured, with the devices of each profile that may ask, as the ledger has them.
fn switch(sources: &Sources<'_>) -> Option<SwitchConfig> {
    let config::Switch { address, host_key, key, models, profiles, drain_seconds, wait_seconds } =
        sources.config.switch()?;
    let askers = profiles.iter().map(|profile| {
        let devices = sources.registries.get(profile).map(|registry| registry.devices.as_slice()).unwrap_or_default();
        let approvers = devices.iter().filter(|device| device.scopes.contains(&Scope::Approve));
        let approver = |device: &Device| Approver {
            id: device.id.clone(),
            public_key: device.public_key.clone(),
            name: device.name.clone(),
        };
        Asker { profile: profile.clone(), approvers: approvers.map(approver).collect() }
    });
    Some(SwitchConfig {
        host: address.host.clone(),
        port: address.port,
        user: address.user.clone(),
        host_key: host_key.clone(),
        key: key.clone(),
        models: models.clone(),
        askers: askers.collect(),
        drain_seconds: *drain_seconds,
        wait_seconds: *wait_seconds,
    })
}

fn agent(sources: &Sources<'_>, name: &ProfileName, profile: &Profile) -> AgentConfig {
    let bots = profile.bots.iter().map(|bot| Bot {
        name: bot.name.clone(),
        title: bot.title.clone(),
        instructions: supervisor_config::instructions(bot, sources.instructions).to_owned(),
        model: bot.model.clone(),
        tools: bot.tools.clone(),
    });
    let switch = sources.config.switch().filter(|switch| switch.profiles.contains(name));
    AgentConfig {
        revision: Revision::default(),
        profile: name.clone(),
        timezone: sources.config.timezone.clone(),
        bots: bots.collect(),
        policy: profile.policy.clone(),
        upstreams: profile.upstreams_for_tools(),
        switch_models: switch.map_or_else(Vec::new, |switch| switch.models.clone()),
        channels: profile.channels.iter().map(|(name, channel)| channel_for_agent(name, channel)).collect(),
    }
}

fn gate(sources: &Sources<'_>, name: &ProfileName, profile: &Profile) -> GateConfig {
    let GateRegistry { devices, setup_links, tokens, senders } =
        sources.registries.get(name).cloned().unwrap_or_default();
    GateConfig {
        revision: Revision::default(),
        profile: name.clone(),
        port: profile.port,
        address: profile.address.clone(),
        door: Door::Held,
        agent_uid: sources.agent_uids.get(name).copied().unwrap_or_default(),
        devices,
        setup_links,
        tokens,
        upstreams: profile.upstreams_for_gate(sources.certificates),
        channels: profile.channels.iter().map(|(name, channel)| channel_for_gate(name, channel, &senders)).collect(),
        tailscale_users: profile.tailscale_users.clone(),
    }
}

fn channel_for_agent(name: &UpstreamName, channel: &config::Channel) -> AgentChannel {
    AgentChannel { name: name.clone(), kind: channel.kind, bot: channel.bot.clone() }
}

/// What is configured, and what the ledger says about its senders.
fn channel_for_gate(name: &UpstreamName, channel: &config::Channel, senders: &GateSenders) -> channel::Channel {
    let of = |some: &[(UpstreamName, ChatId)]| {
        some.iter().filter(|(channel, _)| channel == name).map(|(_, id)| *id).collect()
    };
    let pending = senders.pending.iter().filter(|(channel, _)| channel == name);
    channel::Channel {
        name: name.clone(),
        senders: channel.senders,
        allow: channel.allow.clone(),
        groups: channel.groups.clone(),
        approved_chats: of(&senders.approved),
        blocked: of(&senders.blocked),
        pending: pending.map(|(_, pending)| *pending).collect(),
    }
}

fn digest(value: &impl Serialize) -> String {
    HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(value).unwrap_or_default()))
}

impl Document {
    /// The document as it is sent. A gate without a word about its door holds it.
    #[must_use]
    pub fn for_push(mut self, push: &Push) -> Self {
        match &mut self {
            Self::Gate(config) => {
                config.revision = push.revision;
                config.door = push.door.unwrap_or(Door::Held);
            }
            Self::Agent(config) => config.revision = push.revision,
            Self::Spark(config) => config.revision = push.revision,
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use platform_types::Generation;
    use platform_types::gate::SetupLink;
    use platform_types::{SecretName, Timestamp};
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

    fn digests(registry: GateRegistry, stamp: (&str, &str)) -> BTreeMap<String, String> {
        let profile = ProfileName::new("ops").unwrap();
        let (target, stamp) = stamp;
        let payloads = compose(&Sources {
            config: &config(),
            instructions: &BTreeMap::new(),
            certificates: &BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
            registries: &BTreeMap::from([(profile.clone(), registry)]),
            agent_uids: &BTreeMap::from([(profile, 210_002)]),
            secret_stamps: &BTreeMap::from([(target.parse().unwrap(), vec![stamp.to_owned()])]),
        });
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
            base.iter()
                .filter(|(target, digest)| other[*target] != **digest)
                .map(|(target, _)| target.clone())
                .collect()
        };
        assert_eq!(changed(&digests(with_link, nothing)), ["ops/gate"]);
        assert_eq!(changed(&digests(GateRegistry::default(), ("spark", "b"))), ["spark"]);
        assert_eq!(changed(&digests(GateRegistry::default(), ("ops/gate", "b"))), ["ops/gate"]);
    }

    #[test]
    fn the_gate_is_told_the_rules_and_the_agent_the_names_and_its_policy() {
        let profile = ProfileName::new("ops").unwrap();
        let payloads = compose(&Sources {
            config: &config(),
            instructions: &BTreeMap::new(),
            certificates: &BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
            registries: &BTreeMap::new(),
            agent_uids: &BTreeMap::new(),
            secret_stamps: &BTreeMap::new(),
        });
        let Document::Gate(gate) = &payloads[&Target::gate(&profile)].document else { panic!("a gate's document") };
        let [house] = gate.upstreams.as_slice() else { panic!("one upstream") };
        assert_eq!((house.name.as_str(), house.rules.len()), ("house", 1));
        assert_eq!(house.ca.as_deref(), Some(CERTIFICATE));
        assert_eq!(house.credential.as_ref().map(|credential| credential.secret().as_str()), Some("house-token"));
        let Document::Agent(agent) = &payloads[&Target::agent(&profile)].document else {
            panic!("an agent's document")
        };
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
            instructions: BTreeMap::new(),
            tools: BTreeSet::from(["clock.now".to_owned()]),
            certificates: BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
        };
        let config = supervisor_config::read(&toml, &surroundings).config.expect("a good configuration");
        let other = UpstreamName::new("other").unwrap();
        let senders = GateSenders {
            approved: vec![(chat.clone(), ChatId(7)), (other, ChatId(8))],
            blocked: vec![(chat.clone(), ChatId(9))],
            pending: Vec::new(),
        };
        let payloads = compose(&Sources {
            config: &config,
            instructions: &BTreeMap::new(),
            registries: &BTreeMap::from([(ops.clone(), GateRegistry { senders, ..GateRegistry::default() })]),
            agent_uids: &BTreeMap::new(),
            secret_stamps: &BTreeMap::new(),
            certificates: &surroundings.certificates,
        });
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
        let payloads = compose(&Sources {
            config: &config,
            instructions: &BTreeMap::new(),
            certificates: &BTreeMap::new(),
            registries: &BTreeMap::from([
                (ops.clone(), registry.clone()),
                (ProfileName::new("home").unwrap(), registry),
            ]),
            agent_uids: &BTreeMap::new(),
            secret_stamps: &BTreeMap::new(),
        });
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
        let payloads = compose(&Sources {
            config: &config(),
            instructions: &BTreeMap::new(),
            certificates: &BTreeMap::from([("certs/house.pem".to_owned(), CERTIFICATE.to_owned())]),
            registries: &BTreeMap::new(),
            agent_uids: &BTreeMap::from([(profile.clone(), 210_002)]),
            secret_stamps: &BTreeMap::new(),
        });
        let gate = payloads[&Target::gate(&profile)].clone();
        let door = Door::Open { generation: Generation(3) };
        let push = Push { revision: Revision(7), config_digest: gate.digest.clone(), door: Some(door) };
        let Document::Gate(config) = gate.document.for_push(&push) else { panic!("a gate's document") };
        assert_eq!((config.revision, config.door, config.agent_uid), (Revision(7), door, 210_002));
    }
}
