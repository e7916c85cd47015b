//! `GET /v1/secrets`, `POST /v1/secrets/{name}`; `GET /v1/config/{check,show,diff}`; `GET /v1/export/compose`.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::future::join_all;
use platform_kit::Failure;
use platform_types::text::neutral;
use platform_types::{ErrorCode, Role, SecretName};
use supervisor_plan::Target;
use tokio::sync::oneshot;

use crate::api::extract::{Body, By};
use crate::api::failure::{busy, internal};
use crate::api::wire::settings as wire;
use crate::compose;
use crate::registry::operations;
use crate::settings::config::{self, ConfigError};
use crate::settings::secrets::{self, SetError};
use crate::state::{Command, Shared};

pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/secrets", get(list_secrets))
        .route("/secrets/{name}", post(set_secret))
        .route("/config/check", get(check))
        .route("/config/show", get(show))
        .route("/config/diff", get(diff))
        .route("/export/compose", get(export))
}

async fn list_secrets(State(shared): State<Shared>) -> Result<Json<wire::Secrets>, Failure> {
    let config = shared.world.borrow().config.clone();
    let needed = secrets::needed(&config);
    secrets::list(&shared.roots, &needed, shared.clock.now()).map(Json).map_err(|error| internal(&error))
}

async fn set_secret(
    State(shared): State<Shared>,
    By(by): By,
    Path(name): Path<String>,
    Body(secret): Body<wire::SecretValue>,
) -> Result<Json<wire::SecretSet>, Failure> {
    let name = SecretName::new(name)
        .map_err(|error| Failure::new(ErrorCode::BadRequest, neutral(&error.to_string())).with_param("name"))?;
    if secret.replace && !shared.roots.secrets().join(name.as_str()).exists() {
        let message = format!("there is no secret named {name} to rotate; botctl secret set {name} stores a first one");
        return Err(Failure::new(ErrorCode::NotFound, message).with_param("name"));
    }
    secrets::set(&shared.roots, &name, &secret.value).map_err(|error| match error {
        SetError::NotALine | SetError::TooLong => Failure::new(ErrorCode::BadRequest, error.to_string()),
        SetError::Folder(error) => internal(&error),
    })?;
    tracing::info!(%name, "a secret was stored");
    let kind = if secret.replace { "secret.rotated" } else { "secret.set" };
    operations::did(&shared, &by, kind, format!("the secret {name}")).await;
    let (reply, answer) = oneshot::channel();
    shared.commands.send(Command::SecretChanged { reply }).await.map_err(|_| busy())?;
    answer.await.map_err(|_| busy())?;
    let used_by = secrets::needed(&shared.world.borrow().config).remove(&name).unwrap_or_default();
    let waiting = unconfirmed(&shared, &used_by).await;
    let delivered = !used_by.is_empty() && waiting.is_empty();
    Ok(Json(wire::SecretSet { name, delivered, used_by, waiting }))
}

/// Those that have not said that they have what they should have. Backup reads its keys whenever it needs them.
async fn unconfirmed(shared: &Shared, consumers: &[Target]) -> Vec<Target> {
    let told = consumers.iter().filter(|target| target.role() != Role::Backup).map(|target| async {
        let (reply, answer) = oneshot::channel();
        let command = Command::Confirm { target: target.clone(), reply };
        let confirmed = shared.commands.send(command).await.is_ok() && answer.await.unwrap_or(false);
        (!confirmed).then(|| target.clone())
    });
    join_all(told).await.into_iter().flatten().collect()
}

async fn check(State(shared): State<Shared>) -> Result<Json<wire::ConfigCheck>, Failure> {
    config::check(&shared.roots).map(Json).map_err(|error| refused(&error))
}

async fn show(State(shared): State<Shared>) -> Result<Json<wire::ConfigText>, Failure> {
    config::show(&shared.roots).map(Json).map_err(|error| refused(&error))
}

async fn diff(State(shared): State<Shared>) -> Result<Json<wire::ConfigDiff>, Failure> {
    let in_force = shared.world.borrow().config.clone();
    config::compare(&shared.roots, Some(&in_force)).map(Json).map_err(|error| refused(&error))
}

async fn export(State(shared): State<Shared>) -> Json<wire::ComposeText> {
    let world = shared.world.borrow().clone();
    let seccomp = shared.roots.agent_seccomp();
    let text = compose::render(&compose::compose(&world.desired, &world.ledger, &seccomp));
    Json(wire::ComposeText { text })
}

fn refused(error: &ConfigError) -> Failure {
    Failure::new(ErrorCode::BadRequest, error.to_string()).with_param("platform.toml")
}
