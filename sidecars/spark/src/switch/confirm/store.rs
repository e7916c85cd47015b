//! All confirmations of the switch. A step is on the disk before it counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use platform_kit::Failure;
use platform_kit::journal::Journal;
use platform_types::egress::{Decider, Verdict};
use platform_types::switch::SwitchReport;
use platform_types::{ErrorCode, ModelId, Timestamp};
use tokio::sync::watch;

use super::record::{By, Phase, Record, Step};

/// Undecided ones of one asker at a time; the next is refused.
pub const MAX_PENDING: usize = 4;
/// Ended ones that are kept to be looked at.
const MAX_KEPT: usize = 64;
/// The file is written anew when it is longer: a confirmation takes 3 KiB in all its steps.
const MAX_JOURNAL_BYTES: u64 = 512 * 1024;

/// The store.
#[derive(Debug)]
pub struct Store {
    state: Mutex<State>,
    /// Grows with each change.
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    journal: Journal<Step>,
    records: HashMap<String, Record>,
}

impl Store {
    /// Reads what was kept.
    pub fn open(path: PathBuf, now: Timestamp) -> std::io::Result<Self> {
        let (journal, steps) = Journal::open(path)?;
        let mut records: HashMap<String, Record> = HashMap::new();
        for step in steps {
            match step {
                Step::Created { record } => drop(records.insert(record.card.id.clone(), *record)),
                step => {
                    if let Some(record) = records.get_mut(step.id()) {
                        record.take(&step);
                    }
                }
            }
        }
        let begin = u64::try_from(now.as_millis()).unwrap_or(1).max(1);
        let store = Self { state: Mutex::new(State { journal, records }), version: watch::Sender::new(begin) };
        compact(&mut store.state())?;
        Ok(store)
    }

    /// Whether this asker may ask another one.
    pub fn room(&self, by: &By) -> Result<(), Failure> {
        let state = self.state();
        let same = |record: &&Record| record.is_pending() && record.by.profile() == by.profile();
        if state.records.values().filter(same).count() < MAX_PENDING {
            return Ok(());
        }
        let message = format!("{MAX_PENDING} switches wait for a person already");
        Err(Failure::new(ErrorCode::RateLimited, message).with_retry_after(60))
    }

    pub fn create(&self, record: Record) -> Result<(), Failure> {
        self.room(&record.by)?;
        self.step(&Step::Created { record: Box::new(record) }).map(|_| ())
    }

    /// A person's word: the first counts, about exactly what was shown, and for one switch at a time.
    pub fn decide(
        &self,
        id: &str,
        digest: &str,
        (verdict, by): (Verdict, Decider),
        now: Timestamp,
    ) -> Result<Record, Failure> {
        self.sweep(now);
        let record = self.get(id).ok_or_else(gone)?;
        if record.card.digest != digest {
            let message = "this is not the switch that was shown; look at it again";
            return Err(Failure::new(ErrorCode::Conflict, message).with_param("digest"));
        }
        let step = Step::Decided { id: id.to_owned(), verdict, by, at: now };
        let mut state = self.state();
        if verdict == Verdict::Allow && state.records.values().any(Record::is_active) {
            return Err(Failure::new(ErrorCode::Conflict, "another switch runs; there is one at a time"));
        }
        take(&mut state, &step).inspect(|_| self.changed())
    }

    /// From here on the command may run.
    pub fn commanded(&self, id: &str, at: Timestamp) -> Result<Record, Failure> {
        self.step(&Step::Commanded { id: id.to_owned(), at })
    }

    /// The end of one that was allowed. It counts even where it cannot be written: after a restart it is looked for again.
    pub fn end(&self, report: SwitchReport) {
        let step = Step::Ended { id: report.id.clone(), report };
        if self.step(&step).is_err() {
            self.state().records.get_mut(step.id()).map(|record| record.take(&step));
            self.changed();
        }
    }

    /// Ends what is past its time.
    pub fn sweep(&self, now: Timestamp) {
        self.end_pending(|record| record.card.expires_at <= now, |id| Step::Expired { id });
    }

    /// Ends what is pending and does not `hold` any more.
    pub fn supersede(&self, holds: impl Fn(&Record) -> bool) {
        self.end_pending(|record| !holds(record), |id| Step::Superseded { id });
    }

