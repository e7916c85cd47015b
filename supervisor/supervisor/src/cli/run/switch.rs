//! `botctl spark switch`: asked, shown, decided, and followed to its end.

use std::time::Duration;

use platform_kit::{Clock as _, SystemClock};
use platform_types::ModelId;
use platform_types::egress::Card;
use platform_types::switch::{SwitchOutcome, SwitchPhase, SwitchReport, SwitchStatus};

use super::Call;
use super::asking::{confirmed, somebody_or};
use super::waiting::Progress;
use crate::api::wire::Empty;
use crate::api::wire::switch::{SwitchWish, SwitchWord};
use crate::cli::failure::{Failure, OTHER};
use crate::cli::screen::Screen;
use crate::cli::show;

/// How often the supervisor is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(300);

pub async fn switch(call: &Call, model: Option<ModelId>, yes: bool) -> Result<(), Failure> {
    let Some(model) = model else {
        return call.get("/spark/switch", show::switch::status).await;
    };
    somebody_or(yes, "look at botctl spark switch, then add --yes")?;
    let card: Card = call.supervisor.post("/spark/switch", &SwitchWish { model }).await?;
    if !call.json {
        let mut screen = Screen::for_stdout(SystemClock.now());
        show::switch::card(&mut screen, &card);
        screen.show()?;
    }
    let allow = yes || confirmed("switch now?")?;
    let word = SwitchWord { allow, digest: card.digest.clone() };
    let _: Empty = call.supervisor.post(&format!("/spark/switches/{}", card.id), &word).await?;
    if !allow {
        return Err(Failure::other("nothing was switched"));
    }
    let report = follow(call, &card.id).await?;
    let done = report.outcome == SwitchOutcome::Done;
    call.show(&report, show::switch::report)?;
    if done { Ok(()) } else { Err(Failure::silent(OTHER)) }
}

/// Until it is over. Whoever stops looking stops nothing.
async fn follow(call: &Call, id: &str) -> Result<SwitchReport, Failure> {
    let mut progress = Progress::new();
    loop {
        let status: Result<SwitchStatus, Failure> = call.supervisor.get("/spark/switch").await;
        let SwitchStatus { running, last, .. } = status.inspect_err(|_| progress.end())?;
        match (running, last) {
            (Some(run), _) if run.id == id => progress.say(&format!("{}: {}", phase(run.phase), run.progress)),
            (_, Some(report)) if report.id == id => {
                progress.end();
                return Ok(report);
            }
            _ => progress.say("it begins"),
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn phase(phase: SwitchPhase) -> &'static str {
    match phase {
        SwitchPhase::Draining => "draining",
        SwitchPhase::Command => "the box switches",
        SwitchPhase::Waiting => "waiting for the box",
    }
}
