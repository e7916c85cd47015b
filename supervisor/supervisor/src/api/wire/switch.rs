//! The switch of the model box, for the operator.

use platform_types::ModelId;
use platform_types::egress::Card;
use platform_types::switch::{SwitchReport, SwitchStatus};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `POST /v1/spark/switch`; the answer is a [`Card`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchWish {
    pub model: ModelId,
}

/// Body of `POST /v1/spark/switches/{id}`: the word about a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchWord {
    pub allow: bool,
    /// What was shown: a decision about anything else is refused.
    pub digest: String,
}

impl Document for SwitchStatus {
    const SCHEMA: &'static str = "bot-platform.switch-status.v1";
}

impl Document for SwitchReport {
    const SCHEMA: &'static str = "bot-platform.switch.v1";
}

impl Document for Card {
    const SCHEMA: &'static str = "bot-platform.confirmation.v1";
}
