//! One confirmation: the request that waits. Pure.

use data_encoding::HEXLOWER;
use gate_rules::Admitted;
use platform_kit::confirmation::{Confirmation, Phase};
use platform_types::egress::{Card, CardState, Outcome, Rule, Upstream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub card: Card,
    pub request: KeptRequest,
    /// Over the rule and what it was used with: another one supersedes.
    pub rule_digest: String,
    pub turn: Option<String>,
    pub phase: Phase<Outcome>,
}

/// The request as it was admitted, before the id was placed: admitting it again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRequest {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Confirmation for Record {
    type End = Outcome;
    const WHAT: &'static str = "request";

    fn card(&self) -> &Card {
        &self.card
    }

    fn phase(&self) -> &Phase<Outcome> {
        &self.phase
    }

    fn stand(&mut self) -> (&mut Phase<Outcome>, &mut CardState) {
        (&mut self.phase, &mut self.card.state)
    }
}

impl Record {
    /// How it stands, as the agent is told.
    pub fn outcome(&self) -> Outcome {
        self.phase.outcome(self.card.expires_at, Outcome::clone)
    }
}

impl KeptRequest {
    /// What is kept of an admitted request, before the id is placed.
    pub fn of(admitted: &Admitted) -> Self {
        let Admitted { method, path, query, headers, body, .. } = admitted;
        let mark = if query.is_empty() { "" } else { "?" };
        Self {
            method: method.to_string(),
            target: format!("{path}{mark}{query}"),
            headers: headers.clone(),
            body: String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned(),
        }
    }

    /// Admits it again, under the rules of today.
    pub fn admit(&self, upstream: &Upstream, approved: &dyn Fn(&str) -> bool) -> Option<Admitted> {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let request = gate_rules::Request {
            method: &self.method,
            target: &self.target,
            headers: &headers,
            body: self.body.as_bytes(),
        };
        gate_rules::admit(upstream, &request, approved).ok()
    }
}

/// SHA-256 over a rule and the upstream around it.
pub fn rule_digest(upstream: &Upstream, rule: &Rule) -> String {
    let around = Upstream { rules: vec![rule.clone()], ..upstream.clone() };
    HEXLOWER.encode(&Sha256::digest(serde_json::to_vec(&around).unwrap_or_default()))
}
