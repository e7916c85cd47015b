//! What each container is told: the whole configuration of one process, composed from what is desired.
//!
//! **Invariants.** A document is composed once a change, and its digest is part of what is desired, so that the planner
//! sees that a push is due. Revision and door come from the planner's action and are not part of the digest. No secret is
//! in a document, only names of files.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use platform_types::agent::{AgentConfig, Bot};
use platform_types::channel::{self, AgentChannel, ChannelKind, ChatId};
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
    /// How `botctl` is typed for this installation; `None`: just so.
    pub botctl: Option<&'a str>,
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
        channels: profile.channels.iter().map(|(name, channel)| channel_for_agent(profile, (name, channel))).collect(),
        cron: profile.cron.clone(),
        house: profile.house_for_tools(),
        jobs: profile.jobs_for_tools(),
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
        botctl: sources.botctl.map(str::to_owned),
    }
}

fn channel_for_agent(profile: &Profile, (name, channel): (&UpstreamName, &config::Channel)) -> AgentChannel {
    // Agents of a release before know `loopback`, and no page.
    let page = profile.confirmations_page().filter(|_| channel.kind == ChannelKind::Telegram);
    AgentChannel { name: name.clone(), kind: channel.kind, bot: channel.bot.clone(), bots: channel.bots.clone(), page }
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
    /// The document as it is sent. A gate without a word about its door holds it; one that still has another port is told that.
    #[must_use]
    pub fn for_push(mut self, push: &Push) -> Self {
        match &mut self {
            Self::Gate(config) => {
                config.revision = push.revision;
                config.door = push.door.unwrap_or(Door::Held);
                config.port = push.port.unwrap_or(config.port);
            }
            Self::Agent(config) => config.revision = push.revision,
            Self::Spark(config) => config.revision = push.revision,
        }
        self
    }
}

#[cfg(test)]
mod tests;
