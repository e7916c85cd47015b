//! `[[profile.X.policy]]`: the strictest rule that matches a call wins.

use std::collections::{BTreeMap, BTreeSet};

use platform_types::BotName;
use platform_types::agent::{Effect, MAX_POLICY_RULES, PolicyRule, SessionKind};

use super::Context;
use crate::config::Bot;
use crate::path::KeyPath;
use crate::raw::{RawEffect, RawPolicyRule, RawSession};
use crate::suggest::{listed, nearest};

/// Longest reason, in characters.
const MAX_WHY_CHARS: usize = 160;

pub(super) fn policy(
    raw: Vec<RawPolicyRule>,
    bots: &[Bot],
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Vec<PolicyRule> {
    if raw.len() > MAX_POLICY_RULES {
        let message = format!("{} rules are more than {MAX_POLICY_RULES}", raw.len());
        context.report.error(path, message, "Use fewer rules: what no rule names follows the tool's class.");
    }
    let rules = raw.into_iter().enumerate();
    rules.filter_map(|(index, raw)| rule(raw, bots, &path.index(index), context)).collect()
}

fn rule(raw: RawPolicyRule, bots: &[Bot], path: &KeyPath, context: &mut Context<'_>) -> Option<PolicyRule> {
    let RawPolicyRule { effect, tool, bot, session, when, why } = raw;
    let tool = tool.and_then(|tool| context.tools_of(tool, &path.key("tool")));
    let bot = match bot {
        Some(bot) => Some(context.bot_of(&bot, bots, &path.key("bot"))?),
        None => None,
    };
    let why = match why {
        Some(why) => Some(context.line_of(why, MAX_WHY_CHARS, &path.key("why"))?),
        None => None,
    };
    let mut matched = BTreeMap::new();
    for (argument, values) in when.unwrap_or_default() {
        let values = context.scalars(values, &path.key("when").key(&argument))?;
        matched.insert(argument, values);
    }
    let effect = match effect? {
        RawEffect::Allow => Effect::Allow,
        RawEffect::Ask => Effect::Ask,
        RawEffect::Deny => Effect::Deny,
    };
    let session = session.map(|session| match session {
        RawSession::Chat => SessionKind::Chat,
        RawSession::Cron => SessionKind::Cron,
        RawSession::Script => SessionKind::Script,
        RawSession::Channel => SessionKind::Channel,
    });
    let rule = PolicyRule { effect, bot, session, tool: tool?, when: matched, why };
    if let Some(problem) = rule.problem() {
        context.report.error(path, problem, "Write the rule in another way: agents refuse it.");
    }
    Some(rule)
}

impl Context<'_> {
    /// A known tool, the tools of a known area, or all of them.
    fn tools_of(&mut self, text: String, path: &KeyPath) -> Option<String> {
        let known = &self.surroundings.tools;
        let areas: BTreeSet<String> =
            known.iter().filter_map(|tool| tool.split_once('.')).map(|(area, _)| format!("{area}.*")).collect();
        if text == "*" || known.contains(&text) || areas.contains(&text) {
            return Some(text);
        }
        let all = || known.iter().chain(&areas).map(String::as_str);
        let remedy = match nearest(&text, all()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => format!("Write \"*\", or one of {}.", listed(all())),
        };
        self.report.error(path, format!("there is no tool {text:?}"), remedy);
        None
    }

    fn bot_of(&mut self, text: &str, bots: &[Bot], path: &KeyPath) -> Option<BotName> {
        let known = || bots.iter().map(|bot| bot.name.as_str());
        if let Some(bot) = bots.iter().find(|bot| bot.name.as_str() == text) {
            return Some(bot.name.clone());
        }
        let remedy = match nearest(text, known()) {
            Some(near) => format!("Did you mean {near:?}?"),
            None => format!("The bots of this profile are {}.", listed(known())),
        };
        self.report.error(path, format!("there is no bot {text:?} in this profile"), remedy);
        None
    }
}
