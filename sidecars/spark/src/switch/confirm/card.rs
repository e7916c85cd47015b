//! What a person reads before a switch, and what the signature is over. Pure.

use data_encoding::HEXLOWER;
use platform_types::egress::{Card, CardState, MAX_REASON_CHARS};
use platform_types::switch::{CARD_RULE, CARD_UPSTREAM};
use platform_types::text::neutral_cut;
use platform_types::{ModelId, Timestamp, UpstreamName};
use sha2::{Digest as _, Sha256};

use super::record::By;
use crate::switch::ssh::Remote;

/// What is asked, wholly.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    pub id: &'a str,
    pub by: &'a By,
    pub from: Option<&'a ModelId>,
    pub to: &'a ModelId,
}

/// SHA-256, lower-case hex, over everything that the decision is about: who asked, the confirmation, the model that is there,
/// the one that is asked for, and to whom the command goes. Each part goes in with its length (8 bytes, big-endian) before it,
/// after the words `bot-platform switch v1`; a missing model is an empty part.
pub fn digest(wanted: &Wanted<'_>, remote: &Remote) -> String {
    let mut hash = Sha256::new();
    let by = wanted.by.to_string();
    let from = wanted.from.map_or("", ModelId::as_str);
    let (address, host_key) = (remote.address(), remote.fingerprint());
    let parts = ["bot-platform switch v1", &by, wanted.id, from, wanted.to.as_str(), &address, &host_key];
    for part in parts {
        hash.update(u64::try_from(part.len()).expect("a usize fits into 64 bits").to_be_bytes());
        hash.update(part.as_bytes());
    }
    HEXLOWER.encode(&hash.finalize())
}

/// What is known about the box, for the card.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Why nothing answers, where nothing does.
    pub silence: Option<String>,
    pub running: usize,
    /// Seconds that the last switch took.
    pub last_seconds: Option<u32>,
}

/// The card; `reason` is the bot's, and nobody checked it.
pub fn card(
    wanted: &Wanted<'_>,
    remote: &Remote,
    facts: &Facts,
    reason: Option<&str>,
    (created_at, expires_at): (Timestamp, Timestamp),
) -> Card {
    let Wanted { id, by, from, to } = wanted;
    let words = match from {
        Some(from) => format!("Switch the model box from {from} to {to}"),
        None => format!("Start {to} on the model box, which does not answer now"),
    };
    let loaded = match (from, &facts.silence) {
        (Some(from), _) => from.to_string(),
        (None, Some(why)) => format!("(not known: {why})"),
        (None, None) => "(none)".to_owned(),
    };
    let took = facts.last_seconds.map_or_else(|| "(not known)".to_owned(), |seconds| format!("{seconds} s"));
    let facts = [
        ("loaded now", loaded),
        ("asked for", to.to_string()),
        ("asked by", by.to_string()),
        ("requests running, of all profiles", facts.running.to_string()),
        ("the last switch took", took),
    ];
    Card {
        id: (*id).to_owned(),
        upstream: UpstreamName::new(CARD_UPSTREAM).expect("it is a name"),
        rule: CARD_RULE.to_owned(),
        words,
        facts: facts.map(|(label, value)| (label.to_owned(), neutral_cut(&value, MAX_REASON_CHARS))).into(),
        request: format!("ssh {}\nhost key {}\n\nswitch {to}", remote.address(), remote.fingerprint()),
        digest: digest(wanted, remote),
        reason: reason.map(|reason| neutral_cut(reason, MAX_REASON_CHARS)),
        created_at,
        expires_at,
        state: CardState::Pending,
    }
}
