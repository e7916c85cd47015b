//! `GET /v1/plan`, `POST /v1/apply`.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::Failure;
use platform_types::ErrorCode;
use supervisor_plan::Target;
use tokio::sync::oneshot;

use crate::api::extract::{Body, By};
use crate::api::wire::planning::{Applied, ApplyRequest, Plan};
use crate::api::{failure, view};
use crate::registry::operations;
use crate::state::{ApplyError, Command, Shared};

pub fn routes() -> Router<Shared> {
    Router::new().route("/plan", get(plan)).route("/apply", post(apply))
}

async fn plan(State(shared): State<Shared>) -> Result<Json<Plan>, Failure> {
    let (reply, answer) = oneshot::channel();
    shared.commands.send(Command::Preview { reply }).await.map_err(|_| failure::busy())?;
    let preview = answer.await.map_err(|_| failure::busy())?.map_err(|error| refused(&error))?;
    Ok(Json(view::plan(&preview)))
}

async fn apply(
    State(shared): State<Shared>,
    By(by): By,
    Body(request): Body<ApplyRequest>,
) -> Result<Json<Applied>, Failure> {
    let (reply, answer) = oneshot::channel();
    shared.commands.send(Command::Apply { reply }).await.map_err(|_| failure::busy())?;
    let applied = answer.await.map_err(|_| failure::busy())?.map_err(|error| refused(&error))?;
    operations::did(&shared, &by, "config.applied", "platform.toml is in force as it is on the disk".to_owned()).await;
    let retried = if request.retry { retry(&shared).await? } else { Vec::new() };
    Ok(Json(view::applied(&applied, retried)))
}

/// Forgets what went wrong with every target.
async fn retry(shared: &Shared) -> Result<Vec<Target>, Failure> {
    let targets: Vec<Target> = {
        let world = shared.world.borrow();
        world.ledger.failures.keys().chain(world.ledger.quarantines.keys()).cloned().collect()
    };
    let mut retried = Vec::new();
    for target in targets {
        let (reply, answer) = oneshot::channel();
        let command = Command::ClearQuarantine { target: target.clone(), reply };
        shared.commands.send(command).await.map_err(|_| failure::busy())?;
        if answer.await.map_err(|_| failure::busy())? && !retried.contains(&target) {
            retried.push(target);
        }
    }
    Ok(retried)
}

/// The findings travel in the message: they are what the operator has to read.
fn refused(error: &ApplyError) -> Failure {
    let mut message = error.to_string();
    if let ApplyError::Config(findings) = error {
        for finding in findings.iter().filter(|finding| finding.is_error()) {
            message.push('\n');
            message.push_str(&finding.to_string());
        }
    }
    Failure::new(ErrorCode::BadRequest, message).with_param("platform.toml")
}
