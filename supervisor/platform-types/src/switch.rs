//! Switching the model box to another model: who may ask, what a person allows, and how it goes.
//!
//! On `llm.sock` of the profiles that may ask, connected by that profile's agent:
//!
//! | route | does |
//! |---|---|
//! | `POST /switch` [`SwitchRequest`] | 202 [`Asked`](crate::egress::Asked): it waits for a person |
//! | `GET /confirmations/{id}` | [`Outcome`](crate::egress::Outcome), at once when it is final, else within 25 s |
//! | `GET /switch` | [`SwitchStatus`] |
//!
//! On spark's admin socket, connected by the supervisor only:
//!
//! | route | does |
//! |---|---|
//! | `GET /switch` | [`SwitchStatus`]; 404 where no switch is configured |
//! | `POST /switch` [`OperatorSwitch`] | 202 [`Card`]: what the operator decides about next |
//! | `GET /confirmations?after=N` | [`SwitchCards`], at once unless their version is N, else within 25 s |
//! | `POST /confirmations/{id}` [`SwitchDecision`] | [`Card`]; 403 where the signature does not count, 404 when it is gone, 409 when it is decided or its digest is another |
//! | `POST /switch/check` | [`SwitchCheck`]: host key and login, tried with `status`, which changes nothing |
//!
//! Spark keeps its own copy of what was asked and verifies each decision itself, with the public keys that the supervisor
//! pushed: a device's signature over [`SignedDecision`](crate::egress::SignedDecision), or the operator's word over the admin
//! socket, of which only root holds the other end. Gate and supervisor carry the cards and the signatures and can make neither.

use core::ops::RangeInclusive;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::egress::{Card, Verdict};
use crate::meters::Histogram;
use crate::{DeviceId, ModelId, Port, ProfileName, SecretName, Timestamp};

/// The [`Card::upstream`] and [`Card::rule`] of spark's cards.
pub const CARD_UPSTREAM: &str = "model-box";
pub const CARD_RULE: &str = "switch";
/// How the line of the box's SSH host key begins: no other algorithm counts.
pub const HOST_KEY_ALGORITHM: &str = "ssh-ed25519";
/// Longest id that may be switched to, in bytes.
pub const MAX_SWITCH_ID_BYTES: usize = 128;
/// Most models that may be switched to.
pub const MAX_SWITCH_MODELS: usize = 64;
/// Where a drain and a wait may lie, in seconds.
pub const DRAIN_SECONDS: RangeInclusive<u32> = 5..=900;
pub const WAIT_SECONDS: RangeInclusive<u32> = 10..=900;

/// What spark is told about the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchConfig {
    /// Name or IP address of the box's SSH server.
    pub host: String,
    pub port: Port,
    pub user: String,
    /// `ssh-ed25519 AAAA…`, the only key that the box may show.
    pub host_key: String,
    /// File name under `/run/secrets`: an OpenSSH private key (ed25519, no passphrase) in base64, without its first and last line.
    pub key: SecretName,
    /// What may be switched to; each [`is_switchable`].
    pub models: Vec<ModelId>,
    /// Profiles that may ask, each with the devices that may allow it. The operator always may.
    pub askers: Vec<Asker>,
    /// How long requests that run may go on before the switch is given up.
    pub drain_seconds: u32,
    /// How long the box may take, from the command on.
    pub wait_seconds: u32,
}

/// A profile that may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    pub profile: ProfileName,
    /// Its devices with the scope `approve`.
    pub approvers: Vec<Approver>,
}

/// A device whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    pub id: DeviceId,
    /// Raw Ed25519 public key, base64url without padding.
    pub public_key: String,
    pub name: String,
}

/// Whether an id can be a word of the command that goes over SSH: 1 to 128 of letters, digits and `._:/@+-`, beginning with a
/// letter or a digit.
pub fn is_switchable(id: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte);
    id.len() <= MAX_SWITCH_ID_BYTES
        && id.bytes().all(inner)
        && id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// Body of `POST /switch` of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    pub model: ModelId,
    /// The bot's words, shown apart; cut at [`crate::egress::MAX_REASON_CHARS`].
    #[serde(default)]
    pub reason: Option<String>,
}

/// Body of `POST /switch` of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorSwitch {
    pub model: ModelId,
    /// The name of the user at the supervisor's socket.
    pub user: String,
}

/// Body of `GET /confirmations` on the admin socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchCards {
    /// Grows with each change; another process of spark begins elsewhere.
    pub version: u64,
    /// Newest first.
    pub cards: Vec<SwitchCard>,
}

/// A card, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchCard {
    /// Whose devices decide; `None`: the operator asked, and decides.
    pub profile: Option<ProfileName>,
    pub card: Card,
}

