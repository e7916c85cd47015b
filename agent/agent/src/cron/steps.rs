//! One thing after another that has to be stored. What cannot be stored now stays first in line.

use agent_core::cron::{Effect, Over};
use agent_store::cron::{AttemptOver, Destination, Fired, NewRun};
use agent_store::{ChatPlace, JobKey, NewChat, StoreError};
use platform_kit::random;
use platform_types::cron::{Cause, Outcome};
use platform_types::{ErrorCode, Timestamp};

use super::job::{Attempt, Stage};
use super::task::Task;
use crate::database::Closed;

/// Something that has to be stored.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Of the clockwork; with who asked for it.
    Effect(Effect, Option<String>),
    /// Another attempt follows.
    Wait { run: String, until: Timestamp },
    /// The run is over.
    Close { run: String, over: AttemptOver },
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotYet {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Closed(#[from] Closed),
}

impl Task {
    /// Makes the steps that wait, until one cannot be made yet.
    pub(super) async fn work_off(&mut self) {
        while let Some((key, step)) = self.steps.pop_front() {
            if !self.jobs.contains_key(&key) {
                continue;
            }
            let made = self.make(&key, step.clone()).await;
            self.audit.grew();
            if let Some(job) = self.jobs.get_mut(&key) {
                job.is_stale = true;
            }
            match made {
                Ok(()) => {}
                Err(NotYet::Closed(_)) => return,
                Err(NotYet::Store(error)) if error.is_passing() => {
                    tracing::warn!(error = &error as &dyn std::error::Error, job = %key, "a run cannot be recorded yet");
                    self.steps.push_front((key, step));
                    return;
                }
                Err(NotYet::Store(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, job = %key, "a run cannot be recorded");
                    self.drop_run(&key);
                }
            }
        }
    }

    async fn make(&mut self, key: &JobKey, step: Step) -> Result<(), NotYet> {
        match step {
            Step::Effect(Effect::Fire { due, ticks, cause }, by) => self.fire(key, (due, ticks, cause), by).await,
            Step::Effect(Effect::PassOver { last, ticks, why }, _) => {
                let (owned, now, id) = (key.clone(), self.now(), random::id());
                let passed = self.database(move |store| store.pass_over(&owned, (&id, last, ticks), why, now));
                passed.await??;
                self.counters.cron.passed_over(why, ticks);
                tracing::info!(job = %key, due = last.as_millis(), ticks, outcome = why.as_str(), "due times passed over");
                Ok(())
            }
            Step::Effect(Effect::Retry, _) => self.retry(key).await,
            Step::Wait { run, until } => Ok(self.database(move |store| store.wait_for_retry(&run, until)).await??),
            Step::Close { run, over } => self.close(key, run, over).await,
        }
    }

    async fn fire(
        &mut self,
        key: &JobKey,
        (due, ticks, cause): (Timestamp, u32, Cause),
        by: Option<String>,
    ) -> Result<(), NotYet> {
        let Some(job) = self.jobs.get(key) else { return Ok(()) };
        let (id, message, session) = (random::id(), random::id(), random::id());
        // A run by hand deals with no due time.
        let seen = if cause == Cause::Asked { job.clockwork.seen() } else { due };
        let new = NewRun { id: id.clone(), message: message.clone(), session, due, ticks, cause, by, seen };
        let (owned, now) = (key.clone(), self.now());
        let fired = self.database(move |store| store.fire(&owned, &new, now)).await??;
        if cause == Cause::CatchUp {
            self.counters.cron.passed_over(Outcome::Missed, ticks);
        }
        self.counters.cron.fired();
        tracing::info!(job = %key, run = id, due = due.as_millis(), cause = cause.as_str(), "run fired");
        match fired {
            Fired::In(session) => {
                self.begin(key, Attempt { run: id, message, stage: Stage::New }, session.id);
            }
            Fired::Failed(why) => {
                tracing::warn!(job = %key, why, "a run cannot go on");
                self.counters.cron.finished(Outcome::Failed);
                self.drop_run(key);
            }
        }
        Ok(())
    }

    async fn retry(&mut self, key: &JobKey) -> Result<(), NotYet> {
        let Some(run) = self.jobs.get(key).and_then(|job| job.attempt.as_ref()).map(|attempt| attempt.run.clone())
        else {
            return Ok(());
        };
        let (message, session) = (random::id(), random::id());
        let (owned, now, id, new) = (key.clone(), self.now(), run.clone(), (message.clone(), session));
        let fired = self.database(move |store| store.retry(&owned, &id, (&new.0, &new.1), now)).await??;
        match fired {
            Fired::In(session) => self.begin(key, Attempt { run, message, stage: Stage::New }, session.id),
            Fired::Failed(why) => {
                self.ended(key, AttemptOver { turn: None, outcome: Outcome::Failed, detail: Some(why) });
            }
        }
        Ok(())
    }

    fn begin(&mut self, key: &JobKey, attempt: Attempt, session: String) {
        if let Some(job) = self.jobs.get_mut(key) {
            job.attempt = Some(attempt);
            job.session = Some(session);
        }
    }

    async fn close(&mut self, key: &JobKey, run: String, over: AttemptOver) -> Result<(), NotYet> {
        let Some(job) = self.jobs.get(key) else { return Ok(()) };
        let to = job.config.deliver.as_ref().map(|deliver| Destination {
            place: ChatPlace { channel: deliver.channel.clone(), chat: deliver.chat, topic: None },
            new: NewChat { session: random::id(), secret: random::id() },
        });
        let (owned, id, now, outcome) = (key.clone(), run.clone(), self.now(), over.outcome);
        let said = self.database(move |store| store.close_run((&owned, &id), &over, to.as_ref(), now)).await??;
        if let Some(job) = self.jobs.get_mut(key) {
            job.attempt = None;
        }
        self.counters.cron.finished(outcome);
        tracing::info!(job = %key, run, outcome = outcome.as_str(), "run finished");
        match said {
            Some((session, message)) => {
                self.undelivered.insert(run);
                self.hands.said(session, message).await;
            }
            None => {
                self.delivered(&run).await?;
            }
        }
        Ok(())
    }

    /// Hands in what has to be, and asks what became of what was.
    pub(super) async fn follow_attempts(&mut self) -> Result<(), NotYet> {
        let keys: Vec<JobKey> = self.jobs.keys().cloned().collect();
        for key in keys {
            let Some(attempt) = self.jobs.get(&key).and_then(|job| job.attempt.clone()) else { continue };
            let is_there = match attempt.stage {
                Stage::Over => continue,
                Stage::New => false,
                Stage::Unknown | Stage::Taken => {
                    let message = attempt.message.clone();
                    let (is_there, over) = self.database(move |store| store.attempt(&message)).await??;
                    if let Some(over) = over {
                        self.ended(&key, over);
                        continue;
                    }
                    is_there
                }
            };
            match (attempt.stage, is_there) {
                (Stage::Taken, false) => {
                    let detail = Some("its session was deleted".to_owned());
                    self.ended(&key, AttemptOver { turn: None, outcome: Outcome::Stopped, detail });
                }
                (_, true) => self.stage(&key, Stage::Taken),
                (_, false) => self.hand_in(&key, attempt).await?,
            }
        }
        Ok(())
    }

    async fn hand_in(&mut self, key: &JobKey, attempt: Attempt) -> Result<(), NotYet> {
        let (owned, now, id) = (key.clone(), self.now(), random::id());
        let session = self.database(move |store| store.job_session(&owned, &id, now)).await??;
        let Some(job) = self.jobs.get_mut(key) else { return Ok(()) };
        job.session = Some(session.id.clone());
        let message = (attempt.message, job.config.prompt.clone());
        match self.hands.job(session, message).await {
            Ok(()) => self.stage(key, Stage::Taken),
            // It will work when the agent, or its disk, is well again.
            Err((ErrorCode::AgentUnavailable | ErrorCode::Internal, why)) => {
                tracing::warn!(job = %key, why, "a run cannot begin yet");
            }
            Err((_, why)) => {
                self.ended(key, AttemptOver { turn: None, outcome: Outcome::Failed, detail: Some(why) });
            }
        }
        Ok(())
    }

    /// The attempt is over: another one, or the end of the run, is stored next.
    fn ended(&mut self, key: &JobKey, over: AttemptOver) {
        let now = self.now();
        let Some(job) = self.jobs.get_mut(key) else { return };
        let Some(attempt) = job.attempt.as_mut() else { return };
        attempt.stage = Stage::Over;
        let run = attempt.run.clone();
        let step = match job.clockwork.ended(over.outcome, now) {
            Over::Waits { until } => Step::Wait { run, until },
            Over::Closed => Step::Close { run, over },
        };
        self.steps.push_back((key.clone(), step));
    }

    fn stage(&mut self, key: &JobKey, stage: Stage) {
        if let Some(attempt) = self.jobs.get_mut(key).and_then(|job| job.attempt.as_mut()) {
            attempt.stage = stage;
        }
    }

    /// A run that is not on record is none.
    fn drop_run(&mut self, key: &JobKey) {
        let now = self.now();
        if let Some(job) = self.jobs.get_mut(key) {
            job.attempt = None;
            job.clockwork.ended(Outcome::Stopped, now);
        }
    }
}
