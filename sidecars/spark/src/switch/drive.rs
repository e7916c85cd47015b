//! Carries out one switch: the machine says what comes next, this waits and does.

use std::sync::Arc;
use std::time::Duration;

use platform_kit::task;
use platform_types::Timestamp;
use platform_types::switch::{SwitchOutcome, SwitchPhase, SwitchReport, SwitchRun};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::confirm::decide::holds;
use super::confirm::record::Record;
use super::confirm::store::commanded_at;
use super::look::{self, Standing};
use super::machine::{Effect, Event, Machine};
use super::ssh::verb::Verb;
use super::{Armed, ESTIMATE_SECONDS};
use crate::process::Shared;

/// Events that wait: lines of a command, at most. One that says more waits.
const QUEUE: usize = 64;

/// Begins what was allowed.
pub fn start(shared: &Arc<Shared>, armed: &Arc<Armed>, record: Record) {
    let now = shared.clock.now();
    let machine = Machine::new(armed.settings.times, now);
    run(shared, armed, (record, machine, now));
}

/// Goes on with what was under way when spark stopped. What had not been commanded is over.
pub fn resume(shared: &Arc<Shared>, armed: &Arc<Armed>, record: Record) {
    let now = shared.clock.now();
    let Some(at) = commanded_at(&record) else {
        let message = "spark stopped before the command; nothing was done".to_owned();
        let report = report(armed, &record, (SwitchOutcome::NothingDone, message), (now, now));
        shared.switch.tally.count(&report);
        armed.store.end(report);
        return;
    };
    tracing::warn!(confirmation = record.card.id, "a switch was under way when spark stopped; the box is watched");
    let machine = Machine::resumed(armed.settings.times, at, now);
    run(shared, armed, (record, machine, at));
}

fn run(shared: &Arc<Shared>, armed: &Arc<Armed>, (record, machine, began_at): (Record, Machine, Timestamp)) {
    let estimate_seconds = armed.store.last_seconds(&record.to).unwrap_or(ESTIMATE_SECONDS);
    let ends_at = began_at.plus_millis(i64::from(estimate_seconds) * 1000);
    let left = u64::try_from(ends_at.millis_since(shared.clock.now())).ok();
    shared.queue.hold(left.map(|left| Instant::now() + Duration::from_millis(left)));
    let run = Run {
        shared: shared.clone(),
        armed: armed.clone(),
        record,
        machine,
        began_at,
        estimate_seconds,
        work: JoinSet::new(),
        events: mpsc::channel(QUEUE),
    };
    let stop = shared.switch.stop.clone();
    run.publish();
    task::spawn("switch", async move {
        tokio::select! {
            () = run.drive() => {}
            // The journal knows how far it came.
            () = stop.cancelled() => {}
        }
    });
}

struct Run {
    shared: Arc<Shared>,
    armed: Arc<Armed>,
    record: Record,
    machine: Machine,
    began_at: Timestamp,
    estimate_seconds: u32,
    work: JoinSet<()>,
    events: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
}

impl Run {
    async fn drive(mut self) {
        let first = match self.machine.phase() {
            SwitchPhase::Waiting => vec![Effect::Look],
            _ => self
                .still_wanted()
                .await
                .map_or_else(Vec::new, |message| vec![Effect::End { outcome: SwitchOutcome::NothingDone, message }]),
        };
        let mut effects = first;
        loop {
            for effect in std::mem::take(&mut effects) {
                match effect {
                    Effect::Command => self.command(),
                    Effect::Look => self.look(),
                    Effect::End { outcome, message } => return self.end(outcome, message),
                }
            }
            self.publish();
            let event = self.next().await;
            effects = self.machine.apply(event, self.shared.clock.now());
        }
    }

    /// Why what was shown is not what the box has; it may have been switched by somebody else.
    async fn still_wanted(&self) -> Option<String> {
        if !holds(&self.armed, &self.record) {
            return Some("the configuration changed before it was carried out".to_owned());
        }
        let backend = self.shared.backend().ok()?;
        let now = match look::standing(&backend).await {
            Standing::Has(now) => now,
            Standing::Down(_) => None,
        };
        let (from, to) = (&self.record.from, &self.record.to);
        (now.is_some() && now != *from).then(|| {
            let now = now.map_or_else(String::new, |model| model.to_string());
            format!("the box has {now} now, and not what was shown; ask again for {to}")
        })
    }

