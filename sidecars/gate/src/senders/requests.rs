//! Unknown senders who have a code: bounded in a profile, one code a chat in its hour.
//!
//! ```text
//! open ─▶ sending ─▶ told          (reported; forgotten when it is decided, or its hour is over)
//!            └─────▶ not told      (tried again when the sender writes again, a minute later at the earliest)
//! ```
//!
//! A gate that was restarted learns from what is pushed who has a code already.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use gate_rules::senders::is_stranger;
use platform_types::channel::{
    CODE_CHARS, CODE_MILLIS, Channel, ChatId, MAX_PENDING_SENDERS, MAX_SENDER_NAME_CHARS, SenderRequest, code,
};
use platform_types::text::neutral_cut;
use platform_types::update::Sender;
use platform_types::{Timestamp, UpstreamName};

use crate::config::digest;
use crate::egress::ways::Ways;
use crate::limits::UNTOLD_PAUSE_MILLIS;

type Place = (UpstreamName, ChatId);

/// All of them.
#[derive(Debug, Default)]
pub struct Senders(Mutex<BTreeMap<Place, Entry>>);

#[derive(Debug)]
struct Entry {
    request: SenderRequest,
    /// The supervisor is told.
    told: bool,
    /// When the sender may get another code.
    until: Timestamp,
}

impl Senders {
    /// A request and its code for a stranger, unless he has one, or too many wait.
    pub fn open(
        &self,
        ways: &Ways,
        channel: &Channel,
        from: &Sender,
        (now, random): (Timestamp, [u8; CODE_CHARS]),
    ) -> Option<(SenderRequest, String)> {
        self.with(now, |entries| {
            let place = (channel.name.clone(), from.id);
            // One that only the ledger knows: this gate was restarted since.
            let pushed = ways.channels().flat_map(|channel| {
                let pending = channel.pending.iter().filter(|pending| pending.expires_at > now);
                pending.map(|pending| (channel.name.clone(), pending.sender))
            });
            let pushed: Vec<Place> = pushed.filter(|place| !entries.contains_key(place)).collect();
            if entries.contains_key(&place) || pushed.contains(&place) {
                return None;
            }
            if entries.len() + pushed.len() >= MAX_PENDING_SENDERS {
                tracing::debug!(channel = %channel.name, "too many unknown senders wait; another is told nothing");
                return None;
            }
            let code = code(random);
            let expires_at = now.plus_millis(CODE_MILLIS);
            let request = SenderRequest {
                id: platform_kit::random::id(),
                channel: channel.name.clone(),
                sender: from.id,
                name: neutral_cut(from.first_name.trim(), MAX_SENDER_NAME_CHARS),
                code_sha256: HEXLOWER.encode(&digest(&code)),
                at: now,
                expires_at,
            };
            entries.insert(place, Entry { request: request.clone(), told: false, until: expires_at });
            Some((request, code))
        })
    }

    /// The code is out; whether it counts still.
    pub fn told(&self, request: &SenderRequest) -> bool {
        self.of(request, |entry| entry.told = true)
    }

    /// The code did not get out: nobody has it.
    pub fn not_told(&self, request: &SenderRequest, now: Timestamp) {
        self.of(request, |entry| entry.until = now.plus_millis(UNTOLD_PAUSE_MILLIS));
    }

    /// What the supervisor has to hear.
    pub fn undecided(&self, now: Timestamp) -> Vec<SenderRequest> {
        self.with(now, |entries| {
            entries.values().filter(|entry| entry.told).map(|entry| entry.request.clone()).collect()
        })
    }

    /// Forgets who is no stranger any more.
    pub fn settle(&self, ways: &Ways) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(name, sender), _| ways.channel(name).is_some_and(|channel| is_stranger(channel, *sender)));
    }

    fn of(&self, request: &SenderRequest, act: impl FnOnce(&mut Entry)) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(&(request.channel.clone(), request.sender));
        entry.filter(|entry| entry.request.id == request.id).map(act).is_some()
    }

    fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut BTreeMap<Place, Entry>) -> T) -> T {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now < entry.until);
        act(&mut entries)
    }
}

#[cfg(test)]
mod tests {
    use platform_types::channel::{PendingSender, Senders as Mode};
    use proptest::prelude::*;

    use super::*;

