//! What waits for a person.

use std::collections::BTreeMap;

use platform_types::agent::Approval;
use platform_types::egress::Card;
use platform_types::{DeviceId, ProfileName, Timestamp};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/approvals`, and with `?profile=` of one profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    pub now: Timestamp,
    pub profiles: Vec<ProfileApprovals>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileApprovals {
    pub profile: ProfileName,
    /// Requests that the gate keeps until somebody decides.
    pub confirmations: Vec<Card>,
    /// Tool calls that the agent asks about, as it reports them.
    pub approvals: Vec<Approval>,
    /// Switches of the model box that this profile asked for, kept by spark until somebody decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<Card>,
    /// Who could not be asked.
    pub problems: Vec<String>,
    /// What the profile's devices are called, those without access too.
    #[serde(default)]
    pub devices: BTreeMap<DeviceId, String>,
}

/// Whose is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Asker {
    Gate,
    Agent,
    Spark,
}

/// Body of `POST /v1/profiles/{p}/approvals/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    pub asker: Asker,
    pub allow: bool,
    /// What was shown: a decision about anything else is refused.
    pub digest: String,
}

/// A decision that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub profile: ProfileName,
    pub id: String,
    pub asker: Asker,
    pub allow: bool,
    pub digest: String,
    /// The name of the user, as it was recorded.
    pub user: String,
}

impl Document for Approvals {
    const SCHEMA: &'static str = "bot-platform.approvals.v1";
}

impl Document for Decided {
    const SCHEMA: &'static str = "bot-platform.decided.v1";
}
