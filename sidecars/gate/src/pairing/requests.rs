//! Attempts to pair that wait for a decision, and the outcome of those that have one.
//!
//! ```text
//! open ─▶ pending ─▶ accepted | refused      (the supervisor decides, once)
//!            └─────▶ expired                 (forgotten after its lifetime, decided or not)
//! ```

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use platform_kit::Failure;
use platform_types::gate::{PairingAttempt, PairingDecision};
use platform_types::{DeviceId, ErrorCode, Revision, Timestamp};
use tokio::sync::watch;

/// How an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Accepted { device: DeviceId, name: String },
    Refused { reason: String },
}

/// An attempt as the one who made it follows it. When the sender is gone, it has expired.
pub type Follow = watch::Receiver<Standing>;

/// All attempts, bounded: those without a code by a number, the others by the codes that are good.
#[derive(Debug)]
pub struct Requests {
    limit: usize,
    lifetime_millis: i64,
    entries: Mutex<HashMap<String, Entry>>,
    /// Counts what is opened and decided.
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct Entry {
    attempt: PairingAttempt,
    /// The revision in force when it was opened.
    asked: Revision,
    standing: watch::Sender<Standing>,
}

/// An attempt that was opened, or found again.
#[derive(Debug)]
pub struct Opened {
    pub id: String,
    pub expires_at: Timestamp,
    pub follow: Follow,
    /// Not there before: the supervisor has to be told.
    pub new: bool,
}

impl Requests {
    pub fn new(limit: usize, lifetime_millis: i64) -> Self {
        Self { limit, lifetime_millis, entries: Mutex::default(), version: watch::Sender::new(0) }
    }

    /// Opens an attempt. The same device asking again (with the same code) finds its own.
    pub fn open(&self, attempt: PairingAttempt, asked: Revision) -> Result<Opened, Failure> {
        let now = attempt.at;
        self.with(now, |entries| {
            if let Some(entry) = entries.values().find(|entry| entry.is_again(&attempt)) {
                return Ok(self.opened(entry, false));
            }
            if entries.values().any(|entry| entry.claims(&attempt)) {
                return Err(Failure::new(ErrorCode::Conflict, "this setup link is being used by another device"));
            }
            let crowd = || entries.values().filter(|entry| entry.pending() && entry.attempt.code_sha256.is_none());
            if attempt.code_sha256.is_none() && crowd().count() >= self.limit {
                let message = "too many devices wait for approval; try again later";
                return Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(60));
            }
            // What was refused with this code is history: one entry a code.
            entries
                .retain(|_, entry| attempt.code_sha256.is_none() || entry.attempt.code_sha256 != attempt.code_sha256);
            let id = attempt.id.clone();
            let entry = Entry { attempt, asked, standing: watch::Sender::new(Standing::Pending) };
            self.version.send_modify(|version| *version += 1);
            Ok(self.opened(entries.entry(id).or_insert(entry), true))
        })
    }

    /// The supervisor's word. An attempt is decided once.
    pub fn decide(&self, id: &str, decision: &PairingDecision, now: Timestamp) -> Result<(), Failure> {
        self.with(now, |entries| {
            let gone = || Failure::new(ErrorCode::NotFound, "this attempt to pair is gone");
            let entry = entries.get(id).ok_or_else(gone)?;
            if !entry.pending() {
                return Err(Failure::new(ErrorCode::Conflict, "this attempt to pair is decided already"));
            }
            let standing = match decision {
                PairingDecision::Accepted { device } if device.id != entry.attempt.device => {
                    return Err(Failure::new(ErrorCode::BadRequest, "another device asked").with_param("device"));
                }
                PairingDecision::Accepted { device } => {
                    Standing::Accepted { device: device.id.clone(), name: device.name.clone() }
                }
                PairingDecision::Refused { reason } => Standing::Refused { reason: reason.clone() },
            };
            entry.standing.send_replace(standing);
            self.version.send_modify(|version| *version += 1);
            Ok(())
        })
    }

    /// Follows an attempt; `None` when it has expired or never was.
    pub fn follow(&self, id: &str, now: Timestamp) -> Option<Follow> {
        self.with(now, |entries| entries.get(id).map(|entry| entry.standing.subscribe()))
    }

    /// The revision that was in force when this device's attempt was opened, while it waits.
    pub fn asked(&self, id: &str, device: &DeviceId, now: Timestamp) -> Option<Revision> {
        let waits = |entry: &&Entry| entry.pending() && entry.attempt.device == *device;
        self.with(now, |entries| entries.get(id).filter(waits).map(|entry| entry.asked))
    }

