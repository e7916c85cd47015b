//! Secrets and files.

use platform_types::{SecretName, Timestamp};
use serde::{Deserialize, Serialize};
use supervisor_config::{Changed, Finding};
use supervisor_plan::Target;

use super::Document;

/// Body of `GET /v1/secrets`. No secret is ever shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    pub now: Timestamp,
    pub secrets: Vec<SecretEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretEntry {
    pub name: SecretName,
    /// `None`: it is needed and not there.
    pub set_at: Option<Timestamp>,
    /// A process of this release needs it.
    pub needed: bool,
    /// The containers that are given it.
    #[serde(default)]
    pub used_by: Vec<Target>,
    /// Why it is refused.
    pub problem: Option<String>,
}

/// Body of `POST /v1/secrets/{name}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretValue {
    pub value: String,
    /// Refused when there is no secret of this name yet.
    #[serde(default)]
    pub replace: bool,
}

impl std::fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretSet {
    pub name: SecretName,
    /// A process of this release needs it, and each was given it.
    pub delivered: bool,
    /// The containers that need it.
    #[serde(default)]
    pub used_by: Vec<Target>,
    /// Those of them that have not confirmed it yet; they are told as soon as they answer.
    #[serde(default)]
    pub waiting: Vec<Target>,
}

/// Body of `GET /v1/config/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigCheck {
    pub path: String,
    pub valid: bool,
    pub findings: Vec<Finding>,
}

/// Body of `GET /v1/config/show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigText {
    /// TOML.
    pub text: String,
}

/// Body of `GET /v1/config/diff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigDiff {
    /// What is in force is known; without it `changed` says nothing.
    pub compared: bool,
    /// Keys whose value in the file is not the one in force.
    pub changed: Vec<Changed>,
    /// Shipped instructions that the operator's files override.
    pub overrides: Vec<Override>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// `bots/<name>.md`.
    pub file: String,
    pub shipped: String,
    pub yours: String,
}

/// Body of `GET /v1/export/compose`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposeText {
    /// YAML.
    pub text: String,
}

impl Document for Secrets {
    const SCHEMA: &'static str = "bot-platform.secrets.v1";
}

impl Document for SecretSet {
    const SCHEMA: &'static str = "bot-platform.secret-set.v1";
}

impl Document for ConfigText {
    const SCHEMA: &'static str = "bot-platform.config.v1";
}

impl Document for ConfigDiff {
    const SCHEMA: &'static str = "bot-platform.config-diff.v1";
}

impl Document for ConfigCheck {
    const SCHEMA: &'static str = "bot-platform.config-check.v1";
}
