//! The admin socket of a gate, connected by the supervisor only.
//!
//! | route | does |
//! |---|---|
//! | `PUT /config` [`GateConfig`] | replaces the whole configuration; 409 `conflict` for a revision lower than the one in force |
//! | `GET /events` | newline-delimited JSON [`GateEvent`], first everything undecided, then live; blank lines keep it alive |
//! | `POST /pairings/{id}` [`PairingDecision`] | decides a pairing attempt; 404 when it is gone |
//! | `POST /acts/{id}` | answers what a device did about devices: [`crate::device`] |
//! | `GET /confirmations` | [`CardList`]: of the gate itself, what waits for a person, and what was decided lately |
//! | `PUT /cards` [`CardList`] | replaces the cards that the gate shows for spark; what devices say about them is a [`crate::device::Act`] |
//! | `POST /confirmations/{id}` [`OperatorDecision`] | the operator decides; 404 when it is gone, 409 when it is decided or its digest is another |
//! | `GET /audit?after=N` | [`crate::audit::Page`] of the gate's own chain, with the anchors it keeps for the agent and the supervisor |
//! | `POST /anchor` [`crate::audit::Anchor`] | keeps the head of the supervisor's chain |
//! | `GET /status` | [`GateStatus`] |
//! | `GET /healthz`, `/readyz`, `/release` | as everywhere |
//!
//! The registry of devices is the supervisor's: the gate verifies against what was pushed last and keeps nothing.
//! A gate of an earlier release refuses fields that it does not know, so those that came later are left out while empty.
//! Routes that browsers and scripts use are described in `docs/reference/gate.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::{Channel, SenderRequest};
use crate::egress::{Card, Upstream, Verdict};
use crate::{DeviceId, Generation, Port, ProfileName, Revision, Timestamp};

/// Everything a gate has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    pub revision: Revision,
    pub profile: ProfileName,
    /// The published port, on the host's 127.0.0.1: exact Hosts are `127.0.0.1:<port>` and `localhost:<port>`.
    pub port: Port,
    /// The tailnet URL (scheme and host, optional port, no path); its host is allowed too.
    pub address: Option<String>,
    pub door: Door,
    /// The uid that must be at the other end of the agent's socket.
    pub agent_uid: u32,
    pub devices: Vec<Device>,
    pub setup_links: Vec<SetupLink>,
    pub tokens: Vec<ScriptToken>,
    /// Ways out; none by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
    /// Who may write to the profile's bots, and be written to; nobody by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Channel>,
    /// Logins of the tailnet that may use the profile, as `tailscale serve` names them on the gate's tailnet socket; empty: whoever
    /// the tailnet lets through. Never instead of a device's key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tailscale_users: Vec<String>,
    /// How `botctl` is typed on the host for this installation, where it is another than the system's own; pages show commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub botctl: Option<String>,
}

/// Whether requests go to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Door {
    /// To the socket of this generation.
    Open { generation: Generation },
    /// Requests wait, bounded in number and time, until it opens.
    Held,
}

/// A paired device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: DeviceId,
    /// Raw Ed25519 public key, base64url without padding (43 characters).
    pub public_key: String,
    pub name: String,
    pub scopes: Vec<Scope>,
}

/// What a device may do. `chat` is enough to talk; the others come with approvals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Chat,
    Approve,
    Admin,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::Approve => "approve",
            Self::Admin => "admin",
        })
    }
}

/// A one-time setup link, by the digest of its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLink {
    /// SHA-256 of the code's ASCII text, lower-case hex.
    pub code_sha256: String,
    pub expires_at: Timestamp,
}

/// A bearer token for scripts, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptToken {
    pub name: String,
    /// SHA-256 of the token's ASCII text, lower-case hex.
    pub token_sha256: String,
}

/// What a gate tells the supervisor, one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GateEvent {
    /// Somebody wants to pair a device. Sent again on every connection until it is decided or expired.
    Pairing(PairingAttempt),
    /// A paired device wants something done about devices. Sent again on every connection while somebody waits for the outcome.
    Act(crate::device::DeviceAct),
    /// An unknown sender of a channel was sent a code. Sent again on every connection until it is decided or expired.
    Sender(SenderRequest),
    /// A paired device or a token was used; at most once a minute each.
    Seen { who: Caller, at: Timestamp },
}

/// Who was authenticated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Caller {
    Device { id: DeviceId },
    Token { name: String },
}

