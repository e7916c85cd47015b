//! `GET /v1/profiles/{p}/cron`, `GET …/cron/{bot}/{job}/runs`, `POST …/cron/{bot}/{job}/{run,pause,resume}`: asked of the agent, which
//! decides; what it says is made harmless.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;
use platform_kit::client::Client;
use platform_types::cron::{By, CronList, JobStatus, Run, RunList};
use platform_types::text::neutral;
use platform_types::{BotName, ErrorCode, JobName, ProfileName};

use crate::api::extract::{User, profile};
use crate::api::failure;
use crate::api::wire::cron as wire;
use crate::sockets;
use crate::state::Shared;

type Answer<T> = Result<Json<T>, Failure>;
/// Profile, bot and job out of the path.
type Names = Path<(String, String, String)>;

pub fn routes() -> Router<Shared> {
    let command = |verb: &'static str| {
        post(async move |State(shared): State<Shared>, User(user): User, names: Names| {
            command(&shared, names, verb, user).await
        })
    };
    Router::new()
        .route("/profiles/{profile}/cron", get(list))
        .route("/profiles/{profile}/cron/{bot}/{job}/runs", get(runs))
        .route("/profiles/{profile}/cron/{bot}/{job}/run", command("run"))
        .route("/profiles/{profile}/cron/{bot}/{job}/pause", command("pause"))
        .route("/profiles/{profile}/cron/{bot}/{job}/resume", command("resume"))
}

async fn list(State(shared): State<Shared>, Path(name): Path<String>) -> Answer<wire::Jobs> {
    let profile = profile(&name)?;
    let asked = agent(&shared, &profile)?.get::<CronList>("/cron").await;
    let CronList { jobs } = asked.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(wire::Jobs { profile, jobs: jobs.into_iter().map(harmless_job).collect() }))
}

async fn runs(State(shared): State<Shared>, names: Names) -> Answer<wire::Runs> {
    let (profile, bot, job) = read(names)?;
    let asked = agent(&shared, &profile)?.get::<RunList>(&format!("/cron/{bot}/{job}/runs")).await;
    let RunList { runs } = asked.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(wire::Runs { profile, bot, job, runs: runs.into_iter().map(harmless_run).collect() }))
}

async fn command(shared: &Shared, names: Names, verb: &str, user: String) -> Answer<wire::JobChanged> {
    let (profile, bot, job) = read(names)?;
    let asked = agent(shared, &profile)?.post(&format!("/cron/{bot}/{job}/{verb}"), &By { user }).await;
    let job: JobStatus = asked.map_err(|error| failure::call(&who(&profile), &error))?;
    Ok(Json(wire::JobChanged { profile, job: harmless_job(job) }))
}

fn read(Path((name, bot, job)): Names) -> Result<(ProfileName, BotName, JobName), Failure> {
    let bad = |error: platform_types::NameError| Failure::new(ErrorCode::BadRequest, neutral(&error.to_string()));
    Ok((profile(&name)?, BotName::new(bot).map_err(bad)?, JobName::new(job).map_err(bad)?))
}

fn agent(shared: &Shared, profile: &ProfileName) -> Result<Client, Failure> {
    let config = shared.world.borrow().config.clone();
    if !config.profiles.contains_key(profile) {
        return Err(failure::no_profile(&config, profile));
    }
    sockets::agent(shared, profile)
        .ok_or_else(|| failure::unreachable(&who(profile), "no container serves the profile"))
}

fn who(profile: &ProfileName) -> String {
    format!("{profile}/agent")
}

fn harmless_job(mut status: JobStatus) -> JobStatus {
    status.job.prompt = neutral(&status.job.prompt);
    status.job.timezone = neutral(&status.job.timezone);
    status.session = status.session.as_deref().map(neutral);
    status.trouble = status.trouble.as_deref().map(neutral);
    if let Some(paused) = &mut status.paused {
        paused.by = neutral(&paused.by);
    }
    status.running = status.running.map(harmless_run);
    status.last = status.last.map(harmless_run);
    status
}

fn harmless_run(mut run: Run) -> Run {
    run.id = neutral(&run.id);
    for text in [&mut run.by, &mut run.turn, &mut run.detail, &mut run.delivery_detail] {
        *text = text.as_deref().map(neutral);
    }
    run
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_agent_reports_acts_on_no_terminal() {
        let evil = "\u{1b}[2J";
        let run = json!({"id": evil, "due": 1, "ticks": 1, "cause": "asked", "by": evil, "fired_at": 1, "attempts": 1,
            "retry_at": null, "turn": evil, "finished_at": 2, "outcome": "failed", "detail": evil, "delivery": "failed",
            "delivered_at": 3, "delivery_detail": evil});
        let job = json!({"bot": "b", "name": "j", "when": {"schedule": "0 3 * * *"}, "timezone": evil, "prompt": evil,
            "missed": "skip", "timeout_minutes": 1, "retries": 0});
        let status = json!({"job": job, "session": evil, "next": 5, "paused": {"at": 1, "by": evil}, "running": run,
            "last": run, "trouble": evil});
        let status: JobStatus = serde_json::from_value(status).expect("parses");
        let text = serde_json::to_string(&harmless_job(status)).expect("writes");
        assert!(!text.contains("\\u001b") && text.contains("u{1b}"), "{text}");
    }
}
