//! One confirmation, and the steps that it takes. Pure.

use data_encoding::HEXLOWER;
use gate_rules::Admitted;
use platform_types::Timestamp;
use platform_types::egress::{Card, CardState, Decider, Outcome, Rule, Upstream, Verdict};
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
    pub phase: Phase,
}

/// The request as it was admitted, before the id was placed: admitting it again gives the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRequest {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    Pending,
    Denied,
    Expired,
    Superseded,
    Allowed,
    Released,
    Ended { outcome: Outcome },
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    Created { record: Box<Record> },
    Decided { id: String, verdict: Verdict, by: Decider, at: Timestamp },
    Expired { id: String, at: Timestamp },
    Superseded { id: String, at: Timestamp },
    Released { id: String, at: Timestamp },
    Ended { id: String, at: Timestamp, outcome: Outcome },
}

impl Step {
    pub fn id(&self) -> &str {
        match self {
            Self::Created { record } => &record.card.id,
            Self::Decided { id, .. }
            | Self::Expired { id, .. }
            | Self::Superseded { id, .. }
            | Self::Released { id, .. }
            | Self::Ended { id, .. } => id,
        }
    }
}

impl Record {
    /// Takes a step; `false`: it does not follow from where this one stands, and nothing changes.
    pub fn take(&mut self, step: &Step) -> bool {
        let (phase, state) = match (&self.phase, step) {
            (Phase::Pending, Step::Decided { verdict, by, at, .. }) => {
                let phase = if *verdict == Verdict::Allow { Phase::Allowed } else { Phase::Denied };
                (phase, CardState::Decided { decision: *verdict, by: by.clone(), at: *at })
            }
            (Phase::Pending, Step::Expired { .. }) => (Phase::Expired, CardState::Expired),
            (Phase::Pending, Step::Superseded { .. }) => (Phase::Superseded, CardState::Superseded),
            (Phase::Allowed, Step::Released { .. }) => (Phase::Released, self.card.state.clone()),
            (Phase::Allowed | Phase::Released, Step::Ended { outcome, .. }) => {
                (Phase::Ended { outcome: outcome.clone() }, self.card.state.clone())
            }
            _ => return false,
        };
        self.phase = phase;
        self.card.state = state;
        true
    }

    pub fn is_pending(&self) -> bool {
        self.phase == Phase::Pending
    }

    pub fn outcome(&self) -> Outcome {
        match &self.phase {
            Phase::Pending => Outcome::Pending { expires_at: self.card.expires_at },
            Phase::Denied => Outcome::Denied,
            Phase::Expired => Outcome::Expired,
            Phase::Superseded => Outcome::Superseded,
            Phase::Allowed | Phase::Released => Outcome::Running,
            Phase::Ended { outcome } => outcome.clone(),
        }
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
