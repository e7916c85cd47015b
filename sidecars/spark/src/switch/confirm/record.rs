//! One confirmation of a switch. Pure.

use std::fmt;

use platform_kit::confirmation::{Confirmation, Phase};
use platform_types::egress::{Card, CardState, Outcome};
use platform_types::switch::{SwitchOutcome, SwitchReport};
use platform_types::{ModelId, ProfileName};
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
    pub phase: Phase<SwitchReport>,
}

impl Confirmation for Record {
    type End = SwitchReport;
    const WHAT: &'static str = "switch";

    fn card(&self) -> &Card {
        &self.card
    }

    fn phase(&self) -> &Phase<SwitchReport> {
        &self.phase
    }

    fn stand(&mut self) -> (&mut Phase<SwitchReport>, &mut CardState) {
        (&mut self.phase, &mut self.card.state)
    }

    fn asker(&self) -> Option<&ProfileName> {
        self.by.profile()
    }
}

impl Record {
    /// How it stands, as the agent is told.
    pub fn outcome(&self) -> Outcome {
        self.phase.outcome(self.card.expires_at, |report| {
            let body = serde_json::to_value(report).ok();
            match report.outcome {
                SwitchOutcome::Done => Outcome::Done { status: 200, body },
                SwitchOutcome::Failed => Outcome::Done { status: NOT_THERE, body },
                SwitchOutcome::NothingDone => Outcome::Failed { message: report.message.clone() },
                SwitchOutcome::Unknown => Outcome::Unknown,
            }
        })
    }
}
