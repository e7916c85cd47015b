//! All confirmations of one owner. A step is on the disk before it counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform_types::egress::{Decider, Verdict};
use platform_types::{ErrorCode, ProfileName, Timestamp};
use tokio::sync::watch;

use super::life::{Confirmation, Step};
use crate::Failure;
use crate::journal::Journal;

/// Ones that are over pile up by so many before the file is written anew without the oldest.
pub(super) const SLACK: usize = 32;

/// How many are kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Undecided ones of one asker; the next is refused.
    pub pending: usize,
    /// Whether one has to end before another is allowed.
    pub one_at_a_time: bool,
    /// Ones that are over; the oldest makes way.
    pub over: usize,
    /// How long ago one that is over may have been asked, in milliseconds.
    pub over_millis: i64,
    /// The file is written anew when it is longer, in bytes.
    pub journal_bytes: u64,
}

impl Bounds {
    /// What is over and was asked earlier is forgotten.
    fn since(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(self.over_millis.saturating_neg())
    }
}

/// The store.
#[derive(Debug)]
pub struct Store<R: Confirmation> {
    state: Mutex<State<R>>,
    /// Grows with each change. Another process begins elsewhere: at the milliseconds of its start.
    version: watch::Sender<u64>,
    bounds: Bounds,
}

#[derive(Debug)]
struct State<R: Confirmation> {
    journal: Journal<Step<R>>,
    records: HashMap<String, R>,
}

impl<R: Confirmation> Store<R> {
    /// Reads what was kept. What was under way when the process before stopped is [`under_way`](Self::under_way) still.
    pub fn open(path: PathBuf, bounds: Bounds, now: Timestamp) -> std::io::Result<Self> {
        let (journal, steps) = Journal::<Step<R>>::open(path)?;
        let mut records: HashMap<String, R> = HashMap::new();
        for step in steps {
            match step {
                Step::Created { record } => drop(records.insert(record.card().id.clone(), *record)),
                step => drop(records.get_mut(step.id()).map(|record| record.take(&step))),
            }
        }
        let begin = u64::try_from(now.as_millis()).unwrap_or(1).max(1);
        let mut state = State { journal, records };
        state.forget(bounds.over, bounds.since(now));
        state.rewrite()?;
        Ok(Self { state: Mutex::new(state), version: watch::Sender::new(begin), bounds })
    }

    /// Whether this asker may ask another one.
    pub fn room(&self, asker: Option<&ProfileName>) -> Result<(), Failure> {
        self.state().room(&self.bounds, asker)
    }

    pub fn create(&self, record: R) -> Result<R, Failure> {
        let mut state = self.state();
        state.room(&self.bounds, record.asker())?;
        let taken = state.take(&self.bounds, &Step::Created { record: Box::new(record) });
        self.told(taken)
    }

    /// A person's word: the first counts, about exactly what was shown.
    pub fn decide(
        &self,
        id: &str,
        digest: &str,
        (verdict, by): (Verdict, Decider),
        now: Timestamp,
    ) -> Result<R, Failure> {
        self.sweep(now);
        let mut state = self.state();
        let record = state.records.get(id).ok_or_else(gone)?;
        if record.card().digest != digest {
            let message = format!("this is not the {} that was shown; look at it again", R::WHAT);
            return Err(Failure::new(ErrorCode::Conflict, message).with_param("digest"));
        }
        let runs = |other: &R| other.phase().is_active() && other.card().id != id;
        if verdict == Verdict::Allow && self.bounds.one_at_a_time && state.records.values().any(runs) {
            let message = format!("another {} runs; there is one at a time", R::WHAT);
            return Err(Failure::new(ErrorCode::Conflict, message));
        }
        let taken = state.take(&self.bounds, &Step::Decided { id: id.to_owned(), verdict, by, at: now });
        self.told(taken)
    }

    /// From here on one that was allowed may take effect; only once.
    pub fn begin(&self, id: &str, at: Timestamp) -> Result<R, Failure> {
        self.step(&Step::Begun { id: id.to_owned(), at })
    }

    /// The end of one that was allowed. It counts even where it cannot be written: after a restart it is under way again.
    pub fn close(&self, id: &str, end: R::End) {
        let step = Step::Ended { id: id.to_owned(), end };
        if self.step(&step).is_err() {
            self.state().records.get_mut(id).map(|record| record.take(&step));
            self.touch();
        }
    }

    /// Ends what is past its time, and tells which; forgets what is over for long.
    pub fn sweep(&self, now: Timestamp) -> Vec<R> {
        let forgot = self.state().forget(self.bounds.over, self.bounds.since(now));
        if forgot {
            self.touch();
        }
        self.end_pending(|record| record.card().expires_at <= now, |id| Step::Expired { id })
    }