    async fn next(&mut self) -> Event {
        let draining = self.machine.phase() == SwitchPhase::Draining;
        let left = self.machine.until().millis_since(self.shared.clock.now());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0).saturating_add(1));
        tokio::select! {
            () = self.shared.queue.idle(), if draining => Event::Drained,
            // The sender lives in this run.
            Some(event) = self.events.1.recv() => event,
            () = tokio::time::sleep(left), if draining => Event::Tick,
        }
    }

    /// On the disk first: a command that is not on record is not run.
    fn command(&mut self) {
        let (events, armed) = (self.events.0.clone(), self.armed.clone());
        let now = self.shared.clock.now();
        let ready = Verb::switch(&self.record.to).ok_or("the model's id is not a word of a command".to_owned());
        let ready = ready.and_then(|verb| {
            armed.store.commanded(&self.record.card.id, now).map_err(|failure| failure.message)?;
            Ok(verb)
        });
        let wait = Duration::from_millis(u64::try_from(armed.settings.times.wait).unwrap_or(0));
        let connect = self.shared.switch.limits.connect;
        tracing::info!(confirmation = self.record.card.id, to = %self.record.to, "the switch command goes to the box");
        self.work.spawn(async move {
            let event = match ready {
                Err(why) => Event::NotBegun(why),
                Ok(verb) => {
                    let lines = events.clone();
                    let tell = move |line: &str| drop(lines.try_send(Event::Said(line.to_owned())));
                    match armed.settings.remote.run(&verb, connect, Instant::now() + wait, tell).await {
                        Ok(ended) => Event::Ended(ended),
                        Err(error) => Event::NotBegun(error.to_string()),
                    }
                }
            };
            // Nobody listens when spark stops.
            let _ = events.send(event).await;
        });
    }

    fn look(&mut self) {
        let (events, shared) = (self.events.0.clone(), self.shared.clone());
        let (from, to) = (self.record.from.clone(), self.record.to.clone());
        let limits = shared.switch.limits;
        self.work.spawn(async move {
            tokio::time::sleep(limits.look_every).await;
            let sight = match shared.backend() {
                Ok(backend) => look::look(&backend, from.as_ref(), &to, limits.answer).await,
                Err(refusal) => super::machine::Sight::Down(refusal.failure.message),
            };
            // Nobody listens when spark stops.
            let _ = events.send(Event::Saw(sight)).await;
        });
    }

    fn publish(&self) {
        let Record { from, to, card, by, .. } = &self.record;
        let run = SwitchRun {
            id: card.id.clone(),
            from: from.clone(),
            to: to.clone(),
            by: by.to_string(),
            phase: self.machine.phase(),
            began_at: self.began_at,
            until: self.machine.until(),
            progress: self.machine.progress().to_owned(),
            estimate_seconds: self.estimate_seconds,
        };
        self.shared.switch.show(Some(run));
    }

    fn end(&self, outcome: SwitchOutcome, message: String) {
        let now = self.shared.clock.now();
        let report = report(&self.armed, &self.record, (outcome, message), (self.began_at, now));
        let SwitchReport { id, to, message, .. } = &report;
        tracing::info!(confirmation = id, %to, ?outcome, message, "the switch is over");
        self.shared.switch.tally.count(&report);
        self.armed.store.end(report);
        self.shared.switch.show(None);
        self.shared.queue.release();
    }
}

fn report(
    armed: &Armed,
    record: &Record,
    (outcome, message): (SwitchOutcome, String),
    (began_at, ended_at): (Timestamp, Timestamp),
) -> SwitchReport {
    let astray = matches!(outcome, SwitchOutcome::Failed | SwitchOutcome::Unknown);
    let way_back = record.from.clone().filter(|from| astray && armed.settings.models.contains(from));
    SwitchReport {
        id: record.card.id.clone(),
        from: record.from.clone(),
        to: record.to.clone(),
        by: record.by.to_string(),
        outcome,
        message,
        way_back,
        began_at,
        ended_at,
    }
}