    pub fn get(&self, id: &str) -> Option<Record> {
        self.state().records.get(id).cloned()
    }

    /// Newest first.
    pub fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self.state().records.values().cloned().collect();
        records.sort_by(|a, b| (b.card.created_at, &b.card.id).cmp(&(a.card.created_at, &a.card.id)));
        records
    }

    /// The one that was allowed and has not ended.
    pub fn active(&self) -> Option<Record> {
        self.state().records.values().find(|record| record.is_active()).cloned()
    }

    /// The switch that ended last.
    pub fn last(&self) -> Option<SwitchReport> {
        self.state().records.values().filter_map(Record::report).max_by_key(|report| report.ended_at).cloned()
    }

    /// The last that was done, to this model if there was one: how long it took, in seconds.
    pub fn last_seconds(&self, to: &ModelId) -> Option<u32> {
        use platform_types::switch::SwitchOutcome::Done;
        let state = self.state();
        let done = state.records.values().filter_map(Record::report).filter(|report| report.outcome == Done);
        let last = done.max_by_key(|report| (report.to == *to, report.ended_at))?;
        u32::try_from(last.ended_at.millis_since(last.began_at) / 1000).ok()
    }

    /// When the next one expires.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let state = self.state();
        state.records.values().filter(|record| record.is_pending()).map(|record| record.card.expires_at).min()
    }

    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn end_pending(&self, ends: impl Fn(&Record) -> bool, step: impl Fn(String) -> Step) {
        let ids: Vec<String> = {
            let state = self.state();
            let over = state.records.values().filter(|record| record.is_pending() && ends(record));
            over.map(|record| record.card.id.clone()).collect()
        };
        for id in ids {
            // Decided by somebody at this moment, or not kept: then it is looked at again the next time.
            let _ = self.step(&step(id));
        }
    }

    fn step(&self, step: &Step) -> Result<Record, Failure> {
        take(&mut self.state(), step).inspect(|_| self.changed())
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a step: on the disk first.
fn take(state: &mut State, step: &Step) -> Result<Record, Failure> {
    let mut next = match (step, state.records.get(step.id())) {
        (Step::Created { record }, None) => (**record).clone(),
        (Step::Created { .. }, Some(_)) => return Err(Failure::new(ErrorCode::Conflict, "this id is taken")),
        (_, None) => return Err(gone()),
        (_, Some(record)) => record.clone(),
    };
    if !matches!(step, Step::Created { .. }) && !next.take(step) {
        return Err(Failure::new(ErrorCode::Conflict, format!("this confirmation is {} already", next.stands())));
    }
    state.journal.append(step).map_err(|error| {
        tracing::error!(%error, "a step of a switch cannot be kept");
        Failure::new(ErrorCode::Internal, "spark cannot keep this; see its log")
    })?;
    state.records.insert(next.card.id.clone(), next.clone());
    if (state.journal.bytes() > MAX_JOURNAL_BYTES || state.records.len() > 2 * MAX_KEPT)
        && let Err(error) = compact(state)
    {
        tracing::error!(%error, "the journal of switches cannot be shortened");
    }
    Ok(next)
}

/// Forgets what ended long ago, and writes the file anew.
fn compact(state: &mut State) -> std::io::Result<()> {
    let over = state.records.values().filter(|record| !record.is_pending() && !record.is_active());
    let mut over: Vec<_> = over.map(|record| (record.card.created_at, record.card.id.clone())).collect();
    over.sort();
    let many = over.len().saturating_sub(MAX_KEPT);
    for (_, id) in &over[..many] {
        state.records.remove(id);
    }
    let steps: Vec<Step> =
        state.records.values().map(|record| Step::Created { record: Box::new(record.clone()) }).collect();
    state.journal.rewrite(&steps)
}

fn gone() -> Failure {
    Failure::new(ErrorCode::NotFound, "this confirmation is gone")
}

/// When the command of an unfinished one was about to run; `None`: it was not.
pub fn commanded_at(record: &Record) -> Option<Timestamp> {
    match record.phase {
        Phase::Commanded { at } => Some(at),
        _ => None,
    }
}