/// An attempt to pair, with or without a setup code. The key's possession was proven by a signature before this is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingAttempt {
    /// 16 random bytes in lower-case hex, minted by the gate.
    pub id: String,
    pub device: DeviceId,
    pub public_key: String,
    /// Proposed by the device; at most [`MAX_DEVICE_NAME_CHARS`], control characters removed.
    pub name: String,
    pub at: Timestamp,
    /// With a setup code: its digest, found in the pushed list and unexpired. Without: the operator decides.
    pub code_sha256: Option<String>,
    /// Who `tailscale serve` says is asking: a hint for who decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
}

/// The supervisor's word on an attempt; only after its ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum PairingDecision {
    Accepted { device: Device },
    Refused { reason: String },
}

/// Body of `GET /confirmations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardList {
    /// Newest first.
    pub cards: Vec<Card>,
}

/// The operator's word, through `botctl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorDecision {
    pub verdict: Verdict,
    /// What was shown: a decision about anything else is refused.
    pub digest: String,
    pub user: String,
}

/// A device's word, on the gate's own page: `POST /confirmations/{id}` with the socket's ticket. Needs scope `approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceDecision {
    pub verdict: Verdict,
    pub digest: String,
    /// Over [`crate::egress::SignedDecision`], base64url without padding.
    pub signature: String,
}

/// Longest device name.
pub const MAX_DEVICE_NAME_CHARS: usize = 48;
/// Longest login of a tailnet's user: an address of a mailbox.
pub const MAX_LOGIN_CHARS: usize = 254;

/// How a device proves its key: it signs this text (UTF-8) with Ed25519, over a WebSocket or a pairing request.
#[derive(Debug, Clone, Copy)]
pub struct SignedText<'a> {
    pub purpose: Purpose,
    pub profile: &'a ProfileName,
    /// The Host header that the gate saw.
    pub host: &'a str,
    pub device: &'a DeviceId,
    /// Minted by the gate, used once.
    pub nonce: &'a str,
    pub time: Timestamp,
}

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Connect,
    Pair,
}

impl fmt::Display for SignedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { purpose, profile, host, device, nonce, time } = self;
        let purpose = match purpose {
            Purpose::Connect => "connect",
            Purpose::Pair => "pair",
        };
        write!(f, "bot-platform {purpose} v1\n{profile}\n{host}\n{device}\n{nonce}\n{}", time.as_millis())
    }
}

/// Body of `GET /status` on the admin socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateStatus {
    pub connections: u64,
    pub websockets: u64,
    /// Requests that wait at a held door.
    pub waiting: u64,
    pub requests_total: u64,
    /// Refused before authentication: foreign Host or Origin, malformed, over a limit.
    pub refused_total: u64,
    /// Refused by authentication.
    pub denied_total: u64,
    pub pairings_pending: u64,
    /// Requests of the agent that went out, those that no rule allowed, and those that the upstream did not answer.
    #[serde(default)]
    pub egress_allowed_total: u64,
    #[serde(default)]
    pub egress_denied_total: u64,
    #[serde(default)]
    pub egress_failed_total: u64,
    #[serde(default)]
    pub confirmations_pending: u64,
    /// Senders of channels who have a code and are not decided.
    #[serde(default)]
    pub senders_pending: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_of_an_earlier_release_takes_what_uses_nothing_new() {
        let config = GateConfig {
            revision: Revision::default(),
            profile: ProfileName::new("personal").expect("name"),
            port: Port::new(18789).expect("port"),
            address: None,
            door: Door::Held,
            agent_uid: 1,
            devices: Vec::new(),
            setup_links: Vec::new(),
            tokens: Vec::new(),
            upstreams: Vec::new(),
            channels: Vec::new(),
            tailscale_users: Vec::new(),
            botctl: None,
        };
        let value = serde_json::to_value(&config).expect("serialises");
        let fields: Vec<&String> = value.as_object().expect("an object").keys().collect();
        let first = ["address", "agent_uid", "devices", "door", "port", "profile", "revision", "setup_links", "tokens"];
        assert_eq!(fields, first);
        assert_eq!(serde_json::from_value::<GateConfig>(value).expect("parses"), config);
    }

    #[test]
    fn the_signed_text_binds_everything() {
        let profile = ProfileName::new("personal").expect("name");
        let device = DeviceId::new("0".repeat(64)).expect("id");
        let text = SignedText {
            purpose: Purpose::Connect,
            profile: &profile,
            host: "127.0.0.1:18789",
            device: &device,
            nonce: "n0nce",
            time: Timestamp(7),
        };
        assert_eq!(
            text.to_string(),
            format!("bot-platform connect v1\npersonal\n127.0.0.1:18789\n{}\nn0nce\n7", "0".repeat(64))
        );
    }
}