    fn channel(pending: &[(i64, i64)], approved: &[i64]) -> Channel {
        let pending =
            pending.iter().map(|(id, until)| PendingSender { sender: ChatId(*id), expires_at: Timestamp(*until) });
        Channel {
            name: UpstreamName::new("chat").unwrap(),
            senders: Mode::Pairing,
            allow: Vec::new(),
            groups: Vec::new(),
            approved_chats: approved.iter().copied().map(ChatId).collect(),
            blocked: Vec::new(),
            pending: pending.collect(),
        }
    }

    fn open(senders: &Senders, channel: &Channel, id: i64, now: i64) -> Option<(SenderRequest, String)> {
        let ways = Ways::new(Vec::new(), vec![channel.clone()]);
        let first_name = " Eve\u{1b}[2J ".to_owned();
        let from = Sender { id: ChatId(id), is_bot: false, first_name, language_code: None };
        senders.open(&ways, channel, &from, (Timestamp(now), platform_kit::random::bytes()))
    }

    #[test]
    fn one_code_in_its_hour() {
        let (senders, channel) = (Senders::default(), channel(&[], &[]));
        let (request, code) = open(&senders, &channel, 7, 0).unwrap();
        assert_eq!(request.code_sha256, HEXLOWER.encode(&digest(&code)));
        assert_eq!(request.name, r"Eve\u{1b}[2J");
        assert!(senders.undecided(Timestamp(1)).is_empty(), "nobody has it yet");
        assert!(senders.told(&request));
        assert_eq!(senders.undecided(Timestamp(1)), std::slice::from_ref(&request));
        assert!(open(&senders, &channel, 7, CODE_MILLIS - 1).is_none());
        let (later, other) = open(&senders, &channel, 7, CODE_MILLIS).unwrap();
        assert!(later.id != request.id && other != code);
        assert!(!senders.told(&request), "the first one does not count any more");
    }

    #[test]
    fn a_code_that_did_not_get_out_is_made_anew() {
        let (senders, channel) = (Senders::default(), channel(&[], &[]));
        let (request, code) = open(&senders, &channel, 7, 0).unwrap();
        senders.not_told(&request, Timestamp(0));
        assert!(open(&senders, &channel, 7, UNTOLD_PAUSE_MILLIS - 1).is_none());
        assert_ne!(open(&senders, &channel, 7, UNTOLD_PAUSE_MILLIS).unwrap().1, code);
        assert!(senders.undecided(Timestamp(UNTOLD_PAUSE_MILLIS)).is_empty());
    }

    #[test]
    fn who_has_a_code_by_the_ledger_gets_no_other_and_takes_a_place() {
        let senders = Senders::default();
        let pending: Vec<(i64, i64)> = (1..8).map(|id| (id, 100)).collect();
        let channel = channel(&pending, &[]);
        assert!(open(&senders, &channel, 1, 99).is_none());
        assert!(open(&senders, &channel, 20, 99).is_some());
        assert!(open(&senders, &channel, 21, 99).is_none(), "the eighth place is taken");
        assert!(open(&senders, &channel, 1, 100).is_some(), "its code is over");
    }

    #[test]
    fn who_is_no_stranger_any_more_is_forgotten() {
        let (senders, before) = (Senders::default(), channel(&[], &[]));
        for id in [7, 8] {
            let (request, _) = open(&senders, &before, id, 0).unwrap();
            senders.told(&request);
        }
        let undecided =
            || -> Vec<i64> { senders.undecided(Timestamp(1)).iter().map(|request| request.sender.0).collect() };
        senders.settle(&Ways::new(Vec::new(), vec![channel(&[], &[7])]));
        assert_eq!(undecided(), [8]);
        senders.settle(&Ways::new(Vec::new(), vec![Channel { senders: Mode::Allowlist, ..channel(&[], &[]) }]));
        assert_eq!(undecided(), [] as [i64; 0]);
    }

    proptest! {
        /// Whoever writes when: never more wait than may, and no chat gets two codes in an hour.
        #[test]
        fn bounded_and_once_in_a_while(knocks in proptest::collection::vec((0..30_i64, 0..CODE_MILLIS / 4), 1..80)) {
            let (senders, channel) = (Senders::default(), channel(&[], &[]));
            let (mut now, mut last) = (0, BTreeMap::new());
            for (sender, pause) in knocks {
                now += pause;
                if let Some((request, _)) = open(&senders, &channel, sender, now) {
                    senders.told(&request);
                    if let Some(before) = last.insert(sender, now) {
                        prop_assert!(now - before >= CODE_MILLIS);
                    }
                }
                prop_assert!(senders.undecided(Timestamp(now)).len() <= MAX_PENDING_SENDERS);
            }
        }
    }
}
