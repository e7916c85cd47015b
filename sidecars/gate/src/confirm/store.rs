//! All confirmations of a profile. A step is on the disk before it counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform_kit::Failure;
use platform_kit::journal::Journal;
use platform_types::egress::{Card, Decider, MAX_PENDING_CONFIRMATIONS, Outcome, Verdict};
use platform_types::{ErrorCode, Timestamp};
use tokio::sync::watch;

use super::record::{Phase, Record, Step};
use super::relay::Relayed;
use crate::limits::{MAX_FINAL_CONFIRMATIONS, MAX_JOURNAL_BYTES};

/// The store.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
    /// Counts changes.
    version: watch::Sender<u64>,
    kept_millis: i64,
    /// Of spark.
    relayed: Relayed,
}

#[derive(Debug)]
struct State {
    journal: Journal<Step>,
    records: HashMap<String, Record>,
}

impl Store {
    /// Reads what was kept. What was under way when the gate stopped is over now: nothing is carried out twice.
    pub fn open(path: PathBuf, now: Timestamp, kept_millis: i64) -> std::io::Result<Self> {
        let (journal, steps) = Journal::open(path)?;
        let mut records = HashMap::new();
        for step in steps {
            replay(&mut records, step);
        }
        for record in records.values_mut() {
            let outcome = match record.phase {
                Phase::Allowed => {
                    Outcome::Failed { message: "the gate stopped before it was carried out; nothing was done".into() }
                }
                Phase::Released => Outcome::Unknown,
                _ => continue,
            };
            record.take(&Step::Ended { id: record.card.id.clone(), at: now, outcome });
        }
        // Nobody follows the steps from here on: the first change writes the file anew.
        let state = Mutex::new(State { journal, records });
        let store = Self { state, version: watch::Sender::new(1), kept_millis, relayed: Relayed::default() };
        store.compact(&mut store.state(), now)?;
        Ok(store)
    }