    /// Changes when a request comes or is decided.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    pub fn undecided(&self, now: Timestamp) -> Vec<PairingAttempt> {
        self.with(now, |entries| {
            let mut attempts: Vec<_> =
                entries.values().filter(|entry| entry.pending()).map(|entry| entry.attempt.clone()).collect();
            attempts.sort_by_key(|attempt| attempt.at);
            attempts
        })
    }

    fn opened(&self, entry: &Entry, new: bool) -> Opened {
        Opened {
            id: entry.attempt.id.clone(),
            expires_at: entry.attempt.at.plus_millis(self.lifetime_millis),
            follow: entry.standing.subscribe(),
            new,
        }
    }

    fn with<T>(&self, now: Timestamp, act: impl FnOnce(&mut HashMap<String, Entry>) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, entry| now.millis_since(entry.attempt.at) < self.lifetime_millis);
        act(&mut entries)
    }
}

impl Entry {
    fn pending(&self) -> bool {
        *self.standing.borrow() == Standing::Pending
    }

    fn is_again(&self, attempt: &PairingAttempt) -> bool {
        self.pending() && self.attempt.device == attempt.device && self.attempt.code_sha256 == attempt.code_sha256
    }

    /// Holds the setup code that `attempt` wants: it works for one device.
    fn claims(&self, attempt: &PairingAttempt) -> bool {
        let refused = matches!(*self.standing.borrow(), Standing::Refused { .. });
        attempt.code_sha256.is_some() && self.attempt.code_sha256 == attempt.code_sha256 && !refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(device: char, code: Option<&str>, at: i64) -> PairingAttempt {
        PairingAttempt {
            id: platform_kit::random::id(),
            device: DeviceId::new(device.to_string().repeat(64)).expect("an id"),
            public_key: String::new(),
            name: "phone".into(),
            at: Timestamp(at),
            code_sha256: code.map(str::to_owned),
            login: None,
        }
    }

    fn refused() -> PairingDecision {
        PairingDecision::Refused { reason: "no".into() }
    }

    #[test]
    fn bounded_and_expiring() {
        let requests = Requests::new(2, 1000);
        let first = requests.open(attempt('a', None, 0), Revision(1)).expect("room");
        assert!(first.new);
        let again = requests.open(attempt('a', None, 1), Revision(1)).expect("the same one");
        assert!(!again.new);
        assert_eq!(again.id, first.id);
        requests.open(attempt('b', None, 1), Revision(1)).expect("room");
        assert_eq!(requests.open(attempt('c', None, 1), Revision(1)).expect_err("full").code, ErrorCode::RateLimited);
        assert_eq!(requests.undecided(Timestamp(1)).len(), 2);
        assert!(requests.follow(&first.id, Timestamp(1000)).is_none());
        requests.open(attempt('c', None, 1000), Revision(1)).expect("room again");
    }

    #[test]
    fn a_code_finds_room_where_all_places_are_taken() {
        let requests = Requests::new(1, 1000);
        requests.open(attempt('a', None, 0), Revision(1)).expect("room");
        assert_eq!(requests.open(attempt('b', None, 0), Revision(1)).expect_err("full").code, ErrorCode::RateLimited);
        for _ in 0..3 {
            let opened = requests.open(attempt('b', Some("x"), 0), Revision(1)).expect("room for a code");
            requests.decide(&opened.id, &refused(), Timestamp(1)).expect("decides");
        }
        let held = requests.with(Timestamp(1), |entries| entries.len());
        assert_eq!(held, 2, "one without a code, one with this one");
    }

    #[test]
    fn decided_once() {
        let requests = Requests::new(2, 1000);
        let opened = requests.open(attempt('a', None, 0), Revision(1)).expect("room");
        requests.decide(&opened.id, &refused(), Timestamp(1)).expect("decides");
        assert_eq!(*opened.follow.borrow(), Standing::Refused { reason: "no".into() });
        let code = |id: &str| requests.decide(id, &refused(), Timestamp(1)).expect_err("refuses").code;
        assert_eq!(code(&opened.id), ErrorCode::Conflict);
        assert_eq!(code("unknown"), ErrorCode::NotFound);
    }

    #[test]
    fn a_setup_code_is_for_one_device() {
        let requests = Requests::new(4, 1000);
        let opened = requests.open(attempt('a', Some("x"), 0), Revision(1)).expect("room");
        assert_eq!(
            requests.open(attempt('b', Some("x"), 0), Revision(1)).expect_err("claimed").code,
            ErrorCode::Conflict
        );
        requests.decide(&opened.id, &refused(), Timestamp(1)).expect("decides");
        requests.open(attempt('b', Some("x"), 1), Revision(1)).expect("free again");
    }
}
