//! `GET` and `POST /v1/profiles/{p}/snapshots`, `POST /v1/profiles/{p}/check` and `/restore`. Every `POST` answers in lines.

use std::path::PathBuf;

use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use platform_kit::{Failure, task};
use platform_types::backup::SnapshotList;
use platform_types::text::neutral;
use platform_types::{ErrorCode, ProfileName};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::api::extract::{Body, By, profile};
use crate::api::peer::Caller;
use crate::api::stream::{Lines, lines};
use crate::api::wire::Line;
use crate::api::wire::backups::{CheckRequest, RestoreRequest, Snapshots};
use crate::api::{failure, view};
use crate::sockets;
use crate::state::{Command, OperationError, RestoreInto, Shared};
use crate::task::listing;

/// Lines of progress that wait for a slow reader.
const PROGRESS_QUEUE: usize = 32;

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/profiles/{profile}/snapshots", get(list).post(snapshot))
        .route("/profiles/{profile}/check", post(check))
        .route("/profiles/{profile}/restore", post(restore))
}

async fn list(State(shared): State<Shared>, Path(name): Path<String>) -> Result<Json<Snapshots>, Failure> {
    let profile = known(&shared, &name)?;
    let client = sockets::backup(&shared).ok_or_else(|| failure::unreachable("backup", "it was never started"))?;
    let found = listing::list(&client, &profile).await;
    let SnapshotList { snapshots, problems } = found.map_err(|error| failure::call("backup", &error))?;
    let snapshots = snapshots.into_iter().map(view::neutral_snapshot).collect();
    let upkeep = view::upkeep(&shared.world.borrow(), &profile);
    let problems = problems.iter().map(|problem| neutral(problem)).collect();
    Ok(Json(Snapshots { profile, snapshots, problems, upkeep }))
}

async fn snapshot(State(shared): State<Shared>, By(by): By, Path(name): Path<String>) -> Result<Response, Failure> {
    let profile = known(&shared, &name)?;
    let reason = "manual".to_owned();
    run(&shared, |progress, reply| Command::Snapshot { profile, by, reason, progress, reply }).await
}

async fn check(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(CheckRequest { all_data }): Body<CheckRequest>,
) -> Result<Response, Failure> {
    let profile = known(&shared, &name)?;
    run(&shared, |progress, reply| Command::Check { profile, by, all_data, progress, reply }).await
}

async fn restore(
    State(shared): State<Shared>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    By(by): By,
    Path(name): Path<String>,
    Body(request): Body<RestoreRequest>,
) -> Result<Response, Failure> {
    let profile = known(&shared, &name)?;
    let RestoreRequest { snapshot, to } = request;
    let into = match to {
        None => RestoreInto::Profile,
        Some(path) => folder(path.into(), caller)?,
    };
    run(&shared, |progress, reply| Command::Restore { profile, by, snapshot, into, progress, reply }).await
}

/// A folder for the caller. The supervisor makes it as root, so only root may say where.
fn folder(path: PathBuf, caller: Caller) -> Result<RestoreInto, Failure> {
    if !path.is_absolute() || path.components().any(|part| matches!(part, std::path::Component::ParentDir)) {
        let message = "the folder must be an absolute path without '..'";
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("to"));
    }
    if path.file_name().is_none() {
        let message = format!("{} cannot be restored into; name a folder that does not exist yet", path.display());
        return Err(Failure::new(ErrorCode::BadRequest, message).with_param("to"));
    }
    if caller.uid != 0 {
        let message = "only root may restore into a folder: the supervisor writes there as root; use sudo";
        return Err(Failure::new(ErrorCode::Forbidden, message).with_param("to"));
    }
    Ok(RestoreInto::Folder { path, uid: caller.uid, gid: caller.gid })
}

type Reply<T> = oneshot::Sender<Result<T, OperationError>>;

/// Sends the command and turns what comes back into lines. An operation goes on when its reader has gone.
async fn run<T: Serialize + Send + Sync + 'static>(
    shared: &Shared,
    command: impl FnOnce(mpsc::Sender<String>, Reply<T>) -> Command,
) -> Result<Response, Failure> {
    let (progress, messages) = mpsc::channel(PROGRESS_QUEUE);
    let (reply, answer) = oneshot::channel();
    shared.commands.send(command(progress, reply)).await.map_err(|_| failure::busy())?;
    let (writer, response) = lines();
    task::spawn("operation's lines", relay(writer, messages, answer));
    Ok(response)
}

async fn relay<T: Serialize>(
    writer: Lines,
    mut messages: mpsc::Receiver<String>,
    answer: oneshot::Receiver<Result<T, OperationError>>,
) {
    while let Some(message) = messages.recv().await {
        writer.send(&Line::<()>::Progress { message: neutral(&message) }).await;
    }
    let result = match answer.await {
        Ok(result) => result.map_err(|error| failure::operation(&error)),
        Err(_) => Err(failure::busy()),
    };
    writer.end(result).await;
}

fn known(shared: &Shared, name: &str) -> Result<ProfileName, Failure> {
    let profile = profile(name)?;
    let config = shared.world.borrow().config.clone();
    if config.profiles.contains_key(&profile) { Ok(profile) } else { Err(failure::no_profile(&config, &profile)) }
}
