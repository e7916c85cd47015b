//! All confirmations of a profile, and the cards of spark that are shown among them.

use std::ops::Deref;
use std::path::PathBuf;

use platform_kit::confirmation::{self, Bounds, Phase};
use platform_types::Timestamp;
use platform_types::egress::{Card, MAX_PENDING_CONFIRMATIONS, Outcome};

use super::record::Record;
use super::relay::Relayed;
use crate::limits::{MAX_FINAL_CONFIRMATIONS, MAX_JOURNAL_BYTES};

/// The store.
#[derive(Debug)]
pub struct Store {
    own: confirmation::Store<Record>,
    /// Of spark.
    relayed: Relayed,
}

impl Deref for Store {
    type Target = confirmation::Store<Record>;

    fn deref(&self) -> &Self::Target {
        &self.own
    }
}

impl Store {
    /// Reads what was kept. What was under way when the gate stopped is over now: nothing is carried out twice.
    pub fn open(path: PathBuf, now: Timestamp, kept_millis: i64) -> std::io::Result<Self> {
        let bounds = Bounds {
            pending: MAX_PENDING_CONFIRMATIONS,
            one_at_a_time: false,
            over: MAX_FINAL_CONFIRMATIONS,
            over_millis: kept_millis,
            journal_bytes: MAX_JOURNAL_BYTES,
        };
        let own = confirmation::Store::<Record>::open(path, bounds, now)?;
        for record in own.under_way() {
            let outcome = match record.phase {
                Phase::Begun { .. } => Outcome::Unknown,
                _ => Outcome::Failed { message: "the gate stopped before it was carried out; nothing was done".into() },
            };
            own.close(&record.card.id, outcome);
        }
        Ok(Self { own, relayed: Relayed::default() })
    }

    /// Newest first: the gate's own.
    pub fn own_cards(&self) -> Vec<Card> {
        self.own.records().into_iter().map(|record| record.card).collect()
    }

    /// Newest first: what the page shows, with the cards of spark among them.
    pub fn cards(&self) -> Vec<Card> {
        let mut cards = self.own_cards();
        cards.extend(self.relayed.cards());
        cards.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        cards
    }

    /// Shows these for spark from now on.
    pub fn relay(&self, cards: Vec<Card>) {
        if self.relayed.replace(cards) {
            self.own.touch();
        }
    }

    /// A card that is shown for spark; the gate's own goes first.
    pub fn relayed(&self, id: &str) -> Option<Card> {
        if self.get(id).is_some() { None } else { self.relayed.get(id) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Written before the steps had the names they have now: each way that one can go, twice, first as it stood when the file
    /// was written anew.
    const RECORDED: &str = include_str!("recorded.ndjson");

    #[test]
    fn a_file_of_the_release_before_is_read_and_nothing_in_it_is_carried_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confirmations.ndjson");
        std::fs::write(&path, RECORDED).unwrap();
        let now = Timestamp(1_795_000_000_200);
        let check = |store: Store| {
            let stand: BTreeMap<String, Outcome> =
                store.records().into_iter().map(|record| (record.card.id.clone(), record.outcome())).collect();
            for (first, least) in [(0x01, 1), (0x11, 17)] {
                let stands = |n: i64| stand[&format!("{:032x}", first + n)].clone();
                assert_eq!(stands(0), Outcome::Pending { expires_at: Timestamp(1_795_000_600_000 + least) });
                assert_eq!(stands(1), Outcome::Denied);
                assert!(matches!(stands(2), Outcome::Failed { message } if message.contains("nothing was done")));
                assert_eq!(stands(3), Outcome::Unknown);
                let body = serde_json::json!([{ "state": "unlocked", "n": 1 }]);
                assert_eq!(stands(4), Outcome::Done { status: 200, body: Some(body) });
                assert_eq!(stands(5), Outcome::Failed { message: "no".into() });
                assert_eq!(stands(6), Outcome::Unknown);
                assert_eq!((stands(7), stands(8)), (Outcome::Expired, Outcome::Superseded));
            }
            assert_eq!((stand.len(), store.pending()), (18, 2));
            for id in stand.keys() {
                assert!(store.begin(id, now).is_err(), "{id}");
            }
        };
        check(Store::open(path.clone(), now, i64::MAX).unwrap());
        // And once it was written anew.
        check(Store::open(path, now, i64::MAX).unwrap());
    }
}