    /// Whether another one may be asked.
    pub fn room(&self) -> Result<(), Failure> {
        let state = self.state();
        if state.records.values().filter(|record| record.is_pending()).count() < MAX_PENDING_CONFIRMATIONS {
            return Ok(());
        }
        let message = format!("{MAX_PENDING_CONFIRMATIONS} confirmations wait for a person already");
        Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(60))
    }

    pub fn create(&self, record: Record) -> Result<(), Failure> {
        self.room()?;
        let now = record.card.created_at;
        self.step(now, &Step::Created { record: Box::new(record) }).map(|_| ())
    }

    /// A person's word: the first counts.
    pub fn decide(
        &self,
        id: &str,
        digest: &str,
        (verdict, by): (Verdict, Decider),
        now: Timestamp,
    ) -> Result<Record, Failure> {
        self.sweep(now);
        match self.get(id) {
            None => return Err(Failure::new(ErrorCode::NotFound, "this confirmation is gone")),
            Some(record) if record.card.digest != digest => {
                let message = "this is not the request that was shown; look at it again";
                return Err(Failure::new(ErrorCode::Conflict, message).with_param("digest"));
            }
            Some(_) => {}
        }
        self.step(now, &Step::Decided { id: id.to_owned(), verdict, by, at: now })
    }

    /// From here on it may have taken effect.
    pub fn release(&self, id: &str, now: Timestamp) -> Result<Record, Failure> {
        self.step(now, &Step::Released { id: id.to_owned(), at: now })
    }

    /// The end of one that was allowed. It counts even where it cannot be written: a restart makes it unknown.
    pub fn end(&self, id: &str, outcome: Outcome, now: Timestamp) {
        let step = Step::Ended { id: id.to_owned(), at: now, outcome };
        if self.step(now, &step).is_err() {
            self.state().records.get_mut(id).map(|record| record.take(&step));
            self.changed();
        }
    }

    /// Ends what is past its time; tells which.
    pub fn sweep(&self, now: Timestamp) -> Vec<Record> {
        self.end_pending(now, |record| record.card.expires_at <= now, |id, at| Step::Expired { id, at })
    }

    /// Ends what is pending and does not `hold` any more; tells which.
    pub fn supersede(&self, now: Timestamp, holds: impl Fn(&Record) -> bool) -> Vec<Record> {
        self.end_pending(now, |record| !holds(record), |id, at| Step::Superseded { id, at })
    }

    pub fn get(&self, id: &str) -> Option<Record> {
        self.state().records.get(id).cloned()
    }

    /// Newest first: the gate's own.
    pub fn own_cards(&self) -> Vec<Card> {
        newest_first(self.state().records.values().map(|record| record.card.clone()).collect())
    }

    /// Newest first: what the page shows, with the cards of spark among them.
    pub fn cards(&self) -> Vec<Card> {
        let own = self.own_cards();
        newest_first(own.into_iter().chain(self.relayed.cards()).collect())
    }

    /// Shows these for spark from now on.
    pub fn relay(&self, cards: Vec<Card>) {
        if self.relayed.replace(cards) {
            self.changed();
        }
    }

    /// A card that is shown for spark; the gate's own goes first.
    pub fn relayed(&self, id: &str) -> Option<Card> {
        if self.get(id).is_some() { None } else { self.relayed.get(id) }
    }

    pub fn pending(&self) -> u64 {
        self.state().records.values().filter(|record| record.is_pending()).count() as u64
    }

    /// When the next one expires.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let state = self.state();
        state.records.values().filter(|record| record.is_pending()).map(|record| record.card.expires_at).min()
    }

    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn end_pending(
        &self,
        now: Timestamp,
        ends: impl Fn(&Record) -> bool,
        step: impl Fn(String, Timestamp) -> Step,
    ) -> Vec<Record> {
        let ids: Vec<String> = {
            let state = self.state();
            let over = state.records.values().filter(|record| record.is_pending() && ends(record));
            over.map(|record| record.card.id.clone()).collect()
        };
        ids.into_iter().filter_map(|id| self.step(now, &step(id, now)).ok()).collect()
    }

    /// Takes a step: on the disk first.
    fn step(&self, now: Timestamp, step: &Step) -> Result<Record, Failure> {
        let mut state = self.state();
        let mut next = match (step, state.records.get(step.id())) {
            (Step::Created { record }, None) => (**record).clone(),
            (Step::Created { .. }, Some(_)) => return Err(Failure::new(ErrorCode::Conflict, "this id is taken")),
            (_, None) => return Err(Failure::new(ErrorCode::NotFound, "this confirmation is gone")),
            (_, Some(record)) => record.clone(),
        };
        if !matches!(step, Step::Created { .. }) && !next.take(step) {
            let message = format!("this confirmation is {} already", stands(&next));
            return Err(Failure::new(ErrorCode::Conflict, message));
        }
        state.journal.append(step).map_err(|error| {
            tracing::error!(%error, "a step of a confirmation cannot be kept");
            Failure::new(ErrorCode::Internal, "the gate cannot keep this; see its log")
        })?;
        state.records.insert(next.card.id.clone(), next.clone());
        let many = state.records.len() > MAX_FINAL_CONFIRMATIONS + MAX_PENDING_CONFIRMATIONS + 16;
        if (many || state.journal.bytes() > MAX_JOURNAL_BYTES)
            && let Err(error) = self.compact(&mut state, now)
        {
            tracing::error!(%error, "the file of confirmations cannot be shortened");
        }
        drop(state);
        self.changed();
        Ok(next)
    }

    /// Forgets what is over for long, and writes the file anew.
    fn compact(&self, state: &mut State, now: Timestamp) -> std::io::Result<()> {
        let mut over: Vec<(Timestamp, String)> = state
            .records
            .values()
            .filter(|record| record.outcome().is_final())
            .map(|record| (record.card.created_at, record.card.id.clone()))
            .collect();
        over.sort();
        let many = over.len().saturating_sub(MAX_FINAL_CONFIRMATIONS);
        for (index, (created_at, id)) in over.iter().enumerate() {
            if index < many || now.millis_since(*created_at) > self.kept_millis {
                state.records.remove(id);
            }
        }
        let steps: Vec<Step> =
            state.records.values().map(|record| Step::Created { record: Box::new(record.clone()) }).collect();
        state.journal.rewrite(&steps)
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest_first(mut cards: Vec<Card>) -> Vec<Card> {
    cards.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    cards
}

fn replay(records: &mut HashMap<String, Record>, step: Step) {
    match step {
        Step::Created { record } => {
            records.insert(record.card.id.clone(), *record);
        }
        step => {
            if let Some(record) = records.get_mut(step.id()) {
                record.take(&step);
            }
        }
    }
}

/// How one stands, in a word.
fn stands(record: &Record) -> &'static str {
    match record.phase {
        Phase::Pending => "open",
        Phase::Denied | Phase::Allowed | Phase::Released | Phase::Ended { .. } => "decided",
        Phase::Expired => "expired",
        Phase::Superseded => "superseded",
    }
}
