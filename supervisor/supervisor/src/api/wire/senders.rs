//! Who may write to a bot through a channel.

use platform_types::channel::ChatId;
use platform_types::{ProfileName, Timestamp, UpstreamName};
use serde::{Deserialize, Serialize};

use super::Document;

/// Body of `GET /v1/profiles/{p}/senders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Senders {
    pub profile: ProfileName,
    pub now: Timestamp,
    /// Those that are configured.
    pub channels: Vec<UpstreamName>,
    /// Who was decided about, the newest first. Those of `allow` are in the configuration.
    pub senders: Vec<Sender>,
    /// Who has a code. The code itself only they have.
    pub requests: Vec<WaitingSender>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    pub channel: UpstreamName,
    pub id: ChatId,
    /// What the sender called himself; may be empty.
    pub name: String,
    pub state: SenderState,
    pub changed_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SenderState {
    Approved,
    Blocked,
    /// Was approved before the ledger was put together again.
    Revoked,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingSender {
    pub channel: UpstreamName,
    pub id: ChatId,
    /// What the sender calls himself.
    pub name: String,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Body of `POST /v1/profiles/{p}/senders/approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderCode {
    pub code: String,
}

/// Body of `POST /v1/profiles/{p}/senders/block` and `…/forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderName {
    pub channel: UpstreamName,
    pub id: ChatId,
}

/// What became of a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderChanged {
    pub profile: ProfileName,
    /// As it was, where it is forgotten.
    pub sender: Sender,
    /// The gate confirmed it.
    pub pushed: bool,
}

impl Document for Senders {
    const SCHEMA: &'static str = "bot-platform.senders.v1";
}

impl Document for SenderChanged {
    const SCHEMA: &'static str = "bot-platform.sender.v1";
}
