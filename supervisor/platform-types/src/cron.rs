//! Jobs that bots do by the clock, and what became of their runs.
//!
//! Routes of an agent, on its admin socket and, for pages whose device the gate let through, under `/api`:
//!
//! | route | does |
//! |---|---|
//! | `GET /cron` | [`CronList`] |
//! | `GET /cron/{bot}/{job}/runs` | [`RunList`], the newest first |
//! | `POST /cron/{bot}/{job}/run` [`By`] | fires now: [`JobStatus`]; 409 while one runs |
//! | `POST /cron/{bot}/{job}/pause` [`By`] | fires no more by itself: [`JobStatus`]; again is no error |
//! | `POST /cron/{bot}/{job}/resume` [`By`] | fires again, from now on: [`JobStatus`]; again is no error |
//!
//! That a run was *fired*, has *finished*, and what it said was *delivered* are three facts, each with its time and its outcome.
//! A due time at which nothing was fired is on record too, with the reason.

use serde::{Deserialize, Serialize};

use crate::channel::ChatId;
use crate::schedule::When;
use crate::{BotName, JobName, Timestamp, UpstreamName};

/// Jobs of one profile: each keeps a session and a history of runs.
pub const MAX_JOBS: usize = 32;
/// Longest prompt, in bytes: it goes with every run.
pub const MAX_PROMPT_BYTES: usize = 8 * 1024;
/// Longest run, in minutes.
pub const MAX_TIMEOUT_MINUTES: u32 = 120;
/// A run's time, where nothing else is configured, in minutes.
pub const DEFAULT_TIMEOUT_MINUTES: u32 = 15;
/// Attempts after the first one.
pub const MAX_RETRIES: u32 = 10;
/// Runs of one job that are kept.
pub const RUNS_KEPT: usize = 100;

/// Something that a bot does by the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronJob {
    pub bot: BotName,
    /// Unique among the jobs of its bot.
    pub name: JobName,
    pub when: When,
    /// IANA name of the time zone of a schedule.
    pub timezone: String,
    /// What the bot is told.
    pub prompt: String,
    pub missed: Missed,
    /// Longest attempt, from its start.
    pub timeout_minutes: u32,
    /// Attempts after the first one.
    pub retries: u32,
    /// Absent: what is said stands in the job's session on the page, and goes nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver: Option<Deliver>,
    /// Absent: all tools of the bot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
}

/// A chat of a channel that gets what is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    pub channel: UpstreamName,
    pub chat: ChatId,
}

/// What happens when due times passed while the agent was not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Nothing: the next due time is the next run.
    Skip,
    /// One run for all of them.
    #[default]
    RunOnce,
}

impl Missed {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::RunOnce => "run_once",
        }
    }
}

/// Body of `GET /cron`, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CronList {
    pub jobs: Vec<JobStatus>,
}

/// A job and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    pub job: CronJob,
    /// Where its runs stand on the page; absent before the first one.
    pub session: Option<String>,
    /// Absent while it is paused, and for a schedule without another day.
    pub next: Option<Timestamp>,
    /// Absent unless it is paused.
    pub paused: Option<Paused>,
    /// The one that is not over.
    pub running: Option<Run>,
    /// The newest one that is over.
    pub last: Option<Run>,
    /// What a person should know: absent while the latest due time was met, its run completed, and delivered.
    pub trouble: Option<String>,
}

/// Since when a job is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    pub at: Timestamp,
    /// `device <id>` or `operator <user>`.
    pub by: String,
}

/// Body of `GET /cron/{bot}/{job}/runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunList {
    pub runs: Vec<Run>,
}

/// One due time, or several that were passed over together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// 32 lower-case hex digits.
    pub id: String,
    /// When it was due; of several the latest.
    pub due: Timestamp,
    /// Due times that this stands for.
    pub ticks: u32,
    pub cause: Cause,
    /// Who asked for it, where somebody did.
    pub by: Option<String>,
    /// Absent where nothing was fired.
    pub fired_at: Option<Timestamp>,
    /// Begun so far.
    pub attempts: u32,
    /// When the next attempt begins; set between two of them.
    pub retry_at: Option<Timestamp>,
    /// The turn of the last attempt.
    pub turn: Option<String>,
    /// When it was over, or seen to be passed over.
    pub finished_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    /// Why, where it did not complete.
    pub detail: Option<String>,
    /// Absent while there is nothing to deliver.
    pub delivery: Option<Delivery>,
    /// When that was known.
    pub delivered_at: Option<Timestamp>,
    /// Why it was not delivered.
    pub delivery_detail: Option<String>,
}

/// Why a run was fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Schedule,
    /// For due times that had been missed.
    CatchUp,
    /// Somebody asked for it.
    Asked,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    /// The last attempt failed.
    Failed,
    /// A person stopped it.
    Stopped,
    /// The agent was restarted in the last attempt.
    Interrupted,
    /// Not fired: the run before was not over.
    Skipped,
    /// Not fired: nobody was there.
    Missed,
}

/// What became of what a run said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    Pending,
    Delivered,
    Failed,
}

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    pub user: String,
}

macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    };
}

words!(Cause { Schedule => "schedule", CatchUp => "catch_up", Asked => "asked" });
words!(Outcome {
    Completed => "completed",
    Failed => "failed",
    Stopped => "stopped",
    Interrupted => "interrupted",
    Skipped => "skipped",
    Missed => "missed",
});
words!(Delivery { Pending => "pending", Delivered => "delivered", Failed => "failed" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        let wire = |value: serde_json::Value| value.as_str().expect("a word").to_owned();
        for outcome in Outcome::ALL {
            assert_eq!(wire(serde_json::to_value(outcome).expect("writes")), outcome.as_str());
            assert_eq!(Outcome::from_word(outcome.as_str()), Some(*outcome));
        }
        for cause in Cause::ALL {
            assert_eq!(wire(serde_json::to_value(cause).expect("writes")), cause.as_str());
        }
        for delivery in Delivery::ALL {
            assert_eq!(wire(serde_json::to_value(delivery).expect("writes")), delivery.as_str());
        }
        assert_eq!(Outcome::from_word("paused"), None);
        assert_eq!(wire(serde_json::to_value(Missed::RunOnce).expect("writes")), Missed::RunOnce.as_str());
    }
}
