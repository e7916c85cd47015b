//! Any rules, any call: order means nothing, a rule changes only the calls that it matches, what is unknown is denied.

use agent_core::prompt::Risk;
use platform_types::BotName;
use platform_types::agent::{Effect, PolicyRule, SessionKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Call, decide, rule};

#[derive(Debug, Clone)]
struct Sketch {
    bot: BotName,
    session: SessionKind,
    tool: &'static str,
    risk: Option<Risk>,
    inside: bool,
    offered: bool,
    arguments: Value,
}

impl Sketch {
    fn call(&self) -> Call<'_> {
        let Self { bot, session, tool, risk, inside, offered, arguments } = self;
        Call { bot, session: *session, tool, risk: *risk, inside: *inside, offered: *offered, arguments }
    }
}

fn bot() -> impl Strategy<Value = BotName> {
    prop_oneof![Just("home"), Just("ops")].prop_map(|name| BotName::new(name).unwrap())
}

fn session() -> impl Strategy<Value = SessionKind> {
    prop_oneof![Just(SessionKind::Chat), Just(SessionKind::Cron), Just(SessionKind::Script), Just(SessionKind::Channel)]
}

fn value() -> impl Strategy<Value = Value> {
    let values = [json!(1), json!(1.0), json!("1"), json!("a"), json!(null), json!(true), json!([1]), json!({"a": 1})];
    proptest::sample::select(values.to_vec())
}

fn arguments() -> impl Strategy<Value = Value> {
    let object =
        proptest::collection::btree_map("[ab]", value(), 0..3).prop_map(|map| Value::Object(map.into_iter().collect()));
    prop_oneof![9 => object, 1 => Just(json!([1]))]
}

fn call() -> impl Strategy<Value = Sketch> {
    let tool = prop_oneof![Just("home.set"), Just("home.read"), Just("door.open")];
    let risk = prop_oneof![
        1 => Just(None),
        3 => Just(Some(Risk::Read)),
        3 => Just(Some(Risk::Own)),
        3 => Just(Some(Risk::Change)),
        3 => Just(Some(Risk::Danger))
    ];
    (bot(), session(), tool, risk, (any::<bool>(), prop::bool::weighted(0.9)), arguments()).prop_map(
        |(bot, session, tool, risk, (inside, offered), arguments)| Sketch {
            bot,
            session,
            tool,
            risk,
            inside,
            offered,
            arguments,
        },
    )
}

fn policy_rule() -> impl Strategy<Value = PolicyRule> {
    let effect = prop_oneof![Just(Effect::Allow), Just(Effect::Ask), Just(Effect::Deny)];
    let tool = prop_oneof![Just("*"), Just("home.*"), Just("home.set"), Just("door.open"), Just("home*"), Just("")];
    let when = proptest::collection::btree_map("[ab]", proptest::collection::vec(value(), 0..3), 0..2);
    (effect, proptest::option::of(bot()), proptest::option::of(session()), tool, when).prop_map(
        |(effect, bot, session, tool, when)| PolicyRule { effect, bot, session, tool: tool.into(), when, why: None },
    )
}

fn rules() -> impl Strategy<Value = Vec<PolicyRule>> {
    proptest::collection::vec(policy_rule(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8 * ProptestConfig::default().cases))]

    #[test]
    fn the_order_of_rules_means_nothing(rules in rules().prop_shuffle(), sketch in call()) {
        let mut sorted = rules.clone();
        sorted.sort_by_key(|rule| serde_json::to_string(rule).unwrap());
        prop_assert_eq!(decide(&rules, &sketch.call()), decide(&sorted, &sketch.call()));
    }

    #[test]
    fn a_rule_changes_only_the_calls_that_it_matches(rules in rules(), added in policy_rule(), sketch in call()) {
        let call = sketch.call();
        let before = decide(&rules, &call);
        // A rule that allows something in every session says nothing about a schedule that reaches out.
        let reaches_out = call.session == SessionKind::Cron && !call.inside;
        let counts = |rule: &&PolicyRule| {
            !reaches_out || rule.effect > Effect::Allow || rule.session == Some(SessionKind::Cron)
        };
        let others_match = rules.iter().filter(counts).any(|rule| rule::matches(rule, &call));
        let more: Vec<PolicyRule> = rules.into_iter().chain([added.clone()]).collect();
        let after = decide(&more, &call);
        if !rule::matches(&added, &call) {
            prop_assert_eq!(&after, &before);
        }
        if after.effect < before.effect {
            // Only where nothing was said before: what another rule asks about or denies stays so.
            prop_assert!(!others_match && added.effect < before.effect);
        }
    }

    #[test]
    fn what_is_unknown_or_not_listed_is_denied(rules in rules(), sketch in call()) {
        let verdict = decide(&rules, &sketch.call());
        if sketch.risk.is_none() || !sketch.offered || !sketch.arguments.is_object() {
            prop_assert_eq!(verdict.effect, Effect::Deny);
        }
        prop_assert!(!verdict.evidence.is_empty());
    }

    #[test]
    fn the_strictest_matching_rule_is_never_undercut(rules in rules(), sketch in call()) {
        let call = sketch.call();
        let verdict = decide(&rules, &call);
        for rule in rules.iter().filter(|rule| rule::matches(rule, &call)) {
            prop_assert!(verdict.effect >= rule.effect);
        }
    }

    #[test]
    fn without_a_rule_for_schedules_none_leaves_the_workspace(rules in rules(), sketch in call()) {
        let others: Vec<PolicyRule> =
            rules.into_iter().filter(|rule| rule.session != Some(SessionKind::Cron)).collect();
        if sketch.session == SessionKind::Cron && !sketch.inside {
            prop_assert_eq!(decide(&others, &sketch.call()).effect, Effect::Deny);
        }
    }

    #[test]
    fn a_session_without_a_person_never_asks(rules in rules(), sketch in call()) {
        if matches!(sketch.session, SessionKind::Cron | SessionKind::Script) {
            prop_assert_ne!(decide(&rules, &sketch.call()).effect, Effect::Ask);
        }
    }
}
