//! One confirmation of a switch, and the steps that it takes. Pure.

use std::fmt;

use platform_types::egress::{Card, CardState, Decider, Outcome, Verdict};
use platform_types::switch::{SwitchOutcome, SwitchReport};
use platform_types::{ModelId, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};

/// The status of a switch that was carried out and did not come to what was asked.
const NOT_THERE: u16 = 502;

/// Who asked, and so who decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum By {
    Profile { profile: ProfileName },
    Operator { user: String },
}

impl By {
    pub fn profile(&self) -> Option<&ProfileName> {
        match self {
            Self::Profile { profile } => Some(profile),
            Self::Operator { .. } => None,
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { profile } => write!(f, "profile {profile}"),
            Self::Operator { user } => write!(f, "operator {user}"),
        }
    }
}

/// A confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub by: By,
    /// What the box had when it was asked; `None`: it did not answer.
    pub from: Option<ModelId>,
    pub to: ModelId,
    pub card: Card,
    pub phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    Pending,
    Denied,
    Expired,
    Superseded,
    Allowed,
    /// The command was about to run.
    Commanded {
        at: Timestamp,
    },
    Ended {
        report: SwitchReport,
    },
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    Created { record: Box<Record> },
    Decided { id: String, verdict: Verdict, by: Decider, at: Timestamp },
    Expired { id: String },
    Superseded { id: String },
    Commanded { id: String, at: Timestamp },
    Ended { id: String, report: SwitchReport },
}

impl Step {
    pub fn id(&self) -> &str {
        match self {
            Self::Created { record } => &record.card.id,
            Self::Decided { id, .. }
            | Self::Expired { id }
            | Self::Superseded { id }
            | Self::Commanded { id, .. }
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
            (Phase::Allowed, Step::Commanded { at, .. }) => (Phase::Commanded { at: *at }, self.card.state.clone()),
            (Phase::Allowed | Phase::Commanded { .. }, Step::Ended { report, .. }) => {
                (Phase::Ended { report: report.clone() }, self.card.state.clone())
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

    /// Allowed, and not ended.
    pub fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Allowed | Phase::Commanded { .. })
    }

    /// How it stands, in a word.
    pub fn stands(&self) -> &'static str {
        match self.phase {
            Phase::Pending => "open",
            Phase::Denied | Phase::Allowed | Phase::Commanded { .. } | Phase::Ended { .. } => "decided",
            Phase::Expired => "expired",
            Phase::Superseded => "superseded",
        }
    }

    pub fn report(&self) -> Option<&SwitchReport> {
        match &self.phase {
            Phase::Ended { report } => Some(report),
            _ => None,
        }
    }

    /// How it stands, as the agent is told.
    pub fn outcome(&self) -> Outcome {
        match &self.phase {
            Phase::Pending => Outcome::Pending { expires_at: self.card.expires_at },
            Phase::Denied => Outcome::Denied,
            Phase::Expired => Outcome::Expired,
            Phase::Superseded => Outcome::Superseded,
            Phase::Allowed | Phase::Commanded { .. } => Outcome::Running,
            Phase::Ended { report } => {
                let body = serde_json::to_value(report).ok();
                match report.outcome {
                    SwitchOutcome::Done => Outcome::Done { status: 200, body },
                    SwitchOutcome::Failed => Outcome::Done { status: NOT_THERE, body },
                    SwitchOutcome::NothingDone => Outcome::Failed { message: report.message.clone() },
                    SwitchOutcome::Unknown => Outcome::Unknown,
                }
            }
        }
    }
}