    /// Ends what is pending and does not `hold` any more; tells which.
    pub fn supersede(&self, holds: impl Fn(&R) -> bool) -> Vec<R> {
        self.end_pending(|record| !holds(record), |id| Step::Superseded { id })
    }

    pub fn get(&self, id: &str) -> Option<R> {
        self.state().records.get(id).cloned()
    }

    /// Newest first.
    pub fn records(&self) -> Vec<R> {
        let mut records: Vec<R> = self.state().records.values().cloned().collect();
        records.sort_by(|a, b| (b.card().created_at, &b.card().id).cmp(&(a.card().created_at, &a.card().id)));
        records
    }

    /// What was allowed and has not ended.
    pub fn under_way(&self) -> Vec<R> {
        self.state().records.values().filter(|record| record.phase().is_active()).cloned().collect()
    }

    /// How many wait for a person.
    pub fn pending(&self) -> usize {
        self.state().pending().count()
    }

    /// When the next one expires.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.state().pending().map(|record| record.card().expires_at).min()
    }

    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Counts a change: of these, or of what is shown together with them.
    pub fn touch(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn end_pending(&self, ends: impl Fn(&R) -> bool, step: impl Fn(String) -> Step<R>) -> Vec<R> {
        let ids: Vec<String> = {
            let state = self.state();
            state.pending().filter(|record| ends(record)).map(|record| record.card().id.clone()).collect()
        };
        // Decided by somebody at this moment, or not kept: then it is looked at again the next time.
        ids.into_iter().filter_map(|id| self.step(&step(id)).ok()).collect()
    }

    fn step(&self, step: &Step<R>) -> Result<R, Failure> {
        let taken = self.state().take(&self.bounds, step);
        self.told(taken)
    }

    fn told(&self, taken: Result<R, Failure>) -> Result<R, Failure> {
        taken.inspect(|_| self.touch())
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Confirmation> State<R> {
    fn pending(&self) -> impl Iterator<Item = &R> {
        self.records.values().filter(|record| record.phase().is_pending())
    }

    fn room(&self, bounds: &Bounds, asker: Option<&ProfileName>) -> Result<(), Failure> {
        if self.pending().filter(|record| record.asker() == asker).count() < bounds.pending {
            return Ok(());
        }
        let message = format!("{} {}s wait for a person already", bounds.pending, R::WHAT);
        Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(60))
    }

    /// Takes a step: on the disk first.
    fn take(&mut self, bounds: &Bounds, step: &Step<R>) -> Result<R, Failure> {
        let next = match (step, self.records.get(step.id())) {
            (Step::Created { record }, None) => (**record).clone(),
            (Step::Created { .. }, Some(_)) => return Err(Failure::new(ErrorCode::Conflict, "this id is taken")),
            (_, None) => return Err(gone()),
            (_, Some(record)) => {
                let mut next = record.clone();
                if !next.take(step) {
                    let message = format!("this confirmation is {} already", next.phase().stands());
                    return Err(Failure::new(ErrorCode::Conflict, message));
                }
                next
            }
        };
        self.journal.append(step).map_err(|error| {
            tracing::error!(%error, "a step of a confirmation cannot be kept");
            Failure::new(ErrorCode::Internal, format!("this {} cannot be kept; see the log", R::WHAT))
        })?;
        self.records.insert(next.card().id.clone(), next.clone());
        let over = self.records.values().filter(|record| record.phase().is_over()).count();
        if over > bounds.over + SLACK || self.journal.bytes() > bounds.journal_bytes {
            self.forget(bounds.over, Timestamp::ZERO);
            if let Err(error) = self.rewrite() {
                tracing::error!(%error, "the journal of confirmations cannot be shortened");
            }
        }
        Ok(next)
    }

    /// Of what is over, forgets what was asked before `since`, and the oldest of more than `most`; whether there was any.
    fn forget(&mut self, most: usize, since: Timestamp) -> bool {
        let over = self.records.values().filter(|record| record.phase().is_over());
        let mut over: Vec<_> = over.map(|record| (record.card().created_at, record.card().id.clone())).collect();
        over.sort();
        let many = over.len().saturating_sub(most);
        let before = self.records.len();
        for (index, (created_at, id)) in over.iter().enumerate() {
            if index < many || *created_at < since {
                self.records.remove(id);
            }
        }
        self.records.len() < before
    }

    /// Writes the file anew.
    fn rewrite(&mut self) -> std::io::Result<()> {
        let created = |record: &R| Step::Created { record: Box::new(record.clone()) };
        let steps: Vec<Step<R>> = self.records.values().map(created).collect();
        self.journal.rewrite(&steps)
    }
}

fn gone() -> Failure {
    Failure::new(ErrorCode::NotFound, "this confirmation is gone")
}
