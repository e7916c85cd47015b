//! One job, as the task holds it and as it is shown.

use agent_core::cron::{Clockwork, Plan, Timetable};
use agent_store::JobKey;
use agent_store::cron::{KeptJob, Latest};
use agent_tools::clock::utc;
use platform_types::Timestamp;
use platform_types::cron::{CronJob, Delivery, JobStatus, Outcome, Paused, Run};

/// A configured job.
#[derive(Debug)]
pub(super) struct Job {
    pub config: CronJob,
    pub clockwork: Clockwork,
    pub session: Option<String>,
    pub paused: Option<Paused>,
    pub attempt: Option<Attempt>,
    /// Its newest runs, as they were last read; they have to be read again when they are stale.
    pub latest: Latest,
    pub is_stale: bool,
}

/// The run that is not over, and the message of its latest attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub run: String,
    pub message: String,
    pub stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// From before a restart: whether it was handed in is not known.
    Unknown,
    /// It has to be handed in.
    New,
    /// The hub has it, durably.
    Taken,
    /// It is over; another attempt follows, or the run is being closed.
    Over,
}

impl Job {
    /// A job as it was left. `None` for a timetable that cannot be read, which no checked configuration has.
    pub fn new(config: CronJob, kept: KeptJob) -> Option<Self> {
        let KeptJob { seen, session, paused, open } = kept;
        let run = open
            .as_ref()
            .map(|open| agent_core::cron::clockwork::Run { attempts: open.attempts, retry_at: open.retry_at });
        let clockwork = Clockwork::new(plan(&config)?, seen, paused.is_some(), run);
        let attempt = open.map(|open| {
            let stage = if open.retry_at.is_some() { Stage::Over } else { Stage::Unknown };
            Attempt { run: open.id, message: open.message, stage }
        });
        Some(Self { config, clockwork, session, paused, attempt, latest: Latest::default(), is_stale: true })
    }

    /// Another configuration of the same job.
    pub fn change(&mut self, config: CronJob, now: Timestamp) {
        if self.config == config {
            return;
        }
        let is_new_timetable = timetable(&self.config) != timetable(&config);
        if let Some(plan) = plan(&config) {
            self.clockwork.replan(plan, is_new_timetable, now);
        }
        self.config = config;
    }

    pub fn status(&self) -> JobStatus {
        let Latest { running, last, judged } = &self.latest;
        JobStatus {
            job: self.config.clone(),
            session: self.session.clone(),
            next: self.clockwork.next_due(),
            paused: self.paused.clone(),
            running: running.clone(),
            last: last.clone(),
            trouble: judged.as_ref().and_then(trouble),
        }
    }
}

pub(super) fn key(config: &CronJob) -> JobKey {
    JobKey { bot: config.bot.clone(), job: config.name.clone() }
}

/// Names a timetable: due times count anew when it is another one.
pub(super) fn timetable(config: &CronJob) -> String {
    format!("{} {}", config.when, config.timezone)
}

fn plan(config: &CronJob) -> Option<Plan> {
    let timetable = Timetable::new(config.when.clone(), &config.timezone)?;
    Some(Plan { timetable, missed: config.missed, retries: config.retries })
}

/// What is wrong with the newest run, as a clause.
fn trouble(run: &Run) -> Option<String> {
    let why = |detail: &Option<String>| detail.as_ref().map_or(String::new(), |detail| format!(": {detail}"));
    let due = utc(run.due);
    match run.outcome? {
        Outcome::Missed if run.ticks == 1 => Some(format!("the due time {due} was missed")),
        Outcome::Missed => Some(format!("{} due times were missed, the last at {due}", run.ticks)),
        Outcome::Failed => Some(format!("the run of {due} failed{}", why(&run.detail))),
        Outcome::Interrupted => Some(format!("the run of {due} was cut off by a restart")),
        Outcome::Completed | Outcome::Stopped | Outcome::Skipped if run.delivery == Some(Delivery::Failed) => {
            Some(format!("what the run of {due} said was not delivered{}", why(&run.delivery_detail)))
        }
        Outcome::Completed | Outcome::Stopped | Outcome::Skipped => None,
    }
}
