//! Lists that people write, turned into the rules that a gate enforces. `botctl config show` prints what they were made
//! from; the gate knows one mechanism.
//!
//! | module | what |
//! |---|---|
//! | [`home_assistant`] | states of listed entities, services on them, scenes |
//! | [`supabase_jobs`] | a table of jobs: listed, and queued again after a confirmation |
//! | [`telegram`] | a bot that talks to approved chats |
//! | [`written`] | rules without a preset |

pub mod home_assistant;
pub mod supabase_jobs;
pub mod telegram;
pub mod written;

use std::collections::BTreeMap;

use platform_types::egress::{self, AnswerFilter, Confirm, Credential, Fact, Field, Method, Rule, Shape};
use platform_types::{SecretName, UpstreamName, ways};
use serde_json::Value;

use crate::config::{Allows, Jobs, Profile, Upstream};

/// How long a confirmation waits for somebody.
pub const CONFIRM_SECONDS: u32 = 600;

impl Profile {
    /// Ways out, as the profile's gate is told: every preset expanded. `certificates` are the files that they may name.
    pub fn upstreams_for_gate(&self, certificates: &BTreeMap<String, String>) -> Vec<egress::Upstream> {
        self.upstreams.iter().map(|(name, upstream)| expanded(self, (name, upstream), certificates)).collect()
    }

    /// Where confirmations are decided, as a phone opens it: the gate's own page. `None`: the profile has no address.
    pub fn confirmations_page(&self) -> Option<String> {
        self.address.as_ref().map(|address| format!("{address}/confirmations"))
    }

    /// Ways out that are for tools: what a channel goes through is not.
    pub fn upstreams_for_tools(&self) -> Vec<UpstreamName> {
        self.upstreams.keys().filter(|name| !self.channels.contains_key(*name)).cloned().collect()
    }

    /// What the tools for a house are about: the first upstream that is one.
    pub fn house_for_tools(&self) -> Option<ways::House> {
        self.upstreams.iter().find_map(|(name, upstream)| match &upstream.allows {
            Allows::HomeAssistant(house) => {
                Some(ways::House { upstream: name.clone(), things: home_assistant::things(house) })
            }
            _ => None,
        })
    }

    /// What the tools for jobs are about: the first upstream that has some.
    pub fn jobs_for_tools(&self) -> Option<ways::Jobs> {
        self.upstreams.iter().find_map(|(name, upstream)| match &upstream.allows {
            Allows::SupabaseJobs(Jobs { table, kinds, requeue }) => Some(ways::Jobs {
                upstream: name.clone(),
                table: table.clone(),
                kinds: kinds.clone(),
                requeue: *requeue,
            }),
            _ => None,
        })
    }

    /// The secrets that the profile's gate needs.
    pub fn upstream_secrets(&self) -> impl Iterator<Item = &SecretName> {
        self.upstreams.values().filter_map(|upstream| upstream.credential.as_ref()).flat_map(Credential::secrets)
    }
}

fn expanded(
    profile: &Profile,
    (name, upstream): (&UpstreamName, &Upstream),
    certificates: &BTreeMap<String, String>,
) -> egress::Upstream {
    let Upstream { url, address, networks, ca, credential, allows } = upstream;
    egress::Upstream {
        name: name.clone(),
        url: url.clone(),
        address: *address,
        networks: networks.clone(),
        credential: credential.clone(),
        // A file that has gone since closes the way: an empty text holds no certificate.
        ca: ca.as_ref().map(|file| certificates.get(file).cloned().unwrap_or_default()),
        rules: match allows {
            Allows::HomeAssistant(house) => home_assistant::rules(house),
            Allows::SupabaseJobs(jobs) => supabase_jobs::rules(jobs),
            Allows::Telegram => telegram::rules(profile.confirmations_page().as_deref()),
            Allows::Rules(rules) => written::rules(rules),
        },
    }
}

// What the presets are written with.

fn rule(name: &str, method: Method, path: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        method,
        path: path.to_owned(),
        params: BTreeMap::new(),
        query: BTreeMap::new(),
        headers: Vec::new(),
        body: None,
        confirm: None,
        answer: AnswerFilter::Status,
        guards: Vec::new(),
    }
}

fn one_of(values: impl IntoIterator<Item = impl Into<Value>>) -> Shape {
    Shape::OneOf { values: values.into_iter().map(Into::into).collect() }
}

fn text(max_chars: usize) -> Shape {
    Shape::Text { max_chars }
}

fn equals(then: Shape) -> Shape {
    Shape::After { prefix: "eq.".to_owned(), then: Box::new(then) }
}

fn list(of: Shape, max_items: usize) -> Shape {
    Shape::List { of: Box::new(of), max_items }
}

fn object<const N: usize>(fields: [(&str, Field); N]) -> Shape {
    Shape::Object { fields: named(fields) }
}

fn required(shape: Shape) -> Field {
    Field { shape, required: true }
}

fn optional(shape: Shape) -> Field {
    Field { shape, required: false }
}

fn named<const N: usize>(fields: [(&str, Field); N]) -> BTreeMap<String, Field> {
    fields.map(|(name, field)| (name.to_owned(), field)).into()
}

fn members(names: &[&str]) -> AnswerFilter {
    AnswerFilter::Members { members: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn confirm<const N: usize>(words: &str, facts: [(&str, &str, &str); N]) -> Confirm {
    let fact = |(label, path, pointer): (&str, &str, &str)| Fact {
        label: label.to_owned(),
        path: path.to_owned(),
        pointer: pointer.to_owned(),
        each: None,
    };
    Confirm { words: words.to_owned(), facts: facts.map(fact).into(), id_field: None, expires_seconds: CONFIRM_SECONDS }
}
