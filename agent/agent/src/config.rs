//! Whether a pushed configuration can work. Every problem is reported at once.

use std::collections::BTreeSet;

use agent_tools::Registry;
use agent_tools::clock::is_zone;
use platform_types::ProfileName;
use platform_types::agent::{AgentConfig, Bot, MAX_POLICY_RULES, PolicyRule};
use platform_types::channel::MAX_CHANNELS;
use platform_types::cron::{MAX_JOBS, MAX_PROMPT_BYTES};

/// Bots of one profile.
pub const MAX_BOTS: usize = 64;
/// Longest instructions, in bytes: they go with every call of the model.
pub const MAX_INSTRUCTION_BYTES: usize = 64 * 1024;
/// Tools of one bot: a model chooses badly among more.
pub const MAX_TOOLS: usize = 64;

/// What is wrong with `config`, one sentence each; empty when it can work.
pub fn problems(config: &AgentConfig, profile: &ProfileName) -> Vec<String> {
    let mut found = Vec::new();
    if config.profile != *profile {
        found.push(format!("the configuration is for profile {}, this is the agent of {profile}", config.profile));
    }
    if !is_zone(&config.timezone) {
        found.push(format!("unknown time zone {:?}: use an IANA name such as \"Europe/Berlin\"", config.timezone));
    }
    if config.bots.is_empty() || config.bots.len() > MAX_BOTS {
        found.push(format!("a profile has 1 to {MAX_BOTS} bots, not {}", config.bots.len()));
    }
    let mut names = BTreeSet::new();
    for bot in &config.bots {
        if !names.insert(&bot.name) {
            found.push(format!("two bots are named {}", bot.name));
        }
        if bot.instructions.len() > MAX_INSTRUCTION_BYTES {
            found.push(format!("the instructions of {} are longer than {MAX_INSTRUCTION_BYTES} bytes", bot.name));
        }
        if bot.tools.len() > MAX_TOOLS {
            found.push(format!("{} has more than {MAX_TOOLS} tools", bot.name));
        }
    }
    if config.channels.len() > MAX_CHANNELS {
        found.push(format!("a profile has at most {MAX_CHANNELS} channels, not {}", config.channels.len()));
    }
    for channel in &config.channels {
        let bots = std::iter::once(&channel.bot).chain(&channel.bots);
        for bot in bots.filter(|bot| !names.contains(bot)) {
            found.push(format!("the channel {} is for the bot {bot}, which there is not", channel.name));
        }
    }
    found.extend(jobs(config));
    if config.policy.len() > MAX_POLICY_RULES {
        found.push(format!("a profile has at most {MAX_POLICY_RULES} policy rules, not {}", config.policy.len()));
    }
    found.extend(config.policy.iter().filter_map(PolicyRule::problem));
    found
}

/// What is wrong with jobs by the clock.
fn jobs(config: &AgentConfig) -> Vec<String> {
    let mut found = Vec::new();
    if config.cron.len() > MAX_JOBS {
        found.push(format!("a profile has at most {MAX_JOBS} jobs by the clock, not {}", config.cron.len()));
    }
    let mut names = BTreeSet::new();
    for job in &config.cron {
        let name = format!("{}/{}", job.bot, job.name);
        if !config.bots.iter().any(|bot| bot.name == job.bot) {
            found.push(format!("the job {name} is for a bot that there is not"));
        }
        if !is_zone(&job.timezone) {
            found.push(format!("the job {name} is in the unknown time zone {:?}", job.timezone));
        }
        if job.prompt.len() > MAX_PROMPT_BYTES {
            found.push(format!("the prompt of the job {name} is longer than {MAX_PROMPT_BYTES} bytes"));
        }
        let deliver = job.deliver.as_ref().map(|deliver| &deliver.channel);
        if deliver.is_some_and(|to| !config.channels.iter().any(|channel| channel.name == *to)) {
            found.push(format!("the job {name} delivers to a channel that there is not"));
        }
        if !names.insert(name.clone()) {
            found.push(format!("two jobs are named {name}"));
        }
    }
    found
}

/// What works all the same, but not as somebody may expect.
pub fn notes(config: &AgentConfig, registry: &Registry) -> Vec<String> {
    let missing = |bot: &Bot| {
        let unknown = registry.unknown(bot);
        let text = format!("bot {} lists tools that this release does not have: {}", bot.name, unknown.join(", "));
        (!unknown.is_empty()).then_some(text)
    };
    config.bots.iter().filter_map(missing).collect()
}
