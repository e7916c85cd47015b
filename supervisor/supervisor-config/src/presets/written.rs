//! Rules without a preset, as people write them.

use std::collections::BTreeMap;

use platform_types::egress;

use super::confirm;
use crate::config::{Consent, Rule};

/// Named by method and path; a further rule with the same ones by its number too.
pub fn rules(rules: &[Rule]) -> Vec<egress::Rule> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let named = rules.iter().map(|rule| {
        let name = format!("{} {}", rule.method, rule.path);
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { name } else { format!("{name} ({count})") };
        expanded(rule, name)
    });
    named.collect()
}

fn expanded(rule: &Rule, name: String) -> egress::Rule {
    let Rule { method, path, params, query, headers, body, consent, answer } = rule.clone();
    egress::Rule {
        name,
        method,
        path,
        params,
        query,
        headers,
        body,
        confirm: match consent {
            Consent::Card(words) => Some(confirm(&words, [])),
            Consent::Unconfirmed(_) | Consent::Reading => None,
        },
        answer,
        guards: Vec::new(),
    }
}
