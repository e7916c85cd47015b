//! The steps of one confirmation. Pure.

use std::fmt::Debug;

use platform_types::egress::{Card, CardState, Decider, Outcome, Verdict};
use platform_types::{ProfileName, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A confirmation as its owner keeps it.
pub trait Confirmation: Debug + Clone + Serialize + DeserializeOwned {
    /// What comes of one that was allowed.
    type End: Debug + Clone + Serialize + DeserializeOwned;
    /// What is asked, in a word, for messages: `request`.
    const WHAT: &'static str;

    fn card(&self) -> &Card;
    fn phase(&self) -> &Phase<Self::End>;
    /// What a step changes.
    fn stand(&mut self) -> (&mut Phase<Self::End>, &mut CardState);

    /// Whose places it takes while nobody has decided.
    fn asker(&self) -> Option<&ProfileName> {
        None
    }

    /// Takes a step; `false`: it does not follow from where this one stands, and nothing changes.
    fn take(&mut self, step: &Step<Self>) -> bool {
        let (phase, state) = self.stand();
        *phase = match (&*phase, step) {
            (Phase::Pending, Step::Decided { verdict, by, at, .. }) => {
                *state = CardState::Decided { decision: *verdict, by: by.clone(), at: *at };
                if *verdict == Verdict::Allow { Phase::Allowed } else { Phase::Denied }
            }
            (Phase::Pending, Step::Expired { .. }) => {
                *state = CardState::Expired;
                Phase::Expired
            }
            (Phase::Pending, Step::Superseded { .. }) => {
                *state = CardState::Superseded;
                Phase::Superseded
            }
            (Phase::Allowed, Step::Begun { at, .. }) => Phase::Begun { at: *at },
            (Phase::Allowed | Phase::Begun { .. }, Step::Ended { end, .. }) => Phase::Ended { end: end.clone() },
            _ => return false,
        };
        true
    }
}

/// How far one is. `alias`: older files say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase<E> {
    Pending,
    Denied,
    Expired,
    Superseded,
    Allowed,
    /// It may have taken effect.
    #[serde(alias = "released", alias = "commanded")]
    Begun {
        /// The epoch, where an old file does not say.
        #[serde(default)]
        at: Timestamp,
    },
    Ended {
        #[serde(alias = "outcome", alias = "report")]
        end: E,
    },
}

impl<E> Phase<E> {
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending)
    }

    /// Allowed, and not ended.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Allowed | Self::Begun { .. })
    }

    /// No step follows.
    pub fn is_over(&self) -> bool {
        !self.is_pending() && !self.is_active()
    }

    pub fn end(&self) -> Option<&E> {
        match self {
            Self::Ended { end } => Some(end),
            _ => None,
        }
    }

    /// In a word.
    pub fn stands(&self) -> &'static str {
        match self {
            Self::Pending => "open",
            Self::Denied | Self::Allowed | Self::Begun { .. } | Self::Ended { .. } => "decided",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// As the agent is told, with `told` of an end.
    pub fn outcome(&self, expires_at: Timestamp, told: impl FnOnce(&E) -> Outcome) -> Outcome {
        match self {
            Self::Pending => Outcome::Pending { expires_at },
            Self::Denied => Outcome::Denied,
            Self::Expired => Outcome::Expired,
            Self::Superseded => Outcome::Superseded,
            Self::Allowed | Self::Begun { .. } => Outcome::Running,
            Self::Ended { end } => told(end),
        }
    }
}

/// A line of the journal. `alias`: older files say so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case", bound = "")]
pub enum Step<R: Confirmation> {
    Created {
        record: Box<R>,
    },
    Decided {
        id: String,
        verdict: Verdict,
        by: Decider,
        at: Timestamp,
    },
    Expired {
        id: String,
    },
    Superseded {
        id: String,
    },
    #[serde(alias = "released", alias = "commanded")]
    Begun {
        id: String,
        at: Timestamp,
    },
    Ended {
        id: String,
        #[serde(alias = "outcome", alias = "report")]
        end: R::End,
    },
}

impl<R: Confirmation> Step<R> {
    /// Of the confirmation.
    pub fn id(&self) -> &str {
        match self {
            Self::Created { record } => &record.card().id,
            Self::Decided { id, .. }
            | Self::Expired { id }
            | Self::Superseded { id }
            | Self::Begun { id, .. }
            | Self::Ended { id, .. } => id,
        }
    }
}
