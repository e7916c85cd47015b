//! What an attempt to pair comes to: pure functions from the ledger's answer to the word for the gate.

use platform_types::channel::{MAX_SENDER_NAME_CHARS, SenderRequest};
use platform_types::gate::{MAX_DEVICE_NAME_CHARS, MAX_LOGIN_CHARS, PairingAttempt, PairingDecision};
use platform_types::text::neutral_cut;
use supervisor_store::{DeviceRecord, Offer, Redemption};

use super::code;

/// What the gate is told now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet: the operator decides. `new`: it was not known before.
    Wait {
        new: bool,
    },
    Accept(DeviceRecord),
    Refuse(&'static str),
}

/// Checks what a gate reports before anything is stored: the id must belong to the key, and names are short.
pub fn screen(attempt: &PairingAttempt) -> Result<PairingAttempt, &'static str> {
    if attempt.id.len() != 32 || !attempt.id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the request has no proper id");
    }
    if code::device_id(&attempt.public_key).as_ref() != Some(&attempt.device) {
        return Err("the device id does not belong to the key");
    }
    let login = attempt.login.as_deref().map(|login| neutral_cut(login.trim(), MAX_LOGIN_CHARS));
    Ok(PairingAttempt { name: shown_name(&attempt.name), login, ..attempt.clone() })
}

/// A name as the ledger keeps it.
pub fn shown_name(name: &str) -> String {
    neutral_cut(name.trim(), MAX_DEVICE_NAME_CHARS)
}

/// The same for a sender of a channel.
pub fn screen_sender(request: &SenderRequest) -> Option<SenderRequest> {
    let hex = |text: &str, digits: usize| text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let proper = hex(&request.id, 32) && hex(&request.code_sha256, 64) && request.sender.0 > 0;
    proper.then(|| SenderRequest {
        name: neutral_cut(request.name.trim(), MAX_SENDER_NAME_CHARS),
        code_sha256: request.code_sha256.to_ascii_lowercase(),
        ..request.clone()
    })
}

/// After a setup code was offered.
pub fn redeemed(outcome: Redemption) -> Answer {
    match outcome {
        Redemption::Accepted(device) => Answer::Accept(device),
        Redemption::Used => Answer::Refuse("this link was used already; ask for a new one"),
        Redemption::Full => Answer::Refuse("too many devices are paired; one that is not used has to be revoked first"),
        Redemption::Expired => Answer::Refuse("this link has expired; ask for a new one"),
        Redemption::Unknown => Answer::Refuse("this link is not one of this profile; ask for a new one"),
    }
}

/// After a request without a code was offered.
pub fn offered(outcome: Offer) -> Answer {
    match outcome {
        Offer::Pending { new } => Answer::Wait { new },
        Offer::Accepted(device) => Answer::Accept(device),
        Offer::Refused => Answer::Refuse("the request was refused"),
        Offer::Expired => Answer::Refuse("the request has expired; ask again"),
        Offer::Superseded => Answer::Refuse("this device asked again later"),
        Offer::Full => Answer::Refuse("too many requests are waiting; try again later"),
    }
}

/// The word on the wire; `None` while the operator decides.
pub fn to_wire(answer: &Answer) -> Option<PairingDecision> {
    match answer {
        Answer::Wait { .. } => None,
        Answer::Accept(device) => Some(match device.to_wire() {
            Some(device) => PairingDecision::Accepted { device },
            None => PairingDecision::Refused { reason: "the device was revoked".to_owned() },
        }),
        Answer::Refuse(reason) => Some(PairingDecision::Refused { reason: (*reason).to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use platform_types::gate::Scope;
    use platform_types::{DeviceId, ProfileName, Timestamp};

    use super::*;

    fn attempt() -> PairingAttempt {
        let public_key = BASE64URL_NOPAD.encode(&[7; 32]);
        PairingAttempt {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            device: code::device_id(&public_key).unwrap(),
            public_key,
            name: "  My phone\u{1b}[31m ".to_owned(),
            at: Timestamp(1),
            code_sha256: None,
            login: None,
        }
    }

    #[test]
    fn only_a_consistent_attempt_passes_and_its_name_is_harmless() {
        assert_eq!(screen(&attempt()).unwrap().name, r"My phone\u{1b}[31m");
        let other = PairingAttempt { device: DeviceId::new("0".repeat(64)).unwrap(), ..attempt() };
        assert!(screen(&other).is_err());
        assert!(screen(&PairingAttempt { id: "../x".to_owned(), ..attempt() }).is_err());
        assert!(screen(&PairingAttempt { public_key: "no key".to_owned(), ..attempt() }).is_err());
        let long = PairingAttempt { name: "x".repeat(500), ..attempt() };
        assert_eq!(screen(&long).unwrap().name.chars().count(), MAX_DEVICE_NAME_CHARS + 1);
    }

    #[test]
    fn every_outcome_has_its_word() {
        let record = DeviceRecord {
            profile: ProfileName::new("personal").unwrap(),
            id: attempt().device,
            public_key: attempt().public_key,
            name: "phone".to_owned(),
            scopes: vec![Scope::Chat],
            added_at: Timestamp(1),
            seen_at: None,
            revoked_at: None,
        };
        let word = |answer: Answer| match to_wire(&answer) {
            None => "wait".to_owned(),
            Some(PairingDecision::Accepted { device }) => format!("accepted {}", device.name),
            Some(PairingDecision::Refused { reason }) => format!("refused: {reason}"),
        };
        assert_eq!(word(redeemed(Redemption::Accepted(record.clone()))), "accepted phone");
        assert!(word(redeemed(Redemption::Used)).contains("used already"));
        assert!(word(redeemed(Redemption::Full)).contains("too many devices"));
        assert!(word(redeemed(Redemption::Expired)).contains("expired"));
        assert!(word(redeemed(Redemption::Unknown)).contains("not one of this profile"));
        assert_eq!(word(offered(Offer::Pending { new: true })), "wait");
        assert_eq!(word(offered(Offer::Accepted(record.clone()))), "accepted phone");
        for refused in [Offer::Refused, Offer::Expired, Offer::Superseded, Offer::Full] {
            assert!(word(offered(refused)).starts_with("refused: "));
        }
        let revoked = DeviceRecord { revoked_at: Some(Timestamp(2)), ..record };
        assert!(word(Answer::Accept(revoked)).contains("revoked"));
    }
}