/// Body of `POST /confirmations/{id}` on the admin socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum SwitchDecision {
    Device {
        profile: ProfileName,
        device: DeviceId,
        verdict: Verdict,
        digest: String,
        /// Over [`crate::egress::SignedDecision`], base64url without padding.
        signature: String,
    },
    Operator {
        user: String,
        verdict: Verdict,
        digest: String,
    },
}

/// Body of `GET /switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchStatus {
    /// What may be switched to.
    pub models: Vec<ModelId>,
    /// The switch that runs.
    pub running: Option<SwitchRun>,
    /// The last one that ended.
    pub last: Option<SwitchReport>,
}

/// A switch under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRun {
    /// Of its confirmation.
    pub id: String,
    /// What answered when it was asked; `None`: nothing did.
    pub from: Option<ModelId>,
    pub to: ModelId,
    /// Who asked: `profile ops`, `operator root`.
    pub by: String,
    pub phase: SwitchPhase,
    pub began_at: Timestamp,
    /// When it is given up, in this phase.
    pub until: Timestamp,
    /// What is known right now: what the command says, or what the box answers.
    pub progress: String,
    /// From its beginning to its end, judged by the last that was done.
    pub estimate_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchPhase {
    /// Requests that run may end; others wait.
    Draining,
    /// The command runs.
    Command,
    /// The command is over, and the box does not answer as the wanted model yet.
    Waiting,
}

/// How a switch ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchReport {
    pub id: String,
    pub from: Option<ModelId>,
    pub to: ModelId,
    pub by: String,
    pub outcome: SwitchOutcome,
    /// What was seen.
    pub message: String,
    /// The model to which `botctl spark switch` goes back: where the wanted one does not answer and the old one may be
    /// switched to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_back: Option<ModelId>,
    pub began_at: Timestamp,
    pub ended_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchOutcome {
    /// The box lists the wanted model, and it answered.
    Done,
    /// The command did not begin: the box is as it was.
    NothingDone,
    /// The command ran, and the wanted model does not answer.
    Failed,
    /// Whether the command ran to its end is not known, and the wanted model does not answer.
    Unknown,
}

impl SwitchOutcome {
    pub const ALL: [Self; 4] = [Self::Done, Self::NothingDone, Self::Failed, Self::Unknown];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NothingDone => "nothing_done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Upper bounds for how long a switch takes, in seconds: drain and wait together take half an hour at most.
pub const SWITCH_SECONDS: &[f64] =
    &[1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0, 900.0, 1_800.0];

/// What became of switches since the process started, and what there is now; part of spark's `GET /status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwitchMeters {
    /// By [`SwitchOutcome::as_str`]: how long they took, from their permission to their end, within [`SWITCH_SECONDS`].
    pub ended: BTreeMap<String, Histogram>,
    /// One runs now.
    pub running: bool,
    /// Undecided confirmations, by the profile that asked.
    pub pending: BTreeMap<ProfileName, u64>,
    /// Those of the operator.
    pub pending_operator: u64,
}

/// Answer of `POST /switch/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchCheck {
    /// The box showed the pinned key, let spark in, and its forced command answered `status`.
    pub well: bool,
    /// What it answered, or what is wrong and what to do.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_word_can_be_switched_to() {
        let check = |id: &str, good: bool| assert_eq!(is_switchable(id), good, "{id:?}");
        for id in ["openai/gpt-oss-120b", "nvidia/Qwen3.6-35B-A3B-NVFP4", "gemma4:e4b", "a@b+c_d", "7b"] {
            check(id, true);
        }
        for id in
            ["", "a b", "a\nb", "a;b", "a'b", "a\"b", "$(a)", "a`b`", "-a", "/etc", ".a", "ä", "a\0", "a&b", "a|b", "*"]
        {
            check(id, false);
        }
        check(&"a".repeat(MAX_SWITCH_ID_BYTES), true);
        check(&"a".repeat(MAX_SWITCH_ID_BYTES + 1), false);
    }

    #[test]
    fn an_outcome_has_one_word_everywhere() {
        for outcome in SwitchOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).expect("serialises"), outcome.as_str());
        }
    }

    #[test]
    fn a_decision_says_by_whom() {
        let text = r#"{"by":"operator","user":"root","verdict":"allow","digest":"d"}"#;
        let decision = serde_json::from_str::<SwitchDecision>(text).expect("parses");
        assert_eq!(serde_json::to_string(&decision).expect("serialises"), text);
        for text in [
            r#"{"user":"root","verdict":"allow","digest":"d"}"#,
            r#"{"by":"device","user":"root","verdict":"allow","digest":"d"}"#,
            r#"{"by":"operator","user":"root","verdict":"allow","digest":"d","more":1}"#,
        ] {
            assert!(serde_json::from_str::<SwitchDecision>(text).is_err(), "{text}");
        }
    }
}
