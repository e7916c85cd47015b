//! The strictest of the rules that match, with the evidence.

use std::collections::BTreeSet;
use std::fmt;

use agent_core::prompt::Risk;
use platform_types::BotName;
use platform_types::agent::{Effect, PolicyRule, SessionKind};
use serde_json::Value;

use crate::rule;

/// A call that somebody wants to make.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub bot: &'a BotName,
    pub session: SessionKind,
    pub tool: &'a str,
    /// The tool's class; `None` where there is no such tool.
    pub risk: Option<Risk>,
    /// The tool stays within the agent: its workspace, its memory, its clock.
    pub inside: bool,
    /// The tool is in the bot's list.
    pub offered: bool,
    /// Read strictly: no key twice.
    pub arguments: &'a Value,
}

/// What happens to a call, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub effect: Effect,
    /// Never empty; in an order that does not depend on the order of the rules.
    pub evidence: Vec<Evidence>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    NoSuchTool(String),
    NotListed {
        tool: String,
        bot: String,
    },
    NotAnObject,
    /// A rule of the configuration, by its pattern and its words.
    Rule {
        effect: Effect,
        tool: String,
        when: Vec<String>,
        why: Option<String>,
    },
    /// No rule matched.
    Class(Risk),
    /// No rule for schedules matched, nobody is there, and the tool reaches out of the agent.
    Outside,
    /// It would be asked about.
    NobodyToAsk(SessionKind),
}

