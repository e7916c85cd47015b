//! `botctl cron`: what bots do by the clock.

use std::str::FromStr;

use clap::{Args, Subcommand};
use platform_types::{BotName, JobName, ProfileName};

use super::failure::Failure;
use super::run::Call;
use super::show::cron as show;

#[derive(Debug, Subcommand)]
pub enum Cron {
    /// Jobs, when they are due next, and how their latest runs went
    #[command(after_help = "Example: botctl cron list personal")]
    List {
        /// Which profile
        profile: ProfileName,
    },
    /// Run a job now
    #[command(after_help = "Example: botctl cron run personal learning/recap")]
    Run(OneJob),
    /// The runs of a job that are on record, newest first
    #[command(after_help = "Example: botctl cron history personal learning/recap")]
    History(OneJob),
    /// Run a job only by hand, until it is resumed
    #[command(after_help = "Example: botctl cron pause personal learning/recap")]
    Pause(OneJob),
    /// Run a job at its times again, from now on
    #[command(after_help = "Example: botctl cron resume personal learning/recap")]
    Resume(OneJob),
}

#[derive(Debug, Args)]
pub struct OneJob {
    /// Which profile
    pub profile: ProfileName,
    /// The job: its bot, a slash, its name
    #[arg(value_name = "BOT/JOB")]
    pub job: JobPath,
}

/// `learning/recap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPath {
    pub bot: BotName,
    pub job: JobName,
}

impl FromStr for JobPath {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (bot, job) =
            text.split_once('/').ok_or("write the bot, a slash and the job, for example learning/recap")?;
        let bot = BotName::new(bot).map_err(|error| error.to_string())?;
        Ok(Self { bot, job: JobName::new(job).map_err(|error| error.to_string())? })
    }
}

/// Does what was asked.
pub(super) async fn run(call: &Call, cron: Cron) -> Result<(), Failure> {
    let route = |OneJob { profile, job: JobPath { bot, job } }: &OneJob, verb: &str| {
        format!("/profiles/{profile}/cron/{bot}/{job}/{verb}")
    };
    let nothing = serde_json::json!({});
    match cron {
        Cron::List { profile } => call.get(&format!("/profiles/{profile}/cron"), show::jobs).await,
        Cron::History(job) => call.get(&route(&job, "runs"), show::runs).await,
        Cron::Run(job) => call.post(&route(&job, "run"), &nothing, show::fired).await,
        Cron::Pause(job) => call.post(&route(&job, "pause"), &nothing, show::changed).await,
        Cron::Resume(job) => call.post(&route(&job, "resume"), &nothing, show::changed).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_with_its_bot() {
        let path: JobPath = "learning/recap".parse().expect("a job");
        assert_eq!((path.bot.as_str(), path.job.as_str()), ("learning", "recap"));
        for wrong in ["recap", "/recap", "learning/", "a/b/c", "Learning/recap", "../x"] {
            assert!(wrong.parse::<JobPath>().is_err(), "{wrong}");
        }
    }
}
