//! The loop: wait in one place, then do everything that there is to do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent_store::{JobKey, Store};
use platform_types::agent::AgentConfig;
use platform_types::cron::{JobStatus, Paused};
use platform_types::{ErrorCode, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::job::{Job, Stage, key, timetable};
use super::steps::{NotYet, Step};
use super::{Command, Shown, What};
use crate::audit::Audit;
use crate::counters::Counters;
use crate::database::Closed;
use crate::mind::{Hands, NotTaken};

/// What could not be done is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Owns the jobs.
#[derive(Debug)]
pub(super) struct Task {
    pub hands: Hands,
    pub counters: Arc<Counters>,
    pub audit: Audit,
    pub jobs: BTreeMap<JobKey, Job>,
    /// In the order of the configuration.
    order: Vec<JobKey>,
    /// What has to be stored, in order.
    pub steps: VecDeque<(JobKey, Step)>,
    /// Runs whose words are on their way.
    pub undelivered: BTreeSet<String>,
    show: watch::Sender<Shown>,
    /// The configuration that is followed.
    config: Option<Arc<AgentConfig>>,
    /// Something has to be tried again.
    is_late: bool,
}

impl Task {
    pub fn new(hands: Hands, (counters, audit): (Arc<Counters>, Audit), show: watch::Sender<Shown>) -> Self {
        Self {
            hands,
            counters,
            audit,
            jobs: BTreeMap::new(),
            order: Vec::new(),
            steps: VecDeque::new(),
            undelivered: BTreeSet::new(),
            show,
            config: None,
            is_late: false,
        }
    }

    pub async fn run(
        mut self,
        (mut config, mut outgoing): (watch::Receiver<Arc<AgentConfig>>, watch::Receiver<()>),
        mut commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) {
        loop {
            outgoing.mark_unchanged();
            let wanted = config.borrow_and_update().clone();
            self.look(wanted).await;
            let (clock, hands) = (self.hands.tooling.clock.clone(), self.hands.clone());
            let wake = self.wake_at();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = config.changed() => if changed.is_err() { return },
                Some(command) = commands.recv() => self.obey(command).await,
                // The hub that says so lives as long as this.
                _ = outgoing.changed() => {}
                () = hands.settled() => {}
                () = tokio::time::sleep(AGAIN), if self.is_late => {}
                () = clock.wait(wake) => {}
            }
        }
    }

    /// Everything that there is to do now. What fails is tried again.
    async fn look(&mut self, config: Arc<AgentConfig>) {
        self.is_late = false;
        if let Err(error) = self.all(config).await {
            self.is_late = true;
            if let NotYet::Store(error) = error {
                tracing::warn!(error = &error as &dyn std::error::Error, "jobs by the clock wait for the database");
            }
        }
    }

    async fn all(&mut self, config: Arc<AgentConfig>) -> Result<(), NotYet> {
        if !self.config.as_ref().is_some_and(|current| Arc::ptr_eq(current, &config)) {
            self.configure(&config).await?;
            self.config = Some(config);
        }
        self.work_off().await;
        // What has ended meanwhile keeps no due time waiting.
        self.follow_attempts().await?;
        self.work_off().await;
        if self.steps.is_empty() {
            let now = self.now();
            for (key, job) in &mut self.jobs {
                let due = job.clockwork.advance(now).into_iter();
                self.steps.extend(due.map(|effect| (key.clone(), Step::Effect(effect, None))));
            }
        }
        self.work_off().await;
        self.follow_attempts().await?;
        self.work_off().await;
        self.settle().await?;
        let waits = |job: &Job| job.attempt.as_ref().is_some_and(|attempt| attempt.stage == Stage::New);
        self.is_late = !self.steps.is_empty() || self.jobs.values().any(waits);
        self.publish().await
    }

    async fn configure(&mut self, config: &AgentConfig) -> Result<(), NotYet> {
        let named: Vec<_> = config.cron.iter().map(|job| (key(job), timetable(job))).collect();
        let (keys, now) = (named.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), self.now());
        let kept = self.database(move |store| store.keep_jobs(&named, now)).await??;
        self.jobs.retain(|key, _| keys.contains(key));
        for ((key, config), kept) in keys.iter().zip(&config.cron).zip(kept) {
            match self.jobs.get_mut(key) {
                Some(job) => job.change(config.clone(), now),
                None => drop(Job::new(config.clone(), kept).map(|job| self.jobs.insert(key.clone(), job))),
            }
        }
        self.order = keys;
        let undelivered = self.database(|store| store.pending_deliveries()).await??;
        self.undelivered.extend(undelivered);
        Ok(())
    }

    /// What became of words that were on their way.
    async fn settle(&mut self) -> Result<(), NotYet> {
        if self.undelivered.is_empty() {
            return Ok(());
        }
        let now = self.now();
        if self.database(move |store| store.give_up_lost_deliveries(now)).await?? {
            self.audit.grew();
        }
        for run in self.undelivered.clone() {
            self.delivered(&run).await?;
        }
        Ok(())
    }

    /// Whether what a run said was delivered, if that is known.
    pub(super) async fn delivered(&mut self, run: &str) -> Result<(), NotYet> {
        let id = run.to_owned();
        if let Some(delivered) = self.database(move |store| store.is_delivered(&id)).await?? {
            self.undelivered.remove(run);
            // Whose it is, is not known here; there are few.
            self.jobs.values_mut().for_each(|job| job.is_stale = true);
            self.audit.grew();
            self.counters.cron.delivered(delivered);
            tracing::info!(run, delivered, "run delivered");
        }
        Ok(())
    }

    async fn obey(&mut self, Command { key, what, by, reply }: Command) {
        let done = self.carry_out(&key, what, by).await;
        // Whoever asked may have gone.
        let _ = reply.send(done);
    }

    async fn carry_out(&mut self, key: &JobKey, what: What, by: String) -> Result<JobStatus, NotTaken> {
        let now = self.now();
        let Some(job) = self.jobs.get_mut(key) else {
            return Err((ErrorCode::NotFound, format!("there is no job {key} in this profile")));
        };
        match what {
            What::Run => {
                let effect = job.clockwork.ask(now).map_err(|error| (ErrorCode::Conflict, error.to_string()))?;
                self.steps.push_back((key.clone(), Step::Effect(effect, Some(by))));
                self.work_off().await;
            }
            What::Pause | What::Resume => {
                let (owned, pause, user) = (key.clone(), what == What::Pause, by.clone());
                let stored = self.database(move |store| store.pause_job(&owned, pause, &user, now)).await;
                stored.map_err(not_taken)?.map_err(not_taken)?;
                self.audit.grew();
                if let Some(job) = self.jobs.get_mut(key) {
                    job.clockwork.pause(pause, now);
                    let since = job.paused.take().unwrap_or(Paused { at: now, by });
                    job.paused = pause.then_some(since);
                }
            }
        }
        self.publish().await.map_err(not_taken)?;
        let job = self.jobs.get(key).ok_or((ErrorCode::NotFound, format!("there is no job {key} any more")))?;
        Ok(job.status())
    }

    /// Shows how the jobs are.
    async fn publish(&mut self) -> Result<(), NotYet> {
        let keys: Vec<JobKey> = self.jobs.iter().filter(|(_, job)| job.is_stale).map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            let asked = keys.clone();
            let read =
                move |store: &mut Store| asked.iter().map(|key| store.latest_runs(key)).collect::<Result<Vec<_>, _>>();
            let latest = self.database(read).await??;
            for (key, latest) in keys.iter().zip(latest) {
                if let Some(job) = self.jobs.get_mut(key) {
                    (job.latest, job.is_stale) = (latest, false);
                }
            }
        }
        let shown: Vec<JobStatus> = self.order.iter().filter_map(|key| self.jobs.get(key)).map(Job::status).collect();
        self.show.send_replace(Shown { config: self.config.clone(), jobs: Arc::new(shown) });
        Ok(())
    }

    fn wake_at(&self) -> Timestamp {
        self.jobs.values().filter_map(|job| job.clockwork.wake_at()).min().unwrap_or(Timestamp(i64::MAX))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.hands.tooling.clock.now()
    }

    /// The value of a job of the database.
    pub(super) async fn database<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.hands.database.call(job).await
    }
}

fn not_taken(error: impl std::error::Error) -> NotTaken {
    (ErrorCode::Internal, format!("this could not be stored: {error}"))
}