impl Verdict {
    /// The evidence as one sentence without a full stop.
    pub fn words(&self) -> String {
        self.evidence.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// Decides one call. The order of `rules` means nothing.
pub fn decide(rules: &[PolicyRule], call: &Call<'_>) -> Verdict {
    let deny = |evidence| Verdict { effect: Effect::Deny, evidence: vec![evidence] };
    if !call.offered {
        return deny(Evidence::NotListed { tool: call.tool.to_owned(), bot: call.bot.to_string() });
    }
    let Some(risk) = call.risk else { return deny(Evidence::NoSuchTool(call.tool.to_owned())) };
    if !call.arguments.is_object() {
        return deny(Evidence::NotAnObject);
    }
    let matching: Vec<&PolicyRule> = rules.iter().filter(|rule| rule::matches(rule, call)).collect();
    let strictest = matching.iter().map(|rule| rule.effect).max();
    let reaches_out = call.session == SessionKind::Cron && !call.inside;
    let is_meant = || matching.iter().any(|rule| rule.session == Some(SessionKind::Cron));
    let mut verdict = match strictest {
        // A rule for every session was written with somebody in mind who sees what happens.
        None | Some(Effect::Allow) if reaches_out && !is_meant() => return deny(Evidence::Outside),
        None => Verdict { effect: of_class(risk), evidence: vec![Evidence::Class(risk)] },
        Some(effect) => {
            let decisive = matching.iter().filter(|rule| rule.effect == effect);
            let evidence: BTreeSet<Evidence> = decisive.map(|rule| Evidence::of(rule)).collect();
            Verdict { effect, evidence: evidence.into_iter().collect() }
        }
    };
    if verdict.effect == Effect::Ask && !has_somebody(call.session) {
        verdict.effect = Effect::Deny;
        verdict.evidence.push(Evidence::NobodyToAsk(call.session));
    }
    verdict
}

fn of_class(risk: Risk) -> Effect {
    match risk {
        Risk::Read | Risk::Own => Effect::Allow,
        Risk::Change | Risk::Danger => Effect::Ask,
    }
}

/// Whether a person is at the other end.
fn has_somebody(session: SessionKind) -> bool {
    match session {
        SessionKind::Chat | SessionKind::Channel => true,
        SessionKind::Cron | SessionKind::Script => false,
    }
}

impl Evidence {
    fn of(rule: &PolicyRule) -> Self {
        let PolicyRule { effect, bot: _, session: _, tool, when, why } = rule;
        let (tool, when, why) = (tool.clone(), when.keys().cloned().collect(), why.clone());
        Self::Rule { effect: *effect, tool, when, why }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTool(tool) => write!(f, "{tool} is not a tool of this release"),
            Self::NotListed { tool, bot } => write!(f, "{tool} is not in the tools of bot {bot}"),
            Self::NotAnObject => f.write_str("the arguments are not one JSON object"),
            Self::Rule { effect, tool, when, why } => {
                let effect = match effect {
                    Effect::Allow => "allows",
                    Effect::Ask => "asks about",
                    Effect::Deny => "denies",
                };
                write!(f, "a rule {effect} {tool}")?;
                if !when.is_empty() {
                    write!(f, " by {}", when.join(", "))?;
                }
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::Class(Risk::Read) => f.write_str("it only reads"),
            Self::Class(Risk::Own) => f.write_str("it changes only the bot's own notes or memory"),
            Self::Class(Risk::Change) => f.write_str("it changes something, and no rule allows it"),
            Self::Class(Risk::Danger) => f.write_str("it cannot be undone, and no rule allows it"),
            Self::Outside => {
                f.write_str("it reaches out of the workspace, and no rule allows it for scheduled sessions")
            }
            Self::NobodyToAsk(session) => {
                let session = match session {
                    SessionKind::Cron => "scheduled",
                    SessionKind::Script => "script's",
                    SessionKind::Chat | SessionKind::Channel => "person's",
                };
                write!(f, "nobody to ask in a {session} session")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DENY: &str = r#"[{"effect":"deny","tool":"door.*","why":"not at night"}]"#;

    fn verdict(rules: &str, session: SessionKind, risk: Option<Risk>) -> (Effect, String) {
        let rules: Vec<PolicyRule> = serde_json::from_str(rules).unwrap();
        let (bot, arguments) = (BotName::new("home").unwrap(), json!({"n": 1}));
        let inside = risk == Some(Risk::Own);
        let call = Call { bot: &bot, session, tool: "door.open", risk, inside, offered: true, arguments: &arguments };
        let verdict = decide(&rules, &call);
        (verdict.effect, verdict.words())
    }

    #[test]
    fn the_strictest_rule_wins_and_says_so() {
        let check = |rules: &str, effect, words: &str| {
            assert_eq!(verdict(rules, SessionKind::Chat, Some(Risk::Change)), (effect, words.to_owned()), "{rules}");
        };
        check("[]", Effect::Ask, "it changes something, and no rule allows it");
        check(r#"[{"effect":"allow","tool":"*"}]"#, Effect::Allow, "a rule allows *");
        check(DENY, Effect::Deny, "a rule denies door.*: not at night");
        check(
            r#"[{"effect":"deny","tool":"*","when":{"n":[1]}},{"effect":"allow","tool":"*"},{"effect":"ask","tool":"*"}]"#,
            Effect::Deny,
            "a rule denies * by n",
        );
        check(
            r#"[{"effect":"deny","tool":"*","session":"cron"}]"#,
            Effect::Ask,
            "it changes something, and no rule allows it",
        );
        check(
            r#"[{"effect":"allow","tool":"*","bot":"other"}]"#,
            Effect::Ask,
            "it changes something, and no rule allows it",
        );
    }

    #[test]
    fn without_rules_reading_is_allowed() {
        assert_eq!(verdict("[]", SessionKind::Script, Some(Risk::Read)), (Effect::Allow, "it only reads".to_owned()));
        assert_eq!(verdict("[]", SessionKind::Chat, Some(Risk::Danger)).0, Effect::Ask);
        assert_eq!(verdict(r#"[{"effect":"allow","tool":"*"}]"#, SessionKind::Chat, None).0, Effect::Deny);
    }

    #[test]
    fn where_nobody_is_asking_is_denying() {
        for session in [SessionKind::Cron, SessionKind::Script] {
            let (effect, words) = verdict(r#"[{"effect":"ask","tool":"*"}]"#, session, Some(Risk::Change));
            assert_eq!(effect, Effect::Deny);
            assert!(words.contains("nobody to ask"), "{words}");
            assert_eq!(verdict("[]", session, Some(Risk::Change)).0, Effect::Deny);
            let rules = r#"[{"effect":"allow","tool":"*","session":"SESSION"}]"#;
            let rules = rules.replace("SESSION", if session == SessionKind::Cron { "cron" } else { "script" });
            assert_eq!(verdict(&rules, session, Some(Risk::Change)).0, Effect::Allow);
        }
        assert_eq!(verdict("[]", SessionKind::Channel, Some(Risk::Change)).0, Effect::Ask);
    }

    #[test]
    fn a_schedule_stays_within_the_workspace_unless_a_rule_lets_it_out() {
        let outside = "it reaches out of the workspace, and no rule allows it for scheduled sessions";
        let check = |rules: &str, session, risk, expect: (Effect, &str)| {
            assert_eq!(verdict(rules, session, Some(risk)), (expect.0, expect.1.to_owned()), "{rules}");
        };
        let own = "it changes only the bot's own notes or memory";
        for session in [SessionKind::Chat, SessionKind::Cron, SessionKind::Script, SessionKind::Channel] {
            check("[]", session, Risk::Own, (Effect::Allow, own));
        }
        check("[]", SessionKind::Cron, Risk::Read, (Effect::Deny, outside));
        check("[]", SessionKind::Cron, Risk::Change, (Effect::Deny, outside));
        check("[]", SessionKind::Script, Risk::Read, (Effect::Allow, "it only reads"));
        let rule = r#"[{"effect":"allow","tool":"door.*","session":"cron"}]"#;
        check(rule, SessionKind::Cron, Risk::Read, (Effect::Allow, "a rule allows door.*"));
        let everywhere = r#"[{"effect":"allow","tool":"*"}]"#;
        check(everywhere, SessionKind::Cron, Risk::Read, (Effect::Deny, outside));
        check(everywhere, SessionKind::Script, Risk::Change, (Effect::Allow, "a rule allows *"));
        let both = r#"[{"effect":"allow","tool":"*"},{"effect":"allow","tool":"door.open","session":"cron"}]"#;
        check(both, SessionKind::Cron, Risk::Read, (Effect::Allow, "a rule allows *; a rule allows door.open"));
        let denied = r#"[{"effect":"deny","tool":"*"},{"effect":"allow","tool":"*","session":"cron"}]"#;
        check(denied, SessionKind::Cron, Risk::Read, (Effect::Deny, "a rule denies *"));
    }
}
