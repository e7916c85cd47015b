//! `botctl cron`.

use platform_types::cron::{Cause, CronJob, Delivery, JobStatus, Outcome, Run};
use platform_types::schedule::When;

use crate::api::wire::cron::{JobChanged, Jobs, Runs};
use crate::cli::screen::{Cell, Screen, Table, Tone};

pub fn jobs(screen: &mut Screen, jobs: &Jobs) {
    screen.quote();
    let Jobs { profile, jobs } = jobs;
    if jobs.is_empty() {
        let line = format!("{profile} has no job: see [profile.{profile}.bot.BOT.cron.JOB] in platform.toml");
        return screen.line(line);
    }
    let mut table = Table::new(["JOB", "WHEN", "NEXT", "LAST", "OUTCOME", "DELIVERED"]);
    for status in jobs {
        let last = status.running.as_ref().or(status.last.as_ref());
        table.row([
            name(status).into(),
            when(screen, status).into(),
            next(screen, status),
            Cell::or_dash(last.map(|run| screen.ago(run.fired_at.unwrap_or(run.due)))),
            last.map_or_else(|| Cell::or_dash(None), outcome),
            last.map_or_else(|| Cell::or_dash(None), delivered),
        ]);
        table.details(status.trouble.iter().map(|trouble| Cell::toned(Tone::Bad, trouble)));
    }
    screen.table(&table);
    reported(screen);
}

pub fn runs(screen: &mut Screen, runs: &Runs) {
    screen.quote();
    let Runs { profile, bot, job, runs } = runs;
    if runs.is_empty() {
        return screen.line(format!("{bot}/{job} of {profile} was not due yet"));
    }
    let mut table = Table::new(["DUE", "FIRED", "WHY", "TRIES", "FINISHED", "OUTCOME", "DELIVERED"]).right([3]);
    for run in runs {
        table.row([
            screen.moment(run.due).into(),
            Cell::or_dash(run.fired_at.map(|at| screen.moment(at))),
            why(run).into(),
            run.attempts.to_string().into(),
            Cell::or_dash(run.finished_at.map(|at| screen.moment(at))),
            outcome(run),
            delivered(run),
        ]);
        let details = [&run.detail, &run.delivery_detail].into_iter().flatten();
        table.details(details.map(|detail| Cell::toned(Tone::Faint, detail)));
    }
    screen.table(&table);
    reported(screen);
}

pub fn fired(screen: &mut Screen, changed: &JobChanged) {
    screen.quote();
    let JobChanged { profile, job } = changed;
    screen.line(format!("{} of {profile} runs; see: botctl cron history {profile} {}", name(job), name(job)));
}

pub fn changed(screen: &mut Screen, changed: &JobChanged) {
    screen.quote();
    let JobChanged { profile, job } = changed;
    let words = match (&job.paused, job.next) {
        (Some(paused), _) => format!("is paused since {}, by {}", screen.moment(paused.at), paused.by),
        (None, Some(next)) => format!("is due next at {}", screen.moment(next)),
        (None, None) => "is not due any more".to_owned(),
    };
    screen.line(format!("{} of {profile} {words}", name(job)));
}

fn reported(screen: &mut Screen) {
    let reported = screen.tone(Tone::Faint, "as the agent reports it");
    screen.line(reported);
}

fn name(status: &JobStatus) -> String {
    format!("{}/{}", status.job.bot, status.job.name)
}

/// With the time zone of a schedule where times are shown in another.
fn when(screen: &Screen, status: &JobStatus) -> String {
    let CronJob { when, timezone, .. } = &status.job;
    match when {
        When::Schedule(_) if screen.zone() != Some(timezone) => format!("{when} {timezone}"),
        When::Schedule(_) | When::EverySeconds(_) => when.to_string(),
    }
}

fn next(screen: &Screen, status: &JobStatus) -> Cell {
    match (&status.paused, status.next) {
        (Some(_), _) => Cell::toned(Tone::Warn, "paused"),
        (None, next) => Cell::or_dash(next.map(|next| screen.moment(next))),
    }
}

fn why(run: &Run) -> String {
    match run.cause {
        Cause::Schedule if run.ticks > 1 => format!("{} due times", run.ticks),
        Cause::Schedule => "its time".to_owned(),
        Cause::CatchUp => format!("{} missed", run.ticks),
        Cause::Asked => run.by.clone().unwrap_or_else(|| "asked".to_owned()),
    }
}

fn outcome(run: &Run) -> Cell {
    match run.outcome {
        None if run.retry_at.is_some() => Cell::toned(Tone::Warn, "waits to try again"),
        None => "running".into(),
        Some(outcome @ Outcome::Completed) => Cell::toned(Tone::Good, outcome.as_str()),
        Some(outcome @ (Outcome::Stopped | Outcome::Skipped)) => Cell::toned(Tone::Faint, outcome.as_str()),
        Some(outcome @ (Outcome::Failed | Outcome::Interrupted | Outcome::Missed)) => {
            Cell::toned(Tone::Bad, outcome.as_str())
        }
    }
}

fn delivered(run: &Run) -> Cell {
    match run.delivery {
        None => Cell::or_dash(None),
        Some(Delivery::Delivered) => Cell::toned(Tone::Good, "delivered"),
        Some(Delivery::Pending) => Cell::toned(Tone::Warn, "on its way"),
        Some(Delivery::Failed) => Cell::toned(Tone::Bad, "not delivered"),
    }
}

#[cfg(test)]
mod tests {
    use platform_types::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_of_another_time_zone_says_so() {
        let job = |name: &str, when: serde_json::Value, timezone: &str| {
            let job = json!({ "bot": "learning", "name": name, "when": when, "timezone": timezone, "prompt": "p",
                "missed": "skip", "timeout_minutes": 15, "retries": 0 });
            json!({ "job": job, "session": null, "next": 68_400_000, "paused": null, "running": null, "last": null, "trouble": null })
        };
        let evening = || json!({ "schedule": "0 20 * * *" });
        let all = [
            job("here", evening(), "UTC"),
            job("there", evening(), "Europe/Berlin"),
            job("often", json!({ "every_seconds": 60 }), "Europe/Berlin"),
        ];
        let shown: Jobs = serde_json::from_value(json!({ "profile": "personal", "jobs": all })).unwrap();
        let mut screen = Screen::plain(Timestamp(0));
        jobs(&mut screen, &shown);
        let text = screen.into_text();
        assert!(text.contains("0 20 * * *                19:00:00"), "{text}");
        assert!(text.contains("0 20 * * * Europe/Berlin  19:00:00"), "{text}");
        assert!(text.contains("every 1m                  19:00:00"), "{text}");
    }
}
