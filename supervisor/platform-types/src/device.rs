//! What a paired device does that the gate cannot do for it: it decides about another device that asks to be paired, takes a
//! new key itself, or decides about what spark asks.
//!
//! A [`DeviceAct`] is signed by the device's key. The gate checks scope, signature and what waits, and tells the supervisor
//! ([`crate::gate::GateEvent::Act`]), which checks all of it again against its ledger. Only what the ledger has counts. The agent
//! has no part in it: it can neither ask for an act nor see one.
//!
//! | route of the gate's admin socket | does |
//! |---|---|
//! | `POST /acts/{id}` [`ActOutcome`] | the supervisor's word; 404 when nobody waits for it any more |

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::egress::{SignedDecision, Verdict};
use crate::gate::{Device, Scope};
use crate::{DeviceId, ProfileName, Timestamp};

/// Something that a device wants done, with its signature over [`SignedAct`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAct {
    /// 16 random bytes in lower-case hex, minted by the gate.
    pub id: String,
    pub by: DeviceId,
    pub act: Act,
    /// Of `by`, base64url without padding.
    pub signature: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Act {
    /// Decides about a request to pair. Needs the scope `admin`, and each scope that it gives.
    Admit {
        /// The id of the attempt.
        request: String,
        device: DeviceId,
        /// As it was shown.
        name: String,
        verdict: Verdict,
        /// In the order of [`Scope`], each once, `chat` always among them; empty with `deny`.
        scopes: Vec<Scope>,
    },
    /// Gets another key, and with it another id; name and scopes stay. The old key stops working in the same step.
    Rotate {
        device: DeviceId,
        public_key: String,
        host: String,
        /// Minted by the gate, used once.
        nonce: String,
        time: Timestamp,
        /// The new key's signature over the same text.
        proof: String,
    },
    /// Decides about a card that the gate shows for spark. Needs the scope `approve`. Spark verifies the signature again, over
    /// the same text as that of every confirmation.
    Confirm {
        /// The id of the card.
        confirmation: String,
        digest: String,
        verdict: Verdict,
    },
}

/// What became of an act; only after the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ActOutcome {
    /// `device`: who is paired now, after a rotation.
    Done {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Device>,
    },
    Refused {
        reason: String,
    },
}

/// What is signed (UTF-8, Ed25519).
#[derive(Debug, Clone, Copy)]
pub struct SignedAct<'a> {
    pub profile: &'a ProfileName,
    pub by: &'a DeviceId,
    pub act: &'a Act,
}

impl fmt::Display for SignedAct<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, by, act } = self;
        match act {
            Act::Admit { request, device, name, verdict, scopes } => {
                write!(f, "bot-platform admit v1\n{profile}\n{by}\n{request}\n{device}\n{name}\n{verdict}\n")?;
                fmt_scopes(scopes, f)
            }
            Act::Rotate { device, public_key: _, host, nonce, time, proof: _ } => {
                write!(f, "bot-platform rotate v1\n{profile}\n{by}\n{device}\n{host}\n{nonce}\n{}", time.as_millis())
            }
            Act::Confirm { confirmation: id, digest, verdict } => {
                SignedDecision { profile, device: by, id, digest, verdict: *verdict }.fmt(f)
            }
        }
    }
}

fn fmt_scopes(scopes: &[Scope], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (n, scope) in scopes.iter().enumerate() {
        write!(f, "{}{scope}", if n == 0 { "" } else { "," })?;
    }
    Ok(())
}

/// Whether scopes are written in their one way, and are what an act with this verdict may carry.
pub fn are_proper(scopes: &[Scope], verdict: Verdict) -> bool {
    match verdict {
        Verdict::Allow => scopes.first() == Some(&Scope::Chat) && scopes.is_sorted_by(|a, b| a < b),
        Verdict::Deny => scopes.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(act: &Act) -> String {
        let profile = ProfileName::new("personal").expect("name");
        let by = DeviceId::new("a".repeat(64)).expect("id");
        SignedAct { profile: &profile, by: &by, act }.to_string()
    }

    #[test]
    fn the_signed_text_binds_everything() {
        let device = DeviceId::new("b".repeat(64)).expect("id");
        let (a, b) = ("a".repeat(64), device.to_string());
        let act = Act::Admit {
            request: "r1".into(),
            device: device.clone(),
            name: "Anna's phone".into(),
            verdict: Verdict::Allow,
            scopes: vec![Scope::Chat, Scope::Approve],
        };
        let text = format!("bot-platform admit v1\npersonal\n{a}\nr1\n{b}\nAnna's phone\nallow\nchat,approve");
        assert_eq!(signed(&act), text);
        let act = Act::Rotate {
            device,
            public_key: "key".into(),
            host: "127.0.0.1:18789".into(),
            nonce: "n0nce".into(),
            time: Timestamp(7),
            proof: "proof".into(),
        };
        assert_eq!(signed(&act), format!("bot-platform rotate v1\npersonal\n{a}\n{b}\n127.0.0.1:18789\nn0nce\n7"));
        let act = Act::Confirm { confirmation: "c1".into(), digest: "d1".into(), verdict: Verdict::Allow };
        assert_eq!(signed(&act), format!("bot-platform confirm v1\npersonal\n{a}\nc1\nd1\nallow"));
    }

    #[test]
    fn scopes_are_written_in_one_way() {
        let check = |scopes: &[Scope], verdict, proper| assert_eq!(are_proper(scopes, verdict), proper, "{scopes:?}");
        check(&[Scope::Chat], Verdict::Allow, true);
        check(&[Scope::Chat, Scope::Approve, Scope::Admin], Verdict::Allow, true);
        check(&[], Verdict::Deny, true);
        check(&[], Verdict::Allow, false);
        check(&[Scope::Approve], Verdict::Allow, false);
        check(&[Scope::Chat, Scope::Chat], Verdict::Allow, false);
        check(&[Scope::Chat, Scope::Admin, Scope::Approve], Verdict::Allow, false);
        check(&[Scope::Chat], Verdict::Deny, false);
    }
}
